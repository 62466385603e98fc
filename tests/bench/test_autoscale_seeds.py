"""Means and intervals over the seeds of a day."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from ssr.engines.load import Pool
from ssr_bench.autoscale.day import BURST, DayOfLoad, Phase
from ssr_bench.autoscale.life import Life
from ssr_bench.autoscale.load import ANSWERED, NOT_ENDED, SentJob
from ssr_bench.autoscale.pace import Pace
from ssr_bench.autoscale.plan import AutoscalePlan
from ssr_bench.autoscale.policy import Policy
from ssr_bench.autoscale.run import AutoscaleReport, DayRun
from ssr_bench.autoscale.seeds import SeedMean, over_seeds
from ssr_bench.autoscale.table import autoscale_table

DAY = DayOfLoad((Phase("calm", 100, load=1), Phase(BURST, 100, load=20)), calm_jobs_per_s=0.1)
PLAN = AutoscalePlan(DAY, Pace(1.0), (Policy.OURS, Policy.FIXED_PEAK))


def run(policy: Policy, took_s: float, replicas: int, status: str = ANSWERED) -> DayRun:
    jobs = tuple(
        SentJob(at_s, name, DAY.phases[0].kind, status, took_s, 1.0, 1.0)
        for at_s, name in ((10.0, "calm"), (110.0, BURST))
    )
    lives = dict.fromkeys(Pool, (Life(-10.0, -10.0),) * replicas)
    return DayRun(policy, jobs, lives, (), (), ())


def report(seed: int, took_s: float, replicas: int) -> AutoscaleReport:
    runs = (run(Policy.OURS, took_s, replicas), run(Policy.FIXED_PEAK, 40.0, 4))
    return AutoscaleReport(replace(PLAN, seed=seed), {}, runs)


REPORTS = [report(1, 44.0, 1), report(2, 48.0, 2), report(3, 52.0, 3)]


def test_an_interval_is_students_for_so_few() -> None:
    estimate = SeedMean.of([44.0, 48.0, 52.0])
    assert estimate.mean == 48.0
    assert estimate.half == pytest.approx(4.303 * 4.0 / 3**0.5)
    assert SeedMean.of([44.0]) == SeedMean(44.0, None)


def test_policies_are_compared_with_the_fleet_at_peak_seed_by_seed() -> None:
    ours, peak = over_seeds(REPORTS, BURST)
    assert (ours.policy, peak.policy) == (Policy.OURS, Policy.FIXED_PEAK)
    assert (ours.p95_s.mean, ours.burst_p95_s.mean, ours.replica_s.mean) == (48.0, 48.0, 2 * 2 * 200.0)
    assert ours.p95_of_peak is not None
    assert ours.of_peak is not None
    assert ours.p95_of_peak.mean == pytest.approx(1.2)
    assert ours.of_peak.mean == pytest.approx(0.5)
    assert peak.of_peak == SeedMean(1.0, 0.0)


def test_without_that_fleet_there_is_no_ratio_and_lost_jobs_add_up() -> None:
    lost = AutoscaleReport(PLAN, {}, (run(Policy.OURS, 40.0, 1, NOT_ENDED),))
    (ours,) = over_seeds([lost, lost], BURST)
    assert ours.of_peak is None
    assert ours.lost == 4


def test_the_table_of_several_seeds_begins_with_their_means() -> None:
    console = Console(file=StringIO(), width=220)
    console.print(autoscale_table(REPORTS))
    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()
    for words in ("seeds 1, 2, 3", "48 ± 10", "1.20 ± 0.25", "0.50 ± 0.62", "in virtual time"):
        assert words in shown
    assert "others" not in shown, "nobody watched the CPU"
