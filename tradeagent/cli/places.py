"""Where things are: the state directory, the configuration, and a running daemon."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tradeagent.config.layers import Option
from tradeagent.config.load import FALLBACK, Loaded, load
from tradeagent.config.secrets import SecretSource
from tradeagent.errors import CommandError, StateError
from tradeagent.messages import UndecodableError
from tradeagent.storage.directory import StateDirectory
from tradeagent.storage.records import SqlRecords

if TYPE_CHECKING:
    from pydantic import SecretStr

    from tradeagent.plan import Plan

ANSWER_WITHIN = 10.0
KEY, ACCOUNT = "HYPERLIQUID_PRIVATE_KEY", "HYPERLIQUID_ACCOUNT_ADDRESS"


def configuration(
    profile: str | None, files: list[Path], overrides: Mapping[str, object] | None = None
) -> Loaded:
    """Return the configuration of this working directory and environment.

    The account of a real exchange may stand among the secrets.
    """
    loaded = _loaded(profile, files, overrides or {})
    exchange = loaded.settings.exchange
    if exchange.get("type") != "hyperliquid" or exchange.get("account"):
        return loaded
    address = secret_source().get(ACCOUNT)
    if address is None or exchange.get("network") == "local":
        return loaded
    account = Option(address.reveal(), ACCOUNT)
    return _loaded(profile, files, {**(overrides or {}), "exchange.account": account})


def _loaded(profile: str | None, files: list[Path], overrides: Mapping[str, object]) -> Loaded:
    return load(
        profile=profile,
        files=files,
        overrides=overrides,
        environ=os.environ,
        env_file=Path(".env"),
        secrets=secret_source(),
    )


def secret_source() -> SecretSource:
    """Return where this working directory keeps its secrets."""
    file = secrets_file()
    return SecretSource(os.environ, Path(".env"), file if file.exists() else None, secrets_key())


def secrets_file() -> Path:
    """Return the encrypted file of secrets."""
    return Path(os.environ.get("TRADEAGENT_SECRETS_FILE") or "secrets.yaml.age")


def secrets_key() -> Path:
    """Return the key that opens it; kept outside the working directory."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return Path(os.environ.get("TRADEAGENT_SECRETS_KEY") or home / "tradeagent" / "age.key")


def trading_key(plan: Plan) -> SecretStr | None:
    """Return the key that a real exchange is traded with; raises ConfigError without it."""
    exchange = plan.exchange
    real = getattr(exchange, "network", "local") != "local"
    if not real or not plan.runs("execution"):
        return None
    from pydantic import SecretStr

    return SecretStr(secret_source().require(KEY).reveal())


def states() -> Path:
    """Return where state directories are by default."""
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return home / "tradeagent"


def state_path(given: Path | None, profile: str | None) -> Path:
    """Return the state directory: the one given, else the only one of the profile.

    Raises CommandError where a profile has several, of different networks or accounts.
    """
    if given is not None:
        return given
    profile = profile or FALLBACK
    found = sorted(one for one in states().glob(f"{profile}-*-*") if (one / "identity").is_file())
    whole = [one for one in found if _read_identity(one) == one.name]
    if len(whole) > 1:
        names = ", ".join(str(one) for one in whole)
        raise CommandError(f"profile {profile} has several states; say which by --state: {names}")
    return whole[0] if whole else states() / f"{profile}-simulated-main"


def _read_identity(folder: Path) -> str:
    return (folder / "identity").read_text(encoding="utf-8", errors="replace").strip()


class Caller:
    """Speaks to a running daemon over its control socket, or reads what a stopped one left."""

    def __init__(self, state: Path) -> None:
        """Raises CommandError when there is nothing at `state`."""
        self.state = state
        if not state.is_dir():
            raise CommandError(f"{state}: no daemon has run here; name its folder with --state")
        self._place = StateDirectory(state)

    def call(self, method: str, **params: object) -> object:
        """Return a method's result; raises CommandError when no daemon answers or it refuses."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_WITHIN)
                connection.connect(str(self._place.control))
                connection.sendall(json.dumps(request).encode() + b"\n")
                answer = json.loads(connection.makefile("rb").readline() or b"{}")
        except (OSError, ValueError) as error:
            raise CommandError(
                f"no daemon answers in {self.state} ({error}); is it running?"
            ) from error
        if "error" in answer:
            raise CommandError(answer["error"]["message"])
        if "warning" in answer:
            sys.stderr.write(f"warning: {answer['warning']}\n")
        result: object = answer["result"]
        return result

    @property
    def running(self) -> bool:
        """Tell whether a daemon listens."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_WITHIN)
                connection.connect(str(self._place.control))
        except OSError:
            return False
        return True

    @contextmanager
    def records(self) -> Iterator[SqlRecords]:
        """Open the tables a daemon left, for reading; raises StateError for what is unreadable."""
        if not self._place.journal.exists():
            raise CommandError(f"{self.state}: holds no journal yet")
        records = SqlRecords.read(self._place.journal)
        try:
            yield records
        except UndecodableError as error:
            raise StateError(
                f"{self._place.journal}: a row cannot be read ({error}); "
                "'tradeagent doctor --rebuild' tells which, a backup has it whole"
            ) from error
        finally:
            records.close()
