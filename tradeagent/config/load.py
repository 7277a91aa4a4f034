"""Load the configuration: every layer, where each value came from, and all mistakes at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from pydantic import BaseModel, ValidationError

from tradeagent.config.environment import Variable, read_env_file, read_environ
from tradeagent.config.layers import Option, Stack, preset, profiles
from tradeagent.config.mistakes import explain, line, shown, suggest
from tradeagent.config.secrets import SecretSource, password_of
from tradeagent.config.settings import AgentEntry, Settings
from tradeagent.config.tree import KeyPath, Node, dotted, from_value, read_file
from tradeagent.errors import ConfigError
from tradeagent.log import hide

M = TypeVar("M", bound=BaseModel)

FALLBACK = "demo"
BUILT_IN = "built-in default"


def load(
    profile: str | None,
    files: Sequence[Path],
    overrides: Mapping[str, object],
    environ: Mapping[str, str],
    env_file: Path | None,
    secrets: SecretSource | None,
) -> Loaded:
    """Lay all layers over one another; what is wrong waits in the result for `settle`.

    Later wins: preset default, the profile's preset, `files` in order, settings among the encrypted
    secrets, `env_file`, `environ`, and `overrides` (dotted path to value or `Option`).
    """
    mistakes: list[str] = []
    documents = [read_file(path, mistakes) for path in files]
    variables = [
        _stored(secrets, mistakes),
        read_env_file(env_file, mistakes),
        read_environ(environ),
    ]
    chosen = _profile(profile, overrides, variables, documents)
    base = _known(chosen, mistakes)
    stack = Stack(mistakes)
    for layer in (preset("default"), preset(base), *documents):
        stack.lay(layer)
    for each in variables:
        stack.lay_variables(each)
    stack.lay_options(overrides)
    stack.lay(Node({"profile": Node(base, chosen.origin)}, stack.tree.origin))
    return Loaded(stack.tree, mistakes)


def recall(record: Mapping[str, object], origin: str) -> Loaded:
    """Return the configuration that `Loaded.record` kept in the file `origin`."""
    return Loaded(from_value(record, origin))


def _stored(secrets: SecretSource | None, mistakes: list[str]) -> list[Variable]:
    """Return the settings among the encrypted secrets."""
    if secrets is None:
        return []
    try:
        stored = secrets.stored()
    except ConfigError as error:
        mistakes.extend(error.mistakes)
        return []
    return [
        Variable(name, secret.reveal(), f"{secrets.file} {name}", hidden=True)
        for name, secret in sorted(stored.items())
    ]


def _profile(
    given: str | None,
    overrides: Mapping[str, object],
    variables: Sequence[Sequence[Variable]],
    documents: Sequence[Node],
) -> Node:
    """Return the profile that the strongest source names, and which source that was."""
    if given is not None:
        return Node(given, "--profile")
    if "profile" in overrides:
        option = overrides["profile"]
        label = option.label if isinstance(option, Option) else "command line"
        return Node(str(option.value if isinstance(option, Option) else option), label)
    for layer in reversed(variables):
        for variable in layer:
            if variable.path == ("PROFILE",):
                return Node(variable.value, variable.origin)
    for document in reversed(documents):
        named = document.child("profile")
        if named is not None and named.value is not None:
            return named
    return Node(FALLBACK, BUILT_IN)


def _known(chosen: Node, mistakes: list[str]) -> str:
    """Return the profile, or what it was perhaps meant to be, so that checking can go on."""
    known = profiles()
    if chosen.value in known:
        return str(chosen.value)
    text = f"there is no profile {chosen.plain()}; {suggest(str(chosen.value), known, 'there are')}"
    mistakes.append(line(chosen.origin, ("profile",), text))
    return FALLBACK


class Loaded:
    """The configuration as loaded: settings, origins, and the mistakes so far.

    Where a setting is wrong, `settings` holds its default until `settle` raises.
    """

    def __init__(self, tree: Node, mistakes: Sequence[str] = ()) -> None:
        self._tree = tree
        self._mistakes = dict.fromkeys(mistakes)
        self._refined: dict[KeyPath, BaseModel] = {}
        for _, node in tree.walk():
            if isinstance(node.value, str) and (password := password_of(node.value)):
                hide(password)
                hide(unquote(password))
        self.settings = self._settings()
        for name in self.settings.agents:
            self._validated(("agents", name), AgentEntry)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """Return every mistake found so far, a line each."""
        return tuple(self._mistakes)

    @property
    def origins(self) -> dict[str, str]:
        """Return where each value was set, by dotted path; what nothing set is not there."""
        return {dotted(path): node.origin for path, node in self._tree.walk() if path}

    def refine(self, path: KeyPath, model: type[M], skip: Collection[str] = ()) -> M | None:
        """Return the sub-tree at `path`, without the keys `skip`, as `model`.

        None when it is wrong; what is wrong is noted. A sub-tree that is not there counts as empty.
        """
        refined = self._validated(path, model, skip)
        if refined is not None:
            self._refined[path] = refined
        return refined

    def complain(self, path: KeyPath, text: str) -> None:
        """Note a mistake found elsewhere in what stands at `path`."""
        _, node = self._tree.nearest(path)
        self._mistakes[line(node.origin, path, text)] = None

    def settle(self) -> None:
        """Raise ConfigError with every mistake, if there are any."""
        if self._mistakes:
            raise ConfigError(*self._mistakes)

    def show(self) -> list[tuple[str, str, str]]:
        """Return (path, value, origin) of every setting, refined ones whole; secrets hidden."""
        return [self._row(path, value) for path, value in _leaves(self._whole(), ())]

    def record(self, skip: Collection[str] = ()) -> dict[str, object]:
        """Return every setting but the top-level keys `skip`, refined ones whole, to be kept.

        `recall` reads it back. What must not be seen stands as it is shown.
        """
        whole = self._whole()
        return {key: self._masked(value, (key,)) for key, value in whole.items() if key not in skip}

    def _whole(self) -> dict[str, object]:
        tree: object = self.settings.model_dump(mode="json")
        for path, refined in self._refined.items():
            tree = _replaced(tree, path, refined.model_dump(mode="json"))
        assert isinstance(tree, dict)
        return tree

    def _masked(self, value: object, path: KeyPath) -> object:
        if isinstance(value, dict):
            return {key: self._masked(each, (*path, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [self._masked(each, (*path, index)) for index, each in enumerate(value)]
        if not isinstance(value, str):
            return value if not self._tree.nearest(path)[1].hidden else None
        return shown(value, path, hidden=self._tree.nearest(path)[1].hidden)

    def _row(self, path: KeyPath, value: object) -> tuple[str, str, str]:
        node = self._tree.at(path)
        hidden = self._tree.nearest(path)[1].hidden
        if isinstance(value, list):
            text = f"[{', '.join(shown(each, path, hidden=hidden) for each in value)}]"
        else:
            text = "{}" if value == {} else shown(value, path, hidden=hidden)
        return dotted(path), text, node.origin if node is not None else BUILT_IN

    def _validated(self, path: KeyPath, model: type[M], skip: Collection[str] = ()) -> M | None:
        node = self._tree.at(path)
        raw = node.plain() if node is not None else {}
        if isinstance(raw, dict):
            raw = {key: value for key, value in raw.items() if key not in skip}
        try:
            return model.model_validate(raw)
        except ValidationError as error:
            lines = explain(error, self._tree, path, model, skip)
            self._mistakes.update(dict.fromkeys(lines))
        return None

    def _settings(self) -> Settings:
        """Return the settings; what is wrong in them is noted and left at its default."""
        settings = self._validated((), Settings)
        tree = self._tree
        while settings is None:
            try:
                settings = Settings.model_validate(tree.plain())
            except ValidationError as error:
                wrong = {_existing(tree, each["loc"]) for each in error.errors(include_url=False)}
                for path in wrong:
                    tree = _without(tree, path)
        return settings


def _existing(tree: Node, loc: KeyPath) -> KeyPath:
    """Return the part of `loc` that exists; of a list only the whole."""
    keys = tuple(takewhile(lambda key: isinstance(key, str), loc))
    return tree.nearest(keys)[0]


def _without(tree: Node, path: KeyPath) -> Node:
    """Return `tree` without what stands at `path`."""
    if not path or not isinstance(tree.value, dict):
        return Node({}, tree.origin)
    head, rest = str(path[0]), path[1:]
    entries = dict(tree.value)
    below = entries.pop(head, None)
    if below is not None and rest:
        entries[head] = _without(below, rest)
    return Node(entries, tree.origin)


def _replaced(tree: object, path: KeyPath, dump: dict[str, object]) -> object:
    """Return `tree` with `dump` laid on what stands at `path`; raw keys beside it stay."""
    if not path:
        return {**tree, **dump} if isinstance(tree, dict) else dump
    head, rest = path[0], path[1:]
    if isinstance(tree, list) and isinstance(head, int):
        return [_replaced(each, rest, dump) if i == head else each for i, each in enumerate(tree)]
    below = tree if isinstance(tree, dict) else {}
    return {**below, str(head): _replaced(below.get(str(head), {}), rest, dump)}


def _leaves(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """Yield what `config show` gives a line of its own: scalars, lists of scalars, empty ones."""
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _leaves(each, (*path, key))
    elif isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        for index, each in enumerate(value):
            yield from _leaves(each, (*path, index))
    else:
        yield path, value
