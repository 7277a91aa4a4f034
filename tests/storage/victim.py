"""A process that journals without end and says what is committed, until it is killed."""

from __future__ import annotations

import asyncio
import random
import sys

from tests.storage.examples import any_message, envelope
from tradeagent.messages import Message
from tradeagent.storage.sql import SqlStore


def message(seq: int) -> Message:
    """Return the message of row `seq`, the same in every process."""
    return any_message(random.Random(seq), seq)


async def journal(path: str) -> None:
    """Append in bursts; print the seq of each commit that was awaited."""
    store = SqlStore.open(path)
    seq, rng = store.past().seq, random.Random(store.past().epoch)
    while True:
        for _ in range(rng.randrange(1, 40)):
            seq += 1
            store.journal.append(envelope(seq, message(seq)))
        store.journal.settle()
        await store.journal.committed(seq)
        print(seq, flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(journal(sys.argv[1]))
