"""The official SDK: which of its methods are covered, by which session, and which are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.signing import get_timestamp_ms

from tests.venue.server import LEFT

SESSIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "market": {
        "Info": (
            "all_mids",
            "candles_snapshot",
            "funding_history",
            "l2_snapshot",
            "meta",
            "meta_and_asset_ctxs",
            "name_to_asset",
            "perp_dexs",
            "post",
            "set_perp_meta",
            "spot_meta",
            "spot_meta_and_asset_ctxs",
        ),
    },
    "own orders": {
        "Info": (
            "frontend_open_orders",
            "historical_orders",
            "open_orders",
            "query_order_by_cloid",
            "query_order_by_oid",
            "user_fills",
            "user_fills_by_time",
            "user_twap_slice_fills",
        ),
    },
    "own money": {
        "Info": (
            "portfolio",
            "spot_user_state",
            "user_fees",
            "user_funding_history",
            "user_non_funding_ledger_updates",
            "user_state",
        ),
    },
    "own standing": {
        "Info": (
            "extra_agents",
            "query_referral_state",
            "query_sub_accounts",
            "query_user_abstraction_state",
            "query_user_dex_abstraction_state",
            "user_rate_limit",
            "user_role",
        ),
    },
    "placing": {"Exchange": ("order", "post")},
    "modifying": {"Exchange": ("bulk_modify_orders_new", "modify_order")},
    "cancelling": {
        "Exchange": (
            "bulk_cancel",
            "bulk_cancel_by_cloid",
            "bulk_orders",
            "cancel",
            "cancel_by_cloid",
        ),
    },
    "taking": {"Exchange": ("market_close", "market_open")},
    "leverage": {"Exchange": ("update_isolated_margin", "update_leverage")},
    "agents": {"Exchange": ("approve_agent",)},
    "leave": {
        "Exchange": (
            "agent_enable_dex_abstraction",
            "agent_set_abstraction",
            "approve_builder_fee",
            "set_referrer",
            "user_dex_abstraction",
            "user_set_abstraction",
        ),
    },
    "time": {"Exchange": ("noop", "schedule_cancel", "set_expires_after")},
    "money": {
        "Exchange": ("send_asset", "usd_class_transfer", "usd_transfer", "withdraw_from_bridge"),
    },
    "streams": {"Info": ("disconnect_websocket", "subscribe", "unsubscribe")},
}
"""The methods that each scripted session calls."""
OUT_OF_SCOPE: Mapping[str, Mapping[str, str]] = {
    "Info": {
        "delegator_history": "staking",
        "query_perp_deploy_auction_status": "deploying",
        "query_spot_deploy_auction_status": "deploying",
        "query_user_to_multi_sig_signers": "multisig",
        "user_staking_delegations": "staking",
        "user_staking_rewards": "staking",
        "user_staking_summary": "staking",
        "user_vault_equities": "vaults",
    },
    "Exchange": {
        "c_signer_inner": "validators",
        "c_signer_jail_self": "validators",
        "c_signer_unjail_self": "validators",
        "c_validator_change_profile": "validators",
        "c_validator_register": "validators",
        "c_validator_unregister": "validators",
        "convert_to_multi_sig_user": "multisig",
        "create_sub_account": "sub-accounts",
        "gossip_priority_bid": "validators",
        "multi_sig": "multisig",
        "perp_deploy_register_asset": "deploying",
        "perp_deploy_set_oracle": "deploying",
        "spot_deploy_enable_freeze_privilege": "deploying",
        "spot_deploy_enable_quote_token": "deploying",
        "spot_deploy_freeze_user": "deploying",
        "spot_deploy_genesis": "deploying",
        "spot_deploy_register_hyperliquidity": "deploying",
        "spot_deploy_register_spot": "deploying",
        "spot_deploy_register_token": "deploying",
        "spot_deploy_revoke_freeze_privilege": "deploying",
        "spot_deploy_set_deployer_trading_fee_share": "deploying",
        "spot_deploy_token_action_inner": "deploying",
        "spot_deploy_user_genesis": "deploying",
        "spot_transfer": "spot",
        "sub_account_spot_transfer": "sub-accounts",
        "sub_account_transfer": "sub-accounts",
        "token_delegate": "staking",
        "use_big_blocks": "the EVM",
        "vault_usd_transfer": "vaults",
    },
}
"""What is not covered, and what it belongs to."""


class Noted:
    """An object of the SDK that notes which of its methods a session calls."""

    def __init__(self, client: object) -> None:
        self.client = client
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> object:
        if callable(getattr(self.client, name)):
            self.called.add(name)
        return getattr(self.client, name)


class Trader(Noted):
    """A trader of the SDK, each of whose actions has a nonce of its own."""

    def __getattr__(self, name: str) -> object:
        free_nonce()
        return super().__getattr__(name)


def public(kind: type) -> set[str]:
    """Return the public methods of a class of the SDK."""
    return {
        name
        for name in dir(kind)
        if not name.startswith("_") and callable(getattr(kind, name, None))
    }


GTC: Any = {"limit": {"tif": "Gtc"}}
ALO: Any = {"limit": {"tif": "Alo"}}
IOC: Any = {"limit": {"tif": "Ioc"}}


def stop(price: float, tpsl: str = "sl", market: bool = True) -> Any:
    """Return the type of a trigger order."""
    return {"trigger": {"triggerPx": price, "isMarket": market, "tpsl": tpsl}}


@contextmanager
def closing(client: Info | Exchange) -> Iterator[Any]:
    """Close what the SDK leaves open: sessions and the socket's threads."""
    info = client.info if isinstance(client, Exchange) else client
    try:
        yield client
    finally:
        if info.ws_manager is not None:
            if not info.ws_manager.stop_event.is_set():
                info.disconnect_websocket()
            LEFT.append(info.ws_manager)
        info.session.close()
        client.session.close()


def statuses(answer: Any) -> list[Any]:
    """Return the statuses of an accepted action."""
    assert answer["status"] == "ok", answer
    found: list[Any] = answer["response"]["data"]["statuses"]
    return found


def oid_of(answer: Any) -> int:
    """Return the number of the one order that rests."""
    (status,) = statuses(answer)
    return int(status["resting"]["oid"])


def far(info: Info, coin: str, part: float) -> float:
    """Return a price on the grid, that part of the mid."""
    return float(f"{float(info.all_mids()[coin]) * part:.4g}")


def free_nonce(last: list[int] = [0]) -> None:  # noqa: B006
    """Return once the SDK's clock shows a millisecond it has not signed with."""
    while get_timestamp_ms() <= last[0]:
        pass
    last[0] = get_timestamp_ms()
