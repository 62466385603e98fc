"""What holds of every series of decisions."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ssr.autoscaler.policy.decision import decide
from ssr.autoscaler.policy.demand import Demand
from ssr.autoscaler.policy.schedule import ScheduledFloor
from ssr.autoscaler.policy.settings import ScalingLimits
from ssr.autoscaler.policy.signals import Engines
from ssr.autoscaler.policy.state import ScalingState

WINDOW_S = 300.0

slots = st.one_of(st.just(0.0), st.floats(0, 400))
waits = st.floats(0.1, 200)
looks = st.lists(st.tuples(waits, slots, st.booleans(), st.integers(0, 20)), min_size=1, max_size=25)


@st.composite
def limits(draw: st.DrawFn) -> ScalingLimits:
    least = draw(st.integers(0, 10))
    return ScalingLimits(
        min_replicas=least,
        max_replicas=draw(st.integers(max(least, 1), 20)),
        slots=draw(st.integers(1, 16)),
        utilisation=draw(st.floats(0.3, 1)),
        tolerance=draw(st.floats(0, 0.4)),
        up_factor=draw(st.floats(1, 4)),
        up_step=draw(st.integers(1, 8)),
        down_step=draw(st.integers(1, 8)),
        down_window_s=WINDOW_S,
        idle_s=draw(st.floats(1, 1000)),
    )


def demand(load: float, known: bool) -> Demand:
    return Demand(steady=load * 0.7, waiting=load * 0.3, unknown=() if known else ("verifier",))


def walked(
    limit: ScalingLimits, series: list[tuple[float, float, bool, int]], start: int
) -> tuple[ScalingState, float]:
    """The state and time after a series of decisions."""
    now = 0.0
    state = ScalingState.fresh(Engines(start), now)
    for wait, load, known, floor in series:
        now += wait
        state = decide(demand(load, known), state, limit, now, ScheduledFloor(floor, "burst")).state
    return state, now


@given(limit=limits(), series=looks, start=st.integers(0, 30))
def test_always_within_minimum_and_maximum(
    limit: ScalingLimits, series: list[tuple[float, float, bool, int]], start: int
) -> None:
    state, _ = walked(limit, series, start)
    assert limit.min_replicas <= state.replicas <= limit.max_replicas


@given(limit=limits(), series=looks, start=st.integers(0, 20), loads=st.tuples(slots, slots), known=st.booleans())
def test_more_demand_never_means_fewer(
    limit: ScalingLimits,
    series: list[tuple[float, float, bool, int]],
    start: int,
    loads: tuple[float, float],
    known: bool,
) -> None:
    state, now = walked(limit, series, start)
    fewer, more = (decide(demand(load, known), state, limit, now + 10).replicas for load in sorted(loads))
    assert fewer <= more


@given(limit=limits(), series=looks, start=st.integers(0, 20), load=slots, wait=waits)
def test_unknown_never_takes_away(
    limit: ScalingLimits, series: list[tuple[float, float, bool, int]], start: int, load: float, wait: float
) -> None:
    state, now = walked(limit, series, start)
    assert decide(demand(load, False), state, limit, now + wait).replicas >= state.replicas


@given(limit=limits(), series=looks, start=st.integers(0, 20))
def test_nothing_that_a_window_wanted_is_taken_away_in_it(
    limit: ScalingLimits, series: list[tuple[float, float, bool, int]], start: int
) -> None:
    now, state = 0.0, ScalingState.fresh(Engines(min(start, limit.max_replicas)), 0.0)
    rises: list[tuple[float, int]] = []
    for wait, load, known, floor in series:
        now += wait
        decision = decide(demand(load, known), state, limit, now, ScheduledFloor(floor, "burst"))
        if decision.replicas > state.replicas:
            rises.append((now, decision.replicas))
        if decision.replicas < state.replicas:
            assert all(decision.replicas >= number for at, number in rises if now - at < WINDOW_S)
        state = decision.state


@settings(max_examples=50)
@given(limit=limits(), series=looks, start=st.integers(0, 20), load=slots)
def test_a_constant_demand_comes_to_rest(
    limit: ScalingLimits, series: list[tuple[float, float, bool, int]], start: int, load: float
) -> None:
    state, now = walked(limit, series, start)
    numbers = []
    for look in range(1, 150):
        state = decide(demand(load, True), state, limit, now + look * 20).state
        numbers.append(state.replicas)
    rest = numbers[-1]
    turn = numbers.index(max(numbers))
    assert numbers[100:] == [rest] * 49
    assert numbers[:turn] == sorted(numbers[:turn])
    assert numbers[turn:] == sorted(numbers[turn:], reverse=True)


@given(limit=limits(), load=slots, replicas=st.integers(0, 20))
def test_at_rest_a_decision_changes_nothing_but_the_time(limit: ScalingLimits, load: float, replicas: int) -> None:
    state = replace(ScalingState.fresh(Engines(replicas), -10_000.0), seen=0.0)
    first = decide(demand(load, True), state, limit, 1.0)
    if first.replicas == state.replicas:
        again = decide(demand(load, True), first.state, limit, 1.0)
        assert again.replicas == first.replicas
        assert again.state == first.state


@given(limit=limits(), series=looks, start=st.integers(0, 20))
def test_what_is_remembered_stays_small(
    limit: ScalingLimits, series: list[tuple[float, float, bool, int]], start: int
) -> None:
    state, _ = walked(limit, series, start)
    numbers = [mark.replicas for mark in state.wanted]
    assert numbers == sorted(set(numbers), reverse=True)
