"""Who gives a pool the engines that were decided on."""

from __future__ import annotations

from typing import Protocol

from ssr.autoscaler.policy.signals import Engines
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
