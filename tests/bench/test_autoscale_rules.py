"""The rules of others, as their sources have them."""

from __future__ import annotations

import pytest

from ssr.autoscaler.policy.signals import Engines
from ssr.engines.load import Load
from ssr_bench.autoscale.rules import ApaRule, DynamoRule, llm_d_guarded, llm_d_replicas, waiting_calls


def calls(running: int, waiting: int = 0) -> Load:
    return Load(requests_running=running, requests_waiting=waiting)


def test_llm_ds_rule_wants_a_replica_for_each_waiting_call_or_sixteen_running_ones() -> None:
    assert llm_d_replicas(calls(64, waiting=3), Engines(2)) == 4
    assert llm_d_replicas(calls(16, waiting=5), Engines(2)) == 5
    assert waiting_calls(calls(64, waiting=3), Engines(2)) == 3


@pytest.mark.parametrize(
    ("waiting", "engines", "wanted"),
    [(2, Engines(4), 2), (9, Engines(4), 9), (9, Engines(2, starting=3), 6), (6, Engines(2, starting=3), 5)],
)
def test_llm_ds_guard_takes_off_what_is_starting(waiting: int, engines: Engines, wanted: float) -> None:
    assert llm_d_guarded(3.0)(calls(0, waiting), engines) == wanted


@pytest.mark.parametrize(
    ("running", "there", "wanted"),
    [(12, 4, 4), (16, 4, 6), (13, 4, 4), (2, 4, 2), (0, 1, 1), (64, 16, 20)],
    ids=["as it should be", "a third over", "within the tolerance", "at most half at a time", "the last", "the most"],
)
def test_apa_scales_by_the_ratio(running: int, there: int, wanted: int) -> None:
    rule = ApaRule(slots=4, max_replicas=20, target=0.75, window_s=60)
    assert rule.decide(calls(running), Engines(there), now=0.0) == wanted


def test_apa_looks_at_the_mean_of_its_window() -> None:
    rule = ApaRule(slots=4, max_replicas=20, target=0.75, window_s=60)
    assert rule.decide(calls(0), Engines(4), now=0.0) == 2
    assert rule.decide(calls(16), Engines(4), now=30.0) == 3, "half in use on the mean"
    assert rule.decide(calls(16), Engines(4), now=100.0) == 6


@pytest.mark.parametrize(
    ("load", "engines", "wanted"),
    [
        (calls(8, waiting=1), Engines(2), 3),
        (calls(8, waiting=9), Engines(2, starting=1), 3),
        (calls(6), Engines(2), 2),
        (calls(4), Engines(2), 1),
        (calls(0), Engines(1), 1),
        (calls(40, waiting=9), Engines(10), 10),
    ],
    ids=["over", "one starts", "between", "under", "the last", "the most"],
)
def test_dynamos_planner_moves_by_one(load: Load, engines: Engines, wanted: int) -> None:
    assert DynamoRule(slots=4, max_replicas=10).decide(load, engines, now=0.0) == wanted
