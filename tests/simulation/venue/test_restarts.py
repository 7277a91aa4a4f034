"""A killed venue forgets nothing it has told, and nothing has half happened."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.venue.hall import OTHER, USER, Hall, named, order, trigger
from tests.simulation.venue.test_lives import check
from tradeagent.errors import LockedError, StateError
from tradeagent.simulation.venue import Floor, OrderNews
from tradeagent.simulation.venue.judge import Judge
from tradeagent.simulation.venue.ledger import NAME


def live(hall: Hall) -> None:
    """Lead a life in which everything happens that is kept."""
    hall.act(type="updateLeverage", asset=1, isCross=False, leverage=10)
    hall.place(True, 60_010, "0.5", "Ioc", cloid=named(1))
    hall.place(False, 2990, "0.5", "Ioc", asset=1)
    hall.orders(
        order(True, 59_000, "0.2", cloid=named(2)),
        trigger(False, 58_000, "0.2"),
        grouping="normalTpsl",
    )
    hall.orders(trigger(False, 57_000, 0), trigger(False, 65_000, 0, "tp"), grouping="positionTpsl")
    hall.place(True, 59_500, "0.1", "Alo", cloid=named(3))
    hall.trade("sell", 59_499, 1.0)
    hall.act(type="batchModify", modifies=[{"oid": named(2), "order": order(True, 58_900, "0.2")}])
    hall.act(type="approveAgent", agentAddress="0x" + "d" * 40, agentName="bot")
    hall.act(type="approveBuilderFee", maxFeeRate="0.01%", builder="0x" + "c" * 40)
    hall.act(type="usdSend", destination=OTHER, amount="100")
    hall.act(type="usdClassTransfer", amount="100", toPerp=False)
    hall.act(type="scheduleCancel", time=hall.floor.now_ms() + 10_000_000)
    hall.act(type="twapOrder", twap={"a": 0, "b": True, "s": "0.05", "r": False, "m": 5, "t": True})
    hall.floor.spent(USER, 7)
    hall.act(type="noop")
    hall.tick(58_880, 58_890)
    hall.wait(3600)
    hall.tick(58_880, 58_890, mark=58_885.0)


def seen(hall: Hall) -> dict[str, Any]:
    """Return all that is told of both accounts."""
    kinds = (
        "clearinghouseState spotClearinghouseState frontendOpenOrders historicalOrders userFills "
        "userFunding userNonFundingLedgerUpdates userFees userRateLimit userRole extraAgents "
        "portfolio twapHistory twapStates userTwapSliceFills"
    )
    return {
        f"{kind} {user}": hall.ask(kind, user, startTime=0)
        for kind in kinds.split()
        for user in (USER, OTHER)
    }


def test_a_venue_that_is_opened_again_stands_where_it_stood(tmp_path: Path) -> None:
    """Every answer is the same, and what was arranged goes on."""
    hall = Hall(tmp_path)
    live(hall)
    before = seen(hall)
    nonces = hall.floor.nonces(USER)
    hall.restart()
    assert seen(hall) == before
    assert hall.floor.nonces(USER) == nonces
    assert hall.floor.master_of("0x" + "d" * 40) == USER
    last = max(one["order"]["oid"] for one in before[f"historicalOrders {USER}"])
    assert hall.place(True, 50_000, "0.1")["resting"]["oid"] > last
    hall.wait(10_000)
    assert hall.open() == {}
    check(hall, USER)


def test_stops_and_children_act_after_a_restart(tmp_path: Path) -> None:
    """A trigger whose price was passed while nobody was there acts at the start."""
    hall = Hall(tmp_path)
    hall.place(True, 60_010, 1, "Ioc")
    hall.orders(trigger(False, 59_000, 1, cloid=named(1)), trigger(False, 61_000, 1, "tp"))
    hall.orders(
        order(True, 59_500, 1), trigger(False, 50_000, 1, cloid=named(2)), grouping="normalTpsl"
    )
    hall.tick(59_999, 60_001)
    hall.floor.close()
    hall.show("BTC", 58_900, 58_902)
    hall.floor = Floor(hall.settings, hall.script, hall.clock, tmp_path)
    assert hall.status(named(1)) == "filled"
    assert hall.status(named(2)) == "open"
    assert hall.position()["szi"] == "1.0"


def test_metadata_that_was_changed_stays_changed(tmp_path: Path) -> None:
    """With what was delisted."""
    hall = Hall(tmp_path)
    hall.floor.relist("BTC", decimals=3, leverage=10)
    hall.floor.relist("ETH", delisted=True)
    listed = hall.ask("meta")
    hall.restart()
    assert hall.ask("meta") == listed


class Killed:
    """Copies a ledger's files before every statement, as a kill at that moment leaves them."""

    def __init__(self, hall: Hall, folder: Path, every: int) -> None:
        assert hall.state is not None
        self.copies: list[tuple[Path, int]] = []
        self._hall = hall
        self._state = hall.state
        self._folder = folder
        self._count = 0
        self._every = every
        hall.floor._house.ledger.db.set_trace_callback(self._statement)

    def _statement(self, _: str) -> None:
        self._count += 1
        if self._count % self._every:
            return
        copy = self._folder / str(self._count)
        copy.mkdir()
        for file in self._state.glob(f"{NAME}*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, copy / file.name)
        self.copies.append((copy, len(self._hall.heard)))


@pytest.mark.parametrize("every", [1, 3])
def test_a_kill_between_any_two_writes_loses_nothing_that_was_told(
    tmp_path: Path, every: int
) -> None:
    """What was told is there after a restart, ledger and exchange agree, and it goes on."""
    hall = Hall(tmp_path / "state")
    killed = Killed(hall, tmp_path, every)
    if every == 1:
        hall.place(True, 60_010, "0.5", "Ioc", cloid=named(1))
        hall.orders(order(True, 59_000, "0.1", cloid=named(2)), trigger(False, 58_000, "0.5"))
        hall.cancel(*list(hall.open())[:1])
    else:
        live(hall)
    hall.floor._house.ledger.db.set_trace_callback(None)
    assert len(killed.copies) > 30
    for copy, told in killed.copies[:: max(len(killed.copies) // 40, 1)]:
        again = Hall(copy)
        statuses = {
            (one.order["oid"], one.status)
            for one in hall.heard[:told]
            if isinstance(one, OrderNews) and one.user == USER
        }
        known = {
            (one["order"]["oid"], one["status"]) for one in again.ask("historicalOrders", USER)
        }
        assert statuses <= known
        judge = again.judge()
        for user in judge.accounts():
            check(again, user)
        judge.close()
        assert "oid" in str(again.place(True, 50_000, "0.05"))
        again.floor.close()


def test_an_action_that_fails_half_way_has_not_happened(tmp_path: Path) -> None:
    """After a failed write every later one fails, and a restart stands where it was told."""
    hall = Hall(tmp_path)
    hall.place(True, 59_000, "0.1", cloid=named(1))
    heard = list(hall.heard)
    hall.floor._house.ledger.db.execute("DROP INDEX fills_of")
    hall.floor._house.ledger.db.execute("ALTER TABLE fills RENAME TO gone")
    with pytest.raises(StateError):
        hall.place(True, 60_010, "0.1", "Ioc")
    with pytest.raises(StateError, match="restart"):
        hall.act(type="noop")
    assert hall.heard == heard
    hall.floor._house.ledger.db.execute("ALTER TABLE gone RENAME TO fills")
    hall.restart()
    assert hall.status(named(1)) == "open"
    assert hall.position()["szi"] == "0.0"
    check(hall, USER)


def test_a_folder_has_one_venue_and_others_may_read(tmp_path: Path) -> None:
    """A second venue is told so; the judge reads while the first one runs."""
    hall = Hall(tmp_path)
    hall.place(True, 60_010, "0.5", "Ioc")
    with pytest.raises(LockedError, match="another venue"):
        Floor(hall.settings, hall.script, hall.clock, tmp_path)
    judge = Judge(tmp_path)
    assert judge.accounts() == [USER]
    assert judge.positions(USER) == {"BTC": Decimal("0.5")}
    hall.place(True, 60_010, "0.25", "Ioc")
    assert judge.positions(USER) == {"BTC": Decimal("0.75")}
    (first, second) = judge.actions(USER)
    assert first.action["type"] == "order"
    assert second.outcome["status"] == "ok"
    judge.close()


def test_a_moment_of_the_judge_stands_still(tmp_path: Path) -> None:
    """What it reads inside belongs together, though the venue goes on; afterwards it sees more."""
    hall = Hall(tmp_path)
    hall.place(True, 60_010, "0.5", "Ioc")
    judge = Judge(tmp_path)
    with judge.moment():
        assert len(judge.orders(USER)) == 1
        hall.place(True, 60_010, "0.25", "Ioc")
        assert judge.positions(USER) == {"BTC": Decimal("0.5")}
    assert judge.positions(USER) == {"BTC": Decimal("0.75")}
    judge.close()


def test_foreign_and_missing_files_are_named(tmp_path: Path) -> None:
    """In one line with the remedy."""
    with pytest.raises(StateError, match="name the folder of a venue"):
        Judge(tmp_path / "nowhere")
    (tmp_path / NAME).write_bytes(b"no database at all, but long enough to be read as one" * 40)
    with pytest.raises(StateError, match="damaged or foreign"):
        Hall(tmp_path)


def test_the_judge_sees_what_is_wrong(tmp_path: Path) -> None:
    """A fill that is lost, doubled or too large, an order that lives on after its end."""
    hall = Hall(tmp_path)
    hall.place(True, 60_010, "0.5", "Ioc")
    oid = hall.place(True, 60_010, "0.5", "Ioc")["filled"]["oid"]
    db = hall.floor._house.ledger.db
    db.execute("BEGIN")
    db.execute("DELETE FROM fills WHERE seq = (SELECT min(seq) FROM fills)")
    db.execute("COMMIT")
    judge = hall.judge()
    faults = "\n".join(judge.faults(USER))
    assert "starts at 0.5, not 0" in faults
    assert "filled without a fill" in faults
    rows = "SELECT 1000, time, user, oid, coin, buy, px, sz, fee, body FROM fills"
    db.execute(f"INSERT INTO fills {rows}")
    db.execute(
        "INSERT INTO statuses SELECT 1001, time, user, oid, 'open', body FROM statuses "
        "WHERE oid = ?",
        (oid,),
    )
    faults = "\n".join(judge.faults(USER))
    assert "twice" in faults
    assert "filled 1.0 of 0.5" in faults
    assert "went on after its end" in faults
    judge.close()
