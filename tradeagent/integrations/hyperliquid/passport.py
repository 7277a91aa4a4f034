"""Make sure that the key may trade for the account, and that the account can be read."""

from __future__ import annotations

from tradeagent.errors import OperatorError
from tradeagent.integrations.hyperliquid.questions import AccountQuestions

WHERE = "https://app.hyperliquid.xyz/API"
UNREADABLE = ("unifiedAccount", "portfolioMargin")
"""Ways of keeping balances in which the perpetuals' account does not show what there is."""
KEY, ACCOUNT = "HYPERLIQUID_PRIVATE_KEY", "HYPERLIQUID_ACCOUNT_ADDRESS"


async def check(questions: AccountQuestions, signer: str, *, own_key: bool) -> None:
    """Raise OperatorError unless `signer` is an agent of the account, which keeps its own margin.

    With `own_key` the account may sign for itself. Raises VenueUnavailable without an answer.
    """
    account = questions.account
    role = await questions.role(signer)
    master = (role.data.user or "").lower() if role.data is not None else ""
    if role.role == "agent" and signer == account:
        raise OperatorError(
            f"{ACCOUNT}: {account} is an agent's address, of which the venue answers nothing; "
            f"set it to the account that approved it, {master}"
        )
    if role.role == "agent" and master != account:
        raise OperatorError(
            f"{KEY}: it is an agent of {master}, not of {account}; set {ACCOUNT} to {master} or "
            "give the key of another agent"
        )
    if signer == account and not own_key:
        raise OperatorError(
            f"{KEY}: it is the account's own key, which could withdraw; approve an agent at "
            f"{WHERE} and give its key"
        )
    if role.role != "agent" and signer != account:
        raise OperatorError(
            f"{KEY}: the venue knows no agent {signer}; approve it for {account} at {WHERE}, or "
            "give the key of one that is"
        )
    mode = await questions.abstraction()
    if mode in UNREADABLE:
        raise OperatorError(
            f"{ACCOUNT}: {account} keeps its balances as {mode}, which cannot be read yet; switch "
            "it to separate spot and perpetual balances"
        )
