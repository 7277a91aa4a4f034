"""Secrets: a type that cannot be printed, an encrypted file, and where each one comes from.

The file is YAML, NAME: value, encrypted with age (age-encryption.org/v1, armored) to the identity
in a key file of its own, so that the `age` tool can read it too.
"""

from __future__ import annotations

import hmac
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pyrage  # type: ignore[import-untyped]
import yaml
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from tradeagent.config.environment import read_env_file
from tradeagent.config.tree import read_yaml
from tradeagent.errors import ConfigError
from tradeagent.log import HIDDEN, hide

KNOWN = (
    "HYPERLIQUID_PRIVATE_KEY",
    "HYPERLIQUID_ACCOUNT_ADDRESS",
    "HYPERLIQUID_WATCHDOG_KEY",
    "TOGETHER_API_KEY",
    "OPENROUTER_API_KEY",
    "TAAPI_API_KEY",
    "TRADEAGENT_REDIS_PASSWORD",
)
"""The names we use ourselves; any other may be stored too."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USER = re.compile(r"(://[^:@/?#\s]*):[^\s]*@")
_QUERY = re.compile(r"(?i)([?&][a-z_-]*(?:secret|password|token|key)=)[^&#\s]+")


class Secret:
    """A text that shows as *** wherever it is printed, dumped or pickled; `reveal` gives it."""

    __slots__ = ("_text",)

    _text: Final[str]

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text; never log, store or raise it."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _: object) -> Secret:
        return self

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, (HIDDEN,)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: object, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda _: HIDDEN),
        )

    @classmethod
    def _validate(cls, value: object) -> Secret:
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str):
            raise ValueError("must be text; put it in quotes")
        hide(value)
        return cls(value)


def redact_url(url: str) -> str:
    """Return `url` with its password, and what looks like a secret in its query, replaced."""
    return _QUERY.sub(rf"\1{HIDDEN}", _USER.sub(rf"\1:{HIDDEN}@", url))


def password_of(url: str) -> str | None:
    """Return the password in a URL, None when it has none."""
    found = _USER.search(url)
    return found[0][len(found[1]) + 1 : -1] if found is not None else None


def init(path: Path, key_path: Path) -> str:
    """Make an age identity in `key_path` and an empty file of secrets; returns the public key.

    Raises ConfigError where either file exists or cannot be written.
    """
    for each in (path, key_path):
        if each.exists():
            raise ConfigError(f"{each}: exists already; move it away to begin anew")
    identity = pyrage.x25519.Identity.generate()
    public = str(identity.to_public())
    try:
        key_path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"# public key: {public}\n{identity}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(f"{key_path}: cannot be written: {error.strerror}") from None
    _write(path, {}, identity)
    return public


def set_secret(path: Path, key: Path, name: str, value: str | Secret) -> None:
    """Store a secret, in place of one of the same name; raises ConfigError as `read` does."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{path}: {name}: a secret's name is letters, digits and _, as in API_KEY"
        )
    text = value.reveal() if isinstance(value, Secret) else value
    if not text:
        raise ConfigError(f"{path}: {name}: a secret cannot be empty")
    hide(text)
    _write(path, {**read(path, key), name: Secret(text)}, _identity(key))


def list_names(path: Path, key: Path) -> list[str]:
    """Return the names of the stored secrets, sorted; raises ConfigError as `read` does."""
    return sorted(read(path, key))


def read(path: Path, key: Path) -> dict[str, Secret]:
    """Return the stored secrets, hidden from the log.

    Raises ConfigError for a missing, damaged or foreign file and for a key that others can read.
    """
    identity = _identity(key)
    try:
        text = pyrage.decrypt(path.read_bytes(), [identity]).decode()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; make it with `tradeagent secrets init`") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except pyrage.DecryptError as error:
        if "No matching keys" in str(error):
            remedy = f"{key} is not the key it was encrypted to; point to the right key file"
        else:
            remedy = "it is damaged or no age file; restore it from a backup"
        raise ConfigError(f"{path}: cannot be decrypted: {remedy}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: holds no text once decrypted; make it anew") from None
    return _parse(text, path)


