"""The loop: read the reports, decide for each pool, have it done, put the decision up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Protocol

from ssr.autoscaler.actuator import Actuator
from ssr.autoscaler.policy.decision import ScalingDecision, decide
from ssr.autoscaler.policy.demand import Demand, pool_demand
from ssr.autoscaler.policy.schedule import floor_at
from ssr.autoscaler.policy.settings import ScalingSettings
from ssr.autoscaler.policy.signals import Engines, PoolSignals, callers_of, pool_signals
from ssr.autoscaler.policy.state import ScalingState
from ssr.autoscaler.reports import View
from ssr.autoscaler.throttled_log import ThrottledLog
from ssr.core.errors import SsrError
from ssr.engines.load import Pool

_log = logging.getLogger(__name__)


class Reports(Protocol):
    """What the parts report to each other: `autoscaler.reports.ReportStore`, over Redis."""

    async def read(self) -> View: ...

    async def decide(self, pool: Pool, decision: ScalingDecision, now: float) -> None: ...


class Observer(Protocol):
    """Is informed of everything that the loop does: metrics, a benchmark."""

    def decided(self, pool: Pool, signals: PoolSignals, demand: Demand, before: int, decision: ScalingDecision) -> None:
        """`before` replicas there were, `decision.replicas` were asked for."""
        ...

    def failed(self, pool: Pool, error: SsrError) -> None:
        """A pool's engines could not be counted, or not be scaled."""
        ...


class Autoscaler:
    """Decides for `pools` every `settings.interval_s` seconds; the others' load is part of their demand."""

    def __init__(
        self,
        report_store: Reports,
        actuator: Actuator,
        settings: ScalingSettings,
        *,
        pools: Collection[Pool] = tuple(Pool),
        observers: Collection[Observer] = (),
    ) -> None:
        self._report_store, self._actuator, self._settings = report_store, actuator, settings
        self._pools, self._observers = pools, observers
        self._blind = ThrottledLog(_log, "nothing is decided")
        self._stuck = {pool: ThrottledLog(_log, f"{pool} engines stay as they are") for pool in Pool}

    async def run(self) -> None:
        """Decide until cancelled, whatever fails: without Redis or the cluster everything stays as it is."""
        loop = asyncio.get_running_loop()
        while True:
            next_at = loop.time() + self._settings.interval_s
            try:
                await self.tick()
                self._blind.over()
            except SsrError as error:
                self._blind.report(error)
            await asyncio.sleep(max(0.0, next_at - loop.time()))

    async def tick(self) -> None:
        """One decision for each pool. Raises: Unavailable without Redis."""
        view = await self._report_store.read()
        engines = {pool: counted for pool in self._pools if (counted := await self._count(pool)) is not None}
        signals = {pool: self._signals(pool, view, engines.get(pool, Engines())) for pool in Pool}
        for pool, counted in engines.items():
            await self._decide(pool, view, signals, counted)

    def _signals(self, pool: Pool, view: View, engines: Engines) -> PoolSignals:
        settings = self._settings
        callers = callers_of(pool, own_selector_engine=settings.own_selector_engine)
        return pool_signals(pool, view.reports, engines, view.now, settings.report_ttl_s, callers)

    async def _count(self, pool: Pool) -> Engines | None:
        try:
            return await self._actuator.engines(pool)
        except SsrError as error:
            self._fail(pool, error)
            return None

    async def _decide(self, pool: Pool, view: View, signals: dict[Pool, PoolSignals], engines: Engines) -> None:
        settings, limits = self._settings, self._settings.pools[pool]
        forecast = view.forecast if view.forecast and view.forecast.fresh(view.now, settings.report_ttl_s) else None
        demand = pool_demand(pool, signals, forecast, settings.pools)
        known = view.states.get(pool)
        state = ScalingState.fresh(engines, view.now) if known is None else known.observed(engines)
        floor = floor_at(settings.schedule, pool, view.now, limits.startup_s)
        decision = decide(demand, state, limits, view.now, floor)
        if decision.replicas != state.replicas:
            try:
                await self._actuator.scale(pool, decision.replicas)
            except SsrError as error:
                self._fail(pool, error)
                return
        self._stuck[pool].over()
        self._report(pool, state.replicas, decision)
        for observer in self._observers:
            observer.decided(pool, signals[pool], demand, state.replicas, decision)
        await self._report_store.decide(pool, decision, view.now)

    def _report(self, pool: Pool, before: int, decision: ScalingDecision) -> None:
        change = f"stay at {before}" if decision.replicas == before else f"{before} -> {decision.replicas}"
        _log.info("%s engines: %s: %s", pool, change, "; ".join(decision.reasons))

    def _fail(self, pool: Pool, error: SsrError) -> None:
        self._stuck[pool].report(error)
        for observer in self._observers:
            observer.failed(pool, error)
