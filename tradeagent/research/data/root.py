"""Where the catalogue is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

VARIABLE = "TRADEAGENT_DATA"


def usual_root(environ: Mapping[str, str]) -> Path:
    """Return the folder that TRADEAGENT_DATA names, else the usual one for a user's data."""
    if named := environ.get(VARIABLE):
        return Path(named)
    home = Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return home / "tradeagent" / "data"
