"""Random lives of accounts: the venue's own ledger and what it answers always agree, exactly."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation.venue.hall import OTHER, USER, Hall, order, trigger
from tests.simulation.venue.test_money import check_algebra

ASSETS = st.integers(0, 1)
USERS = st.sampled_from([USER, USER, OTHER])
PARTS = st.sampled_from([0.9, 0.98, 0.999, 1.0, 1.001, 1.02, 1.1])
SIZES = st.sampled_from([0.002, 0.05, 0.31, 0.777, 1.4, 2.5])
LIMITS = st.tuples(
    st.just("limit"),
    ASSETS,
    st.booleans(),
    PARTS,
    SIZES,
    st.sampled_from(["Gtc", "Ioc", "Alo", "Ioc"]),
    st.booleans(),
)
TRIGGERS = st.tuples(
    st.just("trigger"),
    st.booleans(),
    PARTS,
    SIZES,
    st.sampled_from(["tp", "sl"]),
    st.booleans(),
    st.sampled_from(["na", "positionTpsl", "normalTpsl"]),
)
STEPS = st.one_of(
    LIMITS,
    LIMITS,
    st.tuples(st.just("take"), ASSETS, st.booleans(), SIZES),
    st.tuples(st.just("take"), st.just(0), st.booleans(), st.just(3)),
    st.tuples(st.just("tick"), ASSETS, st.floats(-0.15, 0.15)),
    TRIGGERS,
    st.tuples(st.just("tick"), ASSETS, st.floats(-0.03, 0.03)),
    st.tuples(st.just("tick"), ASSETS, st.floats(-0.001, 0.001)),
    st.tuples(st.just("trade"), st.booleans(), st.floats(0.01, 2)),
    st.tuples(st.just("cancel"), st.integers(0, 5)),
    st.tuples(st.just("modify"), st.integers(0, 5), PARTS, SIZES),
    st.tuples(st.just("leverage"), ASSETS, st.booleans(), st.integers(1, 40)),
    st.tuples(st.just("margin"), ASSETS, st.integers(-300, 600)),
    st.tuples(st.just("send"), st.integers(1, 3000)),
    st.tuples(st.just("hour")),
    st.tuples(st.just("part"), st.sampled_from([0.3, 1])),
    st.tuples(st.just("schedule")),
    st.tuples(st.just("twap"), st.booleans()),
    st.tuples(st.just("restart")),
)
COINS = ("BTC", "ETH")


class Life:
    """A hall in which a life is led, step by step."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self.mids = {"BTC": 60_000.0, "ETH": 3000.0}

    def price(self, asset: int, part: float) -> str:
        """Return a price on the grid."""
        return f"{Decimal(f'{self.mids[COINS[asset]] * part:.4g}'):f}"

    def step(self, user: str, kind: str, *more: Any) -> None:
        """Take a step; refusals are part of life."""
        getattr(self, f"do_{kind}")(user, *more)

    def do_limit(
        self, user: str, asset: int, buy: bool, part: float, size: float, tif: str, reduce: bool
    ) -> None:
        wire = order(buy, self.price(asset, part), size, tif, reduce=reduce, asset=asset)
        self.hall.orders(wire, user=user)

    def do_take(self, user: str, asset: int, buy: bool, size: float) -> None:
        self.do_limit(user, asset, buy, 1.02 if buy else 0.98, size, "Ioc", False)

    def do_trigger(
        self, user: str, buy: bool, part: float, size: float, kind: str, reduce: bool, group: str
    ) -> None:
        wires = [trigger(buy, self.price(0, part), size, kind, reduce=reduce)]
        if group == "normalTpsl":
            wires.insert(0, order(not buy, self.price(0, 1.0), size))
        self.hall.act(user, type="order", orders=wires, grouping=group)

    def do_tick(self, user: str, asset: int, move: float) -> None:
        coin = COINS[asset]
        mid = float(f"{self.mids[coin] * (1 + move):.4g}")
        self.mids[coin] = mid
        self.hall.tick(mid - mid * 1e-4, mid + mid * 1e-4, coin, mark=mid, funding=0.0002)

    def do_trade(self, user: str, buy: bool, size: float) -> None:
        book = self.hall.ask("l2Book", coin="BTC")["levels"]
        price = float(book[1 if buy else 0][0]["px"])
        self.hall.trade("buy" if buy else "sell", price, round(size, 5))

    def do_cancel(self, user: str, which: int) -> None:
        if oids := list(self.hall.open(user)):
            oid = oids[which % len(oids)]
            self.hall.cancel(oid, user=user)

    def do_modify(self, user: str, which: int, part: float, size: float) -> None:
        shown = self.hall.open(user)
        if oids := list(shown):
            oid = oids[which % len(oids)]
            asset = COINS.index(shown[oid]["coin"])
            wire = order(shown[oid]["side"] == "B", self.price(asset, part), size, asset=asset)
            self.hall.act(user, type="batchModify", modifies=[{"oid": oid, "order": wire}], a=True)

    def do_leverage(self, user: str, asset: int, cross: bool, value: int) -> None:
        self.hall.act(user, type="updateLeverage", asset=asset, isCross=cross, leverage=value)

    def do_margin(self, user: str, asset: int, usd: int) -> None:
        ntli = usd * 1_000_000
        self.hall.act(user, type="updateIsolatedMargin", asset=asset, isBuy=True, ntli=ntli)

    def do_send(self, user: str, usd: int) -> None:
        other = OTHER if user == USER else USER
        self.hall.act(user, type="usdSend", destination=other, amount=str(usd))

    def do_hour(self, user: str) -> None:
        self.hall.wait(3600)
        self.do_tick(user, 0, 0.0)
        self.do_tick(user, 1, 0.0)

    def do_part(self, user: str, fraction: float) -> None:
        self.hall.floor.fill_parts(fraction)

    def do_schedule(self, user: str) -> None:
        time = self.hall.floor.now_ms() + 5000
        self.hall.act(user, type="scheduleCancel", time=time)
        self.hall.wait(6)

    def do_twap(self, user: str, buy: bool) -> None:
        twap = {"a": 0, "b": buy, "s": "0.05", "r": False, "m": 5, "t": True}
        self.hall.act(user, type="twapOrder", twap=twap)

    def do_restart(self, user: str) -> None:
        self.hall.floor.fill_parts(1)
        self.do_tick(user, 0, 0.0)  # what crosses the touch has filled
        self.do_tick(user, 1, 0.0)
        before = [self.seen(one) for one in (USER, OTHER)]
        self.hall.restart()
        assert [self.seen(one) for one in (USER, OTHER)] == before

    def seen(self, user: str) -> list[Any]:
        """Return all that an account sees of itself."""
        kinds = ("clearinghouseState", "frontendOpenOrders", "userFills", "historicalOrders")
        return [self.hall.ask(kind, user) for kind in (*kinds, "userRateLimit", "twapHistory")]


