"""Buses: how messages travel, chosen by the scheme of a URL."""
