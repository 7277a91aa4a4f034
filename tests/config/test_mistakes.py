"""Every mistake is one clear line, and all of them come at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.loading import load_text, said
from tests.config.owners import refine_all
from tradeagent.config import Option, load, profiles
from tradeagent.errors import ConfigError

TEN = """\
watchlist: BTC
clock: {mode: acelerated, speed: 0}
risk:
  limits:
    max_gros_ratio: 1
    collar_ratio: -1
api:
  port: 99999
strategies:
  breakot: null
  mine: {weight: 0.5}
  sma_cross:
    params: {fast: 30, slow: 20}
llm: {model: big}
"""

LINES = [
    "1.yaml:1: watchlist: must be a list, such as [a, b] (got BTC)",
    "1.yaml:2: clock.mode: must be one of wall, accelerated, simulated (got acelerated)",
    "1.yaml:2: clock.speed: must be greater than 0 (got 0)",
    "1.yaml:5: risk.limits.max_gros_ratio: unknown key; did you mean max_gross_ratio?",
    "1.yaml:6: risk.limits.collar_ratio: must be greater than 0 (got -1)",
    "1.yaml:8: api.port: must be at most 65535 (got 99999)",
    "1.yaml:10: strategies.breakot: there is none to remove; did you mean breakout?",
    "1.yaml:11: strategies.mine.type: is required; add it",
    "1.yaml:13: strategies.sma_cross.params: fast (30) must be below slow (20)",
    "1.yaml:14: llm.model: nothing reads this yet; remove it (got big)",
]


@pytest.mark.parametrize("line", LINES)
def test_a_mistake_names_file_line_key_and_remedy(line: str, tmp_path: Path) -> None:
    """Each of ten different mistakes in one file has its own exact line."""
    loaded = load_text(tmp_path, TEN)
    refine_all(loaded)
    assert line in said(loaded, tmp_path)


def test_ten_mistakes_are_ten_lines_at_once(tmp_path: Path) -> None:
    """Mistakes of loading, of settings and of owners' models are raised together, each once."""
    loaded = load_text(tmp_path, TEN)
    refine_all(loaded)
    refine_all(loaded)
    with pytest.raises(ConfigError) as raised:
        loaded.settle()
    assert sorted(said(loaded, tmp_path)) == sorted(LINES)
    assert raised.value.mistakes == loaded.mistakes


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1", "1.yaml:1: is not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("bus:\n\turl: x", ("1.yaml:2: is not valid YAML: found character '\\t' that cannot start "
         "any token; indent with spaces, not tabs")),
        ("- BTC\n", "1.yaml:1: must be a mapping of keys, such as `watchlist: [BTC]`"),
        ("log:\n  level: INFO\n  level: DEBUG\n",
         "1.yaml:3: log.level: is set twice, first on line 2; keep one"),
        ("bus: !secret x\n", "1.yaml:1: bus: has the tag !secret; tags are not allowed"),
        ("risk: &r {limits: *r}\n", "1.yaml:1: risk.limits: contains itself; write the value out"),
        ("agents: {data: &a {quote_move_bp: 1}}\nlog: {<<: *a}\n",
         "1.yaml:2: log: has a key that is no plain text; write each key out"),
        ("log: {level: INFO}\n---\nlog: {}\n",
         "1.yaml:2: is not valid YAML: but found another document"),
        ("log: \x07\n", "1.yaml: is not valid YAML: it holds control characters; remove them"),
        ("watchlist:\n", ("1.yaml:1: watchlist: has nothing below it; remove the line, or write "
         "{} or [] for an empty one")),
        ("profile: repaly\n",
         "1.yaml:1: profile: there is no profile repaly; did you mean replay?"),
        ("busses: {}\n", "1.yaml:1: busses: unknown key; did you mean bus?"),
        ("bus: {url: redis}\n",
         "1.yaml:1: bus.url: must be a URL such as memory:// or redis://host:6379/0 (got redis)"),
        ("clock: {origin: 2026}\n",
         ("1.yaml:1: clock.origin: must be a date and time such as 2026-01-01T00:00:00Z, "
         "not before 1970 (got 2026)")),
        ("watchlist: [BTC, BTC]\n",
         "1.yaml:1: watchlist: names BTC more than once (got a list)"),
        ("agents: {data: {enabled: perhaps}}\n",
         "1.yaml:1: agents.data.enabled: must be true or false (got perhaps)"),
        ("agents: {data: {quote_movebp: 1}}\n",
         "1.yaml:1: agents.data.quote_movebp: unknown key; did you mean quote_move_bp?"),
        ("agents: {monitor: {zzz: 1}}\n",
         ("1.yaml:1: agents.monitor.zzz: unknown key; allowed: max_data_age_s, max_idle_hours, "
         "max_rejected_in_a_row, enabled, type")),
        ("strategies: {1st: {type: pairs}}\n",
         "1.yaml:1: strategies.1st: a name is a letter, then letters, digits, _ or - (got 1st)"),
        ("strategies: {pair: {type: pairs}}\n",
         "1.yaml:1: strategies.pair.params.other: is required; add it"),
        ("risk: 5\n", "1.yaml:1: risk: must be a mapping of keys and values (got 5)"),
        ("feeds: [{type: generated, listings: [{price: 1}]}]\n",
         "1.yaml:1: feeds.0.listings.0.instrument: is required; add it"),
        ("feeds: [{type: generated, listings: []}]\n",
         "1.yaml:1: feeds.0.listings: must have at least 1 entries (got a list)"),
        ("feeds: [{type: generated, timeframes: [2m]}]\n",
         ("1.yaml:1: feeds.0.timeframes.0: must be one of 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 8h, "
         "12h, 1d, 3d, 1w (got 2m)")),
    ],
)  # fmt: skip
def test_one_wrong_file_is_one_line(text: str, line: str, tmp_path: Path) -> None:
    """Broken YAML and wrong values of every kind give exactly one line each."""
    loaded = load_text(tmp_path, text)
    refine_all(loaded)
    assert said(loaded, tmp_path) == [line]


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """A missing file, a folder and a file of bytes have a line each, and nothing else is said."""
    binary = tmp_path / "bytes.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    loaded = load(None, [tmp_path / "no.yaml", tmp_path, binary], {}, {}, None, None)
    assert loaded.mistakes == (
        f"{tmp_path}/no.yaml: no such file; correct the path given with -c",
        f"{tmp_path}: cannot be read: Is a directory",
        f"{binary}: is not UTF-8 text; save it as UTF-8",
    )


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("TRADEAGENT__API__PORT", "high", ": api.port: must be a whole number (got high)"),
        ("TRADEAGENT__API__PROT", "1", ": api.prot: unknown key; did you mean port?"),
        ("TRADEAGENT__FEEDS__0__SEED", "2",
         ": feeds is a list; set it whole, as in [a, b], or in a file"),
        ("TRADEAGENT__WATCHLIST", "[BTC",
         ": must be a plain value, or a list or mapping in YAML: [a, b] or {a: 1}"),
        ("TRADEAGENT_LOG__LEVEL", "DEBUG", ": is not read; did you mean TRADEAGENT__LOG__LEVEL?"),
        ("TRADEAGENT_PROFILE", "live", ": is not read; did you mean TRADEAGENT__PROFILE?"),
        ("TRADEAGENT__PROFILE", "x", ": profile: there is no profile x; there are: "
         + ", ".join(profiles())),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named(name: str, value: str, line: str, tmp_path: Path) -> None:
    """A mistake in the environment names the variable."""
    loaded = load_text(tmp_path, environ={name: value, "TRADEAGENT_PORT": "tcp://10.0.0.1:1"})
    refine_all(loaded)
    assert [mistake.partition(" (there")[0] for mistake in loaded.mistakes] == [
        f"environment {name}{line}"
    ]


