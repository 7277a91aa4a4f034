"""The bus over Redis when processes die and the server fails: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter

import pytest
import redis

from tests.bus.desk import alert, candle, signal, ticker, until
from tests.bus.server import Server
from tests.bus.station import Station, pending, running, streams
from tradeagent.bus.base import Subscriber
from tradeagent.bus.shards import shard_of
from tradeagent.bus.streams import DELIVERIES
from tradeagent.errors import BusUnavailable
from tradeagent.messages import (
    Incident,
    MarketData,
    RiskAlert,
    TickerUpdate,
    TradeSignal,
)

# -- delivery again -------------------------------------------------------------------------------


def consumer(server: Server, epoch: int) -> subprocess.Popen[bytes]:
    """Start a process that answers candles with signals; return once it listens."""
    process = subprocess.Popen(
        (sys.executable, "-m", "tests.bus.consumer", server.url, "analyst", str(epoch)),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    return process


async def test_a_killed_consumer_loses_nothing_and_repeats_nothing(server: Server) -> None:
    """A consumer killed in the middle leaves no gap, and its successor's repeats are dropped."""
    symbols, count = [f"S{number}" for number in range(5)], 4_000
    source = Station(server.url, "source")
    signals = source.hear(TradeSignal)

    async with running(source):
        first = consumer(server, epoch=1)
        for number in range(count):
            source.bus.publish(candle(number, symbols[number % 5]), "data")
        await until(lambda: len(signals) > 200)
        first.kill()
        first.wait()
        seen = len(signals)
        second = consumer(server, epoch=2)
        try:
            await until(lambda: len(signals) >= count, 20)
        finally:
            second.kill()
            second.wait()
    assert seen < count, "the first consumer was killed too late to prove anything"
    assert len(signals) == count
    for place, symbol in enumerate(symbols):
        times = [message.time for message in signals if message.symbol == symbol]
        assert times == list(range(place, count, 5))


async def test_a_second_replica_takes_over_in_order(server: Server) -> None:
    """When the owner of a shard dies, another takes it, drains what it left, and keeps order."""
    source = Station(server.url, "source")
    left, right = (Station(server.url, name, "analysis") for name in ("left", "right"))
    gate = asyncio.Event()
    taken: list[int] = []

    async def stuck(message: MarketData) -> None:
        taken.append(message.time)
        await gate.wait()

    left.bus.subscribe(Subscriber("analysis", {}, {MarketData: stuck}))
    await left.bus.start()
    heard = right.hear(MarketData)
    async with running(source):
        for number in range(100):
            source.bus.publish(candle(number), "data")
        shard = shard_of(candle(0), 4)
        await until(lambda: taken and shard in left.bus.shards)
        fence = left.bus.shards[shard]
        await left.die()
        async with running(right):
            for number in range(100, 200):
                source.bus.publish(candle(number), "data")
            await until(lambda: len(heard) == 200)
            assert right.bus.shards[shard] > fence
    assert taken == [0]
    assert [message.time for message in heard] == list(range(200))


async def test_only_what_was_handled_is_acknowledged(server: Server, operator: redis.Redis) -> None:
    """A message in the hands of a slow agent, or waiting for it, stays pending until handled."""
    one, two = Station(server.url, "one"), Station(server.url, "two")
    gate = asyncio.Event()

    async def slow(message: MarketData) -> TradeSignal:
        await gate.wait()
        return signal(message.time)

    two.bus.subscribe(Subscriber("analyst", {}, {MarketData: slow}))
    quick = two.hear(MarketData)
    key = f"tradeagent:MARKET_DATA:{shard_of(candle(0), 4)}"
    async with running(one, two):
        for number in range(3):
            one.bus.publish(candle(number), "data")
        await until(lambda: len(quick) == 3)
        for _ in range(20):
            await two.clock.sleep(0)
        assert pending(operator, key, "two") == 3
        gate.set()
        await until(lambda: pending(operator, key, "two") == 0)
    assert len(streams(operator, "TRADE_SIGNAL")) == 3


async def test_what_leaves_waits_for_the_commit(server: Server, operator: redis.Redis) -> None:
    """Neither a message nor an acknowledgement leaves before the journal holds its cause."""
    durable = asyncio.Condition()
    committed = 0

    async def wait(seq: int) -> None:
        async with durable:
            await durable.wait_for(lambda: committed >= seq)

    one = Station(server.url, "one")
    two = Station(server.url, "two", committed=wait)
    heard = two.hear(MarketData)
    two.bus.subscribe(Subscriber("analysis", {MarketData: lambda m: signal(m.time)}))
    key = f"tradeagent:MARKET_DATA:{shard_of(candle(0), 4)}"
    async with running(one, two):
        one.bus.publish(candle(1), "data")
        await until(lambda: heard)
        for _ in range(50):
            await two.clock.sleep(0)
        assert streams(operator, "TRADE_SIGNAL") == []
        assert pending(operator, key, "two") == 1
        async with durable:
            committed = two.bus.seq
            durable.notify_all()
        await until(lambda: pending(operator, key, "two") == 0)
        assert len(streams(operator, "TRADE_SIGNAL")) == 1