def check(hall: Hall, user: str) -> None:
    """Check that ledger, answers and exchange say the same of an account."""
    judge = hall.judge()
    if user not in judge.accounts():
        judge.close()
        return
    assert judge.faults(user) == []
    shown = hall.ask("clearinghouseState", user)
    marks = {
        coin: Decimal(hall.ask("metaAndAssetCtxs")[1][i]["markPx"]) for i, coin in enumerate(COINS)
    }
    check_algebra(shown, marks)
    held = [one["position"] for one in shown["assetPositions"]]
    assert judge.positions(user) == {one["coin"]: Decimal(one["szi"]) for one in held}
    summary = shown["marginSummary"]
    assert judge.raw(user) == Decimal(summary["totalRawUsd"])
    unrealised = sum((Decimal(one["unrealizedPnl"]) for one in held), Decimal(0))
    assert judge.cash(user) == Decimal(summary["accountValue"]) - unrealised
    live = {one.oid for one in judge.orders(user) if one.live}
    listed = {
        oid
        for one in hall.open(user).values()
        for oid in (one["oid"], *(child["oid"] for child in one["children"]))
    }
    assert live == listed
    _check_reduce_only(hall, user, {one["coin"]: Decimal(one["szi"]) for one in held})
    judge.close()


def _check_reduce_only(hall: Hall, user: str, held: dict[str, Decimal]) -> None:
    """Resting reduce-only orders never ask for more than the position has."""
    for coin in COINS:
        size = held.get(coin, Decimal(0))
        for side, most in (("A", size), ("B", -size)):
            asked = [
                Decimal(one["sz"])
                for one in hall.open(user).values()
                if one["coin"] == coin
                and one["side"] == side
                and one["reduceOnly"]
                and not one["isTrigger"]
            ]
            assert sum(asked, Decimal(0)) <= max(most, Decimal(0))


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(USERS, STEPS), min_size=5, max_size=30))
def test_the_ledger_and_the_answers_agree_through_any_life(
    steps: list[tuple[str, tuple[Any, ...]]],
) -> None:
    """Positions are the sums of fills, money is exact, orders stand as told, restarts too."""
    with TemporaryDirectory() as folder:
        hall = Hall(Path(folder))
        life = Life(hall)
        for user, (kind, *more) in steps:
            life.step(user, kind, *more)
        for user in (USER, OTHER):
            check(hall, user)
        hall.floor.close()
