"""Fees, funding, margin and liquidation, worked out by hand; and an oracle of all money."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradeagent.errors import StateError
from tradeagent.integrations.base import VenueEvent
from tradeagent.messages import (
    ExecutionReport,
    FundingPayment,
    InstrumentUpdate,
    MarketTrade,
    Order,
    OrderStatus,
    TickerUpdate,
)
from tradeagent.simulation import ExchangeSettings, Ledger, SimulatedExchange
from tradeagent.simulation.settings import FeeTier

from .desk import FREE, INSTRUMENT, SECOND, SYMBOL, Desk

HOUR = 3600 * SECOND
DAY = 24 * HOUR
FILLED, CANCELED = OrderStatus.FILLED, OrderStatus.CANCELED
TIGHT = FREE.model_copy(update={"balance": Decimal(1000), "leverage": 10})
ETH = INSTRUMENT.model_copy(update={"symbol": "ETH"})


class Till(Desk):
    """A desk that keeps funding apart from reports."""

    def __init__(self, *args: Any, **more: Any) -> None:
        self.paid: list[FundingPayment] = []
        super().__init__(*args, **more)

    def _hear(self, event: VenueEvent) -> None:
        if isinstance(event, FundingPayment):
            self.paid.append(event)
        else:
            super()._hear(event)

    def at(self, time: int, price: float, rate: float | None, symbol: str = SYMBOL) -> None:
        """Show a price at a time, which is its touch and its mark."""
        self.now = time
        self.exchange.on_market(
            TickerUpdate(
                symbol=symbol,
                time=time,
                bid=price,
                ask=price,
                last=price,
                mark=price,
                funding=rate,
            )
        )

    async def balance(self) -> Decimal:
        """Return the balance."""
        return (await self.exchange.get_account_info()).balance


@pytest.mark.parametrize(
    ("side", "rate", "payment"),
    [("buy", 0.001, 2), ("buy", -0.001, -2), ("sell", 0.001, -2), ("sell", -0.001, 2)],
)
async def test_a_long_pays_where_the_rate_is_above_zero(
    side: str, rate: float, payment: int
) -> None:
    """Funding is size * mark * rate: what one side pays the other receives, by the rate's sign."""
    desk = Till()
    desk.at(HOUR - SECOND, 100, rate)
    await desk.place(side, 20)

    desk.at(HOUR, 100, rate)

    assert [(one.payment, one.time, one.rate) for one in desk.paid] == [
        (payment, HOUR, Decimal(str(rate)))
    ]
    assert await desk.balance() == FREE.balance - payment
    assert (await desk.exchange.get_positions())[0].funding == payment


async def test_each_full_hour_is_paid_once_under_its_own_id() -> None:
    """Hours without a price are made up for; within an hour nothing is due; ids name the hour."""
    desk = Till()
    desk.at(SECOND, 100, 0.001)
    await desk.place("buy", 1)

    for time in (2 * SECOND, 3 * HOUR + SECOND, 3 * HOUR + 2 * SECOND, 4 * HOUR):
        desk.at(time, 100, None)

    assert [one.tid for one in desk.paid] == [f"funding-BTC-{n * HOUR}" for n in (1, 2, 3, 4)]
    assert await desk.exchange.get_funding(3 * HOUR) == desk.paid[2:]


async def test_a_position_of_the_last_second_pays_and_one_after_the_hour_does_not() -> None:
    """What stands when the hour ends pays for it, whatever happens at the first price after."""
    desk = Till()
    desk.at(HOUR - SECOND, 100, 0.001)
    await desk.place("buy", 1)
    await desk.place("sell", 1, "stop", 95)
    desk.at(HOUR, 90, 0.001)
    assert (len(desk.paid), await desk.position()) == (1, 0)

    await desk.place("buy", 1)
    desk.at(2 * HOUR - SECOND, 90, 0.001)
    assert len(desk.paid) == 1


async def test_candles_pay_the_rate_that_is_assumed() -> None:
    """Where the market tells no rate, `funding_rate` is charged at each candle's close."""
    desk = Till(FREE.model_copy(update={"funding_rate": Decimal("0.0001")}))
    desk.bar(100, 100, 100, 100)
    await desk.place("buy", 10)
    for _ in range(60):
        desk.bar(100, 100, 100, 100)

    assert [(one.payment, one.time) for one in desk.paid] == [(Decimal("0.1"), HOUR)]


