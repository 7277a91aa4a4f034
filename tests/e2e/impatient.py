"""A daemon whose supervisor waits for seconds where ours waits for a minute.

Usage: MEMORY_MB=200 python -m tests.e2e.impatient [OPTIONS]      (options as of `tradeagent run`)
"""

from __future__ import annotations

import os
from functools import partial

from tradeagent import app
from tradeagent.__main__ import main
from tradeagent.supervisor import Patience, Supervisor

PATIENCE = Patience(
    backoff=(0.1,), heartbeat=0.1, look=0.1, silent=0.5, stuck=1.0, late=0.5, dead=1.5
)

if __name__ == "__main__":
    app.Supervisor = partial(  # type: ignore[misc, assignment]
        Supervisor, patience=PATIENCE, memory_limit=int(os.environ["MEMORY_MB"]) << 20
    )
    main()
