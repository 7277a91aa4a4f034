"""The official SDK changes settings, moves money, and is refused what it should be."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import requests
from eth_account import Account
from eth_account.signers.local import LocalAccount
from hyperliquid.api import API
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.error import ClientError
from hyperliquid.utils.signing import get_timestamp_ms

from tests.venue.sdk import (
    GTC,
    OUT_OF_SCOPE,
    SESSIONS,
    Trader,
    closing,
    far,
    free_nonce,
    oid_of,
    public,
    statuses,
)
from tests.venue.server import Venue, wallet

DONE = {"status": "ok", "response": {"type": "default"}}


@pytest.mark.parametrize("kind", [Info, Exchange])
def test_every_public_method_of_the_sdk_is_covered_or_out_of_scope(kind: type) -> None:
    """A method that a new release adds must be put into one list, and none is in both."""
    covered = [m for s in SESSIONS.values() for m in s.get(kind.__name__, ())]
    left_out = list(OUT_OF_SCOPE[kind.__name__])
    assert sorted(covered + left_out) == sorted(public(kind) | public(API))


def test_a_session_of_leverage_and_margin(market: Venue, exchange: Exchange, trader: Any) -> None:
    """Leverage is set before a position, margin is added to an isolated one, and no other."""
    info, user = exchange.info, exchange.wallet.address

    assert trader.update_leverage(7, "ETH", is_cross=False) == DONE
    assert trader.update_leverage(1000, "ETH")["status"] == "err"
    (status,) = statuses(trader.market_open("ETH", True, 0.5))
    assert "filled" in status
    (held,) = info.user_state(user)["assetPositions"]
    leverage = held["position"]["leverage"]
    assert (leverage["type"], leverage["value"]) == ("isolated", 7)
    before = Decimal(held["position"]["marginUsed"])
    assert trader.update_isolated_margin(25.5, "ETH") == DONE
    (held,) = info.user_state(user)["assetPositions"]
    assert abs(Decimal(held["position"]["marginUsed"]) - before - Decimal("25.5")) < 20
    switched = trader.update_leverage(7, "ETH", is_cross=True)
    assert switched["response"] == "Cannot switch leverage type with open position."
    answer = trader.update_isolated_margin(5, "BTC")
    assert answer["response"] == "Position does not use isolated margin."
    assert trader.called >= set(SESSIONS["leverage"]["Exchange"])


def test_a_session_of_agents(market: Venue, exchange: Exchange, trader: Any) -> None:
    """Named or not, an agent trades for the account that approved it, and moves no money."""
    info, user = exchange.info, exchange.wallet.address

    answer, secret = trader.approve_agent("bot 1")
    assert answer == DONE
    agent = Account.from_key(secret)
    assert [one["name"] for one in info.extra_agents(user)] == ["bot 1"]
    role = info.user_role(agent.address)
    assert role == {"role": "agent", "data": {"user": user.lower()}}
    answer, unnamed = trader.approve_agent()
    assert answer == DONE
    for one in (agent, Account.from_key(unnamed)):
        with closing(Exchange(one, market.url, account_address=user)) as client:
            deputy: Any = Trader(client)
            oid = oid_of(deputy.order("BTC", True, 0.01, far(info, "BTC", 0.8), GTC))
            assert [shown["oid"] for shown in info.open_orders(user)] == [oid]
            assert statuses(deputy.cancel("BTC", oid)) == ["success"]
            answer = deputy.usd_transfer(1, user)
            assert answer["response"].startswith("Must deposit before performing actions. User: ")
    assert trader.called == set(SESSIONS["agents"]["Exchange"])


def test_a_session_of_giving_leave(market: Venue, exchange: Exchange, trader: Any) -> None:
    """Builders, referrers and abstractions get an answer, whether the venue has them or not."""
    user = exchange.wallet.address

    assert trader.approve_builder_fee(wallet(7).address, "0.01%") == DONE
    for answer in (
        trader.set_referrer("CODE"),
        trader.agent_enable_dex_abstraction(),
        trader.agent_set_abstraction("i"),
        trader.user_dex_abstraction(user, False),
        trader.user_set_abstraction(user, "disabled"),
    ):
        assert answer["status"] in ("ok", "err")
    assert trader.called == set(SESSIONS["leave"]["Exchange"])


def test_a_session_of_nonces_and_times(market: Venue, exchange: Exchange, trader: Any) -> None:
    """A nonce is good once, a schedule lies ahead, and an action that has expired does nothing."""
    assert trader.noop(get_timestamp_ms()) == DONE
    free_nonce()
    used = get_timestamp_ms()
    assert exchange.noop(used)["status"] == "ok"
    answer = exchange.noop(used)
    assert answer == {"status": "err", "response": f"Invalid nonce: duplicate nonce {used}"}
    assert trader.schedule_cancel(get_timestamp_ms() + 60_000) == DONE
    assert trader.schedule_cancel(get_timestamp_ms() + 1_000)["status"] == "err"
    assert trader.schedule_cancel(None) == DONE
    trader.set_expires_after(get_timestamp_ms() - 1)
    answer = trader.update_leverage(5, "BTC")
    assert answer == {"status": "err", "response": "Action already expired"}
    trader.set_expires_after(get_timestamp_ms() + 60_000)
    assert trader.update_leverage(5, "BTC") == DONE
    assert trader.called >= set(SESSIONS["time"]["Exchange"])


def test_a_session_of_money(market: Venue, exchange: Exchange, trader: Any) -> None:
    """What there is can be sent, withdrawn and moved to the other side; more cannot."""
    info, user, other = exchange.info, exchange.wallet.address, wallet(999).address

    assert trader.usd_transfer(100.0, other) == DONE
    assert trader.usd_transfer(1e9, other)["status"] == "err"
    assert trader.withdraw_from_bridge(50.0, user) == DONE
    answer = trader.withdraw_from_bridge(1e9, user)
    assert answer["response"] == "Insufficient balance for withdrawal."
    assert trader.usd_class_transfer(10.0, False) == DONE
    assert trader.send_asset(user, "spot", "", "USDC", 4.0) == DONE
    assert info.spot_user_state(user)["balances"][0]["total"] == "6.0"
    updates = info.user_non_funding_ledger_updates(user, 0)
    assert {one["delta"]["type"] for one in updates} >= {"internalTransfer", "withdraw"}
    assert trader.called == set(SESSIONS["money"]["Exchange"])


def test_queries_out_of_scope_answer_as_an_empty_venue(market: Venue, info: Info) -> None:
    """Staking, vaults, multisig and auctions: nothing is there, and asking is no error."""
    user = wallet(997).address
    for method in OUT_OF_SCOPE["Info"]:
        ask: Any = getattr(info, method)
        answer = ask(*(() if method == "query_perp_deploy_auction_status" else (user,)))
        assert answer is None or isinstance(answer, dict | list)


def test_actions_out_of_scope_are_refused_and_burn_nothing_else(
    market: Venue, exchange: Exchange
) -> None:
    """What the venue does not offer is an error of the whole action, never a lost connection."""
    attempts: list[Callable[[], Any]] = [
        lambda: exchange.c_signer_jail_self(),
        lambda: exchange.create_sub_account("one"),
        lambda: exchange.vault_usd_transfer(wallet(5).address, True, 5_000_000),
        lambda: exchange.spot_transfer(1, wallet(5).address, "USDC"),
        lambda: exchange.token_delegate(wallet(5).address, 1, False),
        lambda: exchange.spot_deploy_register_spot(0, 1),
        lambda: exchange.sub_account_transfer(wallet(5).address, True, 1),
    ]
    for attempt in attempts:
        free_nonce()
        assert attempt()["status"] == "err"


def test_a_vault_nobody_registered_is_told_so(market: Venue, key: LocalAccount) -> None:
    """The vault is part of what was signed; the account behind the signature is found."""
    vault = wallet(5).address
    with closing(Exchange(key, market.url, vault_address=vault)) as exchange:
        free_nonce()
        answer = exchange.order("BTC", True, 0.01, far(exchange.info, "BTC", 0.8), GTC)
        assert answer == {"status": "err", "response": f"Vault not registered: {vault.lower()}"}


def test_bad_requests_are_told_as_the_sdk_expects(market: Venue, info: Info) -> None:
    """422 in plain text for a wrong shape, 400 for no JSON, and null for an unknown book."""
    with pytest.raises(ClientError) as caught:
        info.post("/info", {"type": "nonsense"})
    assert caught.value.status_code == 422
    assert "Failed to deserialize" in caught.value.error_message
    with pytest.raises(ClientError) as caught:
        info.post("/exchange", {"action": {"type": "order"}, "nonce": 1})
    assert caught.value.status_code == 422
    answer = requests.post(f"{market.url}/info", data="no json", timeout=10)
    assert answer.status_code == 400
    assert info.post("/info", {"type": "l2Book", "coin": "NONE"}) is None
