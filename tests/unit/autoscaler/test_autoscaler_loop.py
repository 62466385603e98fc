from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import pytest

from ssr.autoscaler.loop import Autoscaler
from ssr.autoscaler.policy.decision import ScalingDecision
from ssr.autoscaler.policy.demand import Demand
from ssr.autoscaler.policy.forecast import Forecast
from ssr.autoscaler.policy.settings import ScalingLimits, ScalingSettings, ScheduledLoad
from ssr.autoscaler.policy.signals import Engines, PoolSignals, Report, Service
from ssr.autoscaler.reports import DecidedReplicas, View
from ssr.core.errors import NotFound, SsrError, Unavailable
from ssr.engines.load import Load, Pool

NOW = 1_000_000.0
LIMITS = ScalingLimits(min_replicas=0, max_replicas=20, slots=8, up_window_s=0)
SETTINGS = ScalingSettings(draft=LIMITS, target=LIMITS)


@dataclass
class FakeReports:
    """Reports in memory; `view.now` moves with `now`."""

    reports: tuple[Report, ...] = ()
    forecast: Forecast | None = field(default_factory=lambda: Forecast(NOW))
    now: float = NOW
    decisions: dict[Pool, ScalingDecision] = field(default_factory=dict)
    away: bool = False

    async def read(self) -> View:
        if self.away:
            raise Unavailable("Redis is away")
        decided = {pool: DecidedReplicas(self.now, one.replicas, one.reasons) for pool, one in self.decisions.items()}
        states = {pool: one.state for pool, one in self.decisions.items()}
        return View(self.now, self.reports, self.forecast, decided, states)

    async def decide(self, pool: Pool, decision: ScalingDecision, now: float) -> None:
        self.decisions[pool] = decision


@dataclass
class FakeCluster:
    """Engines that serve as soon as they are asked for; `wrong` is raised where it is set."""

    replicas: dict[Pool, int] = field(default_factory=lambda: {Pool.DRAFT: 1, Pool.TARGET: 1})
    wrong: dict[tuple[str, Pool], SsrError] = field(default_factory=dict)

    async def engines(self, pool: Pool) -> Engines:
        self._fail("engines", pool)
        return Engines(self.replicas[pool])

    async def scale(self, pool: Pool, replicas: int) -> None:
        self._fail("scale", pool)
        self.replicas[pool] = replicas

    def _fail(self, what: str, pool: Pool) -> None:
        if error := self.wrong.get((what, pool)):
            raise error


@dataclass
class Watching:
    reported: list[tuple[Any, ...]] = field(default_factory=list)
    failures: list[tuple[Pool, SsrError]] = field(default_factory=list)

    def decided(self, pool: Pool, signals: PoolSignals, demand: Demand, before: int, decision: ScalingDecision) -> None:
        self.reported.append((pool, demand.slots, before, decision.replicas))

    def failed(self, pool: Pool, error: SsrError) -> None:
        self.failures.append((pool, error))


def reports(at: float = NOW, **running: int) -> tuple[Report, ...]:
    """One replica of each service with so many calls running."""
    return tuple(Report(one, "a", at, Load(requests_running=running.get(one, 0))) for one in Service)


def scaler(
    report_store: FakeReports, cluster: FakeCluster, settings: ScalingSettings = SETTINGS, **other: Any
) -> Autoscaler:
    return Autoscaler(report_store, cluster, settings, **other)


async def test_each_pool_follows_its_own_load() -> None:
    report_store, cluster, watching = FakeReports(reports(verifier=24)), FakeCluster(), Watching()
    await scaler(report_store, cluster, observers=[watching]).tick()
    assert cluster.replicas == {Pool.DRAFT: 1, Pool.TARGET: 4}
    assert watching.reported == [(Pool.DRAFT, 0.0, 1, 1), (Pool.TARGET, 24.0, 1, 4)]
    assert report_store.decisions[Pool.TARGET].replicas == 4


async def test_every_decision_goes_on_from_the_one_before() -> None:
    """The down window is remembered with the reports, so that the next leader has it too."""
    report_store, cluster = FakeReports(reports(drafter=48)), FakeCluster({Pool.DRAFT: 8, Pool.TARGET: 1})
    await scaler(report_store, cluster).tick()
    for second in range(5, 300, 5):
        report_store.now = NOW + second
        report_store.reports, report_store.forecast = reports(report_store.now), Forecast(report_store.now)
        await scaler(report_store, cluster).tick()  # another leader every time
        assert cluster.replicas[Pool.DRAFT] == 8
    report_store.now = NOW + 305
    report_store.reports, report_store.forecast = reports(report_store.now), Forecast(report_store.now)
    await scaler(report_store, cluster).tick()
    assert cluster.replicas[Pool.DRAFT] < 8


