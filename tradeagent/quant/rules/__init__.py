"""The rules of the gate: pure functions over one order in its worst case, each with a code.

Worst case is the position plus everything that may still fill, unknown orders included, plus this
order. What is reduce-only meets only the rules that judge all orders, so no limit on new risk can
ever block an exit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from tradeagent.messages import RuleVerdict
from tradeagent.quant.rules import account, market, order, pace
from tradeagent.quant.rules.context import PASSED, Finding, OrderContext
from tradeagent.quant.rules.limits import Correlated, Limits

__all__ = [
    "FIXED",
    "LIMITLESS",
    "PASSED",
    "RULES",
    "Correlated",
    "Finding",
    "Limits",
    "OrderContext",
    "Rule",
    "check_all",
]

Judge = Callable[[OrderContext, Limits], Finding]


class Rule:
    """A rule: its code, the orders it judges, the judgement, and the limits it reads.

    A `fixed` rule is lifted by no override. One that is not `measured` compares no number with one
    limit, so an override can lift it but not put another limit in its place.
    """

    __slots__ = ("code", "fixed", "judge", "judges", "measured", "passing", "settings")

    def __init__(
        self,
        code: str,
        judges: Literal["increases", "all"],
        judge: Judge,
        settings: tuple[str, ...] = (),
        *,
        fixed: bool = False,
        measured: bool = True,
    ) -> None:
        self.code = code
        self.judges = judges
        self.judge = judge
        self.settings = settings
        self.fixed = fixed
        self.measured = measured
        self.passing = RuleVerdict(code, passed=True)

    def check(self, asked: OrderContext, limits: Limits) -> RuleVerdict:
        """Return the verdict on an order; a rule that cannot be evaluated has failed."""
        return _check((self,), asked, limits)[0]


RULES = (
    Rule("STATE", "all", order.state, fixed=True),
    Rule("SOURCE", "increases", order.source, fixed=True),
    Rule("FRESH", "increases", order.fresh, ("max_price_age_s", "max_account_age_s")),
    Rule("FINITE", "all", order.finite, fixed=True),
    Rule("GRID", "all", order.grid, fixed=True),
    Rule("MIN_NOTIONAL", "increases", order.min_notional),
    Rule("MAX_QTY", "increases", order.max_qty, ("max_order_qty",)),
    Rule("MAX_NOTIONAL", "increases", order.max_notional, ("max_order_notional",)),
    Rule("COLLAR", "all", market.collar, ("collar_ratio", "max_mid_deviation_ratio")),
    Rule("SLIPPAGE", "increases", market.slippage, ("max_slippage_bp",)),
    Rule("POSITION", "increases", account.position, ("max_position_notional",)),
    Rule("GROSS", "increases", account.gross, ("max_gross_ratio",)),
    Rule("NET", "increases", account.net, ("max_net_ratio",)),
    Rule("GROUP", "increases", account.group, ("groups", "max_group_ratio")),
    Rule("LEVERAGE", "increases", account.leverage, ("max_leverage",)),
    Rule("MARGIN", "increases", account.margin, ("max_margin_ratio", "max_leverage")),
    Rule("LIQUIDATION", "increases", account.liquidation, ("min_liquidation_distance_ratio",)),
    Rule("OPEN_ORDERS", "increases", pace.open_orders, ("max_open_orders",)),
    Rule(
        "RATE",
        "increases",
        pace.rate,
        ("max_orders_per_second", "max_orders_per_minute", "max_strategy_orders_per_minute"),
        measured=False,  # three counts, each with a limit of its own
    ),
    Rule("DUPLICATE", "increases", pace.duplicate, ("duplicate_window_s",)),
    Rule(
        "REPEATED",
        "increases",
        pace.repeated,
        ("max_repeated_entries", "repeated_window_s", "repeated_pause_s"),
    ),
    Rule("SELF_TRADE", "all", market.self_trade, measured=False),
    Rule("REDUCE", "all", order.reduce, fixed=True),
    Rule("DAILY_LOSS", "increases", account.daily_loss, ("max_daily_loss_ratio",)),
    Rule("DRAWDOWN", "increases", account.drawdown, ("max_drawdown_ratio",)),
    Rule("COOLDOWN", "increases", pace.cooldown, measured=False),
    Rule(
        "STOP_PLAN",
        "increases",
        order.stop_plan,
        ("require_stop", "min_stop_distance_ratio", "max_stop_distance_ratio"),
    ),
    Rule("FUNDS", "increases", account.funds, ("funds_reserve_ratio",)),
    Rule("VENUE_BUDGET", "increases", pace.venue_budget, ("venue_budget_reserve",)),
    Rule("COMPLIANCE", "increases", pace.compliance, fixed=True),
)
"""Every rule, in the order of the verdicts."""

FIXED = frozenset(rule.code for rule in RULES if rule.fixed)
"""Rules that no override lifts."""
LIMITLESS = frozenset(rule.code for rule in RULES if not (rule.fixed or rule.measured))
"""Rules that an override lifts whole or not at all."""
_FOR_EXITS = tuple(rule for rule in RULES if rule.judges == "all")
_new = tuple.__new__


def check_all(asked: OrderContext, limits: Limits) -> tuple[RuleVerdict, ...]:
    """Return the verdicts of all rules that judge an order; it may go if all passed."""
    return tuple(_check(_FOR_EXITS if asked.reduce_only else RULES, asked, limits))


def _check(rules: tuple[Rule, ...], asked: OrderContext, limits: Limits) -> list[RuleVerdict]:
    verdicts = []
    for rule in rules:
        try:
            finding = rule.judge(asked, limits)
            if finding is PASSED:
                verdicts.append(rule.passing)
                continue
            value, limit, words = finding
        # The gate fails closed: whatever goes wrong in a rule is a denial that names it, and the
        # agent that asked lives on to judge the next order.
        except Exception as error:
            value, limit, words = None, None, f"{rule.code} broke: {error!r}"
        verdicts.append(_new(RuleVerdict, (rule.code, not words, value, limit, words)))
    return verdicts
