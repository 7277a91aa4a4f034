"""What a folder of tries searches, kept beside them: what came of another search stays apart."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tradeagent.app import code_digest
from tradeagent.errors import DataError
from tradeagent.integrations.recorded import RecordedFile
from tradeagent.plan import Plan

if TYPE_CHECKING:
    from tradeagent.research.search import Search

FILE = "search.json"


def identity_of(search: Search, plan: Plan, folds: Sequence[str]) -> dict[str, object]:
    """Return what must be equal for the tries of two searches to count together, but the data.

    `plan` is that of any combination, `folds` are the ranges of a walk forward.
    """
    spec = search.fixed
    names = {"strategies", "symbols", "timeframes", "timerange", "params", "resume_daily"}
    return {
        **spec.model_dump(mode="json", include=names),
        "files": [Path(one).name for one in spec.data],
        "configuration": [_digest(path) for path in spec.config],
        "settings": _settings(plan, [*search.space.dimensions]),
        "code": code_digest(),
        "strategy code": [[path.name, _digest(path)] for path in _sources(plan)],
        "objectives": list(search.objectives),
        "folds": list(folds),
    }


def _settings(plan: Plan, varied: Sequence[str]) -> str:
    """Return a digest of all settings that can change a try, without what varies."""
    record = json.loads(plan.record)
    del record["feeds"]
    for name, strategy in record["strategies"].items():
        for key in varied:
            owner, dot, parameter = key.rpartition(".")
            if not dot or name == owner or name.startswith(f"{owner}_"):
                strategy["params"].pop(parameter, None)
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _sources(plan: Plan) -> Iterator[Path]:
    """Yield the files of strategies and agents, and of what they derive from, but our own.

    What those files import is not looked at.
    """
    kinds = [one.kind for one in plan.strategies] + [one.kind for one in plan.agents]
    modules = dict.fromkeys(base.__module__ for kind in kinds for base in inspect.getmro(kind))
    for name in sorted(modules):
        top = name.partition(".")[0]
        place = getattr(sys.modules.get(name), "__file__", None)
        ours = top == "tradeagent" or top in sys.stdlib_module_names
        if not ours and place is not None and Path(place).is_file():
            yield Path(place)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Kept:
    """The file that keeps it; the data of each try is added when it is first played."""

    def __init__(self, folder: Path, identity: dict[str, object], *, begun: bool) -> None:
        """Compare with what is there, or replace it where no try has `begun`; raises DataError."""
        self._folder, self._place = folder, folder / FILE
        self._seen: set[Path] = set()
        wanted = {**identity, "data": {}}
        self._kept = self._read() if begun else wanted
        others = {**self._kept, **wanted}.keys() - {"data"}
        self._compare([name for name in others if self._kept.get(name) != wanted.get(name)])
        self._write()

    def plays(self, files: Sequence[RecordedFile]) -> None:
        """Note the data of a try; raises DataError where it is not what it was."""
        new = {_name(one): _digest(one.path) for one in files if one.path not in self._seen}
        self._seen |= {one.path for one in files}
        known = self._kept["data"]
        assert isinstance(known, dict)
        self._compare(["data" for name in new if known.get(name, new[name]) != new[name]][:1])
        if new.keys() - known.keys():
            self._kept["data"] = {**known, **new}
            self._write()

    def _compare(self, other: Sequence[str]) -> None:
        if other:
            raise DataError(
                f"{self._folder}: holds another search ({', '.join(sorted(other))} differ); name "
                "another --out, or remove it"
            )

    def _read(self) -> dict[str, object]:
        try:
            found = json.loads(self._place.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self._place}: cannot be read ({error}); name another --out"
            ) from None
        return found if isinstance(found, dict) else {}

    def _write(self) -> None:
        text = json.dumps(self._kept, indent=2, sort_keys=True) + "\n"
        new = self._place.with_name(f".{FILE}.new")
        new.write_text(text, encoding="utf-8")
        new.replace(self._place)


def _name(file: RecordedFile) -> str:
    words = (file.listed, file.content, file.timeframe, file.name)
    return " ".join(one for one in words if one)
