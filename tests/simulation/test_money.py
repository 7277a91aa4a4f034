"""Fees and funding, worked out by hand; and an oracle of all money."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradeagent.errors import StateError
from tradeagent.integrations.base import VenueEvent
from tradeagent.messages import ExecutionReport, FundingPayment, MarketTrade, Order, TickerUpdate
from tradeagent.simulation import ExchangeSettings, Ledger, SimulatedExchange
from tradeagent.simulation.settings import FeeTier

from .desk import ETH, FREE, INSTRUMENT, SECOND, SYMBOL, Desk

HOUR = 3600 * SECOND
DAY = 24 * HOUR


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
