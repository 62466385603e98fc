from __future__ import annotations

import pytest
from pydantic import ValidationError

from ssr.engine_server.simulated.faults import GENERATION_FAULTS, HTTP_FAULTS, FaultKind, FaultPlan, Faults


def test_all_kinds_are_made_somewhere() -> None:
    assert frozenset(FaultKind) == GENERATION_FAULTS | HTTP_FAULTS
    assert not GENERATION_FAULTS & HTTP_FAULTS


def test_nothing_goes_wrong_unplanned() -> None:
    faults = Faults(FaultPlan())
    assert [faults.draw(GENERATION_FAULTS) for _ in range(100)] == [None] * 100
    assert not faults.dealt


def test_the_next_requests_meet_their_faults() -> None:
    faults = Faults(FaultPlan(next_requests={FaultKind.HANG: 1, FaultKind.FAILED: 2, FaultKind.RESET: 1}))
    assert [faults.draw(GENERATION_FAULTS) for _ in range(4)] == [
        FaultKind.FAILED,
        FaultKind.FAILED,
        FaultKind.HANG,
        None,
    ]
    assert [faults.draw(HTTP_FAULTS) for _ in range(2)] == [FaultKind.RESET, None]
    assert faults.dealt == {FaultKind.FAILED: 2, FaultKind.HANG: 1, FaultKind.RESET: 1}


def test_rates_are_kept_and_repeat_themselves() -> None:
    plan = FaultPlan(rates={FaultKind.OVERLOADED: 0.2, FaultKind.HANG: 0.1}, seed=7)
    faults = Faults(plan)
    first = [faults.draw(GENERATION_FAULTS) for _ in range(2000)]
    assert first.count(FaultKind.OVERLOADED) == pytest.approx(400, abs=80)
    assert first.count(FaultKind.HANG) == pytest.approx(200, abs=60)
    faults.set(plan)
    assert [faults.draw(GENERATION_FAULTS) for _ in range(2000)] == first
    faults.set(plan.model_copy(update={"seed": 8}))
    assert [faults.draw(GENERATION_FAULTS) for _ in range(2000)] != first


@pytest.mark.parametrize(
    "plan",
    [
        {"rates": {"hang": 0.6, "failed": 0.6}},
        {"rates": {"hang": 1.1}},
        {"rates": {"unheard-of": 0.1}},
        {"next_requests": {"hang": -1}},
        {"slow_factor": 0.5},
        {"other": 1},
    ],
)
def test_impossible_plans_are_refused(plan: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FaultPlan.model_validate(plan)