async def test_a_restart_pays_the_hours_that_were_missed_once(tmp_path: Any) -> None:
    """After a restart the hours since the last payment are paid at the last rate, none twice."""
    path = tmp_path / "ledger.sqlite"
    first = Till(path=path)
    first.at(SECOND, 100, 0.001)
    await first.place("buy", 1)
    first.at(HOUR, 100, 0.001)
    await first.exchange.close()

    second = Till(path=path, now=2 * HOUR)
    second.at(3 * HOUR, 100, None)

    assert [one.time for one in second.paid] == [2 * HOUR, 3 * HOUR]
    assert len(await second.exchange.get_funding(0)) == 3
    await second.exchange.close()


async def test_what_comes_before_the_mark_forgives_no_hour(tmp_path: Any) -> None:
    """A trade is seen first after a restart: the missed hours are paid with the next quote."""
    path = tmp_path / "ledger.sqlite"
    first = Till(path=path)
    first.at(SECOND, 100, 0.001)
    await first.place("buy", 1)
    first.at(HOUR, 100, 0.001)
    await first.exchange.close()

    second = Till(path=path, now=2 * HOUR)
    trade = MarketTrade(symbol=SYMBOL, time=3 * HOUR, price=100.0, size=1.0, side="sell")
    second.exchange.on_market(trade)
    second.at(3 * HOUR + SECOND, 100, None)

    assert [one.time for one in second.paid] == [2 * HOUR, 3 * HOUR]
    await second.exchange.close()


async def test_fees_fall_with_the_volume_of_the_last_fourteen_days(tmp_path: Any) -> None:
    """Today does not count, the fourteen days before do, a restart forgets none of it."""
    path = tmp_path / "ledger.sqlite"
    tier = FeeTier(volume=Decimal(900), maker=Decimal(0), taker=Decimal("0.01"))
    costly = FREE.model_copy(update={"taker_fee": Decimal("0.02"), "fee_tiers": (tier,)})
    fees = []
    for day in (0, 0, 1, 14, 16, 30):
        desk = Till(costly, path=path)
        desk.at(day * DAY + len(fees), 100, None)
        await desk.place("buy", 5, cloid=f"c{len(fees)}")
        fees.append(desk.reports[-1].execution.fee)  # type: ignore[union-attr]
        await desk.exchange.close()

    assert fees == [10, 10, 5, 5, 10, 10]


def test_a_tier_never_costs_more_than_the_fee_without_volume() -> None:
    """An account set to trade free of charge stays so, however much it trades."""

    async def live() -> None:
        desk = Till(FREE)
        desk.at(0, 100_000, None)
        await desk.place("buy", 100)
        desk.at(DAY, 100_000, None)
        await desk.place("sell", 100)
        assert sum(one.execution.fee for one in desk.reports if one.execution) == 0

    asyncio.run(live())


def test_fee_tiers_out_of_order_are_refused() -> None:
    """Tiers that do not rise are a mistake of the operator."""
    with pytest.raises(ValueError, match="rising volume"):
        ExchangeSettings(fee_tiers=(*ExchangeSettings().fee_tiers, *ExchangeSettings().fee_tiers))


def test_leverage_for_an_unlisted_symbol_is_refused() -> None:
    """A misspelt symbol stops the start instead of leaving a position on the wrong margin."""
    with pytest.raises(StateError, match="BTX"):
        Desk(FREE.model_copy(update={"leverages": {"BTX": 3}}))


@pytest.mark.parametrize(
    ("notional", "margin"), [(0, 0), (100, 5), (1000, 50), (2000, 150), (5000, 750)]
)
def test_maintenance_margin_by_tier(notional: int, margin: int) -> None:
    """10x up to 1000 keep a twentieth, 5x up to 3000 a tenth, 2x beyond a quarter of the part."""
    tiers = ((Decimal(1000), 5), (Decimal(3000), 2))
    tiered = INSTRUMENT.model_copy(update={"margin_tiers": tiers})

    assert tiered.maintenance(Decimal(notional)) == margin


async def test_large_positions_get_less_leverage() -> None:
    """An order into a higher tier needs the margin of that tier."""
    tiered = INSTRUMENT.model_copy(update={"margin_tiers": ((Decimal(5000), 2),)})
    desk = Desk(TIGHT, (tiered,))
    desk.tick(100, 100)

    assert (await desk.place("buy", 51)).status is OrderStatus.REJECTED
    assert (await desk.place("buy", 50)).status is OrderStatus.OPEN


