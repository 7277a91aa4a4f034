"""Strategies whose processes die, or wait until somebody ends them."""

from __future__ import annotations

import os
import signal
from multiprocessing import parent_process

from tradeagent.strategies.sma_cross import SmaCross

PIPE = "TESTED_PIPE"
"""The variable that names a pipe: what waits keeps it open."""


class Mortal(SmaCross):
    """Ends its process, where that is one of several, if its fast average is 8."""

    def prepare(self) -> None:
        """End, as the system ends what takes too much memory."""
        if self.params.fast == 8 and parent_process() is not None:
            os._exit(9)
        super().prepare()


class Waiting(SmaCross):
    """Never comes to an end in a process of its own."""

    def prepare(self) -> None:
        """Wait."""
        if parent_process() is not None:
            os.write(os.open(os.environ[PIPE], os.O_WRONLY), b"!")
            while True:
                signal.pause()
        super().prepare()
