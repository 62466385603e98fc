"""The decision: from demand to a number of replicas, with its reasons.

Up at once where something waits, else when the load lasts, in steps; down to the most that was needed within a window,
in smaller steps, and never on missing reports. The window is for work that keeps coming: what was asked for to work off
a backlog goes when that is done, but not before it had time to start. Replicas that are starting count as if they
served: the number is of what is asked for, so the same demand never asks twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ssr.autoscaler.policy.demand import Demand
from ssr.autoscaler.policy.schedule import ScheduledFloor
from ssr.autoscaler.policy.settings import ScalingLimits
from ssr.autoscaler.policy.state import ScalingState

#: So far a sum of floats may be over a whole number of replicas and still mean it.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class ScalingDecision:
    """Ask for `replicas`. `reasons` are sentences for people; `state` is what the next decision is to be given."""

    replicas: int
    reasons: tuple[str, ...]
    state: ScalingState


def decide(
    demand: Demand, state: ScalingState, limits: ScalingLimits, now: float, floor: ScheduledFloor | None = None
) -> ScalingDecision:
    """How many replicas a pool is to have from `now` on.

    `state` holds the replicas of now (`ScalingState.observed`), `floor` what the schedule asks for.
    """
    state = state.resumed(now, limits.down_window_s)
    least, why_least = _least(limits, floor)
    wanted, reasons = _wanted(demand, state.replicas, limits)
    if wanted < least:
        reasons.append(why_least)
    bounded = min(max(wanted, least), limits.max_replicas)
    if bounded < wanted:
        reasons.append(f"the maximum is {limits.max_replicas}")
    lasting = min(max(_lasting(demand, limits), least), bounded) if demand.known else bounded
    state = state.remember(bounded, lasting, now, limits.down_window_s, idle=demand.known and not demand.slots)
    if 0 < state.replicas < bounded and not demand.backlog and state.short_s(now) < limits.up_window_s:
        reasons.append(f"up held: nothing waits, and seen for {state.short_s(now):.0f} s of {limits.up_window_s:g} s")
        bounded = state.replicas
    replicas = _step(bounded, state, limits, now, reasons)
    replicas = min(max(replicas, least), limits.max_replicas)
    _report_starting(state, limits, now, reasons)
    keep_s = max(limits.up_period_s, limits.down_period_s, limits.startup_s)
    return ScalingDecision(replicas, tuple(reasons), state.changed(replicas, now, keep_s))


def _least(limits: ScalingLimits, floor: ScheduledFloor | None) -> tuple[int, str]:
    if floor is not None and floor.replicas > limits.min_replicas:
        return min(floor.replicas, limits.max_replicas), f"the schedule's {floor.name!r} asks for {floor.replicas}"
    return limits.min_replicas, f"the minimum is {limits.min_replicas}"


def _wanted(demand: Demand, current: int, limits: ScalingLimits) -> tuple[int, list[str]]:
    """What demand alone asks for, with the tolerance around the current number."""
    exact, how = _exact(demand, limits)
    needed = _whole(exact)
    reasons = [f"{demand}: {how} = {exact:.1f} -> {needed}"]
    fewer = _whole(exact * (1.0 + limits.tolerance))
    if needed > current:
        wanted = needed if exact > current * (1.0 + limits.tolerance) else current
    else:
        wanted = min(fewer, current)
    if wanted == current != needed:
        reasons.append(f"within {limits.tolerance:.0%} of what {current} are for")
    if demand.unknown and wanted < current:
        reasons.append(f"no report of {', '.join(demand.unknown)}: nothing is taken away")
        wanted = current
    return wanted, reasons


def _exact(demand: Demand, limits: ScalingLimits) -> tuple[float, str]:
    """Replicas, not rounded: the room that utilisation leaves is there to work off a backlog, so that gets no more."""
    steady = demand.steady / (limits.slots * limits.utilisation)
    everything = demand.slots / limits.slots
    if steady >= everything:
        return steady, f"{demand.steady:.1f} / ({limits.slots} x {limits.utilisation:g})"
    return everything, f"{demand.slots:.1f} / {limits.slots}, backlog included"


def _lasting(demand: Demand, limits: ScalingLimits) -> int:
    """Replicas for work that keeps coming."""
    slots = demand.steady if demand.coming is None else min(demand.steady, demand.coming)
    return _whole(slots / (limits.slots * limits.utilisation) * (1.0 + limits.tolerance))


def _step(wanted: int, state: ScalingState, limits: ScalingLimits, now: float, reasons: list[str]) -> int:
    if wanted > state.replicas:
        return _up(wanted, state, limits, now, reasons)
    if wanted < state.replicas:
        return _down(wanted, state, limits, now, reasons)
    return wanted


def _up(wanted: int, state: ScalingState, limits: ScalingLimits, now: float, reasons: list[str]) -> int:
    lowest = min(state.numbers(now, limits.up_period_s))
    allowed = max(_whole(lowest * limits.up_factor), lowest + limits.up_step, state.replicas)
    if allowed < wanted:
        reasons.append(
            f"up to {allowed} of {wanted}: at most {limits.up_factor:g} times or +{limits.up_step} "
            f"in {limits.up_period_s:g} s"
        )
    return min(wanted, allowed)


def _down(wanted: int, state: ScalingState, limits: ScalingLimits, now: float, reasons: list[str]) -> int:
    """What is wanted, or the most that was for lasting work within the window, in steps; the last replica only after a
    time without any work."""
    current, window_s = state.replicas, limits.down_window_s
    if now - state.since < window_s:
        reasons.append(f"down held: seen for {now - state.since:.0f} s of a window of {window_s:g} s")
        return current
    if (grown_s := state.grown_s(now)) < limits.startup_s:
        reasons.append(f"down held: more was asked for {grown_s:.0f} s ago, and takes {limits.startup_s:g} s to start")
        return current
    target = max(wanted, *(mark.replicas for mark in state.wanted))
    if target >= current:
        reasons.append(f"down held at {current} by the window of {window_s:g} s")
        return current
    if target == 0 and state.idle_s(now) < limits.idle_s:
        reasons.append(f"the last one stays: idle for {state.idle_s(now):.0f} s of {limits.idle_s:g} s")
        target = 1
    highest = max(state.numbers(now, limits.down_period_s))
    allowed = highest - max(limits.down_step, math.floor(highest * limits.down_fraction))
    if allowed > target:
        reasons.append(
            f"down to {min(allowed, current)} before {target}: at most -{limits.down_step} or "
            f"-{limits.down_fraction:.0%} in {limits.down_period_s:g} s"
        )
    return min(max(target, allowed), current)


def _report_starting(state: ScalingState, limits: ScalingLimits, now: float, reasons: list[str]) -> None:
    if not state.starting:
        return
    late = not any(now - mark.at < limits.startup_s for mark in state.changes)
    reasons.append(
        f"{state.starting} of {state.replicas} are starting"
        + (f", none asked for in {limits.startup_s:g} s: look at their events" if late else ": capacity to come")
    )


def _whole(replicas: float) -> int:
    """Rounded up, except for what is only a rounding error; more than nothing is at least one."""
    return max(math.ceil(replicas - _ROUNDING), 1 if replicas > 0 else 0)
