"""An asyncio crypto trading daemon of small agents that talk only through typed messages."""

__version__ = "0.1.0"
