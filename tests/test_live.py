"""Real money is traded only where file, command line and venue agree that it is."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from tests.e2e.daemon import run
from tradeagent.cli.session import banner
from tradeagent.config.load import load
from tradeagent.errors import ConfigError
from tradeagent.plan import Plan, make_plan, refuse_unarmed

ACCOUNT = "0x" + "ab" * 20
KEY = "0x" + "17" * 32


def plan(network: str, *, live: bool) -> Plan:
    """Return a plan that trades on a network."""
    overrides: dict[str, object] = {
        "exchange.network": network,
        "exchange.account": ACCOUNT,
        "feeds.0.network": network,
        "live": live,
    }
    return make_plan(load("live", [], overrides, {}, None, None))


@pytest.mark.parametrize(
    ("network", "live", "flag"), list(product(("mainnet", "testnet"), (False, True), (False, True)))
)
def test_two_of_the_three_facts_stand_in_file_and_command(
    network: str, live: bool, flag: bool
) -> None:
    """On the real network both must be there; elsewhere --live is a mistake that is told."""
    made = plan(network, live=live)
    if network == "mainnet" and live and flag:
        refuse_unarmed(made, flag, written=True)
        return
    if network == "testnet" and not flag:
        refuse_unarmed(made, flag, written=live)
        return
    with pytest.raises(ConfigError) as caught:
        refuse_unarmed(made, flag, written=live)
    assert ("live: true" in str(caught.value)) == (network == "mainnet" and not live)
    assert ("--live" in str(caught.value)) == (not flag or network == "testnet")


def test_the_environment_is_no_file(tmp_path: Path) -> None:
    """`live` must stand in a file that was named; a variable that says so is refused."""
    file = tmp_path / "own.yaml"
    file.write_text("watchlist: [BTC]\n")
    done = run(
        "run", "--profile", "live", "--live", "-c", str(file), "--state", str(tmp_path / "state"),
        TRADEAGENT__LIVE="true", HYPERLIQUID_PRIVATE_KEY=KEY, HYPERLIQUID_ACCOUNT_ADDRESS=ACCOUNT,
    )  # fmt: skip

    assert done.returncode == 2
    assert "needs 'live: true' in your own configuration file" in done.stderr


def test_the_banner_says_whose_money_and_how_much() -> None:
    """Only real money has one."""
    assert banner(plan("testnet", live=True)) == ""
    told = banner(plan("mainnet", live=True))
    assert "REAL MONEY" in told
    assert ACCOUNT in told
    assert "an order is worth 100 at most" in told


def test_without_an_answer_of_the_venue_nothing_starts(tmp_path: Path) -> None:
    """No answer is a no, told in one line."""
    nobody = "http://127.0.0.1:9"
    done = run(
        "run", "--profile", "local", "--state", str(tmp_path / "state"),
        TRADEAGENT__EXCHANGE__URL=nobody, TRADEAGENT__FEEDS=(
            f"[{{type: hyperliquid, network: local, url: '{nobody}'}}]"
        ),
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr.startswith("error: feeds.0: hyperliquid does not answer")


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [
        ("HYPERLIQUID_PRIVATE_KEY", "set it in the environment"),
        ("HYPERLIQUID_ACCOUNT_ADDRESS", "say whose account it is"),
    ],
)
def test_a_missing_secret_is_told_with_its_remedy(
    tmp_path: Path, missing: str, remedy: str
) -> None:
    """Neither key nor account is guessed."""
    given = {"HYPERLIQUID_PRIVATE_KEY": KEY, "HYPERLIQUID_ACCOUNT_ADDRESS": ACCOUNT}
    done = run(
        "run", "--profile", "testnet", "--bus", "memory://", "--state", str(tmp_path / "state"),
        **{**given, missing: ""},
    )  # fmt: skip

    assert done.returncode == 2
    assert missing in done.stderr
    assert remedy in done.stderr
