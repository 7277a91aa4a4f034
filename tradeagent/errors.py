"""Every error of ours, by what the catcher must do.

TradeAgentError
├── OperatorError          show the text to the operator; nothing else helps
│   ├── ConfigError        a setting is wrong: file, key and remedy
│   ├── DataError          a market data file is missing or malformed
│   ├── StateError         a state directory is locked, corrupt or another's
│   └── CommandError       a command cannot be carried out as given
├── TransientError         retry with backoff; nothing is known to be wrong
│   ├── BusUnavailable     the transport is away
│   ├── VenueUnavailable   the venue did not answer; the outcome is unknown
│   └── NotSent            the request never left; nothing can have come of it
├── BrokenRun              an exception in a strategy or an agent ended a simulation
├── OrderRefused           the venue refused this one order, for certain
└── IntegrityError         stop increasing exposure: what we believe is not so
    ├── JournalError       the journal cannot be written, read or trusted
    │   └── Fenced         another process has taken over: nothing may leave any more
    ├── IllegalTransition  an order moved in a way no order can
    ├── Overflow           a lossless inbox reached its cap
    └── Runaway            messages cause messages without end
"""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from pathlib import Path

LIBRARIES = tuple(
    os.path.join(place, "")
    for place in {str(Path(__file__).parent), *sysconfig.get_paths().values(), sys.prefix}
)
"""Where code lies that no user wrote."""


class TradeAgentError(Exception):
    """The root of every error this package raises on purpose."""


class OperatorError(TradeAgentError):
    """Something only the operator can put right."""

    exit_status = 1


class ConfigError(OperatorError):
    """A configuration that cannot be used; one line for each mistake."""

    exit_status = 2

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class DataError(OperatorError):
    """A market data file that is missing or malformed."""


class StateError(OperatorError):
    """A state directory that is locked, corrupt or belongs to something else."""


class LockedError(StateError):
    """Another daemon owns the state directory."""

    exit_status = 73


class CommandError(OperatorError):
    """A command that cannot be carried out as given."""


class TransientError(TradeAgentError):
    """A fault that time may heal."""


class BusUnavailable(TransientError):
    """The message transport is away."""


class VenueUnavailable(TransientError):
    """The venue gave no answer that proves an outcome."""


class NotSent(TransientError):
    """A request that never left."""


class BrokenRun(TradeAgentError):
    """A simulation that an exception in a strategy or an agent ended."""


class OrderRefused(TradeAgentError):
    """A structured refusal of one order by the venue."""


class IntegrityError(TradeAgentError):
    """A broken belief; increases must stop."""


class JournalError(IntegrityError):
    """A journal that cannot be written, read or trusted."""


class Fenced(JournalError):
    """Another process has taken over the store, and with it the account."""

    exit_status = 73


class IllegalTransition(IntegrityError):
    """A move the order state machine does not know."""


class Overflow(IntegrityError):
    """A lossless inbox at its cap."""


class Runaway(IntegrityError):
    """A chain of messages that does not end."""


def fault(error: BaseException) -> str:
    """Return in one line where in the user's own code an exception came from, and what it is."""
    text = " ".join(f"{type(error).__name__}: {error}".rstrip(": ").split())
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if not one.filename.startswith((*LIBRARIES, "<"))]
    return f"{own[-1].filename}:{own[-1].lineno}: {text}" if own else text
