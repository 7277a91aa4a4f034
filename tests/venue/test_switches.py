"""Fault switches: what they match, how often they strike, and that a seed decides it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tradeagent.simulation.venue.switches import (
    SWITCH,
    DropEvent,
    Lose,
    Maintenance,
    Occasion,
    Stall,
    Switch,
    Switchboard,
)

ORDER = Occasion("exchange", "order", "0xaa")


def struck(board: Switchboard, kind: type[Switch], count: int, occasion: Occasion) -> list[int]:
    """Return which of `count` equal occasions were struck."""
    return [i for i in range(count) if board.struck(kind, occasion) is not None]


def test_a_switch_lets_some_pass_and_strikes_so_often() -> None:
    """`skip` counts matches only, and `n` ends it."""
    board = Switchboard(1)
    board.turn_on(SWITCH.validate_python({"switch": "lose", "type": "order", "skip": 2, "n": 3}))
    assert struck(board, Lose, 5, Occasion("exchange", "cancel", "0xaa")) == []
    assert struck(board, Lose, 9, ORDER) == [2, 3, 4]


def test_the_scope_is_all_that_was_named() -> None:
    """Path, type and account must fit, the account in any case."""
    board = Switchboard(1)
    asked = {"switch": "lose", "path": "exchange", "user": "0xAA"}
    board.turn_on(SWITCH.validate_python(asked))
    assert board.struck(Lose, ORDER) is not None
    assert board.struck(Lose, Occasion("info", "order", "0xaa")) is None
    assert board.struck(Lose, Occasion("exchange", "order", "0xab")) is None
    assert board.struck(DropEvent, ORDER) is None


def test_equal_seeds_strike_in_the_same_places() -> None:
    """The dice are thrown per switch: what another switch does changes nothing."""
    asked = {"switch": "lose", "p": 0.3}
    boards = [Switchboard(seed) for seed in (7, 7, 8)]
    for board in boards:
        board.turn_on(SWITCH.validate_python(asked))
    boards[1].turn_on(SWITCH.validate_python({"switch": "drop_event", "p": 0.5}))
    places = []
    for index, board in enumerate(boards):
        found = []
        for turn in range(200):
            if index == 1:
                board.struck(DropEvent, Occasion("ws", "", "", "trades"))
            if board.struck(Lose, ORDER) is not None:
                found.append(turn)
        places.append(found)
    assert places[0] == places[1] != places[2]
    assert 30 < len(places[0]) < 90


def test_maintenance_leaves_queries_alone_unless_told() -> None:
    """Actions and new sockets are refused; `path` says what else."""
    board = Switchboard(1)
    number = board.turn_on(SWITCH.validate_python({"switch": "maintenance"}))
    assert board.struck(Maintenance, ORDER) is not None
    assert board.struck(Maintenance, Occasion("ws")) is not None
    assert board.struck(Maintenance, Occasion("info", "meta")) is None
    assert board.turn_off(number)
    assert not board.turn_off(number)
    board.turn_on(SWITCH.validate_python({"switch": "maintenance", "path": "info"}))
    assert board.struck(Maintenance, Occasion("info", "meta")) is not None
    assert board.struck(Maintenance, ORDER) is None


def test_a_stall_is_healed_by_a_new_socket_unless_told_otherwise() -> None:
    """Sockets opened after the switch stay well; with `new` they stall as well."""
    board = Switchboard(1)
    board.sockets = 2
    board.turn_on(SWITCH.validate_python({"switch": "stall"}))
    assert board.struck(Stall, Occasion("ws", channel="pong", socket=2)) is not None
    assert board.struck(Stall, Occasion("ws", channel="pong", socket=3)) is None
    board.turn_on(SWITCH.validate_python({"switch": "stall", "new": True}))
    assert board.struck(Stall, Occasion("ws", channel="pong", socket=3)) is not None


def test_the_board_tells_what_was_struck() -> None:
    """Each switch shows its settings and its counts."""
    board = Switchboard(1)
    board.turn_on(SWITCH.validate_python({"switch": "lose", "n": 1}))
    struck(board, Lose, 3, ORDER)
    (shown,) = [armed.shown() for armed in board]
    assert (shown["id"], shown["switch"], shown["struck"]) == (1, "lose", 1)
    assert board.turn_off()
    assert not board


@pytest.mark.parametrize(
    "asked", [{"switch": "explode"}, {"switch": "lose", "p": 2}, {"switch": "lose", "often": 1}]
)
def test_what_is_no_switch_is_refused(asked: dict[str, object]) -> None:
    """A misspelt switch or setting does not pass for a working one."""
    with pytest.raises(ValidationError):
        SWITCH.validate_python(asked)
