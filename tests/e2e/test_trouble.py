"""Agents that make trouble in a real daemon: named, restarted, given up, or reason to stop."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e import trouble
from tests.e2e.daemon import Process, run, summary
from tradeagent.storage.records import SqlRecords

DEMO = ("--speed", "600", "--seed", "3")


class Impatient(Process):
    """A daemon that waits for nobody for long."""

    module = "tests.e2e.impatient"


def configured(folder: Path, kind: type) -> tuple[str, str]:
    """Return the options that add an agent called `mine`."""
    path = folder / "mine.yaml"
    entry = {"agents": {"mine": {"type": f"{kind.__module__}:{kind.__name__}"}}}
    path.write_text(json.dumps(entry), encoding="utf-8")
    return "-c", str(path)


def started(folder: Path, kind: type, room: int = 100_000) -> Process:
    """Return an impatient daemon with an agent of trouble, with `room` megabytes."""
    return Impatient(folder / "state", *DEMO, *configured(folder, kind), MEMORY_MB=str(room))


def trades_on(daemon: Process) -> None:
    """Wait for more fills than there are."""
    daemon.until_said("fill ", daemon.log.read_text(encoding="utf-8").count("fill ") + 1)


def test_an_agent_that_raises_is_given_up_and_trading_goes_on(tmp_path: Path) -> None:
    """It is restarted three times, then left; the others trade, and the stop is in order."""
    daemon = started(tmp_path, trouble.Raising)

    daemon.until_said("incident DEAD_LETTER WARNING")
    daemon.until_said("incident AGENT_GIVEN_UP WARNING: mine failed 4 times within 60 s")
    trades_on(daemon)
    agents = run("agents", "--state", str(tmp_path / "state")).stdout

    assert agents.count("RUNNING") == 7
    assert "FAILED" in agents
    assert daemon.interrupt() == 0
    said = daemon.log.read_text(encoding="utf-8")
    assert said.count("agent mine is RUNNING: restarted") == 3
    assert "trouble in watch" in said


def test_an_essential_agent_that_raises_halts_and_ends_the_run(tmp_path: Path) -> None:
    """Trading is HALTED at its first dead letter; the run ends with status 1 and stays HALTED."""
    status, said = started(tmp_path, trouble.RaisingEssential).ended()

    assert status == 1
    assert "trading is HALTED (was ACTIVE)" in said
    assert "mine failed 4 times within 60 s: ValueError('trouble in watch')" in said
    again = run("--state", str(tmp_path / "state"), *DEMO, "--for", "30m")
    assert again.returncode == 0, again.stderr
    told = (again.stdout + again.stderr).splitlines()
    approved = [line for line in told if " approved " in line or " resized " in line]
    assert all("approved stop " in line for line in approved), approved  # stops go on moving


def test_an_endless_loop_ends_the_process_with_its_place(tmp_path: Path) -> None:
    """Status 75, the agent with its line, and the stack; the state is whole at the next start."""
    status, said = started(tmp_path, trouble.Endless).ended()

    assert status == 75
    place = "the event loop is stuck in mine."
    assert place in said
    assert "(trouble.py:" in said.split(place)[1].splitlines()[0]
    assert 'trouble.py", line ' in said
    assert run("doctor", "--rebuild", "--state", str(tmp_path / "state")).returncode == 0


def test_an_agent_stuck_in_await_is_named_and_restarted(tmp_path: Path) -> None:
    """It is named with its line, cut off and made anew; the others trade all the while."""
    daemon = started(tmp_path, trouble.Hanging)

    daemon.until_said("incident AGENT_SILENT WARNING: silent for")
    daemon.until_said("agent mine is RUNNING: restarted")
    trades_on(daemon)

    said = daemon.log.read_text(encoding="utf-8")
    line = trouble.Hanging.watch.__code__.co_firstlineno + 4
    assert f"in mine.watch (trouble.py:{line})" in said
    assert "is HALTED" not in said
    assert daemon.interrupt() == 0


def test_an_agent_that_leaks_is_named_and_made_anew(tmp_path: Path) -> None:
    """It is named with what it holds and restarted, and the others trade on."""
    daemon = started(tmp_path, trouble.Leaking, room=300)

    daemon.until_said("incident MEMORY WARNING:")
    daemon.until_said("agent mine is RUNNING: restarted")
    trades_on(daemon)

    told = daemon.log.read_text(encoding="utf-8").split("incident MEMORY WARNING:")[1]
    assert "MB are in use, over 300 MB; mine holds about" in told.splitlines()[0]
    assert daemon.interrupt() == 0


def test_an_essential_agent_that_leaks_halts(tmp_path: Path) -> None:
    """Trading is HALTED by the supervisor itself, with the agent's name and weight."""
    daemon = started(tmp_path, trouble.LeakingEssential, room=300)

    daemon.until_said("trading is HALTED (was ACTIVE)")

    assert "incident MEMORY CRITICAL:" in daemon.log.read_text(encoding="utf-8")
    daemon.kill()


def test_an_agent_that_cannot_start_is_one_clear_line(tmp_path: Path) -> None:
    """The start ends with status 1 and the agent, the error, its place and the remedy."""
    failed = run("--state", str(tmp_path / "state"), *DEMO, *configured(tmp_path, trouble.Unable))

    line = trouble.Unable.setup.__code__.co_firstlineno + 2
    (said,) = [one for one in failed.stderr.splitlines() if "error:" in one]
    assert failed.returncode == 1
    assert f"agents.mine cannot start: ValueError: no wind today (trouble.py:{line})" in said
    assert "enabled: false" in said
    assert "Traceback" not in failed.stderr


def test_a_sleeping_analyst_changes_no_order(tmp_path: Path) -> None:
    """A simulated day with an analyst that sleeps ten minutes over each candle trades the same."""
    found = []
    for name, options in (("without", ()), ("with", configured(tmp_path, trouble.Sleeping))):
        state, out = tmp_path / name, tmp_path / f"{name}.json"
        done = run(
            *("--speed", "max", "--for", "1d", "--seed", "3", *options),
            *("--state", str(state), "--summary", str(out)),
        )
        assert done.returncode == 0, done.stderr
        records = SqlRecords.read(state / "journal.db")
        orders = [one.message for one in records.orders(limit=100_000)]
        fills = [one.message for one in records.fills(limit=100_000)]
        records.close()
        told = {key: value for key, value in summary(out).items() if "journal" not in key}
        found.append((orders, fills, {**told, "state_hash": ""}))

    assert found[0][1]
    assert found[0] == found[1]


def test_a_blocked_analyst_delays_nobody(tmp_path: Path) -> None:
    """Under a live clock the rest trades while it sleeps, and nothing waits for it to wake."""
    daemon = Process(tmp_path / "state", *DEMO, *configured(tmp_path, trouble.Sleeping))
    daemon.until_said("equity")
    where = ("--state", str(tmp_path / "state"))

    waiting = []
    for _ in range(3):
        waiting.append(_waiting(run("agents", *where).stdout))
        trades_on(daemon)

    assert [one["mine"] for one in waiting] == sorted(one["mine"] for one in waiting)
    assert waiting[-1]["mine"] > 0
    assert all(count == 0 for one in waiting for name, count in one.items() if name != "mine")
    assert daemon.interrupt() == 0


def _waiting(table: str) -> dict[str, int]:
    """Return how many messages wait for each agent."""
    head, *rows = (line.split() for line in table.splitlines() if line.strip())
    column = head.index("waiting")
    return {row[0]: int(row[column]) for row in rows if row[0].isalpha()}
