"""The bus over Redis between processes: what they exchange, and intruders."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from tests.bus.desk import alert, candle, heartbeat, signal, ticker, until
from tests.bus.server import Server
from tests.bus.station import Station, pending, running, streams
from tradeagent.bus.base import Subscriber
from tradeagent.errors import ConfigError
from tradeagent.messages import (
    Heartbeat,
    Incident,
    MarketData,
    Origin,
    RiskAlert,
    RiskAssessment,
    Severity,
    TickerUpdate,
    Timer,
)

# -- exchange -------------------------------------------------------------------------------------


async def test_processes_exchange_every_class(server: Server) -> None:
    """Lossless, urgent and lossy messages of one process are inputs of another, each once."""
    one, two = Station(server.url, "one"), Station(server.url, "two")
    kinds = (MarketData, RiskAlert, TickerUpdate, Heartbeat)
    here, there = one.hear(*kinds), two.hear(*kinds)
    sent = [candle(1), ticker(2), alert(), heartbeat(3), candle(4, "ETH")]
    async with running(one, two):
        for message in sent:
            one.bus.publish(message, "data")
        await until(lambda: len(there) == len(sent))
        one.bus.publish(candle(5), "data")
        await until(lambda: candle(5) in there)
    assert here == [*sent, candle(5)]
    assert sorted(map(repr, there)) == sorted(map(repr, here))
    arrived = [entry for entry in two.record if entry.payload in sent]
    assert all(entry.origin is Origin.INPUT and entry.cause == 0 for entry in arrived)
    assert {entry.wire_id for entry in arrived} >= {"one.data-1-1", "one.data-1-5"}
    assert all(entry.source == "data" for entry in arrived)


async def test_lossless_messages_keep_their_order_between_processes(server: Server) -> None:
    """Thousands of messages arrive without loss, in order per symbol."""
    one, two = Station(server.url, "one"), Station(server.url, "two")
    there = two.hear(MarketData)
    async with running(one, two):
        for number in range(5_000):
            one.bus.publish(candle(number, f"S{number % 7}"), "data")
        await until(lambda: len(there) == 5_000)
    for symbol in range(7):
        times = [message.time for message in there if message.symbol == f"S{symbol}"]
        assert times == list(range(symbol, 5_000, 7))


async def test_anybody_can_see_every_message(server: Server, operator: redis.Redis) -> None:
    """A plain client finds each message as JSON on its stream or channel."""
    channel = operator.pubsub(ignore_subscribe_messages=True)
    channel.subscribe("tradeagent:TICKER_UPDATE")
    one = Station(server.url, "one")
    one.bus.subscribe(Subscriber("analysis", {MarketData: lambda m: signal(m.time)}))
    async with running(one):
        for message in (candle(7), ticker(8), alert()):
            one.bus.publish(message, "data")
    found = {
        wire: streams(operator, wire) for wire in ("MARKET_DATA", "TRADE_SIGNAL", "RISK_ALERT")
    }
    assert [len(messages) for messages in found.values()] == [1, 1, 1]
    (sent,) = found["TRADE_SIGNAL"]
    assert (sent["type"], sent["source"], sent["cause"], sent["payload"]["time"]) == (
        "TRADE_SIGNAL",
        "analysis",
        1,
        7,
    )
    heard: Any = None
    while heard is None:
        heard = channel.get_message(timeout=5)
    channel.close()
    assert json.loads(heard["data"])["payload"]["time"] == 8


async def test_each_group_gets_everything_and_its_processes_share(server: Server) -> None:
    """Two processes of one group get each message once between them, another group gets all."""
    source = Station(server.url, "source")
    left, right = (Station(server.url, name, "analysis") for name in ("left", "right"))
    other = Station(server.url, "other")
    heard = [station.hear(MarketData, RiskAlert) for station in (left, right, other)]
    async with running(left, other, source, right):
        await until(lambda: len(left.bus.shards) == len(right.bus.shards) == 2)
        assert not set(left.bus.shards) & set(right.bus.shards)
        for number in range(200):
            source.bus.publish(candle(number, f"S{number % 20}"), "data")
        source.bus.publish(alert(), "risk")
        await until(lambda: sum(map(len, heard)) == 403)
    candles = [[one for one in each if isinstance(one, MarketData)] for each in heard]
    assert len(candles[0]) + len(candles[1]) == len(candles[2]) == 200
    assert not {one.symbol for one in candles[0]} & {one.symbol for one in candles[1]}
    assert all(alert() in each for each in heard), "urgent messages go to every process"


async def test_timers_of_others_do_not_fire_here(server: Server) -> None:
    """A timer of a process is no business of an agent of the same name elsewhere."""
    one, two = Station(server.url, "one"), Station(server.url, "two")
    there = two.hear(Timer, MarketData)
    async with running(one, two):
        one.bus.publish(Timer(agent="listener", method="report"), "timer")
        one.bus.publish(candle(1), "data")
        await until(lambda: there)
    assert there == [candle(1)]


async def test_late_listeners_are_served(server: Server) -> None:
    """What is subscribed to after the start is read as well."""
    one, two = Station(server.url, "one"), Station(server.url, "two")
    async with running(one, two):
        there = two.hear(MarketData, TickerUpdate)
        numbers = iter(range(10_000))

        def heard_both() -> bool:
            number = next(numbers)
            one.bus.publish(candle(number), "data")
            one.bus.publish(ticker(number), "data")
            return {type(message) for message in there} == {MarketData, TickerUpdate}

        await until(heard_both)
    assert {type(message) for message in there} == {MarketData, TickerUpdate}


async def test_processes_agree_on_the_first_value(server: Server, operator: redis.Redis) -> None:
    """Who comes second gets the value of who came first, also after the server was emptied."""
    one, two = Station(server.url, "one"), Station(server.url, "two")
    assert await one.bus.agree("anchor", "17") == "17"
    assert await two.bus.agree("anchor", "18") == "17"
    operator.flushall()
    async with running(one):
        assert await two.bus.agree("anchor", "18") == "17"


# -- from outside ---------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["xadd", "publish"])
async def test_an_operator_can_put_in_a_message_by_hand(
    server: Server, operator: redis.Redis, way: str
) -> None:
    """Type and payload suffice, on the stream or on the channel."""
    one = Station(server.url, "one")
    heard = one.hear(RiskAlert)
    body = '{"type":"RISK_ALERT","payload":{"code":"MANUAL","severity":"ERROR"}}'
    async with running(one):
        if way == "xadd":
            operator.xadd("tradeagent:RISK_ALERT:0", {"m": body})
        else:
            operator.publish("tradeagent:RISK_ALERT", body)
        await until(lambda: heard)
    assert heard == [RiskAlert(code="MANUAL", severity=Severity.ERROR)]
    (entry,) = one.record
    assert (entry.source, entry.origin) == ("operator", Origin.INPUT)


@pytest.mark.parametrize("way", ["xadd", "publish"])
async def test_forged_messages_are_refused(server: Server, operator: redis.Redis, way: str) -> None:
    """A class this process alone makes is dropped when it comes from outside, and reported."""
    private = frozenset({RiskAssessment})
    one = Station(server.url, "one", refused=private)
    heard, incidents = one.hear(RiskAssessment), one.hear(Incident)
    forged = RiskAssessment(
        intent_id="i", symbol="BTC", verdict="approved", strategy="evil", expires_at=1 << 62
    )
    body = json.dumps({"type": "RISK_ASSESSMENT", "payload": forged.model_dump(mode="json")})
    async with running(one):
        for _ in range(3):
            if way == "xadd":
                operator.xadd("tradeagent:RISK_ASSESSMENT:0", {"m": body})
            else:
                operator.publish("tradeagent:RISK_ASSESSMENT", body)
        await until(lambda: one.bus.dropped["forged"] == 3)
        one.bus.publish(forged, "risk")
    assert heard == [forged], "its own are delivered"
    (incident,) = incidents
    assert (incident.code, incident.severity) == ("FORGED_MESSAGE", Severity.ERROR)


async def test_what_an_earlier_run_left_is_dropped_but_is_no_forgery(server: Server) -> None:
    """A new state on a used server is warned of what another run said, and acts on none of it."""
    private = frozenset({RiskAssessment})
    said = RiskAssessment(
        intent_id="i", symbol="BTC", verdict="approved", strategy="a", expires_at=1 << 62
    )
    reader = Station(server.url, "reader", "daemon", refused=private)
    reader.hear(RiskAssessment)
    async with running(reader):
        pass  # the group is there, and reads no more
    writer = Station(server.url, "writer", group="elsewhere", refused=private)
    async with running(writer):
        writer.bus.publish(said, "risk")
    fresh = Station(server.url, "fresh", "daemon", refused=private)
    heard, incidents = fresh.hear(RiskAssessment), fresh.hear(Incident)
    async with running(fresh):
        await until(lambda: incidents)
    assert heard == []
    (incident,) = incidents
    assert (incident.code, incident.severity) == ("LEFT_OVER", Severity.WARNING)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"type":"NOTHING","payload":{}}',
        b'{"type":"MARKET_DATA","payload":{"symbol":"BTC"}}',
        b'{"v":99,"type":"RISK_ALERT","payload":{"code":"A","severity":"ERROR"}}',
        b'{"type":"RISK_ALERT","source":"a\\"b","payload":{"code":"A","severity":"ERROR"}}',
        b'{"type":"RISK_ALERT","id":{"a":1},"payload":{"code":"A","severity":"ERROR"}}',
    ],
)
async def test_poison_goes_to_the_dead_letters(
    server: Server, operator: redis.Redis, body: bytes
) -> None:
    """Bytes that are no message are set aside with a reason; what follows is delivered."""
    one = Station(server.url, "one")
    heard = one.hear(MarketData)
    good = json.dumps({"type": "MARKET_DATA", "payload": candle(1).model_dump()})
    key = "tradeagent:MARKET_DATA:0"
    with redis.Redis(port=server.port, protocol=2) as raw:
        async with running(one):
            raw.xadd(key, {"m": body})
            raw.publish("tradeagent:MARKET_DATA", body)
            operator.xadd(key, {"m": good})
            await until(lambda: heard and raw.xlen("tradeagent:dead") == 2)
            await until(lambda: pending(operator, key, "one") == 0)
        dead = [fields for _, fields in raw.xrange("tradeagent:dead")]
    assert heard == [candle(1)]
    assert all(fields[b"m"] == body and fields[b"reason"] for fields in dead)
    assert {fields[b"from"] for fields in dead} == {key.encode(), b"tradeagent:MARKET_DATA"}
    assert one.bus.dropped["dead"] == 2


def test_names_that_cannot_be_keys_are_refused() -> None:
    """A namespace, group or identity with odd characters is a mistake in the configuration."""
    with pytest.raises(ConfigError, match=r"bus\.identity.*'a b'"):
        Station("redis://127.0.0.1:1", "a b", "group")


async def test_what_an_earlier_life_said_is_no_forgery(server: Server) -> None:
    """After a restart a process neither handles nor refuses what it had said before itself."""
    private = frozenset({RiskAssessment})
    said = RiskAssessment(
        intent_id="i", symbol="BTC", verdict="rejected", strategy="a", expires_at=1
    )
    first = Station(server.url, "one", refused=private)
    first.hear(RiskAssessment)
    async with running(first):
        pass  # its group is there from now on
    writer = Station(server.url, "one", group="elsewhere", refused=private)
    async with running(writer):
        writer.bus.publish(said, "risk")
    again = Station(server.url, "one", epoch=2, refused=private)
    heard, incidents = again.hear(RiskAssessment, MarketData), again.hear(Incident)
    other = Station(server.url, "other")
    async with running(again, other):
        other.bus.publish(candle(1), "data")
        await until(lambda: heard)
    assert heard == [candle(1)]
    assert incidents == []
