"""Put several files in their places together, whatever stops the process meanwhile."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tradeagent.crash import crashpoint
from tradeagent.errors import DataError

STAGED = ".staged"
"""Where files wait for their place, under the root."""
LIST = "list.json"
"""Written when all are whole: from then on they will be put in their places."""


class Unwritable(DataError):
    """A folder in which nothing can be written."""


class Staged:
    """Files that are written aside, to be put in their places all or none."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / STAGED
        self._places: dict[str, str] = {}

    def place(self, target: Path) -> Path:
        """Return where to write the file that is to become `target`."""
        name = f"{len(self._places)}{target.suffix}"
        self._places[name] = target.relative_to(self._root).as_posix()
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / name

    def commit(self) -> None:
        """Put what was written in its place; a process killed before leaves all as it was.

        Raises OSError where there can be no such place, and leaves all as it was then, too.
        """
        written = {n: to for n, to in self._places.items() if (self._folder / n).exists()}
        if not written:
            return
        for name, target in written.items():
            (self._root / target).parent.mkdir(parents=True, exist_ok=True)
            with (self._folder / name).open("rb") as file:
                os.fsync(file.fileno())
        whole = self._folder / "whole"
        with whole.open("w", encoding="utf-8") as file:
            json.dump(written, file)
            file.flush()
            os.fsync(file.fileno())
        crashpoint("DATA1")
        whole.rename(self._folder / LIST)
        _flush(self._folder)
        finish(self._root)


@contextmanager
def staging(root: Path) -> Iterator[Staged]:
    """Yield a place aside for files; what is not committed goes. Raises DataError."""
    finish(root)
    try:
        yield Staged(root)
    except OSError as error:
        raise DataError(_unwritten(root, error)) from error
    finally:
        finish(root)


def finish(root: Path) -> None:
    """Put in their places the files of a commit that was cut short; what came to none goes.

    Raises DataError.
    """
    try:
        _finish(root)
    except OSError as error:
        raise DataError(_unwritten(root, error)) from error


def _unwritten(root: Path, error: OSError) -> str:
    place = error.filename or root
    return f"{place}: cannot be written ({error.strerror}); put that right, and try again"


def _finish(root: Path) -> None:
    folder = root / STAGED
    listed = folder / LIST
    if listed.exists():
        for name, target in json.loads(listed.read_text(encoding="utf-8")).items():
            place = root / target
            if (folder / name).exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                crashpoint("DATA2")
                (folder / name).replace(place)
                _flush(place.parent)
        listed.unlink()
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def alone(root: Path, option: str = "--catalogue") -> Iterator[None]:
    """Keep other writers out of the folder that `option` names; raises DataError while one is in.

    Raises Unwritable where nothing can be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Unwritable(
            f"{root}: cannot be written to ({error.strerror}); choose another with {option}"
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(
                f"{root}: another process writes to it; try again when it is done, or choose "
                f"another with {option}"
            ) from error
        yield
    finally:
        os.close(lock)


def _flush(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
