"""Secrets are found where they should be and shown nowhere."""

from __future__ import annotations

import copy
import io
import json
import pickle
import traceback
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from tests.config.loading import load_text
from tradeagent.config import Secret, SecretSource, redact_url
from tradeagent.config.secrets import init, list_names, read, set_secret
from tradeagent.errors import ConfigError
from tradeagent.log import log, setup

CANARY = "canary-7f3a-hunter2"


class Keys(BaseModel):
    """A model with a secret in it."""

    token: Secret
    port: int = 1


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, Path]:
    """An encrypted file with one secret, and its key."""
    path, key = tmp_path / "secrets.yaml.age", tmp_path / "keys" / "age.key"
    init(path, key)
    set_secret(path, key, "TOGETHER_API_KEY", CANARY)
    return path, key


@pytest.mark.parametrize(
    "show",
    [
        repr, str, format, lambda s: f"{s:>20}", lambda s: f"{s!r}", lambda s: f"{[s]}",
        lambda s: json.dumps({"a": s}, default=str),
        lambda s: pickle.dumps(s).decode("latin-1"),
        lambda s: pickle.loads(pickle.dumps(s)).reveal(),
        lambda s: repr(Keys(token=s)),
        lambda s: str(Keys(token=s).model_dump()),
        lambda s: Keys(token=s).model_dump_json(),
    ],
)  # fmt: skip
def test_a_secret_shows_as_stars(show: object) -> None:
    """However a secret is shown, dumped or pickled, there are stars and no secret."""
    assert callable(show)
    text = show(Secret(CANARY))
    assert "***" in text
    assert CANARY not in text


def test_a_secret_is_no_text_but_compares_and_copies() -> None:
    """It reveals itself on request only, equals its like alone, and a copy is still good."""
    secret = Secret(CANARY)
    assert secret.reveal() == CANARY
    assert secret == Secret(CANARY) != Secret("other")
    assert secret != CANARY
    assert hash(secret) == hash(Secret(CANARY))
    assert copy.deepcopy(secret).reveal() == copy.copy(secret).reveal() == CANARY
    assert bool(secret)
    assert not Secret("")
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        json.dumps(secret)
    assert Keys.model_validate({"token": CANARY}).token.reveal() == CANARY


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:pw@host:6379/0", "redis://user:***@host:6379/0"),
        ("redis://:p@w:d@host", "redis://:***@host"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("memory://", "memory://"),
        ("https://h/x?api_key=abc&y=1#f", "https://h/x?api_key=***&y=1#f"),
    ],
)
def test_a_url_shows_without_its_password(url: str, shown: str) -> None:
    """Passwords and secret parameters of a URL are replaced, the rest is left."""
    assert redact_url(url) == shown


