"""Move money and give keys: sends, withdrawals, agents, builders, referrers, bought requests."""

from __future__ import annotations

import re
from decimal import Decimal

from tradeagent.messages import ZERO
from tradeagent.simulation.venue import texts
from tradeagent.simulation.venue.base import Actor, Json
from tradeagent.simulation.venue.clearinghouse import Clearinghouse
from tradeagent.simulation.venue.house import House
from tradeagent.simulation.venue.margins import DONE
from tradeagent.simulation.venue.orders import number_of
from tradeagent.simulation.venue.placing import err
from tradeagent.simulation.venue.seat import Agent, Seat

NOBODY = "0x" + "0" * 40
DAY_MS = 86_400_000
USUAL_DAYS, MOST_DAYS = 90, 180
NAMED = 3
LONGEST_NAME = 16
PENDING = 5_000
"""How long after a removal no other agent is approved, in ms."""
WITHDRAWAL_FEE = Decimal(1)
REQUEST_PRICE = Decimal("0.0005")
VALID_UNTIL = re.compile(r"(.*) valid_until (\d+)", re.DOTALL)
RATE = re.compile(r"(\d+(?:\.\d+)?)%")
MOST_TENTHS = 100
"""A builder gets at most 0.1% on perpetuals."""


class Transfers:
    """What an account does with its money and its keys, inside an event of the house."""

    def __init__(self, house: House, clearinghouse: Clearinghouse) -> None:
        self._house = house
        self._clearinghouse = clearinghouse

    # -- money

    def send(self, seat: Seat, action: Json) -> Json:
        """Carry out `usdSend`: it arrives at once, in an account that is opened if need be."""
        amount, to = number_of(action.get("amount")), str(action.get("destination")).lower()
        if amount <= 0 or to == seat.user:
            return err(texts.INVALID_SEND)
        if amount > self._clearinghouse.withdrawable(seat):
            return err(texts.TRANSFER)
        other = self._house.seat(to)
        delta: Json = {
            "type": "internalTransfer",
            "usdc": amount,
            "user": seat.user,
            "destination": to,
            "fee": ZERO,
        }
        self._house.move(seat, "send", -amount, delta)
        self._house.move(other, "send", amount, delta)
        return DONE

    def withdraw(self, seat: Seat, action: Json, actor: Actor) -> Json:
        """Carry out `withdraw3`: a dollar of it is the fee."""
        amount = number_of(action.get("amount"))
        if amount <= WITHDRAWAL_FEE or amount > self._clearinghouse.withdrawable(seat):
            return err(texts.WITHDRAW)
        delta: Json = {
            "type": "withdraw",
            "usdc": amount - WITHDRAWAL_FEE,
            "nonce": actor.nonce,
            "fee": WITHDRAWAL_FEE,
        }
        self._house.move(seat, "withdraw", -amount, delta)
        return DONE

    def change_class(self, seat: Seat, action: Json) -> Json:
        """Carry out `usdClassTransfer`, between the spot balance and the perpetuals'."""
        text, _, of = str(action.get("amount")).partition(" ")
        if of:
            return err(texts.NO_VAULT.format(address=of.partition(":")[2].lower()))
        amount, entering = number_of(text), action.get("toPerp") is True
        has = seat.choices.spot if entering else self._clearinghouse.withdrawable(seat)
        if not ZERO < amount <= has:
            return err(texts.TRANSFER)
        signed = amount if entering else -amount
        seat.choices.spot -= signed
        self._house.keep(seat)
        delta: Json = {"type": "accountClassTransfer", "usdc": amount, "toPerp": entering}
        self._house.move(seat, "class", signed, delta)
        return DONE

    def send_asset(self, seat: Seat, action: Json) -> Json:
        """Carry out `sendAsset` as far as it is USDC between perpetuals and spot, or to another."""
        way = f"{action.get('sourceDex')}>{action.get('destinationDex')}"
        own = str(action.get("destination")).lower() == seat.user
        coin = str(action.get("token")).partition(":")[0]
        if coin == "USDC" and not action.get("fromSubAccount"):
            if own and way in (">spot", "spot>"):
                return self.change_class(seat, {**action, "toPerp": way == "spot>"})
            if way == ">":
                return self.send(seat, action)
        return err(texts.INVALID_SEND)

    def reserve(self, seat: Seat, action: Json, actor: Actor) -> Json:
        """Carry out `reserveRequestWeight`; an agent may not."""
        weight = int(str(action.get("weight")))
        price = weight * REQUEST_PRICE
        if actor.signer != seat.user:
            return err(texts.AGENT_ONLY)
        if price > self._clearinghouse.withdrawable(seat):
            return err(texts.TRANSFER)
        seat.choices.reserved += weight
        self._house.keep(seat)
        self._house.move(seat, "requests", -price, {})
        return DONE

    # -- keys

    def approve_agent(self, seat: Seat, action: Json) -> Json:
        """Carry out `approveAgent`: a name's agent is replaced, and removed by address zero."""
        now = self._house.now_ms()
        address = str(action.get("agentAddress")).lower()
        name, until = str(action.get("agentName") or ""), now + USUAL_DAYS * DAY_MS
        if found := VALID_UNTIL.fullmatch(name):
            name, until = found[1], int(found[2])
        if len(name) > LONGEST_NAME:
            return err(texts.AGENT_NAME)
        if until <= now:
            return err(texts.AGENT_EXPIRED)
        if until > now + MOST_DAYS * DAY_MS:
            return err(texts.AGENT_LONG)
        if now < seat.choices.removed + PENDING:
            return err(texts.AGENT_LEAVING)
        old = next((one for one in seat.choices.agents if one.name == name), None)
        if address != NOBODY:
            if self.is_used(address):
                return err(texts.AGENT_USED)
            named = sum(1 for one in seat.choices.agents if one.name and one.until > now)
            if name and old is None and named >= NAMED:
                return err(texts.AGENT_MANY)
        if old is not None:
            seat.choices.agents.remove(old)
            seat.choices.gone.append(old.address)
            if address == NOBODY:
                seat.choices.removed = now
        if address != NOBODY:
            seat.choices.agents.append(Agent(address, name, until))
        self._house.keep(seat)
        return DONE

    def is_used(self, address: str) -> bool:
        """Tell whether an address has an account, or is or was an agent."""
        return address in self._house.seats or self.was_agent(address)

    def was_agent(self, address: str) -> bool:
        """Tell whether an address is or was an agent: it never gets an account of its own."""
        return any(
            address in (*one.choices.gone, *(agent.address for agent in one.choices.agents))
            for one in self._house.seats.values()
        )

    def master_of(self, signer: str) -> str | None:
        """Return the account that `signer` signs for; one whose approval has ended has none."""
        if signer in self._house.seats:
            return signer
        now = self._house.now_ms()
        for user, seat in self._house.seats.items():
            for agent in seat.choices.agents:
                if agent.address == signer and agent.until > now:
                    return user
        return None

    def approve_builder(self, seat: Seat, action: Json) -> Json:
        """Carry out `approveBuilderFee`, if the venue is set to."""
        found = RATE.fullmatch(str(action.get("maxFeeRate")))
        if not self._house.settings.builder_fees:
            return err(texts.BUILDER_REFUSED)
        tenths = -1 if found is None else int(Decimal(found[1]) * 1000)
        if not 0 <= tenths <= 10 * MOST_TENTHS:
            return err(texts.BUILDER_RATE)
        seat.choices.builders[str(action.get("builder")).lower()] = tenths
        self._house.keep(seat)
        return DONE

    def set_referrer(self, seat: Seat, action: Json) -> Json:
        """Carry out `setReferrer`: any code will do."""
        seat.choices.referrer = str(action.get("code"))
        self._house.keep(seat)
        return DONE
