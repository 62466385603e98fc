"""Who gives a pool the engines that were decided on."""

from __future__ import annotations

from typing import Protocol

from ssr.autoscaler.policy.signals import Engines
from ssr.autoscaler.reports import ReportStore
from ssr.engines.load import Pool


class Actuator(Protocol):
    """Reports how many engine replicas a pool has, and changes their number.

    Both methods raise Retryable errors where trying again may help (the loop does at its next turn), and Permanent ones
    where a person must act (no right to, no such object). Neither ends the loop.
    """

    async def engines(self, pool: Pool) -> Engines:
        """The replicas of now: `ready` serve, `starting` are asked for and do not serve yet."""
        ...

    async def scale(self, pool: Pool, replicas: int) -> None:
        """Ask for so many replicas. Asking twice is harmless."""
        ...


class ReportedEngines:
    """Implements `Actuator`: the engines are those that the services can call, and a decision is done by putting it up.

    Until the first report of an engine, as many are taken to be asked for as were decided on.
    """

    def __init__(self, report_store: ReportStore) -> None:
        self._report_store = report_store

    async def engines(self, pool: Pool) -> Engines:
        view = await self._report_store.read()
        ready = max((report.engines for report in view.reports if report.service.pool is pool), default=0)
        decided = view.decided.get(pool)
        return Engines(ready, max(0, decided.replicas - ready) if decided else 0)

    async def scale(self, pool: Pool, replicas: int) -> None:
        """Nothing to do: whoever scales reads the decision in Redis."""
