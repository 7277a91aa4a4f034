"""Where a backtest's result may go: no other result is written over unasked."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from tradeagent.errors import CommandError, DataError
from tradeagent.research.folder import REPORT, TABLES
from tradeagent.research.result import SUMMARY, load_summary
from tradeagent.research.terms import RESUMED

STATE = "state"
"""The folder of the journal, within that of the result."""
OURS = frozenset({SUMMARY, *TABLES, REPORT, STATE})


class Same(NamedTuple):
    """What two backtests share of which one may stand in the place of the other."""

    configuration: str
    data: dict[str, str]
    resumed: bool


def claim(folder: Path, wanted: Same, *, force: bool) -> Path:
    """Return where in `folder` the journal of a backtest goes.

    Raises CommandError where it cannot be written, and where it holds anything but an earlier run
    of the same, unless `force` says so.
    """
    if folder.exists() and not folder.is_dir():
        raise CommandError(f"--out: {folder} is a file; name a folder")
    held = "" if force or not folder.is_dir() else _held(folder, wanted)
    if held:
        raise CommandError(
            f"--out: {folder} holds {held}; name a new folder, or say --force to write over it"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return folder / STATE
    except OSError as error:
        said = f"--out: {folder} cannot be written ({error.strerror}); name another folder"
        raise CommandError(said) from None


def _held(folder: Path, wanted: Same) -> str:
    """Return what stands in a folder that is not to be written over, nothing where it may be."""
    names = {one.name for one in folder.iterdir() if not one.name.startswith(".")}
    if not names <= OURS:
        return "something else"
    if SUMMARY not in names:
        cut_off = not names or STATE in names
        return "" if cut_off else "something else"
    try:
        summary = load_summary(folder)
    except DataError:
        return "something else"
    origin = summary.origin
    if summary.trials is not None:
        return "the best of a search"
    found = Same(origin.configuration, origin.data, RESUMED.items() <= origin.terms.items())
    if found.data != wanted.data:
        return "a backtest on other data"
    return "" if found == wanted else "a backtest with other settings"