async def test_a_rerun_names_its_outputs_as_before(server: Server, operator: redis.Redis) -> None:
    """Handled again, a message leads to the same wire ids, whatever process handles it and when."""
    body = '{"type":"MARKET_DATA","id":"x","payload":' + candle(1).model_dump_json() + "}"
    for epoch, name in enumerate(("left", "right"), 1):
        station = Station(server.url, name, epoch=epoch)
        station.bus.subscribe(
            Subscriber("analysis", {MarketData: lambda m: [signal(m.time), signal(m.time + 1)]})
        )
        async with running(station):
            for number in range(epoch):
                station.bus.publish(ticker(number), "data")
            operator.publish("tradeagent:MARKET_DATA", body)
            await until(lambda run=epoch: len(streams(operator, "TRADE_SIGNAL")) == 2 * run)
    ids = [message["id"] for message in streams(operator, "TRADE_SIGNAL")]
    assert ids[:2] == ids[2:]
    assert ids[0] != ids[1]


async def test_remembered_inputs_are_not_handled_again(
    server: Server, operator: redis.Redis
) -> None:
    """After a restart, what the journal says was handled is dropped and acknowledged."""
    first = Station(server.url, "one")
    first.hear(MarketData)
    async with running(first):
        pass
    for name in ("x", "y"):
        body = {"type": "MARKET_DATA", "id": name, "payload": candle(1).model_dump()}
        operator.xadd("tradeagent:MARKET_DATA:0", {"m": json.dumps(body)})
    again = Station(server.url, "one", epoch=2)
    heard = again.hear(MarketData)
    again.bus.remember(["x"])
    async with running(again):
        await until(lambda: pending(operator, "tradeagent:MARKET_DATA:0", "one") == 0 and heard)
    assert len(heard) == 1


async def test_a_message_nobody_survives_becomes_a_dead_letter(
    server: Server, operator: redis.Redis
) -> None:
    """What was delivered too often and never handled is set aside, and the next ones pass."""
    key = "tradeagent:MARKET_DATA:0"
    operator.xgroup_create(key, "one", "0", mkstream=True)
    for number in range(2):
        body = {"type": "MARKET_DATA", "payload": candle(number).model_dump()}
        operator.xadd(key, {"m": json.dumps(body)})
    operator.xreadgroup("one", "owner", {key: ">"}, count=1)
    for _ in range(DELIVERIES - 1):
        operator.xreadgroup("one", "owner", {key: "0"}, count=1)
    one = Station(server.url, "one", epoch=2)
    heard, incidents = one.hear(MarketData), one.hear(Incident)
    async with running(one):
        await until(lambda: heard and operator.xlen("tradeagent:dead"))
        await until(lambda: pending(operator, key, "one") == 0)
    assert heard == [candle(1)]
    ((_, dead),) = operator.xrange("tradeagent:dead")
    assert json.loads(dead["m"])["payload"]["time"] == 0
    assert (dead["from"], dead["reason"]) == (key, "delivered 5 times and never handled")
    assert [incident.code for incident in incidents] == ["DEAD_LETTER"]


# -- faults of the server -------------------------------------------------------------------------


async def test_an_emptied_server_loses_nothing_published_after(
    server: Server, operator: redis.Redis
) -> None:
    """After FLUSHALL groups are made again, and even what was there before them arrives,
    although the server's clock was set back."""
    one, two = Station(server.url, "one"), Station(server.url, "two")
    there = two.hear(MarketData, RiskAlert)
    async with running(one, two):
        for number in range(3):
            first = len(there)
            one.bus.publish(candle(number), "data")
            one.bus.publish(alert(str(number)), "risk")
            await until(lambda first=first: len(there) == first + 2)
            at_once = operator.pipeline(transaction=True)
            at_once.flushall()
            for message, key in ((candle(9), "MARKET_DATA"), (alert("9"), "RISK_ALERT")):
                body = {"type": key, "payload": message.model_dump(mode="json")}
                at_once.xadd(f"tradeagent:{key}:0", {"m": json.dumps(body)}, id=f"1-{number + 1}")
            at_once.execute()
            await until(lambda first=first: len(there) == first + 4)
    assert Counter(type(message) for message in there) == {MarketData: 6, RiskAlert: 6}


async def test_a_server_emptied_while_we_were_away_loses_nothing(
    server: Server, operator: redis.Redis
) -> None:
    """A process that returns to a server without its groups reads from the beginning."""
    one = Station(server.url, "one")
    async with running(one):
        one.bus.publish(candle(1), "data")
    two = Station(server.url, "two", epoch=2)
    there = two.hear(MarketData)
    async with running(two):
        await until(lambda: there)
    new = Station(server.url, "new")
    fresh = new.hear(MarketData)
    async with running(one, new):
        one.bus.publish(candle(2), "data")
        await until(lambda: fresh)
    assert there == [candle(1)]
    assert fresh == [candle(2)], "a process that starts for the first time wants no history"


