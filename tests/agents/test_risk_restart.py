"""What limits and protections are counted from survives a restart from the stored journal."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from tests.agents.risk_desk import FREE, at, desk, fund, hold, judge, leave, request
from tests.harness import BTC, KEY, START, bar, tick
from tests.storage.examples import envelope, written
from tradeagent.agents.gate import RiskSettings
from tradeagent.agents.risk import Risk
from tradeagent.bus.base import Subscriber
from tradeagent.clock import SECOND
from tradeagent.messages import (
    AccountUpdate,
    Envelope,
    InstrumentUpdate,
    Message,
    Order,
    OrderStatus,
    OrderUpdate,
    Restriction,
    RiskAlert,
    RiskOverride,
    Severity,
    VenueStatement,
    VenueStatus,
)
from tradeagent.messages.build import changed
from tradeagent.storage.base import Past

D = Decimal


def past_of(path: Path, *messages: Message) -> Past:
    """Return what a start restores after these messages, one a second."""
    rows = [envelope(n, one, START + n * SECOND) for n, one in enumerate(messages, 1)]
    store = written(path, iter(rows))
    past = store.past()
    store.close()
    return past


def revived(past: Past, seconds: float, **settings: object) -> Risk:
    """Return a Risk agent that starts so many seconds after START, and has heard of the account."""
    risk = Risk(RiskSettings.model_validate(settings), KEY)
    inlet = Subscriber("risk", {})
    inlet.hand = Envelope(bar(100))
    risk.attach(None, inlet)  # type: ignore[arg-type]
    risk._runtime = None
    risk.restore(past)
    at(risk, seconds)
    risk.quoted(tick(100, int(seconds)))
    return risk


def wish(seconds: int, intent: str = "later") -> object:
    now = START + seconds * SECOND
    return request(intent_id=intent, price_time=now, valid_until=now + SECOND)


def account(equity: int) -> AccountUpdate:
    return AccountUpdate(balance=D(equity), equity=D(equity), time=START)


def test_without_a_word_of_the_venue_nothing_is_opened(tmp_path: Path) -> None:
    """A restored account is old news: until the venue has told of it again, FRESH refuses."""
    risk = revived(past_of(tmp_path / "j.db", BTC, account(10_000)), 10, limits=FREE)
    limited = revived(past_of(tmp_path / "k.db", BTC, account(10_000)), 10)

    assert judge(limited, wish(10)).reasons == ("FRESH",)
    fund(limited)
    assert judge(limited, wish(10)).approved
    assert risk.exposure.balance == 10_000


def test_the_highest_equity_is_kept(tmp_path: Path) -> None:
    """A drawdown from before the restart still counts."""
    past = past_of(tmp_path / "j.db", BTC, account(15_000), account(20_000), account(9_000))
    assert past.high_water == 20_000
    risk = revived(past, 10, limits={"max_daily_loss_ratio": 1})
    fund(risk, "9000")

    assert judge(risk, wish(10)).reasons == ("DRAWDOWN",)


def test_locks_and_the_counts_towards_them_are_kept(tmp_path: Path) -> None:
    """A lock holds to its end, and one loss before the restart and one after it make two."""
    before = desk(limits=FREE, protections={"max_losses_in_a_row": 1})
    hold(before, "1")
    record, alert = hold(before, "0", pnl="-5")
    past = past_of(tmp_path / "j.db", BTC, account(10_000), record, alert)
    assert (past.records, past.alerts) == ((record,), (alert,))

    risk = revived(past, 10, limits=FREE, protections={"max_losses_in_a_row": 2})
    fund(risk)
    assert judge(risk, wish(10)).reasons == ("COOLDOWN",)
    at(risk, 3601)
    fund(risk)
    assert judge(risk, wish(3601, "free")).approved

    hold(risk, "1", pnl="-5")
    again = hold(risk, "0", pnl="-6")
    assert [one.code for one in again[1:]] == ["LOSSES_IN_A_ROW"]
    assert risk.trips.edge("a").trades == 2


def test_overrides_and_restrictions_are_kept(tmp_path: Path) -> None:
    """An override holds to its end by the clock, a restriction until another is told."""
    lift = RiskOverride(rule="GROSS", reason="r", actor="op", valid_until=START + 50 * SECOND)
    strict = Restriction(restricted=("ETH",))
    past = past_of(tmp_path / "j.db", BTC, account(10_000), lift, strict)
    limits = {**FREE, "max_gross_ratio": "0.001"}
    risk = revived(past, 10, limits=limits)
    fund(risk)

    assert judge(risk, wish(10)).approved
    assert risk.restriction == strict
    at(risk, 51)
    assert judge(risk, wish(51, "late")).reasons == ("GROSS",)


def test_entries_of_the_last_day_still_count(tmp_path: Path) -> None:
    """Approved requests stay known, as do repetitions and the day's orders and notional."""
    orders = [
        OrderUpdate(
            order=Order(
                cloid=f"0x{n}", intent_id=f"i{n}", symbol="BTC", side="buy", size=D(1),
                type="limit", limit=D(100),
            ),
            status=OrderStatus.CANCELED,
            strategy="a",
            expires_at=START + 2 * SECOND + n,
        )
        for n in range(3)
    ]  # fmt: skip
    past = past_of(tmp_path / "j.db", BTC, account(10_000), *orders)
    risk = revived(past, 10, limits={**FREE, "max_repeated_entries": 3})
    fund(risk)
    risk.restricted(Restriction(max_orders_per_hour=4, max_notional_per_day=D(1_000)))

    assert "DUPLICATE" in judge(risk, wish(10, "i1")).reasons
    assert set(judge(risk, wish(10, "new")).reasons) == {"REPEATED", "COMPLIANCE"}
    assert risk.pace.day_notional(risk.now()) == 300


