"""One policy's day, as it was lived through: everything that figures and plots are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ssr.engines.load import Pool
from ssr_bench.autoscale.cpu import CpuSample
from ssr_bench.autoscale.life import Life
from ssr_bench.autoscale.load import SentJob
from ssr_bench.autoscale.plan import AutoscalePlan
from ssr_bench.autoscale.policy import Policy


@dataclass(frozen=True, slots=True)
class DecidedAt:
    """Our autoscaler changed a pool's number at `at_s`, for these reasons."""

    at_s: float
    pool: Pool
    before: int
    replicas: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DayRun:
    """Times are in seconds of the day; `lives` are of all engine replicas of a pool.

    `died` names the parts that were started again meanwhile.
    """

    policy: Policy
    jobs: tuple[SentJob, ...]
    lives: Mapping[Pool, tuple[Life, ...]]
    decisions: tuple[DecidedAt, ...]
    cpu: tuple[CpuSample, ...]
    died: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AutoscaleReport:
    """All days, and where they were lived through."""

    plan: AutoscalePlan
    machine: Mapping[str, str | int]
    runs: tuple[DayRun, ...]