async def test_a_restarted_server_is_found_again(own_server: Server) -> None:
    """While Redis is away trading goes on; lossless messages wait and arrive when it is back."""
    one, two = Station(own_server.url, "one"), Station(own_server.url, "two")
    here, there = one.hear(MarketData), two.hear(MarketData, TickerUpdate)
    async with running(one, two):
        one.bus.publish(candle(0), "data")
        await until(lambda: there == [candle(0)])
        own_server.kill()
        await until(lambda: not one.bus.connected and not two.bus.connected)
        for number in range(1, 101):
            one.bus.publish(candle(number), "data")
            one.bus.publish(ticker(number), "data")
        assert len(here) == 101
        assert one.bus.dropped["outgoing"] == 100, "tickers are not worth keeping"
        own_server.start()
        await until(lambda: one.bus.connected and two.bus.connected, 5)
        await until(lambda: len(there) == 101)
        one.bus.publish(ticker(101), "data")
        await until(lambda: there[-1] == ticker(101))
    assert [message.time for message in there] == list(range(102))


async def test_a_dead_link_is_replaced(server: Server, operator: redis.Redis) -> None:
    """When every connection is cut the bus connects again and nothing lossless is lost."""
    one, two = Station(server.url, "one"), Station(server.url, "two")
    there = two.hear(MarketData)
    async with running(one, two):
        for number in range(5):
            operator.client_kill_filter(_type="normal", skipme=True)
            for place in range(100):
                one.bus.publish(candle(number * 100 + place), "data")
            await until(lambda number=number: len(there) == (number + 1) * 100)
    assert [message.time for message in there] == list(range(500))


async def test_what_a_broken_connection_swallowed_comes_again(
    server: Server, operator: redis.Redis
) -> None:
    """An entry the server has delivered but nobody received is drained after reconnecting."""
    one = Station(server.url, "one")
    heard = one.hear(MarketData, RiskAlert)
    places = (("tradeagent:MARKET_DATA:0", "one"), ("tradeagent:RISK_ALERT:0", "one.one"))
    async with running(one):
        for number in range(2):
            both = operator.pipeline(transaction=True)
            for message, (key, group) in zip(
                (candle(number), alert(str(number))), places, strict=True
            ):
                body = {"type": message.wire, "payload": message.model_dump(mode="json")}
                both.xadd(key, {"m": json.dumps(body)})
                if number == 1:
                    both.xreadgroup(group, "owner", {key: ">"})
            both.execute()
            if number == 1:
                operator.client_kill_filter(_type="normal", skipme=True)
            await until(lambda number=number: len(heard) == 2 * (number + 1))
    assert {repr(message) for message in heard[2:]} == {repr(candle(1)), repr(alert("1"))}


async def test_a_full_server_is_waited_for(server: Server, operator: redis.Redis) -> None:
    """When the server refuses writes for want of memory, messages wait until it takes them."""
    one, two = Station(server.url, "one"), Station(server.url, "two")
    there = two.hear(MarketData)
    async with running(one, two):
        operator.config_set("maxmemory", "1mb")
        try:
            one.bus.publish(candle(1), "data")
            await until(lambda: one.bus.outgoing == 1)
            for _ in range(50):
                await one.clock.sleep(0)
            assert there == []
        finally:
            operator.config_set("maxmemory", "0")
        await until(lambda: there)
    assert there == [candle(1)]


async def test_a_server_that_is_not_there_is_named_with_the_remedy() -> None:
    """Starting without a server fails with one line that says what to do."""
    one = Station("redis://:secretword@127.0.0.1:1/0", "one")
    with pytest.raises(BusUnavailable) as refusal:
        await one.bus.start()
    text = str(refusal.value)
    assert "redis://127.0.0.1:1/0" in text
    assert "--bus memory://" in text
    assert "secretword" not in text
    assert "\n" not in text


async def test_a_server_that_evicts_is_refused(own_server: Server) -> None:
    """A server that may throw streams away to save memory is no bus."""
    with own_server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(BusUnavailable, match="noeviction"):
        await Station(own_server.url, "one").bus.start()


async def test_the_password_is_used(own_server: Server) -> None:
    """A server with a password takes who knows it and nobody else."""
    with own_server.client() as client:
        client.config_set("requirepass", "open sesame")
    with pytest.raises(BusUnavailable, match="NOAUTH"):
        await Station(own_server.url, "one").bus.start()
    url = own_server.url.replace("//", "//:open%20sesame@")
    one = Station(url, "one")
    async with running(one):
        assert one.bus.connected
