from __future__ import annotations

import math

import pytest

from ssr.autoscaler.policy.signals import Engines, Report, Service, pool_signals
from ssr.core.errors import InvalidRequest
from ssr.engines.load import Load, Pool

NOW = 1000.0


def report(service: Service, replica: str = "a", at: float = NOW, **load: float) -> Report:
    return Report(service, replica, at, Load(**load))  # type: ignore[arg-type]


def test_a_pools_load_is_the_sum_over_the_services_that_call_it() -> None:
    reports = [
        report(Service.VERIFIER, "a", requests_running=3, tokens_per_s=10.5),
        report(Service.VERIFIER, "b", requests_running=4, requests_waiting=2),
        report(Service.SELECTOR, "a", requests_running=1),
        report(Service.DRAFTER, "a", requests_running=50),
    ]
    signals = pool_signals(Pool.TARGET, reports, Engines(2, 1), NOW, ttl_s=20)
    assert signals.load == Load(requests_running=8, requests_waiting=2, tokens_per_s=10.5)
    assert signals.loads[Service.VERIFIER].requests_running == 7
    assert signals.engines == Engines(ready=2, starting=1)


def test_a_stale_report_is_ignored() -> None:
    reports = [
        report(Service.DRAFTER, "old", NOW - 20.1, requests_running=9),
        report(Service.DRAFTER, "new", NOW - 20.0, requests_running=1),
    ]
    assert pool_signals(Pool.DRAFT, reports, Engines(), NOW, ttl_s=20).load.requests_running == 1


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_replicas_newest_report_counts_once(newest_first: bool) -> None:
    reports = [report(Service.DRAFTER, at=NOW - age, requests_running=int(age)) for age in (2, 1, 3)]
    reports.sort(key=lambda each: each.at, reverse=newest_first)
    assert pool_signals(Pool.DRAFT, reports, Engines(), NOW, ttl_s=20).load.requests_running == 1


def test_a_service_without_a_fresh_report_is_missing() -> None:
    reports = [report(Service.VERIFIER), report(Service.SELECTOR, at=NOW - 100)]
    assert pool_signals(Pool.TARGET, reports, Engines(), NOW, ttl_s=20).missing == (Service.SELECTOR,)
    assert pool_signals(Pool.DRAFT, reports, Engines(), NOW, ttl_s=20).missing == (Service.DRAFTER,)


def test_a_load_of_nothing_is_known() -> None:
    assert pool_signals(Pool.DRAFT, [report(Service.DRAFTER)], Engines(), NOW, ttl_s=20).missing == ()


def test_the_rewrite_rate_weighs_replicas_by_what_they_verify() -> None:
    both = Load(verified_per_s=9.0, rewritten_per_s=1.0) + Load(verified_per_s=1.0, rewritten_per_s=1.0)
    assert both.rewrite_rate == pytest.approx(0.2)
    assert Load().rewrite_rate is None
    assert Load(verified_per_s=1.0, rewritten_per_s=1.1).rewrite_rate == 1.0


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_a_load_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(InvalidRequest, match="tokens_per_s: must be a number of at least 0"):
        Load(tokens_per_s=value)
