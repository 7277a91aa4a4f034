"""The settings of the daemon itself; sections that other layers own stay raw here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Section: TypeAlias = dict[str, object]
"""A raw sub-tree: its owner's model judges it, with `Loaded.refine`."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(value: object) -> datetime:
    """Read a date and time, UTC where it does not say; a bare number is no date."""
    wrong = ValueError("must be a date and time such as 2026-01-01T00:00:00Z, not before 1970")
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise wrong from None
    if not isinstance(moment, datetime):
        raise wrong
    moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    if moment < EPOCH:
        raise wrong
    return moment


def _ns(moment: datetime) -> int:
    since = moment - EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _name(value: str) -> str:
    plain = value.replace("_", "a").replace("-", "a")
    if not (plain.isascii() and plain.isalnum() and value[0].isalpha()):
        raise ValueError("a name is a letter, then letters, digits, _ or -")
    return value


def _url(value: str) -> str:
    scheme, separator, _ = value.partition("://")
    if not (separator and scheme):
        raise ValueError("must be a URL such as memory:// or redis://host:6379/0")
    return value


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"names {', '.join(twice)} more than once")
    return values


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _unread(_: object) -> object:
    raise ValueError("nothing reads this yet; remove it")


Name = Annotated[str, AfterValidator(_name)]
Symbol = Annotated[str, Field(min_length=1)]
Symbols = Annotated[tuple[Symbol, ...], AfterValidator(_unique)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Url = Annotated[str, AfterValidator(_url)]
Unread = dict[str, Annotated[object, BeforeValidator(_unread)]]
Level = Annotated[
    Literal["TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(_upper),
]


class Group(BaseModel):
    """A group of settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BusSettings(Group):
    """What carries the messages."""

    url: Url = Field(
        default="memory://",
        repr=False,
        description="Change it to redis://host:6379/0 to spread agents over processes.",
    )
    namespace: Name = Field(
        default="tradeagent",
        description="Change it where several daemons share one Redis, so that they do not meet.",
    )
    inbox_cap: int = Field(
        default=10_000,
        ge=1,
        description="Raise it when a busy agent must fall further behind before trading halts.",
    )


class StoreSettings(Group):
    """Where the state comes from."""

    fresh: bool = Field(
        default=False,
        description="Set it where each run must start from an empty state, as replays do; "
        "the last run's files are kept aside.",
    )


class ClockSettings(Group):
    """What time it is, and how fast it goes."""

    mode: Literal["wall", "accelerated", "simulated"] = Field(
        default="wall",
        description="Use wall to trade, accelerated to watch a generated market run faster, "
        "simulated to replay files as fast as the machine can.",
    )
    speed: float = Field(
        default=60.0,
        gt=0,
        allow_inf_nan=False,
        description="Change it to run an accelerated clock slower or faster than a minute a "
        "second.",
    )
    origin: Moment = Field(
        default=datetime(2026, 1, 1, tzinfo=UTC),
        description="Change it to start an accelerated or simulated clock on another date; "
        "without a zone it is UTC.",
    )

    since: Moment | None = Field(
        default=None,
        description="Name the wall's moment at which an accelerated clock shows its origin, so "
        "that several processes show the same time; without it that is the start of the run.",
    )

    @property
    def origin_ns(self) -> int:
        """Return the origin in UTC nanoseconds."""
        return _ns(self.origin)

    @property
    def since_ns(self) -> int | None:
        """Return the wall's moment of the origin in UTC nanoseconds."""
        return None if self.since is None else _ns(self.since)


class SupervisorSettings(Group):
    """Who keeps the agents alive."""

    safe_mode_after: int = Field(
        default=5,
        ge=0,
        description="After how many starts within 10 minutes that did not end in order the next "
        "one does not trade (SAFE_MODE); set it to 0 where a crash may always trade on.",
    )


class StrategySettings(Group):
    """One strategy at work; the key above it is its name in signals, orders and reports."""

    type: str = Field(
        min_length=1,
        description="Name the idea: a built-in one such as sma_cross, one that an installed "
        "package offers, or your own as package.module:Class.",
    )
    symbols: Symbols = Field(
        default=(),
        description="Name the symbols it trades when it must not trade the whole watchlist.",
    )
    weight: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Lower it so that this strategy alone takes less than a full position.",
    )
    enabled: bool = Field(
        default=True,
        description="Set it to false to keep the entry but not run it.",
    )
    params: Section = Field(
        default={},
        repr=False,
        description="Set the strategy's own parameters here; see below for those of built-in ones.",
    )


class AgentEntry(BaseModel):
    """What any entry below `agents` may hold besides the agent's own settings."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str = Field(
        default="",
        description="Name the agent's class for an entry that is not a built-in agent: one that "
        "an installed package offers, or your own as package.module:Class.",
    )
    enabled: bool = Field(
        default=True,
        description="Set it to false to keep the entry but not run the agent.",
    )


class ApiSettings(Group):
    """The HTTP interface that the command line, the dashboard and Prometheus use."""

    enabled: bool = Field(
        default=True,
        description="Set it to false on a machine where nothing may listen on a port.",
    )
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Change it only to be reached from other machines; loopback is the safe "
        "choice.",
    )
    port: int = Field(
        default=8004,
        ge=0,
        le=65_535,
        description="Change it where the port is taken; 0 takes any free one.",
    )


class LogSettings(Group):
    """What is logged, and how."""

    style: Literal["auto", "console", "json"] = Field(
        default="auto",
        description="Use json for a log collector; auto is console in a terminal, else json.",
    )
    level: Level = Field(
        default="INFO",
        description="Use DEBUG to look into a problem, WARNING to be told only of problems.",
    )


class Settings(Group):
    """All settings; a section that another layer owns holds what was written, unjudged."""

    profile: str = Field(
        default="demo",
        description="Choose what the other settings start from: a packaged preset.",
    )
    live: bool = Field(
        default=False,
        description="Set it to true in your own file to trade real money; the run needs --live, "
        "too.",
    )
    bus: BusSettings = Field(
        default=BusSettings(), description="Change it to run more than one process."
    )
    store: StoreSettings = Field(
        default=StoreSettings(), description="Change it to start each run empty."
    )
    clock: ClockSettings = Field(
        default=ClockSettings(), description="Change it to run faster than real time."
    )
    supervisor: SupervisorSettings = Field(
        default=SupervisorSettings(),
        description="Change it to judge repeated crashes otherwise.",
    )
    exchange: Section = Field(
        default={},
        repr=False,
        description="Change it to trade elsewhere (type) or on other terms: balance and fees.",
    )
    feeds: tuple[Section, ...] = Field(
        default=(),
        repr=False,
        description="Change it to take market data from elsewhere; each entry has a type.",
    )
    watchlist: Symbols = Field(
        default=(),
        description="Name the symbols that strategies trade unless they name their own.",
    )
    strategies: dict[Name, StrategySettings] = Field(
        default={},
        description="Add, change or remove (null) what decides when to trade.",
    )
    risk: Section = Field(
        default={},
        description="Change it to size orders otherwise, or to allow more or less.",
    )
    agents: dict[Name, Section] = Field(
        default={},
        repr=False,
        description="Change a built-in agent, switch one off, or add your own with a type.",
    )
    llm: Unread = Field(default={}, description="Keep it empty: nothing reads it yet.")
    sources: Unread = Field(default={}, description="Keep it empty: nothing reads it yet.")
    alerts: Unread = Field(default={}, description="Keep it empty: nothing reads it yet.")
    api: ApiSettings = Field(
        default=ApiSettings(), description="Change it to reach the daemon otherwise, or not at all."
    )
    log: LogSettings = Field(
        default=LogSettings(), description="Change it to read more, less, or other logs."
    )
