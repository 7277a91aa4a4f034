"""The parts of the Redis bus that need no server."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bus.desk import Notes, SetClock, alert, cancel, candle, heartbeat, signal, ticker, trade
from tradeagent.bus import BusOptions, open_bus
from tradeagent.bus.incoming import Arrived, Incoming, read
from tradeagent.bus.memory import MemoryBus
from tradeagent.bus.outgoing import CAP, HEADS, LOSSY_CAP, Command, Outgoing
from tradeagent.bus.redis import RedisBus
from tradeagent.bus.shards import shard_of
from tradeagent.bus.wire import Address
from tradeagent.errors import ConfigError
from tradeagent.messages import Envelope, Message, decode, encode


def sent(payload: Message, seq: int = 1) -> Envelope[Message]:
    """Return an envelope as it stands after its dispatch."""
    envelope: Envelope[Message] = Envelope(payload, "data", 3)
    envelope.seq = seq
    return envelope


def outgoing() -> tuple[Outgoing, Counter[str]]:
    """Return a queue and its counts."""
    dropped: Counter[str] = Counter()
    return Outgoing(BusOptions(identity="me"), dropped), dropped


# -- names ----------------------------------------------------------------------------------------


def test_a_scheme_chooses_the_bus() -> None:
    """The URL decides which bus is opened."""
    parts = SetClock(), Notes()
    assert type(open_bus("memory://", *parts)) is MemoryBus
    assert type(open_bus("redis://127.0.0.1:1/0", *parts)) is RedisBus
    assert type(open_bus(BusOptions("rediss://h"), *parts)) is RedisBus


@pytest.mark.parametrize("url", ["kafka://x", "redis", ""])
def test_an_unknown_scheme_is_named(url: str) -> None:
    """A URL of no known scheme is a mistake that lists what is known."""
    with pytest.raises(ConfigError, match=r"bus\.url.*memory://, redis://"):
        open_bus(url, SetClock(), Notes())


def test_an_address_is_read_as_redis_py_reads_it() -> None:
    """User, password, host, port, database and TLS come out of the URL; the password hides."""
    address = Address.parse("rediss://bob:a%2Fb@host:7000/3?ssl_ca_certs=/ca.pem")
    assert (address.host, address.port, address.database) == ("host", 7000, 3)
    assert (address.username, address.password) == ("bob", "a/b")
    assert (address.tls, address.ca, address.verify) == (True, "/ca.pem", True)
    assert str(address) == "rediss://host:7000/3"
    assert Address.parse("redis://") == Address()
    unix = Address.parse("unix:///run/redis.sock?db=2")
    assert (unix.path, unix.database) == ("/run/redis.sock", 2)


@pytest.mark.parametrize(
    "url", ["redis://h:port/0", "redis://h/zero", "redis://h/0?sll_ca_certs=x", "redis://h:99999"]
)
def test_a_wrong_address_is_a_mistake_in_the_configuration(url: str) -> None:
    """What cannot be an address is refused with the name of the setting."""
    with pytest.raises(ConfigError, match=r"bus\.url"):
        Address.parse(url)


@given(st.text(min_size=1, max_size=20), st.integers(1, 16))
def test_a_shard_depends_on_the_symbol_alone(symbol: str, shards: int) -> None:
    """All classes of one symbol share a shard, which exists."""
    found = {shard_of(make(1, symbol), shards) for make in (candle, ticker, trade, signal)}
    assert len(found) == 1
    assert found <= set(range(shards))


def test_shards_are_the_same_in_every_process_and_version() -> None:
    """The shard of a symbol never changes, and what has no symbol is in the first."""
    assert [shard_of(candle(1, name), 4) for name in ("BTC", "ETH", "SOL")] == [2, 3, 2]
    assert shard_of(cancel("all"), 4) == 0


# -- bytes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload", [candle(1), ticker(2), trade(3), signal(4), alert(), cancel("x"), heartbeat(5)]
)
def test_what_one_process_packs_another_reads(payload: Message) -> None:
    """Payload, source, epoch and identity survive the way, and the process is marked."""
    queue, _ = outgoing()
    envelope = sent(payload)
    packed, replies = queue.packed([envelope])
    body = packed[packed.index(b"{") :].removesuffix(b"\r\n")
    found = read(body)
    assert replies == 1
    assert found.payload == payload
    assert (found.source, found.epoch, found.wire_id) == ("data", 3, "me.data-3-1")
    own = Incoming(BusOptions(identity="me"), SetClock(), Counter(), print, print)
    other = Incoming(BusOptions(identity="m"), SetClock(), Counter(), print, print)
    assert own.open(body, "place") is None
    arrived = other.open(body, "place")
    assert arrived is not None
    assert type(arrived.wire_id) is Arrived


@given(st.text(max_size=40), st.text(max_size=40))
def test_quick_and_careful_reading_agree(code: str, evidence: str) -> None:
    """Whatever stands in a text, reading in place gives what decoding gives."""
    payload = alert("x").model_copy(update={"code": code or "x", "evidence": evidence})
    data = encode(sent(payload))
    assert read(data).payload == decode(data).payload == payload


@pytest.mark.parametrize(
    "data",
    [
        '{"payload":{"code":"A","severity":"ERROR"},"type":"RISK_ALERT"}',
        '{"type":"RISK_ALERT","payload":{"code":"A","severity":"ERROR"},"id":"x"}',
        '{ "type" : "RISK_ALERT", "payload" : {"code":"A","severity":"ERROR"} }',
    ],
)
def test_any_order_of_fields_is_read(data: str) -> None:
    """An operator may write the fields of an envelope in any order."""
    assert read(data.encode()).payload.wire == "RISK_ALERT"


# -- the queue ------------------------------------------------------------------------------------


async def test_the_newest_lossless_messages_wait_while_redis_is_away() -> None:
    """Up to the cap everything lossless is kept; then the oldest go, counted; lossy never wait."""
    queue, dropped = outgoing()
    for number in range(CAP + 5):
        queue.add(sent(candle(number), number))
    queue.add(sent(ticker(1)))
    assert queue.waiting == CAP
    assert dropped == {"outgoing": 6}
    first = (await queue.batch())[0]
    assert first.seq == 5


async def test_lossy_messages_are_dropped_under_pressure() -> None:
    """While the connection does not keep up, lossy messages beyond a mark are dropped."""
    queue, dropped = outgoing()
    queue.connected = True
    for number in range(LOSSY_CAP + 3):
        queue.add(sent(ticker(number)))
    queue.add(sent(candle(1)))
    assert queue.waiting == LOSSY_CAP + 1
    assert dropped == {"outgoing": 3}


async def test_a_batch_that_was_not_confirmed_goes_again_in_order() -> None:
    """After a broken connection, lossless messages and acknowledgements go out as they stood."""
    queue, dropped = outgoing()
    queue.connected = True
    for number in range(3):
        queue.add(sent(candle(number), number))
    queue.add(sent(ticker(3), 3))
    queue.acknowledge(4, "stream", "group", [b"1-0"])
    assert len(await queue.batch()) == 5
    queue.add(sent(candle(5), 5))
    queue.restore()
    again = await queue.batch()
    assert [item.seq for item in again] == [0, 1, 2, 4, 5]
    assert dropped == {"outgoing": 1}
    queue.confirm()
    assert queue.idle.is_set()


async def test_outputs_and_acknowledgements_are_one_transaction() -> None:
    """A batch with an acknowledgement happens as a whole; one without needs no transaction."""
    queue, _ = outgoing()
    plain, replies = queue.packed([sent(candle(1)), sent(candle(2))])
    assert (b"MULTI" in plain, replies) == (False, 2)
    whole, replies = queue.packed([sent(candle(1)), Command(1, b"")])
    assert whole.startswith(b"*1\r\n$5\r\nMULTI")
    assert whole.endswith(b"*1\r\n$4\r\nEXEC\r\n")
    assert replies == 4


def test_names_that_never_come_again_are_not_kept() -> None:
    """However many symbols were sent, what is kept of them is bounded, and the bytes are right."""
    queue, _ = outgoing()
    first, _ = queue.packed([sent(ticker(1, symbol="S0"))])
    for number in range(HEADS + 10):
        queue.packed([sent(ticker(1, symbol=f"S{number}"))])

    assert len(queue._heads) <= HEADS
    assert queue.packed([sent(ticker(1, symbol="S0"))])[0] == first