def test_instruments_have_their_margin_after_a_restart(tmp_path: Path) -> None:
    """The venue's leverage is restored with the grid, so margin is reckoned as before."""
    listed: InstrumentUpdate = BTC.model_copy(update={"max_leverage": 2})
    risk = revived(past_of(tmp_path / "j.db", listed, account(10_000)), 10)

    assert risk.exposure["BTC"].rates == (D("0.5"), D("0.25"))


def test_an_order_that_nothing_tells_the_worth_of_fails_closed(tmp_path: Path) -> None:
    """A market order of before the restart, in a symbol without a price: no entry is approved
    elsewhere until there is one, then it counts at that; exits go out all the while."""
    out = OrderUpdate(
        order=Order(
            cloid="0x1", intent_id="e", symbol="ETH", side="buy", size=D(500), type="market"
        ),
        status=OrderStatus.UNKNOWN,
        strategy="b",
        expires_at=START,
    )
    eth = BTC.model_copy(update={"symbol": "ETH"})
    past = past_of(tmp_path / "j.db", BTC, eth, account(10_000), out)
    risk = revived(past, 10, limits={**FREE, "max_gross_ratio": 4})
    fund(risk)

    refused = judge(risk, wish(10))
    assert refused.reasons == ("FRESH",)
    assert any("ETH" in rule.text for rule in refused.rules)
    hold(risk, "1")
    assert judge(risk, leave(price_time=risk.now())).approved
    hold(risk, "0")

    risk.quoted(tick(100, 10, symbol="ETH"))
    assert judge(risk, wish(10, "again")).reasons == ("GROSS",)
    risk.ordered(changed(out, status=OrderStatus.NOT_PLACED))
    assert judge(risk, wish(10, "once more")).approved


def test_an_order_that_filled_in_part_is_worth_its_fills(tmp_path: Path) -> None:
    """Where no price is known yet, the average of the fills stands for one."""
    out = OrderUpdate(
        order=Order(
            cloid="0x1", intent_id="e", symbol="ETH", side="buy", size=D(500), type="market"
        ),
        status=OrderStatus.PARTIAL,
        filled=D(1),
        average_price=D(90),
        strategy="b",
        expires_at=START,
    )
    risk = revived(past_of(tmp_path / "j.db", BTC, account(10_000), out), 10, limits=FREE)
    fund(risk)

    assert judge(risk, wish(10)).approved
    assert risk.exposure.totals.others("BTC", risk.exposure["BTC"]).gross == 499 * 90


def test_a_lock_that_anybody_told_survives_and_is_never_shortened(tmp_path: Path) -> None:
    """Of several alerts that lock the same, the longest holds, before a restart and after it."""
    long, short, none = (
        RiskAlert(
            code="NEWS", severity=Severity.WARNING, scope="BTC", until=until, evidence="a rumour"
        )
        for until in (START + 100 * SECOND, START + 20 * SECOND, 0)
    )
    risk = revived(past_of(tmp_path / "j.db", BTC, account(10_000), long, short, none), 30)
    fund(risk)
    assert judge(risk, wish(30)).reasons == ("COOLDOWN",)
    risk.alerted(short)
    risk.alerted(none)
    at(risk, 100)
    fund(risk)
    assert judge(risk, wish(100, "free")).approved


def test_a_venue_that_was_away_is_still_away(tmp_path: Path) -> None:
    """Nothing is opened by a Risk that has heard of no outage until the venue is heard again."""
    down = VenueStatus(state="down", reason="no answer", time=START)
    risk = revived(past_of(tmp_path / "j.db", BTC, account(10_000), down), 10, limits=FREE)
    fund(risk)

    assert judge(risk, wish(10)).reasons == ("FRESH",)

    risk.reached(down.model_copy(update={"state": "up"}))
    risk.stated(VenueStatement(asked=START, time=START, account=account(10_000)))

    assert judge(risk, wish(10)).approved
