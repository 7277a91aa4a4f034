"""What Risk tells of locks and of what it could not do."""

from __future__ import annotations

from tradeagent.clock import SECOND
from tradeagent.messages import RiskAlert, Severity
from tradeagent.quant.protections import Lock


def locked(lock: Lock) -> RiskAlert:
    """Return that a lock was set, and until when it holds."""
    return RiskAlert(
        code=lock.code,
        severity=Severity.WARNING,
        scope=lock.scope,
        until=lock.until,
        evidence=f"{lock.scope} opens nothing new: {lock.text}",
    )


def warning(code: str, text: str) -> RiskAlert:
    """Return what an operator should know and nothing follows from."""
    return RiskAlert(code=code, severity=Severity.WARNING, evidence=text)


def not_flat(patience: int) -> RiskAlert:
    """Return that positions could not be closed within `patience` ns, which halts."""
    text = f"the account is not flat after {patience / SECOND:g} s"
    return RiskAlert(code="NOT_FLAT", severity=Severity.CRITICAL, evidence=text)
