"""One venue for the sessions of foreign clients; each client has a key of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info

from tests.venue.sdk import Trader, closing
from tests.venue.server import ENOUGH, LEFT, Venue, wallet

KEYS = count(1)


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """A venue on the wall's clock that refuses nothing for its number."""
    log = tmp_path_factory.mktemp("venue") / "log"
    free = ("--no-limits", "--schedule-volume", "0")
    with Venue(log, "--seed", "3", *free) as venue:
        yield venue
    while LEFT:
        LEFT.pop().join(ENOUGH)


@pytest.fixture
def key() -> LocalAccount:
    """A key that nothing has used."""
    return wallet(next(KEYS))


@pytest.fixture
def info(market: Venue) -> Iterator[Info]:
    """The SDK's reader, without a socket."""
    with closing(Info(market.url, skip_ws=True)) as client:
        yield client


@pytest.fixture
def exchange(market: Venue, key: LocalAccount) -> Iterator[Exchange]:
    """The SDK's trader with a fresh key."""
    with closing(Exchange(key, market.url)) as client:
        yield client


@pytest.fixture
def trader(exchange: Exchange) -> Any:
    """The same, noting what is called of it."""
    return Trader(exchange)