def _parse(text: str, path: Path) -> dict[str, Secret]:
    malformed: list[str] = []
    tree = read_yaml(text, str(path), malformed)
    entries = tree.value if isinstance(tree.value, dict) and not malformed else {}
    secrets: dict[str, Secret] = {}
    for name, node in entries.items():
        if isinstance(node.value, str) and node.value and _NAME.fullmatch(name):
            hide(node.value)
            secrets[name] = Secret(node.value)
    # What is wrong is not quoted: it may be a secret.
    if malformed or len(secrets) < len(entries):
        raise ConfigError(f'{path}: must hold lines NAME: "text" alone, each name once; correct it')
    return secrets


def _identity(key: Path) -> pyrage.x25519.Identity:
    try:
        if os.name == "posix" and key.stat().st_mode & 0o077:
            raise ConfigError(f"{key}: others can read this key; run `chmod 600 {key}`")
        lines = key.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise ConfigError(
            f"{key}: no such key file; restore it, or make one with `tradeagent secrets init`"
        ) from None
    except UnicodeDecodeError:
        lines = []
    except OSError as error:
        raise ConfigError(f"{key}: cannot be read: {error.strerror}") from None
    found = [each.strip() for each in lines if each.startswith("AGE-SECRET-KEY-1")]
    try:
        return pyrage.x25519.Identity.from_str(found[0])
    except (IndexError, pyrage.IdentityError):
        raise ConfigError(
            f"{key}: is no age identity; it needs a line AGE-SECRET-KEY-1..., restore the key file"
        ) from None


def _write(path: Path, secrets: Mapping[str, Secret], identity: pyrage.x25519.Identity) -> None:
    """Replace the file as a whole: a crash leaves the old one or the new one."""
    text = yaml.safe_dump({name: one.reveal() for name, one in secrets.items()}, default_style='"')
    sealed = pyrage.encrypt(text.encode(), [identity.to_public()], armored=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        _sync(path.parent)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None


def _sync(folder: Path) -> None:
    """Make the new name in `folder` durable, where the system lets a folder be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class SecretSource:
    """Finds a secret by name: in the environment, else in `.env`, else in the encrypted file.

    The encrypted file is opened when first needed; the raised errors are those of `read`. An empty
    variable counts as not set.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        env_file: Path | None = None,
        file: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self.file = file
        self._key = key
        self._stored: dict[str, Secret] | None = None
        self._given: dict[str, tuple[Secret, str]] = {}
        for variable in read_env_file(env_file, []):
            self._given[variable.name] = Secret(variable.value), variable.origin
        for name, value in environ.items():
            if value:
                self._given[name] = Secret(value), f"environment {name}"
        for name in KNOWN:
            if name in self._given:
                hide(self._given[name][0].reveal())

    def get(self, name: str) -> Secret | None:
        """Return the secret called `name`, hidden from the log; None when there is none."""
        if name not in self._given:
            return self.stored().get(name)
        secret, _ = self._given[name]
        hide(secret.reveal())
        return secret

    def require(self, name: str) -> Secret:
        """Return the secret called `name`; raises ConfigError with the remedy without it."""
        secret = self.get(name)
        if secret is None:
            raise ConfigError(
                f"{name}: this secret is missing; set it in the environment or in .env, "
                f"or store it with `tradeagent secrets set {name}`"
            )
        return secret

    def origin(self, name: str) -> str | None:
        """Return where the secret called `name` comes from, None when there is none."""
        if name in self._given:
            return self._given[name][1]
        return str(self.file) if name in self.stored() else None

    def stored(self) -> Mapping[str, Secret]:
        """Return what the encrypted file holds."""
        if self._stored is None:
            if self.file is None or self._key is None:
                self._stored = {}
            else:
                self._stored = read(self.file, self._key)
        return self._stored
