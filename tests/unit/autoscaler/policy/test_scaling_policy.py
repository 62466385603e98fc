from __future__ import annotations

from dataclasses import replace

import pytest

from ssr.autoscaler.policy.decision import ScalingDecision, decide
from ssr.autoscaler.policy.demand import Demand
from ssr.autoscaler.policy.schedule import ScheduledFloor
from ssr.autoscaler.policy.settings import ScalingLimits
from ssr.autoscaler.policy.signals import Engines
from ssr.autoscaler.policy.state import ScalingState

NOW = 1_000_000.0
#: Six slots in use of each replica's eight.
LIMITS = ScalingLimits(
    min_replicas=0,
    max_replicas=20,
    slots=8,
    up_factor=2,
    up_step=4,
    up_period_s=15,
    up_window_s=0,
    down_fraction=0.25,
)


def settled(replicas: int) -> ScalingState:
    """Long at this number, with a need for no more."""
    state = ScalingState.fresh(Engines(replicas), NOW - 3600)
    return replace(state, seen=NOW - 1)


def run(
    slots: float, state: ScalingState, limits: ScalingLimits = LIMITS, now: float = NOW, **demand: object
) -> ScalingDecision:
    return decide(Demand(steady=slots, **demand), state, limits, now)  # type: ignore[arg-type]


def served(decision: ScalingDecision) -> ScalingState:
    """All that was asked for has started."""
    return decision.state.observed(Engines(decision.replicas))


@pytest.mark.parametrize(
    ("slots", "current", "replicas"),
    [
        (0.0, 0, 0),
        (0.01, 0, 1),
        (6.0, 1, 1),
        (6.59, 1, 1),
        (6.61, 1, 2),
        (12.0, 1, 2),
        (18.0, 3, 3),
        (19.5, 3, 3),
        (20.0, 3, 4),
        (30.0, 2, 5),
        (1e9, 19, 20),
    ],
)
def test_up_to_what_the_demand_needs_beyond_the_tolerance(slots: float, current: int, replicas: int) -> None:
    assert run(slots, settled(current)).replicas == replicas


@pytest.mark.parametrize(
    ("slots", "current", "replicas"), [(17.0, 4, 4), (16.3, 4, 3), (10.9, 3, 2), (11.0, 3, 3), (0.01, 2, 1)]
)
def test_down_only_where_fewer_have_room_to_spare(slots: float, current: int, replicas: int) -> None:
    assert run(slots, settled(current)).replicas == replicas


def test_the_room_that_is_left_works_off_a_backlog() -> None:
    assert run(12.0, settled(2), waiting=4.0).replicas == 2
    decision = run(12.0, settled(2), waiting=8.0, queued=4.0)
    assert decision.replicas == 3
    assert decision.reasons == (
        "demand 24.0 slots (steady 12.0, waiting 8.0, queued 4.0): 24.0 / 8, backlog included = 3.0 -> 3",
    )


def test_growth_is_by_doubling_or_by_a_step_in_a_period() -> None:
    state, numbers = settled(1), []
    for second in (0, 5, 14, 15, 20, 30):
        decision = run(6 * 18, state, now=NOW + second)
        numbers.append(decision.replicas)
        state = served(decision)
    assert numbers == [5, 5, 5, 10, 10, 18]


def test_a_limited_step_says_so() -> None:
    reasons = run(6 * 18, settled(1)).reasons
    assert reasons == (
        "demand 108.0 slots (steady 108.0): 108.0 / (8 x 0.75) = 18.0 -> 18",
        "up to 5 of 18: at most 2 times or +4 in 15 s",
    )


def test_the_same_demand_asks_once_while_replicas_start() -> None:
    decision = run(30.0, settled(2))
    for second in range(5, 300, 5):
        decision = run(30.0, decision.state.observed(Engines(2, 3)), now=NOW + second)
        assert decision.replicas == 5
    assert "3 of 5 are starting, none asked for in 120 s: look at their events" in decision.reasons
    soon = run(30.0, run(30.0, settled(2)).state.observed(Engines(2, 3)), now=NOW + 5)
    assert "3 of 5 are starting: capacity to come" in soon.reasons