async def test_somebody_elses_change_is_seen() -> None:
    report_store, cluster = FakeReports(reports(drafter=24)), FakeCluster()
    await scaler(report_store, cluster).tick()
    cluster.replicas[Pool.DRAFT] = 1
    await scaler(report_store, cluster).tick()
    assert cluster.replicas[Pool.DRAFT] == 4


@pytest.mark.parametrize("what", ["engines", "scale"])
async def test_a_pool_that_cannot_be_scaled_does_not_keep_the_other_from_it(what: str) -> None:
    error = NotFound("there is no Deployment ssr-draft-engine")
    report_store, cluster, watching = FakeReports(reports(drafter=24, verifier=24)), FakeCluster(), Watching()
    cluster.wrong[what, Pool.DRAFT] = error
    await scaler(report_store, cluster, observers=[watching]).tick()
    assert cluster.replicas == {Pool.DRAFT: 1, Pool.TARGET: 4}
    assert watching.failures == [(Pool.DRAFT, error)]
    assert Pool.DRAFT not in report_store.decisions  # what was not done is not remembered as done
    cluster.wrong.clear()
    await scaler(report_store, cluster).tick()
    assert cluster.replicas[Pool.DRAFT] == 4


@pytest.mark.parametrize("missing", ["verifier", "forecast"])
async def test_nothing_is_taken_away_on_missing_reports(missing: str) -> None:
    report_store, cluster = FakeReports(reports()), FakeCluster({Pool.DRAFT: 4, Pool.TARGET: 4})
    for second in range(0, 2000, 5):
        report_store.now = NOW + second
        reported = reports(report_store.now)
        report_store.reports = tuple(report for report in reported if report.service != missing)
        report_store.forecast = None if missing == "forecast" else Forecast(report_store.now)
        await scaler(report_store, cluster).tick()
    assert cluster.replicas[Pool.TARGET] == 4


async def test_an_old_forecast_is_none() -> None:
    report_store, cluster = (
        FakeReports(reports(), Forecast(NOW - 60, queued_jobs=500, queued_paths=2500)),
        FakeCluster(),
    )
    await scaler(report_store, cluster).tick()
    assert cluster.replicas == {Pool.DRAFT: 1, Pool.TARGET: 1}
    assert any("no report of orchestrator" in reason for reason in report_store.decisions[Pool.DRAFT].reasons)


async def test_a_selector_with_engines_of_its_own_is_not_missed() -> None:
    own = SETTINGS.model_copy(update={"own_selector_engine": True})
    report_store, cluster = FakeReports(reports()[:2]), FakeCluster()
    await scaler(report_store, cluster, own).tick()
    assert not any("no report" in reason for one in report_store.decisions.values() for reason in one.reasons)
    await scaler(report_store, cluster).tick()
    assert any("no report of selector" in reason for reason in report_store.decisions[Pool.TARGET].reasons)


async def test_a_scheduled_load_is_met_before_anybody_asks() -> None:
    load = ScheduledLoad(name="eight", cron="* * * * *", duration_s=60, replicas={Pool.TARGET: 6})
    report_store, cluster = FakeReports(reports()), FakeCluster()
    await scaler(report_store, cluster, SETTINGS.model_copy(update={"schedule": (load,)})).tick()
    assert cluster.replicas == {Pool.DRAFT: 1, Pool.TARGET: 6}


async def test_a_pool_that_is_not_ours_is_left_alone() -> None:
    report_store, cluster = FakeReports(reports(drafter=24, verifier=24)), FakeCluster()
    await scaler(report_store, cluster, pools=[Pool.TARGET]).tick()
    assert cluster.replicas == {Pool.DRAFT: 1, Pool.TARGET: 4}


async def test_changes_are_logged_with_their_reasons(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await scaler(FakeReports(reports(drafter=24)), FakeCluster()).tick()
    assert [r.message for r in caplog.records if r.message.startswith("draft engines: 1 -> 4: demand 24.0 slots")]


async def test_without_the_board_nothing_is_decided() -> None:
    cluster = FakeCluster()
    with pytest.raises(Unavailable):
        await scaler(FakeReports(reports(drafter=24), away=True), cluster).tick()
    assert cluster.replicas == {Pool.DRAFT: 1, Pool.TARGET: 1}
