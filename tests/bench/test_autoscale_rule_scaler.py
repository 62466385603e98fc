"""The rules of others get the same reports and use the same actuator as ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ssr.autoscaler.policy.decision import ScalingDecision
from ssr.autoscaler.policy.signals import Engines, Report, Service
from ssr.autoscaler.reports import View
from ssr.engines.load import Load, Pool
from ssr_bench.autoscale.hpa import Hpa, HpaSettings
from ssr_bench.autoscale.rule_scaler import RuleScaler
from ssr_bench.autoscale.rules import HpaRule, Rule, llm_d_replicas, waiting_calls


class GivenReports:
    """Reports what it is given."""

    def __init__(self, *reports: Report, now: float = 100.0) -> None:
        self.reports: Sequence[Report] = reports
        self.now = now

    async def read(self) -> View:
        return View(self.now, tuple(self.reports), None, {}, {})

    async def decide(self, pool: Pool, decision: ScalingDecision, now: float) -> None:
        raise AssertionError("these rules put no decision up")


class Fleet:
    """Implements `Actuator`; what is asked for serves at once."""

    def __init__(self) -> None:
        self.replicas = dict.fromkeys(Pool, 2)
        self.asked: list[tuple[Pool, int]] = []

    async def engines(self, pool: Pool) -> Engines:
        return Engines(ready=1, starting=self.replicas[pool] - 1)

    async def scale(self, pool: Pool, replicas: int) -> None:
        self.asked.append((pool, replicas))
        self.replicas[pool] = replicas


def report(service: Service, waiting: int, at: float = 100.0) -> Report:
    return Report(service, "one", at, Load(requests_waiting=waiting, requests_running=50))


def scaler(report_store: GivenReports, fleet: Fleet, rule: Callable[[], HpaRule] | None = None) -> RuleScaler:
    made = rule or (lambda: HpaRule(Hpa(HpaSettings(target=4.0)), waiting_calls))
    rules: dict[Pool, Rule] = {pool: made() for pool in Pool}
    return RuleScaler(report_store, fleet, rules, every_s=15.0, report_ttl_s=20.0)


async def test_each_pool_is_scaled_by_the_calls_that_wait_for_it() -> None:
    report_store = GivenReports(report(Service.DRAFTER, 18), report(Service.VERIFIER, 9), report(Service.SELECTOR, 4))
    fleet = Fleet()
    await scaler(report_store, fleet).tick()
    assert fleet.asked == [(Pool.DRAFT, 5), (Pool.TARGET, 4)]


async def test_calls_that_run_do_not_count_and_what_is_right_is_left_alone() -> None:
    fleet = Fleet()
    report_store = GivenReports(report(Service.DRAFTER, 8), report(Service.VERIFIER, 0), report(Service.SELECTOR, 0))
    under_test = scaler(report_store, fleet)
    await under_test.tick()
    assert fleet.asked == [(Pool.TARGET, 1)]
    report_store.now += 15.0
    report_store.reports = [report(Service.DRAFTER, 0, report_store.now)]
    await under_test.tick()
    assert fleet.replicas[Pool.DRAFT] == 2  # the window holds it


async def test_a_pool_without_a_fresh_report_is_left_alone() -> None:
    fleet = Fleet()
    report_store = GivenReports(report(Service.DRAFTER, 40, at=70.0), report(Service.VERIFIER, 40))
    await scaler(report_store, fleet).tick()
    assert fleet.asked == []


async def test_another_metric_is_followed() -> None:
    fleet = Fleet()
    report_store = GivenReports(report(Service.DRAFTER, 0), report(Service.VERIFIER, 0), report(Service.SELECTOR, 0))
    await scaler(report_store, fleet, lambda: HpaRule(Hpa(HpaSettings(target=1.0)), llm_d_replicas)).tick()
    assert fleet.asked == [
        (Pool.DRAFT, 4),
        (Pool.TARGET, 6),
    ]  # 50 run on the one, 100 on the other
