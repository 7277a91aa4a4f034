"""Where the catalogue is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "TRADEAGENT_DATA"
MADE = ".resampled"
"""Where candles made of shorter ones are, below the root; it may be removed at any time."""


def usual_root(environ: Mapping[str, str]) -> Path:
    """Return the folder that TRADEAGENT_DATA names, else the usual one for a user's data."""
    if named := environ.get(VARIABLE):
        return Path(named)
    home = Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return home / "tradeagent" / "data"


def usual_made(root: Path, environ: Mapping[str, str]) -> Path:
    """Return the user's own folder for what is made of a catalogue that cannot be written to."""
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(str(root.resolve()).encode()).hexdigest()
    return cache / "tradeagent" / "resampled" / digest[:16]