async def test_an_isolated_margin_like_the_venue_s() -> None:
    """The liquidation price of a recorded isolated long of the venue is met.

    size 0.0335, mark 2985.9, margin used 4.967826 of a 50x asset: the venue said 2866.26936529.
    """
    eth = InstrumentUpdate(
        symbol=SYMBOL, tick=Decimal("0.1"), lot=Decimal("0.0001"), max_leverage=50
    )
    free = FREE.model_copy(update={"leverage": 20, "isolated": (SYMBOL,)})
    desk = Desk(free, (eth,))
    desk.tick(2985.9, 2985.9)
    await desk.place("buy", "0.0335")
    margin = desk.exchange._clearing.margin
    held = desk.exchange._clearing.account.position(SYMBOL)
    assert held.margin == Decimal("5.0013825")

    found = margin.liquidation_price(held.paid(held.margin - Decimal("4.967826")))
    assert found is not None
    assert abs(found - Decimal("2866.26936529")) < Decimal("0.0002")


async def test_a_cross_account_is_liquidated_when_its_equity_is_below_maintenance() -> None:
    """At the mark where equity meets the maintenance margin nothing happens; one lower, it does.

    100 long from 100 with 1000: equity 1000 - 100 d, maintenance 5 (100 - d): equal at d = 100/19.
    """
    desk = Desk(TIGHT)
    desk.tick(100, 100)
    await desk.place("buy", 100)
    await desk.place("sell", 100, "stop", 50)
    (held,) = await desk.exchange.get_positions()
    assert held.liquidation_price is not None
    assert round(held.liquidation_price, 6) == round(Decimal(9000) / 95, 6)
    desk.reports.clear()

    desk.tick(95, 95)
    assert desk.reports == []
    desk.tick(94, 95, mark=94)

    stop, closing = desk.reports
    assert (stop.cloid, stop.status) == ("c2", CANCELED)
    assert closing.execution is not None
    assert closing.execution.liquidation
    assert (closing.status, closing.execution.price, closing.execution.size) == (FILLED, 94, 100)
    order = closing.order
    assert order is not None
    assert (order.cloid, order.side, order.size) == (closing.cloid, "sell", 100)
    assert await desk.position() == 0
    assert (await desk.exchange.get_account_info()).balance == 400
    assert await desk.exchange.get_order_status(SYMBOL, closing.cloid) is not None
    assert (await desk.exchange.get_fills(0))[-1] == closing


async def test_a_cross_liquidation_takes_all_cross_positions() -> None:
    """One account backs all cross positions: they go together, and an isolated one stays."""
    sol = INSTRUMENT.model_copy(update={"symbol": "SOL"})
    desk = Desk(TIGHT.model_copy(update={"isolated": ("SOL",)}), (INSTRUMENT, ETH, sol))
    for symbol in (SYMBOL, "ETH", "SOL"):
        desk.tick(100, 100, symbol=symbol)
    await desk.place("buy", 40)
    await desk.place("sell", 30, symbol="ETH")
    await desk.place("buy", 10, symbol="SOL")
    desk.reports.clear()

    desk.tick(80, 80)

    closed = [(one.symbol, one.execution.size) for one in desk.reports if one.execution]
    assert closed == [(SYMBOL, 40), ("ETH", 30)]
    assert await desk.position("SOL") == 10


async def test_an_isolated_position_goes_alone_and_at_its_own_margin() -> None:
    """Ten times leverage keeps half of a tenth: an isolated long goes below about 94.7.

    The rest of the account, which could bear it, is not asked.
    """
    desk = Desk(FREE.model_copy(update={"leverage": 10, "isolated": (SYMBOL,)}), (INSTRUMENT, ETH))
    for symbol in (SYMBOL, "ETH"):
        desk.tick(100, 100, symbol=symbol)
        await desk.place("buy", 10, symbol=symbol)
    desk.reports.clear()

    desk.tick(95, 95)
    assert desk.reports == []
    desk.tick(94, 94)
    desk.tick(50, 50, symbol="ETH")

    assert [one.symbol for one in desk.reports] == [SYMBOL]
    assert await desk.position("ETH") == 10


