"""The judge itself is tried: each bug planted here must be found within a few sequences."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.adversary.blows import BLOWS, Blow
from tests.adversary.world import World
from tradeagent.agents import execution
from tradeagent.agents.blotter import Blotter
from tradeagent.agents.claims import Claims
from tradeagent.agents.proof import Proof
from tradeagent.messages import ExecutionReport, Order, OrderStatus, OrderUpdate
from tradeagent.quant import rules
from tradeagent.simulation.account import Account, Position
from tradeagent.simulation.exchange import SimulatedExchange
from tradeagent.storage.memory import MemoryStore

SEQUENCES = 400
Plant = pytest.MonkeyPatch


def sequences() -> Iterator[list[Blow]]:
    """Yield sequences of 70 blows, always the same ones."""
    for seed in range(SEQUENCES):
        dice = random.Random(seed)
        yield [
            (dice.randrange(len(BLOWS)), dice.randrange(10_000), dice.randrange(10_000))
            for _ in range(70)
        ]


def found(*words: str) -> bool:
    """Tell whether a sequence brings out a breach with one of these words."""
    for blows in sequences():
        breaches = World().play(blows)
        if any(word in breach for breach in breaches for word in words):
            return True
    return False


def no_seal(plant: Plant) -> None:
    """Execution does not look at the seal."""
    plant.setattr(execution, "sealed", lambda *_: True)


def open_orders_not_counted(plant: Plant) -> None:
    """What may still fill is not part of the worst case."""
    plant.setattr(Claims, "_claim", lambda *_, **__: None)


def unknown_not_counted(plant: Plant) -> None:
    """An order without an answer is taken for one that never was."""
    told = Claims.order

    def order(self: Claims, update: OrderUpdate, now: int) -> None:
        if update.status is OrderStatus.UNKNOWN:
            update = update.model_copy(update={"status": OrderStatus.NOT_PLACED})
        told(self, update, now)

    plant.setattr(Claims, "order", order)
    plant.setattr(Proof, "settle", _never)  # else it is known within a second


async def _never(*_: object) -> tuple[()]:
    return ()


def halt_not_kept(plant: Plant) -> None:
    """A start forgets the trading state."""
    past = MemoryStore.past
    plant.setattr(MemoryStore, "past", lambda self: replace(past(self), trading_state=None))


def expiry_ignored(plant: Plant) -> None:
    """Execution acts on an approval however old it is."""
    act = execution.Execution.execute_order

    def ageless(self: Any, approval: Any) -> Any:
        now, self.now = self.now, lambda: min(now(), approval.expires_at)
        try:
            return act(self, approval)
        finally:
            del self.now

    ageless.__dict__.update(act.__dict__)
    plant.setattr(execution.Execution, "execute_order", ageless)


def broken_rule_passes(plant: Plant) -> None:
    """A rule that breaks counts as one that has passed."""
    check = rules._check

    def lenient(*words: Any) -> Any:
        return [
            verdict._replace(passed=True) if " broke: " in verdict.text else verdict
            for verdict in check(*words)
        ]

    def breaks(*_: Any) -> Any:
        raise ZeroDivisionError

    plant.setattr(rules, "_check", lenient)
    for rule in rules.RULES:
        if rule.code in ("POSITION", "GROSS", "NET", "MARGIN", "LEVERAGE", "MAX_NOTIONAL", "GROUP"):
            plant.setattr(rule, "judge", breaks)


def fills_booked_again(plant: Plant) -> None:
    """A fill that is told twice is booked twice."""

    book = Blotter.book

    def forgetful(self: Blotter, report: ExecutionReport) -> Any:
        self._booked.clear()
        return book(self, report)

    plant.setattr(Blotter, "book", forgetful)


def funding_turned_round(plant: Plant) -> None:
    """Shorts pay where longs should."""
    paid = Position.paid
    plant.setattr(Position, "paid", lambda self, payment, *words: paid(self, -payment, *words))


def fees_paid_out(plant: Plant) -> None:
    """The exchange pays the fee instead of taking it."""
    book = Account.book

    def generous(self: Account, position: Position) -> None:
        before = self.position(position.symbol)
        self.balance += 2 * (position.fees - before.fees)
        book(self, position)

    plant.setattr(Account, "book", generous)


def exits_wait(plant: Plant) -> None:
    """A pause after a loss stands in the way of exits, too."""
    every = tuple(rules.RULES)
    plant.setattr(rules, "_FOR_EXITS", every)


def reduce_only_unchecked(plant: Plant) -> None:
    """Neither Risk nor the venue keeps what calls itself reduce-only from doing more."""
    admit = SimulatedExchange._admit

    def blind(self: SimulatedExchange, order: Order, *words: Any) -> Any:
        return admit(self, order.model_copy(update={"reduce_only": False}), *words)

    plant.setattr(SimulatedExchange, "_admit", blind)
    for rule in rules.RULES:
        if rule.code == "REDUCE":
            plant.setattr(rule, "judge", lambda *_: rules.PASSED)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("bug", "words"),
    [
        (no_seal, ("without Risk's approval", "not what was approved")),
        (open_orders_not_counted, ("could be worth",)),
        (unknown_not_counted, ("could be worth",)),
        (halt_not_kept, ("while HALTED", "an increase was sent in")),
        (expiry_ignored, ("after its approval expired",)),
        (broken_rule_passes, ("could be worth",)),
        (fills_booked_again, ("booked twice", "the daemon believes")),
        (funding_turned_round, ("equity is", "funding of")),
        (fees_paid_out, ("equity is",)),
        (exits_wait, ("an exit was refused by",)),
        (reduce_only_unchecked, ("reduce-only", "flattened", "filled")),
    ],
)
def test_a_planted_bug_is_found(
    bug: Callable[[Plant], None], words: tuple[str, ...], monkeypatch: Plant
) -> None:
    """Each of these has cost somebody money somewhere."""
    bug(monkeypatch)

    assert found(*words), bug.__doc__
