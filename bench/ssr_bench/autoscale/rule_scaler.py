"""Scaling by somebody else's rule: one for each pool, on the same signals and the same actuator as ours."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from ssr.autoscaler.actuator import Actuator
from ssr.autoscaler.loop import Reports
from ssr.autoscaler.policy.signals import pool_signals
from ssr.core.errors import SsrError
from ssr.engines.load import Pool
from ssr_bench.autoscale.rules import Rule

_log = logging.getLogger(__name__)


class RuleScaler:
    """Asks each pool's rule every `every_s` seconds.

    The length of the job queue in Redis would be the same for both pools, and is 0 as long as the orchestrator takes
    jobs on: the rules get the pool's calls. Both times are in real seconds.
    """

    def __init__(
        self,
        report_store: Reports,
        actuator: Actuator,
        rules: Mapping[Pool, Rule],
        *,
        every_s: float,
        report_ttl_s: float,
    ) -> None:
        self._report_store, self._actuator, self._rules = report_store, actuator, rules
        self._every_s, self._report_ttl_s = every_s, report_ttl_s

    async def run(self) -> None:
        """Decide until cancelled, whatever fails."""
        loop = asyncio.get_running_loop()
        while True:
            next_at = loop.time() + self._every_s
            try:
                await self.tick()
            except SsrError as error:
                _log.warning("nothing is decided: %s", error)
            await asyncio.sleep(max(0.0, next_at - loop.time()))

    async def tick(self) -> None:
        """One decision for each pool; one whose load nobody reports stays as it is. Raises: Unavailable."""
        view = await self._report_store.read()
        for pool, rule in self._rules.items():
            engines = await self._actuator.engines(pool)
            signals = pool_signals(pool, view.reports, engines, view.now, self._report_ttl_s)
            if signals.missing:
                continue
            wanted = rule.decide(signals.load, engines, view.now)
            if wanted != engines.ready + engines.starting:
                await self._actuator.scale(pool, wanted)
