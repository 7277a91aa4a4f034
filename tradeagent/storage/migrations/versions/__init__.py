"""The revisions; each file is one step and is never changed once released."""
