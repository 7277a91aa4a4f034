"""Whatever happens, and in whatever order, the promises about orders hold."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adversary.blows import BLOWS, Blow
from tests.adversary.world import ENTRIES, World

SHARDS = 4
EXAMPLES = int(os.environ.get("TRADEAGENT_SEQUENCES", "1000")) // SHARDS
NUMBERS = st.integers(0, 9_999)
BLOW = st.tuples(st.integers(0, len(BLOWS) - 1), NUMBERS, NUMBERS)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_promise_holds(shard: int) -> None:
    """No order without approval, none beyond a limit, none while halted, and no exit blocked."""

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(BLOW, min_size=50, max_size=80), st.sampled_from(ENTRIES), st.just(shard))
    def attack(blows: list[Blow], entry: str, _: int) -> None:
        assert World(entry).play(blows) == []

    attack()
