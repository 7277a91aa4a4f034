"""The ways from message classes to subscribers, worked out once and measured as they are used."""

from __future__ import annotations

from bisect import bisect_left

from tradeagent.bus.base import Handler, SlowHandler, Subscriber, Unsubscribe
from tradeagent.messages import Delivery, Message, Timer

BOUNDS = tuple(int(us * 1_000) for us in (10, 50, 100, 500, 1e3, 5e3, 25e3, 100e3, 1e6))
"""Bounds of the histogram of handling times, ns."""
KEPT = (Delivery.LOSSLESS, Delivery.URGENT)


class Route:
    """The way from one message class to one subscriber, with what it cost so far."""

    __slots__ = ("count", "handler", "nanoseconds", "slow", "spread", "subscriber")

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber
        self.handler: Handler | None = None
        self.slow: SlowHandler | None = None
        self.count = 0
        self.nanoseconds = 0
        self.spread = [0] * (len(BOUNDS) + 1)
        """How many of the measured deliveries took up to each of BOUNDS, and longer."""

    def measure(self, nanoseconds: int) -> None:
        """Note what one delivery took."""
        self.nanoseconds += nanoseconds
        self.spread[bisect_left(BOUNDS, nanoseconds)] += 1

    def aim(self, kind: type[Message]) -> None:
        """Take the handlers that the subscriber has for `kind` now."""
        handlers = self.subscriber.handlers
        self.handler = handlers.get(kind, handlers.get(Message))
        self.slow = self.subscriber.slow.get(kind)


class Plan:
    """All routes of one message class, and whether its messages are recorded.

    `steps` are the same routes with what a delivery needs at hand, and `count` is how many messages
    went by them since their routes were told.
    """

    __slots__ = ("count", "expires", "recorded", "routes", "steps")

    def __init__(self, kind: type[Message], routes: tuple[Route, ...]) -> None:
        self.routes = routes
        self.steps = tuple((route.subscriber, route.handler, route) for route in routes)
        self.count = 0
        self.expires = kind.expires
        self.recorded = kind.delivery in KEPT or any(
            not route.subscriber.observer and route.handler is not None for route in routes
        )


class Routes:
    """Who listens to what, in the order of subscription."""

    def __init__(self) -> None:
        self.subscribers: list[Subscriber] = []
        self.measured: dict[tuple[str, str], Route] = {}
        """By (subscriber, wire name of the class)."""
        self.plans: dict[type[Message], Plan] = {}
        self._timers: dict[str, tuple[Route, ...]] = {}

    def add(self, subscriber: Subscriber) -> Unsubscribe:
        """Take in a listener; returns what takes it out again."""
        self.subscribers.append(subscriber)
        self.forget()

        def leave() -> None:
            self.subscribers.remove(subscriber)
            self.forget()

        return leave

    def forget(self) -> None:
        """Work the plans out anew, as somebody's handlers have changed."""
        self.tell()
        self.plans.clear()
        self._timers.clear()

    def tell(self) -> None:
        """Bring the counts of the routes up to date."""
        for plan in self.plans.values():
            for route in plan.routes:
                route.count += plan.count
            plan.count = 0

    def rebind(self, subscriber: Subscriber) -> None:
        """Let go of a subscriber's old handlers, and so of the agent they are bound to."""
        self.forget()
        for route in self.measured.values():
            if route.subscriber is subscriber:
                route.handler = route.slow = None

    def plan(self, kind: type[Message]) -> Plan:
        """Return the plan of a class, made now."""
        routes = []
        for subscriber in self.subscribers:
            handlers = subscriber.handlers
            if kind in handlers or kind in subscriber.slow or Message in handlers:
                key = (subscriber.name, kind.wire)
                route = self.measured.get(key)
                if route is None or route.subscriber is not subscriber:
                    route = self.measured[key] = Route(subscriber)
                route.aim(kind)
                routes.append(route)
        plan = self.plans[kind] = Plan(kind, tuple(routes))
        return plan

    def between(self, kind: type[Message], subscriber: Subscriber) -> Route:
        """Return the route from a class to a subscriber that listens to it."""
        plan = self.plans.get(kind) or self.plan(kind)
        return next(route for route in plan.routes if route.subscriber is subscriber)

    def timer(self, agent: str) -> tuple[Route, ...]:
        """Return the routes of a timer: to its own agent, and to observers."""
        routes = self._timers.get(agent)
        if routes is None:
            plan = self.plans.get(Timer) or self.plan(Timer)
            routes = self._timers[agent] = tuple(
                route
                for route in plan.routes
                if route.subscriber.observer or route.subscriber.name == agent
            )
        return routes
