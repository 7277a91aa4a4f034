"""Know every action of /exchange and who carries it out."""

from __future__ import annotations

from collections.abc import Callable

from tradeagent.simulation.venue import texts
from tradeagent.simulation.venue.base import Actor, Json, Malformed
from tradeagent.simulation.venue.clearinghouse import Clearinghouse
from tradeagent.simulation.venue.clerk import Clerk
from tradeagent.simulation.venue.house import House
from tradeagent.simulation.venue.margins import DONE, Margins
from tradeagent.simulation.venue.placing import Placing, err
from tradeagent.simulation.venue.seat import Seat
from tradeagent.simulation.venue.timed import Timed
from tradeagent.simulation.venue.transfers import Transfers

Act = Callable[[Seat, Json], Json]
SignedAct = Callable[[Seat, Json, Actor], Json]
NO_EFFECT = (
    "noop",
    "agentEnableDexAbstraction",
    "agentSetAbstraction",
    "userSetAbstraction",
    "userDexAbstraction",
)
"""What is accepted and changes nothing here but the nonce."""


class Acts:
    """The actions: each is carried out inside an event of the house."""

    def __init__(
        self,
        house: House,
        clerk: Clerk,
        placing: Placing,
        timed: Timed,
        clearinghouse: Clearinghouse,
    ) -> None:
        margins = Margins(house, clerk, clearinghouse)
        self._placing = placing
        self.transfers = keys = Transfers(house, clearinghouse)
        self._kinds: dict[str, Act] = {
            "order": placing.order,
            "cancel": placing.cancel,
            "cancelByCloid": placing.cancel,
            "modify": placing.modify,
            "batchModify": placing.modify,
            "scheduleCancel": timed.schedule,
            "twapOrder": timed.twap,
            "twapCancel": timed.cancel,
            "updateLeverage": margins.update_leverage,
            "updateIsolatedMargin": margins.update_isolated,
            "topUpIsolatedOnlyMargin": margins.top_up,
            "usdSend": keys.send,
            "usdClassTransfer": keys.change_class,
            "sendAsset": keys.send_asset,
            "approveAgent": keys.approve_agent,
            "approveBuilderFee": keys.approve_builder,
            "setReferrer": keys.set_referrer,
            "createSubAccount": _no_sub_account,
            "subAccountTransfer": _no_vault,
            "vaultTransfer": _no_vault,
        }
        self._signed: dict[str, SignedAct] = {
            "reserveRequestWeight": keys.reserve,
            "withdraw3": keys.withdraw,
        }

    def check(self, action: Json) -> None:
        """Raise Malformed for an action of another shape, before anything is done."""
        if not isinstance(action.get("type"), str):
            raise Malformed("an action has a type")
        self._placing.check(action)

    def carry_out(self, seat: Seat, action: Json, actor: Actor) -> Json:
        """Carry out an action; what is not offered here is refused."""
        kind = str(action["type"])
        if kind in NO_EFFECT:
            return DONE
        if (signed := self._signed.get(kind)) is not None:
            return signed(seat, action, actor)
        found = self._kinds.get(kind)
        return err(texts.NOT_OFFERED) if found is None else found(seat, action)


def _no_sub_account(seat: Seat, action: Json) -> Json:  # noqa: ARG001
    return err(texts.NO_SUB_ACCOUNT.format(traded=texts.dollars(seat.traded)))


def _no_vault(seat: Seat, action: Json) -> Json:  # noqa: ARG001
    address = action.get("vaultAddress") or action.get("subAccountUser")
    return err(texts.NO_VAULT.format(address=str(address).lower()))
