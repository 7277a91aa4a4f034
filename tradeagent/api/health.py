"""/metrics, /livez and /readyz, on loopback."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import accumulate

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

import tradeagent
from tradeagent.api.readiness import alive, lag, obstacles
from tradeagent.app import Daemon
from tradeagent.bus.memory import MemoryBus
from tradeagent.bus.routes import BOUNDS
from tradeagent.clock import SECOND
from tradeagent.errors import ConfigError
from tradeagent.log import log
from tradeagent.messages import AgentState, TradingMode
from tradeagent.supervisor.memory import resident_bytes

MODES = tuple(TradingMode)
EDGES = (*(str(bound / SECOND) for bound in BOUNDS), "+Inf")


class DaemonCollector(Collector):
    """Reads the daemon's plain counters when a scrape asks for them."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def collect(self) -> Iterable[Metric]:
        """Yield every metric of docs/operating.md."""
        yield InfoMetricFamily(
            "tradeagent_build",
            "The version and profile that run.",
            {"version": tradeagent.__version__, "profile": self._daemon.plan.settings.profile},
        )
        yield from self._agents()
        yield from self._bus()
        yield from self._venue()
        yield from self._trading()
        yield from self._money()
        yield from self._process()

    def _agents(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("tradeagent_agent_up", "1 while an agent runs.", labels=["agent"])
        depth = GaugeMetricFamily(
            "tradeagent_bus_queue_depth", "Messages that wait for an agent.", labels=["agent"]
        )
        errors = CounterMetricFamily(
            "tradeagent_agent_errors", "Errors an agent made.", labels=["agent", "kind"]
        )
        for name, life in self._daemon.supervisor.lives.items():
            up.add_metric([name], float(life.agent.state is AgentState.RUNNING))
            depth.add_metric([name], len(life.inlet.inbox))
            for kind, count in life.errors.items():
                errors.add_metric([name, kind], count)
        return up, depth, errors

    def _bus(self) -> Iterable[Metric]:
        bus = self._daemon.bus
        assert isinstance(bus, MemoryBus)
        messages = CounterMetricFamily(
            "tradeagent_bus_messages", "Messages handed to an agent.", labels=["type", "agent"]
        )
        dropped = CounterMetricFamily(
            "tradeagent_bus_dropped", "Messages dropped, by reason.", labels=["reason"]
        )
        handling = HistogramMetricFamily(
            "tradeagent_message_handling_seconds",
            "Time a handler takes; one message in 64 is measured.",
            labels=["agent"],
        )
        spent: Counter[str] = Counter()
        spread: dict[str, list[int]] = {}
        bus.routes.tell()
        for (agent, kind), route in bus.routes.measured.items():
            messages.add_metric([kind, agent], route.count)
            spent[agent] += route.nanoseconds
            known = spread.setdefault(agent, [0] * len(route.spread))
            spread[agent] = [sum(pair) for pair in zip(known, route.spread, strict=True)]
        for agent, counts in spread.items():
            buckets = zip(EDGES, accumulate(counts), strict=True)
            handling.add_metric([agent], [*buckets], spent[agent] / SECOND)
        for reason, number in bus.dropped.items():
            dropped.add_metric([reason], number)
        return messages, dropped, handling

    def _venue(self) -> Iterable[Metric]:
        tally = self._daemon.tally
        up = GaugeMetricFamily(
            "tradeagent_venue_up", "1 while the venue can be relied on.", not tally.line.trouble
        )
        left = GaugeMetricFamily(
            "tradeagent_rate_limit_remaining", "Actions that the venue still allows the account."
        )
        if tally.line.actions_left is not None:
            left.add_metric([], tally.line.actions_left)
        differed = CounterMetricFamily(
            "tradeagent_reconcile_mismatches",
            "How often the venue told what our books did not.",
            tally.mismatches,
        )
        return up, left, differed

    def _trading(self) -> Iterable[Metric]:
        tally = self._daemon.tally
        orders = CounterMetricFamily(
            "tradeagent_orders", "Orders by the status they reached.", labels=["status", "side"]
        )
        for (status, side), count in tally.order_states.items():
            orders.add_metric([status, side], count)
        refused = CounterMetricFamily(
            "tradeagent_risk_rejections", "Requests refused, by rule.", labels=["rule"]
        )
        for rule, count in tally.rejections.items():
            refused.add_metric([rule], count)
        alerts = CounterMetricFamily(
            "tradeagent_risk_alerts", "Risk alerts.", labels=["rule", "severity"]
        )
        for (rule, severity), count in tally.alerts.items():
            alerts.add_metric([rule, severity], count)
        incidents = GaugeMetricFamily(
            "tradeagent_incidents_open", "Incidents of this run.", labels=["severity"]
        )
        for severity, count in tally.incidents.items():
            incidents.add_metric([severity], count)
        state = GaugeMetricFamily(
            "tradeagent_trading_state", "1 for the trading state in force.", labels=["state"]
        )
        for mode in MODES:
            state.add_metric([mode.value], float(mode is tally.mode))
        decided = GaugeMetricFamily(
            "tradeagent_last_decision_timestamp_seconds",
            "When a strategy last signalled.",
            labels=["agent"],
        )
        for strategy, when in tally.decided.items():
            decided.add_metric([strategy], when / SECOND)
        return orders, refused, alerts, incidents, state, decided

    def _money(self) -> Iterable[Metric]:
        tally, clock = self._daemon.tally, self._daemon.clock
        age = GaugeMetricFamily(
            "tradeagent_data_age_seconds", "Age of the newest price.", labels=["symbol"]
        )
        for symbol, (_, when) in tally.marks.items():
            age.add_metric([symbol], max(0.0, (clock.now() - when) / SECOND))
        yield age
        account = tally.account
        if account is None:
            return
        equity, peak = float(account.equity), float(tally.peak)
        gross = sum(
            abs(float(held.size)) * tally.marks.get(symbol, (0.0, 0))[0]
            for symbol, held in tally.positions.items()
        )
        pnl = equity - float(tally.day_open)
        yield GaugeMetricFamily("tradeagent_equity", "Equity in quote currency.", value=equity)
        yield GaugeMetricFamily(
            "tradeagent_drawdown_ratio",
            "Loss from the peak.",
            value=1 - equity / peak if peak else 0,
        )
        yield GaugeMetricFamily("tradeagent_daily_pnl", "Result of the UTC day.", value=pnl)
        yield GaugeMetricFamily(
            "tradeagent_exposure_ratio", "Gross over equity.", value=gross / equity if equity else 0
        )

    def _process(self) -> Iterable[Metric]:
        daemon = self._daemon
        yield GaugeMetricFamily(
            "tradeagent_loop_lag_seconds", "How late the event loop is.", value=lag(daemon)
        )
        yield GaugeMetricFamily(
            "tradeagent_journal_backlog", "Rows to be written.", value=daemon.store.journal.backlog
        )
        yield GaugeMetricFamily(
            "tradeagent_resident_memory_bytes", "Memory in use.", value=resident_bytes()
        )


def make_app(daemon: Daemon) -> web.Application:
    """Return the application that answers scrapes and probes."""
    registry = CollectorRegistry()
    registry.register(DaemonCollector(daemon))

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    async def livez(_: web.Request) -> web.Response:
        fine = alive(daemon)
        return web.json_response({"alive": fine}, status=200 if fine else 503)

    async def readyz(_: web.Request) -> web.Response:
        reasons = obstacles(daemon)
        body = {
            "ready": not reasons,
            "reasons": list(reasons),
            "trading_state": daemon.tally.mode.value,
        }
        return web.json_response(body, status=503 if reasons else 200)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    return app


@asynccontextmanager
async def serve(daemon: Daemon) -> AsyncIterator[None]:
    """Serve on the configured address; a simulated run has nobody to serve."""
    api = daemon.plan.settings.api
    if not api.enabled or daemon.clock.simulated:
        yield
        return
    runner = web.AppRunner(make_app(daemon), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, api.host, api.port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(
            f"api.port: {api.host}:{api.port} cannot be used ({error.strerror}); "
            "set TRADEAGENT__API__PORT to a free port, or to 0 for any"
        ) from error
    for host, port, *_ in runner.addresses:
        log.bind(agent="api").info("metrics and health on http://{}:{}", host, port)
    try:
        yield
    finally:
        await runner.cleanup()