def test_a_higher_demand_asks_again_while_replicas_start() -> None:
    first = run(30.0, settled(2))
    second = run(50.0, first.state.observed(Engines(2, 3)), now=NOW + 5)
    assert second.replicas == 6
    assert run(50.0, second.state, now=NOW + 20).replicas == 9


def test_down_waits_for_a_whole_window() -> None:
    state = run(30.0, settled(5)).state
    for second in (1, 100, 299):
        decision = run(5.0, state, now=NOW + second)
        assert decision.replicas == 5
        assert "down held at 5 by the window of 300 s" in decision.reasons
        state = decision.state
    assert run(5.0, state, now=NOW + 300).replicas == 4


def test_a_peak_within_the_window_holds_what_it_needed() -> None:
    state = run(30.0, settled(9)).state
    state = run(21.0, state, now=NOW + 200).state
    state = run(3.0, state, now=NOW + 400).state
    assert state.replicas == 5
    assert run(3.0, state, now=NOW + 490).replicas == 4


def test_shrinking_is_in_steps() -> None:
    state, numbers = settled(20), []
    for second in (0, 30, 60, 120, 180, 240):
        decision = run(6.0, state, now=NOW + second)
        numbers.append(decision.replicas)
        state = decision.state
    assert numbers == [15, 15, 12, 9, 7, 6]
    assert "down to 15 before 2: at most -1 or -25% in 60 s" in run(6.0, settled(20)).reasons


def test_a_new_memory_takes_nothing_away_before_a_window() -> None:
    state = ScalingState.fresh(Engines(5), NOW)
    for second in range(0, 300, 20):
        decision = run(0.0, state, now=NOW + second)
        assert decision.replicas == 5
        state = decision.state
    assert run(0.0, state, now=NOW + 300).replicas == 4


def test_a_gap_in_the_decisions_begins_a_new_memory() -> None:
    state = run(30.0, settled(5)).state
    decision = run(0.0, state, now=NOW + 301)
    assert decision.replicas == 5
    assert "down held: seen for 0 s of a window of 300 s" in decision.reasons


def test_unknown_takes_nothing_away_but_may_add() -> None:
    decision = run(0.0, settled(5), unknown=("verifier",))
    assert decision.replicas == 5
    assert "no report of verifier: nothing is taken away" in decision.reasons
    assert run(36.0, settled(5), unknown=("verifier",)).replicas == 6
    assert run(0.0, decision.state, now=NOW + 299).replicas == 5


def test_the_last_replica_goes_after_a_time_without_work() -> None:
    limits = LIMITS.model_copy(update={"idle_s": 400.0})
    state = run(1.0, settled(1), limits).state
    for second in range(10, 410, 10):
        decision = run(0.0, state, limits, now=NOW + second)
        assert decision.replicas == 1
        state = decision.state
    assert "the last one stays: idle for 390 s of 400 s" in decision.reasons
    assert run(0.0, state, limits, now=NOW + 410).replicas == 0


def test_unknown_is_not_idle() -> None:
    limits = LIMITS.model_copy(update={"idle_s": 400.0})
    state = run(0.0, settled(1), limits).state
    state = run(0.0, state, limits, now=NOW + 200, unknown=("drafter",)).state
    for second in range(210, 610, 50):
        decision = run(0.0, state, limits, now=NOW + second)
        assert decision.replicas == 1
        state = decision.state
    assert run(0.0, state, limits, now=NOW + 650).replicas == 0


def test_the_minimum_and_the_maximum_bind_at_once() -> None:
    limits = LIMITS.model_copy(update={"min_replicas": 8, "max_replicas": 9})
    assert run(0.0, settled(1), limits).replicas == 8
    assert "the minimum is 8" in run(0.0, settled(1), limits).reasons
    assert run(0.0, settled(15), limits).replicas == 9
    assert "the maximum is 9" in run(99.0, settled(8), limits).reasons