def test_a_wrong_option_is_named(tmp_path: Path) -> None:
    """A mistake on the command line names the option, in a list too."""
    overrides = {"feeds.0.seed": Option("x", "--seed"), "feeds.4.seed": 1}
    loaded = load_text(tmp_path, overrides=overrides)
    refine_all(loaded)
    assert sorted(loaded.mistakes) == [
        "--seed: feeds.0.seed: must be a whole number (got x)",
        "command line: feeds.4.seed: 4 is no entry of a list of 1, counted from 0",
    ]


def test_a_broken_env_file_names_the_line(tmp_path: Path) -> None:
    """A line of .env that sets nothing is named with its number, blank lines counted."""
    loaded = load_text(tmp_path, env="# x\nA=1\n\n\nno assignment here\nTRADEAGENT__API__PORT=x\n")
    assert said(loaded, tmp_path) == [
        ".env:5: is no NAME=value; correct or remove the line",
        ".env:6: api.port: must be a whole number (got x)",
    ]


def test_wrong_values_leave_usable_settings(tmp_path: Path) -> None:
    """Until `settle`, what is wrong stands at its default and what is right stands as set."""
    settings = load_text(tmp_path, TEN).settings
    assert settings.clock.mode == "wall"
    assert "mine" not in settings.strategies
    assert settings.strategies["breakout"].weight == 0.5
    assert settings.api.port == 8004
    assert settings.llm == {}


def test_complaints_from_elsewhere_join_in(tmp_path: Path) -> None:
    """A mistake that the app finds is placed where its setting stands."""
    loaded = load_text(tmp_path, "\nwatchlist: [DOGE]\n")
    loaded.complain(("watchlist", 0), "no feed covers it; add one")
    loaded.complain(("feeds", 0, "files"), "has no files; name some")
    assert said(loaded, tmp_path) == [
        "1.yaml:2: watchlist.0: no feed covers it; add one",
        "preset demo: feeds.0.files: has no files; name some",
    ]