async def test_a_stop_before_the_margin_runs_out_saves_the_rest() -> None:
    """Inside a bar a stop nearer than the liquidation price is met first, a farther one is not."""
    for trigger, how in ((97, False), (91, True)):
        desk = Desk(TIGHT)
        desk.bar(100, 100, 100, 100)
        await desk.place("buy", 100)
        desk.bar(100, 100, 100, 100)
        desk.bar(100, 100, 100, 100)
        await desk.place("sell", 100, "stop", trigger)
        await desk.place("sell", 100, "take_profit", 105)

        desk.bar(100, 110, 90, 100)

        fills = [one.execution for one in desk.reports if one.execution]
        assert [one.liquidation for one in fills] == [False, how]
        assert fills[-1].price == (94 if how else 97)


async def test_liquidation_survives_a_restart_as_it_was_told(tmp_path: Any) -> None:
    """The ledger tells of a liquidation again exactly as the exchange did."""
    desk = Desk(TIGHT, path=tmp_path / "ledger.sqlite")
    desk.tick(100, 100)
    await desk.place("buy", 100)
    desk.tick(90, 90)
    told = desk.reports[-1]
    await desk.exchange.close()

    ledger = Ledger(tmp_path / "ledger.sqlite")
    assert ledger.fills(0)[-1] == told
    assert ledger.open_orders() == []
    ledger.close()


LIFE = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell"]),
        st.decimals("0.001", "9", places=3),
        st.decimals("50", "150", places=2),
        st.sampled_from([None, 0.0001, -0.0003]),
        st.sampled_from([SYMBOL, "ETH"]),
        st.sampled_from([1, 600, 3600, 90_000]),
    ),
    max_size=25,
)


@settings(max_examples=100, deadline=None)
@given(LIFE)
def test_equity_is_the_deposit_the_cash_and_what_is_held(life: list[tuple[Any, ...]]) -> None:
    """Equity is deposit + cash of all fills - fees - funding + positions at their marks, exactly.

    The oracle adds up what was told, and knows nothing else of the exchange.
    """
    fine = {"tick": Decimal("0.01"), "lot": Decimal("0.001")}
    instruments = tuple(one.model_copy(update=fine) for one in (INSTRUMENT, ETH))
    terms = ExchangeSettings(balance=Decimal(900), leverage=10, isolated=("ETH",))

    async def live() -> None:
        desk = Till(terms, instruments)
        sides: dict[str, str] = {}
        marks: dict[str, Decimal] = {}
        for number, (side, size, price, rate, symbol, wait) in enumerate(life):
            desk.at(desk.now + wait * SECOND, float(price), rate, symbol)
            marks[symbol] = price
            sides[f"o{number}"] = side
            await desk.place(side, size, cloid=f"o{number}", symbol=symbol)
        cash = Decimal(900) - sum((one.payment for one in desk.paid), Decimal(0))
        held = dict.fromkeys((SYMBOL, "ETH"), Decimal(0))
        for report in desk.reports:
            if (fill := report.execution) is not None:
                side = report.order.side if report.order is not None else sides[report.cloid]
                signed = fill.size if side == "buy" else -fill.size
                held[report.symbol] += signed
                cash -= signed * fill.price + fill.fee
        worth = sum((size * marks.get(name, Decimal(0)) for name, size in held.items()), Decimal(0))
        info = await desk.exchange.get_account_info()
        assert info.equity == cash + worth
        assert {one.symbol: one.size for one in await desk.exchange.get_positions()} == {
            name: size for name, size in held.items() if size
        }

    asyncio.run(live())


def test_it_tells_all_money_that_moves() -> None:
    """A listener is told of fills and of funding, and of nothing else."""

    async def live() -> None:
        exchange = SimulatedExchange(FREE, (INSTRUMENT,), Ledger(None), lambda: 0)
        heard: list[VenueEvent] = []
        exchange.subscribe(heard.append)
        for time in (0, HOUR):
            quote = {"bid": 100, "ask": 100, "last": 100, "funding": 0.01}
            exchange.on_market(TickerUpdate(symbol=SYMBOL, time=time, **quote))
            desk = {"cloid": f"{time}", "intent_id": "i", "symbol": SYMBOL, "side": "buy"}
            await exchange.place_order(Order.model_validate({**desk, "size": 1, "type": "market"}))
        assert [type(one) for one in heard] == [ExecutionReport, FundingPayment, ExecutionReport]

    asyncio.run(live())