def test_the_schedule_raises_at_once_and_the_demand_may_ask_for_more() -> None:
    burst = ScheduledFloor(12, "first lesson")
    decision = decide(Demand(), settled(1), LIMITS, NOW, burst)
    assert decision.replicas == 12
    assert "the schedule's 'first lesson' asks for 12" in decision.reasons
    assert decide(Demand(steady=90.0), settled(12), LIMITS, NOW, burst).replicas == 15
    assert decide(Demand(), settled(1), LIMITS, NOW, ScheduledFloor(50, "fair")).replicas == 20


def test_after_the_schedule_the_window_holds() -> None:
    state = decide(Demand(), settled(1), LIMITS, NOW, ScheduledFloor(12, "first lesson")).state
    assert run(0.0, state, now=NOW + 299).replicas == 12
    assert run(0.0, state, now=NOW + 300).replicas == 9


def test_what_somebody_else_changed_is_the_number_to_go_on_from() -> None:
    state = run(30.0, settled(5)).state.observed(Engines(2))
    assert run(30.0, state, now=NOW + 5).replicas == 5


PATIENT = LIMITS.model_copy(update={"up_window_s": 15.0})


def test_a_few_calls_that_meet_for_a_moment_are_no_reason_to_grow() -> None:
    state = settled(1)
    for second in (0, 5, 10):
        decision = run(8.0, state, PATIENT, NOW + second)
        assert decision.replicas == 1
        assert decision.reasons[-1] == f"up held: nothing waits, and seen for {second} s of 15 s"
        state = decision.state
    state = run(4.0, state, PATIENT, NOW + 15).state
    assert run(8.0, state, PATIENT, NOW + 20).replicas == 1  # it is counted from the beginning


def test_load_that_lasts_is_one_also_when_nothing_waits() -> None:
    state = settled(1)
    for second in (0, 5, 10):
        state = run(8.0, state, PATIENT, NOW + second).state
    assert run(8.0, state, PATIENT, NOW + 15).replicas == 2


@pytest.mark.parametrize("part", ["waiting", "queued", "draining"])
def test_with_a_backlog_it_grows_at_once(part: str) -> None:
    assert run(8.0, settled(1), PATIENT, **{part: 0.5}).replicas == 2


def test_from_zero_and_for_the_schedule_it_grows_at_once() -> None:
    assert run(1.0, settled(0), PATIENT).replicas == 1
    assert decide(Demand(steady=1.0), settled(1), PATIENT, NOW, ScheduledFloor(3, "eight")).replicas == 3


def test_what_a_backlog_asked_for_goes_when_it_is_done_but_not_before_it_could_start() -> None:
    grown = run(12.0, settled(2), waiting=28.0, coming=12.0)
    assert grown.replicas == 5
    early = run(12.0, served(grown), now=NOW + 119, coming=12.0)
    assert early.replicas == 5
    assert "down held: more was asked for 119 s ago, and takes 120 s to start" in early.reasons
    assert run(12.0, served(grown), now=NOW + 120, coming=12.0).replicas == 4


def test_what_runs_beyond_what_comes_is_no_reason_to_hold() -> None:
    """The last part of a backlog: nothing waits any more, and every slot is at work."""
    state = run(40.0, settled(7), coming=12.0).state
    assert run(12.0, state, now=NOW + 60, coming=12.0).replicas == 6
    state = run(40.0, settled(7)).state  # nobody knows what comes
    assert run(12.0, state, now=NOW + 60).replicas == 7


def test_of_what_is_not_known_nothing_is_forgotten() -> None:
    state = run(40.0, settled(7), unknown=("verifier",), coming=12.0).state
    assert run(12.0, state, now=NOW + 60, coming=12.0).replicas == 7
