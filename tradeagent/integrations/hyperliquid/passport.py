"""Make sure that the key may trade for the account, for how long, and that it can be read."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from tradeagent.clock import MILLISECOND, SECOND
from tradeagent.errors import OperatorError, VenueUnavailable
from tradeagent.integrations.hyperliquid.condition import AGENT, Condition
from tradeagent.integrations.hyperliquid.questions import AccountQuestions
from tradeagent.integrations.hyperliquid.timing import VenueTime
from tradeagent.log import log

WHERE = "https://app.hyperliquid.xyz/API"
UNREADABLE = ("unifiedAccount", "portfolioMargin")
"""Ways of keeping balances in which the perpetuals' account does not show what there is."""
KEY, ACCOUNT = "HYPERLIQUID_PRIVATE_KEY", "HYPERLIQUID_ACCOUNT_ADDRESS"

DAY = 86_400 * SECOND
SOON = 7 * DAY
"""How long before an approval ends that is told every day, ns."""
TWICE = 2
"""How many answers in a row must lack the agent: one may come from a node that lags."""


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
            "give the key of one that is; an approval ends after some months"
        )
    mode = await questions.abstraction()
    if mode in UNREADABLE:
        raise OperatorError(
            f"{ACCOUNT}: {account} keeps its balances as {mode}, which cannot be read yet; switch "
            "it to separate spot and perpetual balances"
        )


class Approval:
    """Until when the account's approval of the agent holds, as far as the venue tells.

    It tells so of agents that have a name.
    """

    def __init__(
        self, questions: AccountQuestions, signer: str, time: VenueTime, condition: Condition
    ) -> None:
        self._questions = questions
        self._signer = signer
        self._time = time
        self._condition = condition
        self._until: int | None = None
        self._listed = False
        self._missed = 0
        self._told = -1
        """How many days were left when the last warning was given."""

    async def begin(self) -> None:
        """Learn it, if the venue tells; raises OperatorError when it has ended."""
        with suppress(VenueUnavailable):
            await self.look()
        if self._has_ended:
            raise OperatorError(f"{KEY}: {self._reason}")

    async def look(self) -> None:
        """Ask until when it holds, and warn in the last week; raises VenueUnavailable."""
        agents = await self._questions.agents()
        ends = [one.valid_until for one in agents if one.address.lower() == self._signer]
        if ends:
            self._listed, self._missed = True, 0
            until = max((one * MILLISECOND for one in ends if one is not None), default=None)
            self._until = None if None in ends else until
        elif self._listed:  # the venue drops what has ended, or was taken back
            self._missed += 1
            if self._missed >= TWICE:
                self._until = min(self._until or self._time.now(), self._time.now())
        self.judge()
        left = (self._until or 0) - self._time.now()
        if 0 < left <= SOON and left // DAY != self._told:
            self._told = left // DAY
            log.warning(
                "the approval of agent {} ends on {}; approve another at {} before",
                self._signer,
                self._date,
                WHERE,
            )

    def judge(self) -> None:
        """Tell the venue degraded once the approval has ended, by what is known."""
        if self._has_ended:
            self._condition.trouble(AGENT, "degraded", self._reason)
        else:
            self._condition.over(AGENT)

    @property
    def _has_ended(self) -> bool:
        return self._until is not None and self._until <= self._time.now()

    @property
    def _reason(self) -> str:
        return (
            f"the approval of agent {self._signer} has ended on {self._date}; approve another at "
            f"{WHERE} and give its key"
        )

    @property
    def _date(self) -> str:
        at = datetime.fromtimestamp((self._until or 0) // SECOND, UTC)
        return f"{at:%Y-%m-%d %H:%M} UTC"
