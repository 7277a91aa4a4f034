"""Trade on Hyperliquid: the Exchange port over REST and one WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from tradeagent.clock import MILLISECOND, Clock
from tradeagent.errors import OrderRefused, VenueUnavailable
from tradeagent.integrations.base import Unsubscribe, VenueEvent
from tradeagent.integrations.hyperliquid import passport
from tradeagent.integrations.hyperliquid.account import AccountNews
from tradeagent.integrations.hyperliquid.channels import Mids
from tradeagent.integrations.hyperliquid.condition import ORDERS, POST_ONLY, STREAM, Condition
from tradeagent.integrations.hyperliquid.desk import Desk
from tradeagent.integrations.hyperliquid.fills import FillNews
from tradeagent.integrations.hyperliquid.inquiries import Inquiries, Spawn
from tradeagent.integrations.hyperliquid.market import Market
from tradeagent.integrations.hyperliquid.nonces import Nonces
from tradeagent.integrations.hyperliquid.outcomes import done
from tradeagent.integrations.hyperliquid.questions import AccountQuestions, MarketQuestions
from tradeagent.integrations.hyperliquid.reports import (
    account_of,
    in_order,
    is_imposed,
    order_of,
    payment_of,
    positions_of,
)
from tradeagent.integrations.hyperliquid.rest import Rest
from tradeagent.integrations.hyperliquid.sender import Sender
from tradeagent.integrations.hyperliquid.settings import Credentials, HyperliquidSettings
from tradeagent.integrations.hyperliquid.sightings import Sightings
from tradeagent.integrations.hyperliquid.signing import Signer
from tradeagent.integrations.hyperliquid.standings import Standings
from tradeagent.integrations.hyperliquid.stream import Stream
from tradeagent.integrations.hyperliquid.timing import ASLEEP, VenueTime, within
from tradeagent.integrations.hyperliquid.upkeep import POLLED, Rounds, Upkeep
from tradeagent.log import log
from tradeagent.messages import (
    AccountUpdate,
    ExecutionReport,
    FundingPayment,
    Holding,
    InstrumentUpdate,
    Order,
    PositionUpdate,
    Submission,
    VenueStatement,
)

NONCES = "nonces"
HOUR = 3_600.0
AWAKE = 1.0
"""How often it is looked whether this machine has slept, in seconds."""
OVERLAP = 60_000
"""How far before the loss of the line old fills of a snapshot are told again, ms."""
ACCOUNT_CHANNELS = ("orderUpdates", "userFills", "userFundings", "userEvents")


class HyperliquidExchange:
    """An account on Hyperliquid, traded by an agent's key.

    What the streams tell is delivered as it comes, each fill once. After each loss of the line
    VenueStatus says `down`, then `up`: what was missed must be asked for then. Silence is never
    taken for an answer, and an answer nobody has told us of is none.
    """

    remote = True

    def __init__(
        self,
        settings: HyperliquidSettings,
        credentials: Credentials,
        clock: Clock,
        spawn: Spawn,
        state: Path | None = None,
    ) -> None:
        """Own tasks through `spawn`; keep the last nonce in the folder `state`."""
        self._settings = settings
        self._clock = clock
        self._spawn = spawn
        self._account = account = credentials.account
        self.time = VenueTime(clock)
        self._rest = Rest(settings, clock)
        signer = Signer(credentials.key, mainnet=settings.network == "mainnet")
        path = None if state is None else state / f"{NONCES}-{signer.address}"
        self._nonces = Nonces(clock, self.time, path)
        self._sender = Sender(settings, clock, self._rest, signer, self._nonces, self.time)
        self._listeners: list[Callable[[VenueEvent], None]] = []
        self._rounds = Rounds(clock, spawn)
        self._market = Market(settings, clock)
        self._questions = AccountQuestions(self._rest, account, self.time, settings.answers_within)
        self._stream = Stream(settings, clock, self._hear, self._changed)
        inquiries, sightings = Inquiries(clock, spawn, self._stream.reopen), Sightings()
        self._fills = FillNews(self._questions, sightings, inquiries, self._tell)
        self._orders = Standings(
            self._questions, clock, self._fills, sightings, self._tell, settings.fills_within
        )
        self._news = AccountNews(self._fills, self._orders, inquiries, self._tell)
        self.time.woken = self._woken
        self._condition = Condition(clock, self._tell)
        self._desk = Desk(
            settings, clock, self._market, self._sender, self._orders, self._condition
        )
        self._venue = MarketQuestions(self._rest, self.time)
        self._upkeep = Upkeep(
            clock, self._venue, self._questions, self._market, self._sender.actions, self._tell
        )
        self._approval = passport.Approval(
            self._questions, signer.address, self.time, self._condition
        )
        self._refused_schedule = self._cut = False
        self._listen_for(account)

    def _listen_for(self, account: str) -> None:
        for channel in ACCOUNT_CHANNELS:
            self._stream.watch({"type": channel, "user": account})
        self._stream.watch({"type": "allMids"}, self._settings.mids_within)

    # -- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect, and learn who we are, what is listed and what is left of the budget.

        Raises VenueUnavailable, OperatorError for a key or account that cannot trade, and
        StateError when the last nonce cannot be kept.
        """
        upkeep, settings = self._upkeep, self._settings
        self._nonces.open()
        self._rest.open()
        await upkeep.measure()
        own_key = settings.network == "local"
        await passport.check(self._questions, self._sender.signer, own_key=own_key)
        await self._approval.begin()
        await upkeep.list()
        await upkeep.poll()
        if not self._rounds.running:
            self._fills.started = self._news.since = self.time.now() // MILLISECOND
            self._rounds.start(self._stream.run(), "stream")
            self._rounds.every(settings.measure_every, self._measure, "measure")
            self._rounds.every(settings.listing_every, self._list, "listing")
            self._rounds.every(AWAKE, self._wake, "awake")
            self._rounds.every(HOUR, self._approval.look, "agent")
            self._rounds.every(POLLED, upkeep.poll, "prices")
        try:
            async with within(self._clock, 2 * settings.ack_within):
                await self._stream.up()
        except TimeoutError:
            raise VenueUnavailable(self._condition.status.reason) from None

    async def close(self) -> None:
        """Disconnect; orders stay where they are."""
        await self._rounds.end()
        await self._rest.close()
        self._nonces.close()

    def subscribe(self, deliver: Callable[[VenueEvent], None]) -> Unsubscribe:
        """Hand every later report, and news of the venue itself, to `deliver`."""
        self._listeners.append(deliver)
        return lambda: self._listeners.remove(deliver)

    # -- orders -----------------------------------------------------------------------------------

    def prepare(self, order: Order) -> Submission | None:
        """Return the signed request for `order`; a market order is priced from a fresh middle.

        Raises OrderRefused for what is not listed or off the grid, VenueUnavailable before the
        start and without a price.
        """
        return self._desk.prepare(order)

    async def place_order(
        self, order: Order, submission: Submission | None = None
    ) -> ExecutionReport:
        """Place `order`: OPEN, PARTIAL, FILLED, CANCELED when it cannot match at once, REJECTED.

        Fills are delivered as the venue tells them, perhaps after the answer; those of an order
        that ended at once in part before it.
        """
        return await self._desk.send(order, submission)

    async def cancel_order(self, symbol: str, cloid: str) -> ExecutionReport:
        """Cancel one order; its fills are delivered before the answer that it has ended."""
        return await self._desk.cancel(symbol, cloid)

    async def modify_order(
        self, cloid: str, order: Order, submission: Submission | None = None
    ) -> ExecutionReport:
        """Replace the resting order `cloid` by `order`, which loses its place in the queue."""
        return await self._desk.modify(cloid, order, submission)

    async def get_order_status(self, symbol: str, cloid: str) -> ExecutionReport | None:
        """Return how an order stands, None when the venue does not know it.

        None is no proof while a request may still arrive, nor from a node that lags: the time of
        `get_account_info` tells how far the venue's answers have come.
        """
        report = await self._orders.status(cloid)
        return report if report is not None and report.symbol == symbol else None

    async def schedule_cancel(self, time: int | None) -> bool:
        """Let the venue cancel all orders at `time` (UTC ns), None for never.

        False where the venue refuses, as it does below a traded volume; that is logged once.
        """
        action: dict[str, object] = {"type": "scheduleCancel"}
        if time is not None:
            action["time"] = time // MILLISECOND
        signed = self._sender.sign(action, self._settings.ioc_expiry)
        try:
            done(await self._sender.post(signed.body), again=False)
        except OrderRefused as refusal:
            if not self._refused_schedule:
                log.warning("hyperliquid schedules no cancel: {}", refusal)
            self._refused_schedule = True
            return False
        return True

    # -- the account ------------------------------------------------------------------------------

    async def get_market_data(self) -> Sequence[InstrumentUpdate]:
        """Return what the venue lists and on what grid."""
        return self._market.listing.instruments

    async def get_open_orders(self) -> Sequence[Order]:
        """Return every resting order of the account; one without a cloid has its number for it."""
        listing = self._market.listing
        shown = await self._questions.open_orders()
        return [order_of(one, listing.find(one.coin)) for one in shown]

    async def get_fills(self, since: int) -> Sequence[ExecutionReport]:
        """Return every fill since `since` (UTC ns), oldest first, each once."""
        fills = in_order(await self._questions.fills(since // MILLISECOND))
        reports: list[ExecutionReport] = []
        for imposed, group in groupby(fills, lambda one: is_imposed(one, self._account)):
            if imposed:
                reports += self._fills.imposed(list(group))
            else:
                reports += [await self._fills.identified(fill) for fill in group]
        return reports

    async def get_funding(self, since: int) -> Sequence[FundingPayment]:
        """Return every funding payment since `since` (UTC ns), oldest first, each once."""
        paid = await self._questions.funding(since // MILLISECOND)
        return [payment_of(one.delta, one.time) for one in sorted(paid, key=lambda one: one.time)]

    async def get_account_info(self) -> AccountUpdate:
        """Return balance, equity and margin; its time is that of the venue's answer."""
        return account_of(await self._questions.state(), self._market.listing)

    async def get_positions(self) -> Sequence[PositionUpdate]:
        """Return every position that is not flat, at the time of the venue's answer."""
        return positions_of(await self._questions.state())

    async def get_statement(self) -> VenueStatement:
        """Return what rests, and then what is held and worth, both of one answer."""
        asked, listing = self._clock.now(), self._market.listing
        orders = tuple(await self.get_open_orders())
        state = await self._questions.state()
        account = account_of(state, listing)
        holdings = tuple(
            Holding(symbol=one.symbol, size=one.size, entry_price=one.entry_price)
            for one in positions_of(state)
        )
        return VenueStatement(
            asked=asked,
            time=account.time,
            holdings=holdings,
            orders=orders,
            account=account,
            cash=state.margin_summary.total_raw_usd,
        )

    # -- what the streams say ---------------------------------------------------------------------

    def _hear(self, _: str, data: object) -> None:
        if isinstance(data, Mids):
            self._market.price(data.mids)
        else:
            self._news.hear(data)

    def _woken(self) -> None:
        """Take the line for lost, and what it told for old: this machine has slept."""
        self._market.forget()
        self._stream.reopen(ASLEEP)

    def _changed(self, up: bool, reason: str) -> None:
        """Tell that the line was lost or is there again; from a loss on, fills are told again.

        The venue's time is looked at again too: a machine that has slept carried it on too slowly.
        """
        if up:
            self._condition.connected()
            if self._cut:
                self._spawn(self._sight(), "hyperliquid.time")
            return
        self._cut = True
        if self._condition.status.state != "down":
            self._news.since = self.time.now() // MILLISECOND - OVERLAP
        self._condition.trouble(STREAM, "down", reason)

    def _tell(self, event: VenueEvent) -> None:
        for deliver in tuple(self._listeners):
            deliver(event)

    async def _sight(self) -> None:
        with suppress(VenueUnavailable):
            await self._venue.time()

    async def _wake(self) -> None:
        """Look whether this machine has slept; if so, learn the venue's time at once."""
        if not self.time.is_known:
            await self._venue.time()

    async def _list(self) -> None:
        """Learn what is listed, and tell what is no more what it was."""
        before = {one.symbol: one for one in self._market.listing.instruments}
        await self._upkeep.list()
        for one in self._market.listing.instruments:
            if before.get(one.symbol) != one:
                self._tell(one)

    async def _measure(self) -> None:
        """Look at time and budget, and let orders be tried again that were left alone before."""
        self._condition.over(POST_ONLY)
        self._condition.over(ORDERS)
        self._approval.judge()
        await self._upkeep.measure()
