"""What is known of the line to a remote venue: whether it can be relied on, and what is left."""

from __future__ import annotations

from tradeagent.messages import VenueBudget, VenueStatement, VenueStatus

CATCHING_UP = "the venue is back; what happened meanwhile is not known yet"


class Line:
    """Tells why nothing new may be opened now, if that is so.

    A venue that is back is relied on once it has stated the account.
    """

    def __init__(self) -> None:
        """Trust a venue that never says how it is: it is in this process."""
        self.trouble = ""
        self.actions_left: int | None = None
        self._up = True

    def status(self, status: VenueStatus) -> None:
        """Take in whether the venue can be reached."""
        self._up = status.state == "up"
        away = "is away" if status.state == "down" else "takes no new risk"
        self.trouble = CATCHING_UP if self._up else f"the venue {away}: {status.reason}"

    def statement(self, _: VenueStatement) -> None:
        """Take in that the venue has stated the account."""
        if self._up:
            self.trouble = ""

    def budget(self, budget: VenueBudget) -> None:
        """Take in how many actions the venue still allows."""
        self.actions_left = budget.allowed - budget.used
