"""Serve a whole venue: its door and its admin port, over a floor that plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tradeagent.clock import Clock
from tradeagent.simulation.venue.admin import Admin
from tradeagent.simulation.venue.door import Door, listen
from tradeagent.simulation.venue.floor import Floor
from tradeagent.simulation.venue.intake import Intake, Rules
from tradeagent.simulation.venue.streams import Streams
from tradeagent.simulation.venue.switches import Switchboard


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a venue listens on the loopback; 0 takes any free port."""

    door: int = 0
    admin: int = 0


@asynccontextmanager
async def serve_venue(
    floor: Floor, clock: Clock, rules: Rules, ports: Ports, seed: int
) -> AsyncIterator[tuple[str, str]]:
    """Play and serve a venue; yields the URLs of its door and of its admin port.

    What ends the floor ends the venue. Raises CommandError for a port that cannot be used.
    """
    board = Switchboard(seed)
    intake = Intake(floor, clock, board, rules)
    streams = Streams(intake, clock)
    try:
        async with (
            listen(Door(intake, streams, clock).app(), ports.door, "--port") as url,
            listen(Admin(floor, board, streams).app(), ports.admin, "--admin-port") as admin,
            asyncio.TaskGroup() as group,
        ):
            playing = group.create_task(floor.run())
            yield url, admin
            playing.cancel()
            streams.cut_all()
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    finally:
        streams.close()
        floor.close()
