"""Logs: console for people, JSON lines for collectors; secrets never pass."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, TextIO

from loguru import logger

if TYPE_CHECKING:
    from loguru import Record

log = logger
"""Where everything is logged; bind `agent` and `trace` to it."""

HIDDEN = "***"
_SECRETS: set[str] = set()
_PATTERNS = re.compile(
    r"(?i)((?:secret|password|passwd|token|api[_-]?key|private[_-]?key|authorization)"
    r"[\"']?\s*[=:]\s*[\"']?)([^\s\"',}]+)|\b(0x[0-9a-f]{64})\b|\b(AGE-SECRET-KEY-1[A-Z0-9]+)"
)


def hide(secret: str) -> None:
    """Keep `secret` out of every later log line; texts under 4 characters are no secrets."""
    if len(secret) >= 4:
        _SECRETS.add(secret)


def redact(text: str) -> str:
    """Return `text` with secrets, and what looks like one, replaced."""
    for secret in _SECRETS:
        text = text.replace(secret, HIDDEN)
    return _PATTERNS.sub(lambda found: (found[1] or "") + HIDDEN, text)


def setup(style: str = "console", level: str = "INFO", sink: TextIO | None = None) -> None:
    """Log to `sink` (standard error by default) as `console` or `json`, from `level` up."""
    out = sink if sink is not None else sys.stderr
    logger.remove()

    def write(message: str) -> None:
        record: Record = message.record  # type: ignore[attr-defined]
        text = redact(_json(record) if style == "json" else _line(record))
        out.write(text + "\n")
        out.flush()

    logger.add(write, level=level, format="{message}", diagnose=False, backtrace=False)


def _line(record: Record) -> str:
    agent = record["extra"].get("agent", "-")
    trace = record["extra"].get("trace")
    head = f"{record['time']:%H:%M:%S.%f}"[:-3]
    line = f"{head} {record['level'].name:<8} {agent:<10} {_escape(record['message'])}"
    if trace is not None:
        line += f" [trace {trace}]"
    return line + _traceback(record)


def _json(record: Record) -> str:
    entry = {
        "time": record["time"].isoformat(),
        "level": record["level"].name,
        "message": record["message"],
        **{key: _plain(value) for key, value in record["extra"].items()},
    }
    if trace := _traceback(record):
        entry["exception"] = trace.strip()
    return json.dumps(entry)


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _escape(text: str) -> str:
    """Show control characters instead of obeying them, so that no log line can be forged."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _traceback(record: Record) -> str:
    caught = record["exception"]
    if caught is None or caught.value is None:
        return ""
    import traceback

    lines = traceback.format_exception(caught.type, caught.value, caught.traceback)
    return "\n" + "".join(lines).rstrip()
