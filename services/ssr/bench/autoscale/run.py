"""One policy's day, as it was lived through: everything that figures and plots are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ssr.bench.autoscale.cpu import CpuSample
from ssr.bench.autoscale.life import Life
from ssr.bench.autoscale.load import Job
from ssr.bench.autoscale.plan import AutoscalePlan
from ssr.bench.autoscale.policy import Policy
from ssr.scaling.signals import Pool


@dataclass(frozen=True, slots=True)
class Decided:
    """Our autoscaler changed a pool's number at `at_s`, for these reasons."""

    at_s: float
    pool: Pool
    before: int
    replicas: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Times are in seconds of the day; `lives` are of all engine replicas of a pool.

    `died` names the parts that were started again meanwhile.
    """

    policy: Policy
    jobs: tuple[Job, ...]
    lives: Mapping[Pool, tuple[Life, ...]]
    decisions: tuple[Decided, ...]
    cpu: tuple[CpuSample, ...]
    died: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AutoscaleReport:
    """All days, and where they were lived through."""

    plan: AutoscalePlan
    machine: Mapping[str, str | int]
    runs: tuple[Run, ...]