def test_secrets_appear_nowhere(tmp_path: Path, stored: tuple[Path, Path]) -> None:
    """A canary in every layer is in no repr, show, mistake, traceback or log line."""
    path, key = stored
    url = f"redis://:{CANARY}@host"
    set_secret(path, key, "TRADEAGENT__EXCHANGE__WORD", f"{CANARY}-1")
    set_secret(path, key, "TRADEAGENT__API__PORT", f"{CANARY}-2")
    source = SecretSource({"TAAPI_API_KEY": f"{CANARY}-3"}, None, path, key)
    loaded = load_text(
        tmp_path,
        f"bus: {{url: '{url}'}}\nexchange: {{api_key: {CANARY}-4}}\nlog: {{level: '{url}'}}\n",
        environ={"HYPERLIQUID_PRIVATE_KEY": f"{CANARY}-5"},
        secrets=source,
    )
    loaded.refine(("exchange",), Keys)
    out = io.StringIO()
    setup("console", "INFO", out)
    try:
        loaded.settle()
    except ConfigError as error:
        log.exception("cannot start on {} with {}", loaded.settings.bus.url, f"{CANARY}-3")
        raised = "".join(traceback.format_exception(error))
    finally:
        setup()
    shown = repr(loaded.show()) + repr(loaded.settings) + repr(loaded) + repr(source)
    everything = shown + raised + out.getvalue() + "".join(loaded.mistakes)
    assert len(loaded.mistakes) == 3
    assert CANARY not in everything
    rows = {row[0]: row[1] for row in loaded.show()}
    assert rows["bus.url"] == "redis://:***@host"
    assert rows["exchange.word"] == rows["exchange.api_key"] == "***"


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_any_text_survives_the_file(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """What is stored is read back, whatever it is, and the file shows neither name nor value."""
    folder = tmp_path_factory.mktemp("age")
    path, key = folder / "s.age", folder / "key"
    init(path, key)
    set_secret(path, key, "ONE", "first-value")
    set_secret(path, key, "SECOND_ONE", text)
    set_secret(path, key, "ONE", Secret(text))
    assert {name: one.reveal() for name, one in read(path, key).items()} == {
        "ONE": text,
        "SECOND_ONE": text,
    }
    assert list_names(path, key) == ["ONE", "SECOND_ONE"]
    assert path.read_text().startswith("-----BEGIN AGE ENCRYPTED FILE-----")
    assert "SECOND_ONE" not in path.read_text()
    assert [each.name for each in sorted(folder.iterdir())] == ["key", "s.age"]


def test_files_are_private_and_never_overwritten(stored: tuple[Path, Path]) -> None:
    """Key and file are for their owner alone; `init` leaves both alone when either exists."""
    path, key = stored
    before = path.read_bytes(), key.read_bytes()
    assert key.stat().st_mode & 0o777 == path.stat().st_mode & 0o777 == 0o600
    for one, other in ((path, key), (path, key.with_name("new")), (path.with_name("new"), key)):
        with pytest.raises(ConfigError, match="exists already; move it away"):
            init(one, other)
    assert (path.read_bytes(), key.read_bytes()) == before
    assert not key.with_name("new").exists()


def _fails(path: Path, key: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        read(path, key)
    assert raised.value.__cause__ is None
    assert len(raised.value.mistakes) == 1
    return raised.value.mistakes[0]


def test_the_wrong_key_is_told_from_damage(stored: tuple[Path, Path], tmp_path: Path) -> None:
    """A foreign key, a damaged file and a missing one have different remedies."""
    path, key = stored
    init(tmp_path / "other.age", tmp_path / "other.key")
    assert "point to the right key file" in _fails(path, tmp_path / "other.key")
    sealed = path.read_bytes()
    for damaged in (sealed[:100], sealed[:-60], b"", b"TOKEN: plain", sealed.replace(b"Y", b"Z")):
        path.write_bytes(damaged)
        assert "damaged or no age file; restore it" in _fails(path, key)
    path.unlink()
    assert "make it with `tradeagent secrets init`" in _fails(path, key)


def test_a_key_must_be_private_and_a_key(stored: tuple[Path, Path]) -> None:
    """A key that others can read, that is none, or that is missing is refused with a remedy."""
    path, key = stored
    for mode in (0o640, 0o604, 0o660):
        key.chmod(mode)
        assert f"run `chmod 600 {key}`" in _fails(path, key)
    key.chmod(0o600)
    key.write_text("AGE-SECRET-KEY-1BROKEN\n")
    assert "is no age identity" in _fails(path, key)
    key.write_bytes(b"\xff")
    assert "is no age identity" in _fails(path, key)
    key.unlink()
    assert "no such key file" in _fails(path, key)


@pytest.mark.parametrize("text", [f"- {CANARY}", f"A: *{CANARY}", f"A: !{CANARY} x", "A: [b]"])
def test_a_malformed_content_is_not_quoted(text: str, stored: tuple[Path, Path]) -> None:
    """What is wrong in the decrypted text is told without a word of it."""
    import pyrage

    path, key = stored
    identity = pyrage.x25519.Identity.from_str(key.read_text().splitlines()[-1])
    path.write_bytes(pyrage.encrypt(text.encode(), [identity.to_public()], armored=True))
    line = _fails(path, key)
    assert line == f'{path}: must hold lines NAME: "text" alone, each name once; correct it'


@pytest.mark.parametrize(("name", "value"), [("A B", "x"), ("", "x"), ("1A", "x"), ("A", "")])
def test_a_bad_name_or_empty_secret_is_refused(
    name: str, value: str, stored: tuple[Path, Path]
) -> None:
    """Names are variables' names and values are not empty; the file stays as it was."""
    path, key = stored
    before = path.read_bytes()
    with pytest.raises(ConfigError):
        set_secret(path, key, name, value)
    assert path.read_bytes() == before


def test_environment_wins_over_env_file_over_encrypted(
    stored: tuple[Path, Path], tmp_path: Path
) -> None:
    """A secret comes from the strongest place that has it; an empty variable has none."""
    path, key = stored
    for name in ("A", "B", "C", "D"):
        set_secret(path, key, name, f"{name}-file")
    env_file = tmp_path / ".env"
    env_file.write_text("A=A-env\nB=B-env\nD=\n")
    source = SecretSource({"A": "A-environ", "C": ""}, env_file, path, key)
    found = {name: source.require(name).reveal() for name in ("A", "B", "C", "D")}
    assert found == {"A": "A-environ", "B": "B-env", "C": "C-file", "D": "D-file"}
    assert [source.origin(name) for name in ("A", "B", "C", "E")] == [
        "environment A", f"{env_file}:2", str(path), None
    ]  # fmt: skip
    assert source.get("E") is None
    with pytest.raises(ConfigError, match="store it with `tradeagent secrets set E`"):
        source.require("E")


def test_a_found_secret_is_hidden_from_the_log() -> None:
    """Whatever `get` gave out, and every known name, never passes the log."""
    source = SecretSource({"MY_KEY": "mine-zq81", "TAAPI_API_KEY": "known-zq82"})
    source.get("MY_KEY")
    out = io.StringIO()
    setup("json", "INFO", out)
    log.info("it is mine-zq81 and known-zq82")
    setup()
    assert "it is *** and ***" in out.getvalue()


def test_a_broken_secrets_file_is_a_mistake_among_others(tmp_path: Path) -> None:
    """Loading goes on without the secrets, and says why with everything else."""
    source = SecretSource({}, None, tmp_path / "none.age", tmp_path / "none.key")
    loaded = load_text(tmp_path, "api: {port: x}\n", secrets=source)
    assert len(loaded.mistakes) == 2
    assert loaded.mistakes[0].startswith(f"{tmp_path}/none.key: no such key file")


def test_what_is_stored_encrypted_is_not_shown(tmp_path: Path, stored: tuple[Path, Path]) -> None:
    """A setting from the encrypted file is hidden in `show` and in mistakes, however short."""
    path, key = stored
    set_secret(path, key, "TRADEAGENT__API__PORT", "77")
    set_secret(path, key, "TRADEAGENT__CLOCK__SPEED", "-7")
    loaded = load_text(tmp_path, secrets=SecretSource({}, None, path, key))
    assert loaded.settings.api.port == 77
    assert ("api.port", "***", f"{path} TRADEAGENT__API__PORT") in loaded.show()
    assert loaded.mistakes == (
        f"{path} TRADEAGENT__CLOCK__SPEED: clock.speed: must be greater than 0",
    )


def test_the_password_of_a_url_is_hidden_from_the_log(tmp_path: Path) -> None:
    """Once loaded, a password in a URL never passes the log, neither as written nor decoded."""
    load_text(tmp_path, "bus: {url: 'redis://u:zq%4083-pw@host'}\n")
    out = io.StringIO()
    setup("json", "INFO", out)
    log.info("first zq%4083-pw then zq@83-pw")
    setup()
    assert "first *** then ***" in out.getvalue()
