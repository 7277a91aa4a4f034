"""What happens at a time of its own: slices of TWAPs and scheduled cancels."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from random import Random

from tradeagent.simulation.venue import texts
from tradeagent.simulation.venue.base import Json, TwapNews
from tradeagent.simulation.venue.house import MILLISECOND, House
from tradeagent.simulation.venue.listing import Asset
from tradeagent.simulation.venue.margins import DONE
from tradeagent.simulation.venue.orders import Refused, number_of
from tradeagent.simulation.venue.placing import Placing, err
from tradeagent.simulation.venue.seat import Seat, Twap
from tradeagent.simulation.venue.texts import dollars
from tradeagent.simulation.venue.ticket import Ticket
from tradeagent.simulation.venue.wire import decimal_text

SOON = 5_000
"""How far ahead a cancel must be scheduled, in ms."""
FIRES = 10
DAY_MS = 86_400_000
SLICE_MS = 30_000
SLIPPAGE = Decimal("0.03")
CATCH_UP = 3
"""How many times its usual size a slice may have to make up for earlier ones."""
SHORTEST, LONGEST = 5, 1440
PER_MINUTE = 10
SPREAD = Decimal("0.2")
"""How much a randomised slice differs from the usual one at most."""


class Timed:
    """Sets and carries out what is due at a time, inside an event of the house."""

    def __init__(self, house: House, placing: Placing) -> None:
        self._house = house
        self._placing = placing

    def next(self) -> int | None:
        """Return when the next thing is due (UTC ms), None when nothing is."""
        due = [
            time
            for seat in self._house.seats.values()
            for time in (seat.choices.schedule, *(one.due for one in seat.choices.twaps))
            if time
        ]
        return min(due, default=None)

    def run(self, now: int) -> None:
        """Carry out what is due by `now` (UTC ms)."""
        for seat in list(self._house.seats.values()):
            if 0 < seat.choices.schedule <= now:
                self._fire(seat)
            for twap in list(seat.choices.twaps):
                if twap.due <= now:
                    missed = (now - twap.due) // SLICE_MS
                    twap.slices += missed
                    twap.due += missed * SLICE_MS
                    self._slice(seat, twap)

    # -- scheduled cancels

    def schedule(self, seat: Seat, action: Json) -> Json:
        """Carry out `scheduleCancel`; without a time it is taken back."""
        now, required = self._house.now_ms(), self._house.settings.schedule_volume
        if seat.traded < required:
            shown = {"required": dollars(required), "traded": dollars(seat.traded)}
            return err(texts.SCHEDULE_VOLUME.format(**shown))
        time = action.get("time")
        if time is not None:
            if int(str(time)) < now + SOON:
                return err(texts.SCHEDULE_SOON)
            if seat.choices.fires[0] == now // DAY_MS and seat.choices.fires[1] >= FIRES:
                return err(texts.SCHEDULE_OFTEN)
        seat.choices.schedule = 0 if time is None else int(str(time))
        self._house.keep(seat)
        return DONE

    def _fire(self, seat: Seat) -> None:
        day = self._house.now_ms() // DAY_MS
        fired = seat.choices.fires[1] if seat.choices.fires[0] == day else 0
        seat.choices.schedule, seat.choices.fires = 0, (day, fired + 1)
        self._house.keep(seat)
        self._placing.cancel_all(seat, texts.SCHEDULED)

    # -- orders in slices

    def twap(self, seat: Seat, action: Json) -> Json:
        """Carry out `twapOrder`."""
        wire = action["twap"]
        assert isinstance(wire, dict)
        try:
            twap = self._read(seat, wire)
        except Refused as refused:
            return _answer("twapOrder", {"error": refused.text})
        seat.choices.twaps.append(twap)
        self._step(seat, twap, "activated")
        return _answer("twapOrder", {"running": {"twapId": twap.number}})

    def _read(self, seat: Seat, wire: Json) -> Twap:
        asset = self._house.listings.at(int(str(wire["a"])))
        minutes, size = int(str(wire["m"])), number_of(wire["s"])
        if asset is None or asset.delisted:
            raise Refused(texts.BAD_ASSET)
        if not SHORTEST <= minutes <= LONGEST:
            raise Refused(texts.TWAP_MINUTES.format(minutes=minutes))
        if size <= 0 or not asset.size_fits(size):
            raise Refused(texts.BAD_SIZE)
        mark = Decimal(repr(self._house.stalls[asset.coin].mark))
        if size * mark < minutes * PER_MINUTE:
            raise Refused(texts.TWAP_LEAST.format(least=minutes * PER_MINUTE))
        buy, reduce_only = wire["b"] is True, wire["r"] is True
        closable = seat.position(asset.symbol).closable("buy" if buy else "sell")
        if reduce_only and not closable:
            raise Refused(texts.TWAP_INCREASES)
        now = self._house.moment() // MILLISECOND
        number = self._house.ledger.number()
        return Twap(
            number, asset.number, buy, size, reduce_only, minutes, wire["t"] is True, now, now
        )

    def cancel(self, seat: Seat, action: Json) -> Json:
        """Carry out `twapCancel`."""
        asset, number = action.get("a"), action.get("t")
        for twap in seat.choices.twaps:
            if (twap.asset, twap.number) == (asset, number):
                seat.choices.twaps.remove(twap)
                self._step(seat, twap, "terminated")
                return _answer("twapCancel", "success")
        return _answer("twapCancel", {"error": texts.NO_SUCH_TWAP})

    def _slice(self, seat: Seat, twap: Twap) -> None:
        """Take a slice: what should have filled by now, at most three times the usual."""
        asset = self._house.listings.at(twap.asset)
        assert asset is not None
        count = twap.minutes * 60_000 // SLICE_MS
        twap.slices += 1
        twap.due += SLICE_MS
        usual = twap.size / count
        wanted = min(usual * twap.slices - twap.done, CATCH_UP * usual)
        if twap.randomize and twap.slices < count:
            seed = f"{self._house.settings.seed}|{twap.number}|{twap.slices}"
            draw = Random(seed).random()  # noqa: S311
            wanted *= 1 + SPREAD * (Decimal(repr(draw)) * 2 - 1)
        left = twap.size - twap.done
        size = left if twap.slices >= count else min(wanted, left)
        status = self._take(seat, twap, asset, min(size, CATCH_UP * usual))
        if not status and (twap.slices >= count or twap.done >= twap.size):
            status = "finished"
        if status:
            seat.choices.twaps.remove(twap)
            self._step(seat, twap, status)
        else:
            self._house.keep(seat)

    def _take(self, seat: Seat, twap: Twap, asset: Asset, size: Decimal) -> str:
        """Let a slice meet the market; returns how the TWAP ends where it cannot go on."""
        size = asset.instrument.fit_size(size)
        held = seat.position(asset.symbol).closable("buy" if twap.buy else "sell")
        if twap.reduce_only:
            size = min(size, held)
            if not held:
                return "terminated"
        stall = self._house.stalls[asset.coin]
        if size <= 0 or not stall.open:
            return ""
        mid = Decimal(repr(stall.mid)) * (1 + SLIPPAGE if twap.buy else 1 - SLIPPAGE)
        rounding = ROUND_FLOOR if twap.buy else ROUND_CEILING
        ticket = Ticket(
            oid=0,
            user=seat.user,
            asset=asset.number,
            coin=asset.coin,
            buy=twap.buy,
            limit=asset.instrument.fit_price(mid, rounding),
            size=size,
            left=size,
            time=self._house.moment() // MILLISECOND,
            reduce_only=twap.reduce_only,
            tif="Ioc",
            twap=twap.number,
        )
        try:
            self._placing.admission.affords(seat, ticket, asset, None)
        except Refused:
            return "error"
        self._placing.number(seat, ticket)
        self._placing.enter(seat, ticket, asset, ticket.limit)
        twap.done += ticket.filled
        twap.paid += ticket.paid
        return ""

    def state(self, seat: Seat, twap: Twap) -> Json:
        """Return a TWAP as `twapStates` shows it."""
        asset = self._house.listings.at(twap.asset)
        assert asset is not None
        return {
            "coin": asset.coin,
            "executedNtl": decimal_text(twap.paid),
            "executedSz": decimal_text(twap.done),
            "minutes": twap.minutes,
            "randomize": twap.randomize,
            "reduceOnly": twap.reduce_only,
            "side": "B" if twap.buy else "A",
            "sz": decimal_text(twap.size),
            "timestamp": twap.began,
            "user": seat.user,
        }

    def _step(self, seat: Seat, twap: Twap, status: str) -> None:
        shown: Json = {
            "time": self._house.moment() // MILLISECOND // 1000,
            "state": self.state(seat, twap),
            "status": {"status": status},
            "twapId": twap.number,
        }
        if status == "error":
            shown["status"] = {"status": status, "description": texts.MARGIN}
        self._house.ledger.twap(seat.user, "history", shown)
        self._house.tell(TwapNews(seat.user, "history", shown))
        self._house.keep(seat)
        self._house.touch(seat)


def _answer(kind: str, status: object) -> Json:
    return {"status": "ok", "response": {"type": kind, "data": {"status": status}}}
