"""Which stream a message belongs to, and which process of a group owns which shard."""

from __future__ import annotations

import asyncio
from zlib import crc32

from tradeagent.bus.options import BusOptions
from tradeagent.bus.wire import Wire
from tradeagent.messages import Message

LEASE = 3.0
"""Seconds after which the shards of a process that died are free."""
BEAT = 1.0
"""Seconds between renewals."""
BLOCK = 1.0
"""Seconds a read may wait at the server; it must end before the lease does."""

_BEAT = """
local identity, epoch, span = ARGV[1], ARGV[2], tonumber(ARGV[3])
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZADD', KEYS[1], now, identity)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. (now - span))
local fair = math.ceil((#KEYS - 2) / redis.call('ZCARD', KEYS[1]))
local fences, kept = {}, 0
for i = 3, #KEYS do
  fences[i - 2] = 0
  local name, run, fence = string.match(redis.call('GET', KEYS[i]) or '', '^(%S+) (%S+) (%d+)$')
  if name == identity and run == epoch and kept < fair then
    redis.call('PEXPIRE', KEYS[i], span)
    fences[i - 2], kept = tonumber(fence), kept + 1
  end
end
for i = 3, #KEYS do
  local name, run = string.match(redis.call('GET', KEYS[i]) or '', '^(%S+) (%S+)')
  if kept < fair and (not name or (name == identity and run ~= epoch)) then
    local fence = redis.call('INCR', KEYS[2])
    redis.call('SET', KEYS[i], identity .. ' ' .. epoch .. ' ' .. fence, 'PX', span)
    fences[i - 2], kept = fence, kept + 1
  end
end
return fences
"""
_RELEASE = """
redis.call('ZREM', KEYS[1], ARGV[1])
for i = 3, #KEYS do
  local name, run = string.match(redis.call('GET', KEYS[i]) or '', '^(%S+) (%S+)')
  if name == ARGV[1] and run == ARGV[2] then redis.call('DEL', KEYS[i]) end
end
return 1
"""


def shard_of(payload: Message, shards: int) -> int:
    """Return the shard of a message: the CRC-32 of its symbol modulo `shards`, 0 without one."""
    symbol = getattr(payload, "symbol", None)
    return crc32(symbol.encode()) % shards if symbol else 0


class Leases:
    """The shards this process owns for its group: a fair part of them, for as long as it renews.

    Each lease is a key `identity epoch fence` that expires; the fence rises with every change of
    owner. Time is counted from before a renewal was sent, so we never believe longer than the
    server does. A process that has more than its part just stops renewing the rest.
    """

    def __init__(self, options: BusOptions, epoch: int) -> None:
        base = f"{options.namespace}:group:{options.group}"
        self._keys = (
            f"{base}:members",
            f"{base}:fence",
            *(f"{base}:shard:{shard}" for shard in range(options.shards)),
        )
        self._who = (options.identity, str(epoch))
        self._until: dict[int, float] = {}
        self.fences: dict[int, int] = {}

    async def beat(self, wire: Wire) -> None:
        """Renew what is ours and take what is free, up to a fair part."""
        asked = asyncio.get_running_loop().time()
        fences = await wire.call(
            "EVAL", _BEAT, len(self._keys), *self._keys, *self._who, int(LEASE * 1000)
        )
        self.fences = {shard: fence for shard, fence in enumerate(fences) if fence}
        self._until = dict.fromkeys(self.fences, asked + LEASE)

    def owned(self, spare: float = 0.0) -> list[int]:
        """Return the shards that are ours for `spare` more seconds at least."""
        now = asyncio.get_running_loop().time()
        return [shard for shard, until in self._until.items() if until > now + spare]

    async def release(self, wire: Wire) -> None:
        """Give up every shard at once."""
        self._until.clear()
        self.fences.clear()
        await wire.call("EVAL", _RELEASE, len(self._keys), *self._keys, *self._who)
