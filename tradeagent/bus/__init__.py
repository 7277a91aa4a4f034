"""Buses: how messages travel, chosen by the scheme of a URL."""

from __future__ import annotations

from importlib import import_module

from tradeagent.bus.base import Bus, Host, Recorder
from tradeagent.bus.options import BusOptions
from tradeagent.clock import Clock
from tradeagent.errors import ConfigError

__all__ = ["SCHEMES", "BusOptions", "open_bus"]

SCHEMES = {
    "memory": "tradeagent.bus.memory:open_memory",
    "redis": "tradeagent.bus.redis:RedisBus",
    "rediss": "tradeagent.bus.redis:RedisBus",
    "unix": "tradeagent.bus.redis:RedisBus",
}
"""What makes the bus of each scheme; it takes what `open_bus` takes."""


def open_bus(
    options: BusOptions | str,
    clock: Clock,
    host: Host,
    record: Recorder | None = None,
    epoch: int = 1,
    seq: int = 0,
) -> Bus:
    """Return the bus at a URL, not started yet; raises ConfigError for an unknown scheme."""
    if isinstance(options, str):
        options = BusOptions(options)
    scheme, mark, _ = options.url.partition("://")
    if not mark or scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise ConfigError(f"bus.url: {scheme}:// is no bus; use one of {known}")
    module, _, name = SCHEMES[scheme].partition(":")
    bus: Bus = getattr(import_module(module), name)(options, clock, host, record, epoch, seq)
    return bus
