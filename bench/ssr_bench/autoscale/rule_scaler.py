"""Scaling by the number of waiting calls alone: an HPA for each pool, on the same signals and the same actuator."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from ssr.autoscaler.actuator import Actuator
from ssr.autoscaler.policy.signals import Engines, pool_signals
from ssr.autoscaler.reports import ReportStore, View
from ssr.core.errors import SsrError
from ssr.engines.load import Load, Pool
from ssr_bench.autoscale.hpa import Hpa, HpaSettings

_log = logging.getLogger(__name__)


#: llm-d: calls that run for which it wants a replica; one that waits is worth a replica of its own.
_LLM_D_RUNNING = 16


def waiting_calls(load: Load) -> float:
    """The calls that wait for an engine of the pool, as `num_requests_waiting` or `tgi_queue_size` are."""
    return load.requests_waiting


def llm_d_replicas(load: Load) -> float:
    """The replicas that llm-d's ScaledObject asks for: one for each call that waits, or for 16 that run.

    Of its two triggers an HPA takes the larger. Source: github.com/llm-d/llm-d, guides/workload-autoscaling, the path
    of KEDA on the endpoint picker's queue.
    """
    return max(float(load.requests_waiting), load.requests_running / _LLM_D_RUNNING)


class QueueScaler:
    """An HPA for each pool; `metric` is what it follows of the pool's load.

    The length of the job queue in Redis would be the same for both pools, and is 0 as long as the orchestrator takes
    jobs on: the calls are the fairer choice. `report_ttl_s` in real seconds, as the settings' times are here.
    """

    def __init__(
        self,
        report_store: ReportStore,
        actuator: Actuator,
        settings: Mapping[Pool, HpaSettings],
        *,
        report_ttl_s: float,
        metric: Callable[[Load], float] = waiting_calls,
    ) -> None:
        self._metric = metric
        self._report_store, self._actuator, self._report_ttl_s = report_store, actuator, report_ttl_s
        self._hpas = {pool: Hpa(limits) for pool, limits in settings.items()}
        self._sync_s = min(limits.sync_s for limits in settings.values())

    async def run(self) -> None:
        """Decide until cancelled, whatever fails."""
        loop = asyncio.get_running_loop()
        while True:
            next_at = loop.time() + self._sync_s
            try:
                await self.tick()
            except SsrError as error:
                _log.warning("nothing is decided: %s", error)
            await asyncio.sleep(max(0.0, next_at - loop.time()))

    async def tick(self) -> None:
        """One decision for each pool. Raises: Unavailable."""
        view = await self._report_store.read()
        for pool, hpa in self._hpas.items():
            engines = await self._actuator.engines(pool)
            metric = self._measured(pool, view, engines)
            if metric is None:  # an HPA without its metric leaves things as they are
                continue
            there = engines.ready + engines.starting
            wanted = hpa.decide(metric, there, view.now)
            if wanted != there:
                await self._actuator.scale(pool, wanted)

    def _measured(self, pool: Pool, view: View, engines: Engines) -> float | None:
        signals = pool_signals(pool, view.reports, engines, view.now, self._report_ttl_s)
        return None if signals.missing else self._metric(signals.load)
