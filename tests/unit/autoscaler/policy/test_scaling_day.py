"""A school day against the policy, on engines made of arithmetic: paths flow between the pools like water.

A path takes six steps; each keeps a draft slot busy for 2.5 s, then a target slot for 0.5 s of scoring and, where it
is rewritten, 8 s more. Paths that find no slot wait. A replica serves some time after it was asked for.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise

import pytest

from ssr.autoscaler.policy.decision import decide
from ssr.autoscaler.policy.demand import pool_demand
from ssr.autoscaler.policy.forecast import Forecast, PathWork
from ssr.autoscaler.policy.schedule import floor_at
from ssr.autoscaler.policy.settings import ScalingLimits, ScheduledLoad
from ssr.autoscaler.policy.signals import Engines, PoolSignals, Service
from ssr.autoscaler.policy.state import ScalingState
from ssr.engines.load import Load, Pool

MIDNIGHT = datetime(2026, 3, 4, tzinfo=UTC).timestamp()
HOUR = 3600
OPEN, BURST, LESSON_S, BUSY, HEAVY, HEAVY_END, CLOSE, END = 7, 8, 600, 11, 12, 13, 14, 15
STEPS, STEP_TOKENS, DRAFT_S, SCORE_S, REWRITE_S = 6, 200, 2.5, 0.5, 8.0
LOOK_S, ROOM = 5, 2000
LIMITS = {
    Pool.DRAFT: ScalingLimits(min_replicas=0, max_replicas=20, slots=32, slot_tokens_per_s=60, startup_s=60),
    Pool.TARGET: ScalingLimits(min_replicas=1, max_replicas=20, slots=32, slot_tokens_per_s=40, startup_s=120),
}
FIRST_LESSON = ScheduledLoad(
    name="first lesson", cron="0 8 * * *", duration_s=300, replicas={Pool.DRAFT: 13, Pool.TARGET: 11}
)


def arrivals(second: int) -> float:
    """Paths a second: 1 when calm, 20 within 30 s of the burst, 6 in the busy hours, none after school."""
    hour = second / HOUR
    if hour >= CLOSE:
        return 0.0
    if BURST * HOUR <= second < BURST * HOUR + LESSON_S:
        return 1.0 + 19.0 * min((second - BURST * HOUR) / 30, 1.0)
    return 6.0 if hour >= BUSY else 1.0


def rewrite_rate(second: int) -> float:
    return 0.8 if HEAVY <= second / HOUR < HEAVY_END else 0.2


def step_s(pool: Pool, second: int) -> float:
    return DRAFT_S if pool is Pool.DRAFT else SCORE_S + rewrite_rate(second) * REWRITE_S


@dataclass
class Fleet:
    """A pool's engines, the paths at them, and what is worth remembering of the day."""

    pool: Pool
    state: ScalingState
    ready: int
    starting: list[int] = field(default_factory=list)
    paths: float = 0.0
    replicas: list[int] = field(default_factory=list)
    backlog: list[float] = field(default_factory=list)

    @property
    def limits(self) -> ScalingLimits:
        return LIMITS[self.pool]

    @property
    def serving(self) -> float:
        return min(self.paths, float(self.ready * self.limits.slots))

    def ask(self, replicas: int, second: int) -> None:
        missing = replicas - self.ready - len(self.starting)
        self.starting += [second + int(self.limits.startup_s)] * missing
        while self.ready + len(self.starting) > replicas:
            if self.starting:
                self.starting.pop()
            else:
                self.ready -= 1

    def live(self, second: int) -> float:
        """One second; returns the steps that were done."""
        self.ready += sum(at <= second for at in self.starting)
        self.starting = [at for at in self.starting if at > second]
        self.replicas.append(self.ready + len(self.starting))
        self.backlog.append(self.paths - self.serving)
        return self.serving / step_s(self.pool, second)

    def signals(self, second: int) -> PoolSignals:
        done, rate = self.serving / step_s(self.pool, second), rewrite_rate(second)
        tokens = STEP_TOKENS if self.pool is Pool.DRAFT else 1 + rate * STEP_TOKENS
        load = Load(
            requests_waiting=round(self.paths - self.serving),
            requests_running=round(self.serving),
            tokens_per_s=done * tokens,
            busy_slots=self.serving,
            verified_per_s=done,
            rewritten_per_s=done * rate,
        )
        return PoolSignals(
            self.pool,
            dict.fromkeys((s for s in Service if s.pool is self.pool), Load())
            | {Service.DRAFTER if self.pool is Pool.DRAFT else Service.VERIFIER: load},
            Engines(self.ready, len(self.starting)),
        )


@dataclass
class Day:
    fleets: dict[Pool, Fleet]
    reasons: list[str]
    finished: float
    submitted: float


Sizing = Callable[[Pool, dict[Pool, PoolSignals], Forecast, Fleet, float], tuple[int, ScalingState, tuple[str, ...]]]


def by_policy(schedule: tuple[ScheduledLoad, ...]) -> Sizing:
    def size(
        pool: Pool, seen: dict[Pool, PoolSignals], forecast: Forecast, fleet: Fleet, now: float
    ) -> tuple[int, ScalingState, tuple[str, ...]]:
        limits = LIMITS[pool]
        state = fleet.state.observed(Engines(fleet.ready, len(fleet.starting)))
        floor = floor_at(schedule, pool, now, limits.startup_s)
        decision = decide(pool_demand(pool, seen, forecast, LIMITS), state, limits, now, floor)
        return decision.replicas, decision.state, decision.reasons

    return size


def by_queue_length(
    pool: Pool, seen: dict[Pool, PoolSignals], forecast: Forecast, fleet: Fleet, now: float
) -> tuple[int, ScalingState, tuple[str, ...]]:
    """What many scale by, to compare: a replica for every so many calls that wait."""
    replicas = math.ceil(seen[pool].load.requests_waiting / LIMITS[pool].slots)
    return min(max(replicas, 1), LIMITS[pool].max_replicas), fleet.state, ()


def live_through(size: Sizing) -> Day:
    noise = random.Random(7)
    start = MIDNIGHT + OPEN * HOUR
    fleets = {pool: Fleet(pool, ScalingState.fresh(Engines(1), start), ready=1) for pool in Pool}
    draft, target = fleets[Pool.DRAFT], fleets[Pool.TARGET]
    day, queue, recent = Day(fleets, [], 0.0, 0.0), 0.0, [0.0] * 15
    for second in range(OPEN * HOUR, END * HOUR):
        come = arrivals(second) * noise.uniform(0.7, 1.3)
        recent = [*recent[1:], come]
        day.submitted += come
        taken = min(queue + come, max(ROOM - draft.paths - target.paths, 0.0))
        queue += come - taken
        drafted, verified = draft.live(second), target.live(second)
        ended = verified / STEPS
        draft.paths += taken + verified - ended - drafted
        target.paths += drafted - verified
        day.finished += ended
        if second % LOOK_S == 0:
            now = MIDNIGHT + second
            work = PathWork(STEPS, STEPS * STEP_TOKENS, STEP_TOKENS, 0.2, 0.0, 1.0)
            forecast = Forecast(now, round(queue / 5), round(queue), sum(recent) / len(recent), work)
            seen = {pool: fleet.signals(second) for pool, fleet in fleets.items()}
            for pool, fleet in fleets.items():
                replicas, fleet.state, reasons = size(pool, seen, forecast, fleet, now)
                fleet.ask(replicas, second)
                day.reasons += reasons
    return day


@cache
def lived(*, scheduled: bool = False) -> Day:
    return live_through(by_policy((FIRST_LESSON,) if scheduled else ()))


def needed(pool: Pool, second: int) -> int:
    """Replicas that the work as it comes occupies, at the target utilisation."""
    limits = LIMITS[pool]
    slots = arrivals(second) * STEPS * step_s(pool, second)
    return math.ceil(slots / (limits.slots * limits.utilisation))


def between(series: list[int], start_s: float, end_s: float) -> list[int]:
    return series[int(start_s) - OPEN * HOUR : int(end_s) - OPEN * HOUR]


def asked_again(series: list[int], within_s: int = 300) -> int:
    """How often more is asked for within so many seconds of having given some up: each start is paid for twice."""
    moves = [(second, after - before) for second, (before, after) in enumerate(pairwise(series)) if after != before]
    return sum(
        move > 0 > before and second - gone_at < within_s for (gone_at, before), (second, move) in pairwise(moves)
    )


def turns(series: list[int], within_s: int = 300) -> int:
    """Changes of direction of a number of replicas within so many seconds."""
    found, last, direction = 0, -within_s, 0
    for second in range(1, len(series)):
        change = series[second] - series[second - 1]
        if change:
            found += direction * change < 0 and second - last < within_s
            last, direction = second, change
    return found


def met_after(day: Day, moment_s: int) -> int:
    """Seconds until nothing waits in any pool, for a minute on end."""
    for second in range(moment_s - OPEN * HOUR + 30, END * HOUR):
        if all(max(fleet.backlog[second : second + 60]) < 1 for fleet in day.fleets.values()):
            return second + OPEN * HOUR - moment_s
    raise AssertionError("work waits to the end of the day")


@pytest.mark.parametrize("pool", list(Pool))
@pytest.mark.parametrize("scheduled", [False, True])
def test_nothing_is_given_up_that_is_asked_for_again_soon(pool: Pool, scheduled: bool) -> None:
    replicas = lived(scheduled=scheduled).fleets[pool].replicas
    assert asked_again(replicas) == 0
    assert turns(replicas) <= 3, "what worked off a backlog may go again"


@pytest.mark.parametrize("pool", list(Pool))
def test_while_the_load_stays_the_direction_changes_once_at_most(pool: Pool) -> None:
    moments = [OPEN * HOUR, BURST * HOUR, BURST * HOUR + LESSON_S, *(hour * HOUR for hour in (BUSY, HEAVY, HEAVY_END))]
    for start, end in pairwise([*moments, CLOSE * HOUR, END * HOUR]):
        assert turns(between(lived().fleets[pool].replicas, start, end), within_s=24 * HOUR) <= 1


def test_turns_are_counted() -> None:
    assert (turns([1, 2, 2, 1, 1, 2]), asked_again([1, 2, 2, 1, 1, 2])) == (2, 1)
    assert turns([1, 2] + [2] * 300 + [1]) == 0
    assert asked_again([1, 2, 1] + [1] * 300 + [2]) == 0
    assert sum(asked_again(fleet.replicas) for fleet in live_through(by_queue_length).fleets.values()) > 10


def test_all_work_is_done() -> None:
    day = lived()
    assert day.finished == pytest.approx(day.submitted, abs=1)


def test_an_unforeseen_burst_is_met_soon_after_the_start_up() -> None:
    assert met_after(lived(), BURST * HOUR) < 120 + 300


def test_a_scheduled_burst_is_met_at_once() -> None:
    assert met_after(lived(scheduled=True), BURST * HOUR) <= 60


@pytest.mark.parametrize("pool", list(Pool))
def test_an_unforeseen_burst_asks_for_little_more_than_the_lesson_needs(pool: Pool) -> None:
    burst = BURST * HOUR
    peak = max(between(lived().fleets[pool].replicas, burst, burst + LESSON_S))
    assert peak <= math.ceil(1.75 * needed(pool, burst + 60))


def test_an_hour_of_rewrites_grows_the_target_pool_only() -> None:
    fleets = lived().fleets
    for pool, more in ((Pool.DRAFT, 0), (Pool.TARGET, 6)):
        before = between(fleets[pool].replicas, HEAVY * HOUR - 300, HEAVY * HOUR)
        during = between(fleets[pool].replicas, HEAVY * HOUR, HEAVY_END * HOUR)
        assert max(during) - max(before) >= more
        assert more or max(during) == max(before)


def test_after_school_a_pool_may_sleep() -> None:
    fleets = lived().fleets
    assert fleets[Pool.DRAFT].replicas[-1] == 0
    assert fleets[Pool.TARGET].replicas[-1] == 1


@pytest.mark.parametrize("pool", list(Pool))
def test_a_day_costs_little_more_than_what_is_needed(pool: Pool) -> None:
    ideal = sum(max(needed(pool, second), 1) for second in range(OPEN * HOUR, END * HOUR))
    used = sum(lived().fleets[pool].replicas)
    assert ideal * 0.9 <= used <= ideal * 1.4


def test_decisions_report_why() -> None:
    reported = "\n".join(lived(scheduled=True).reasons)
    for words in ("the schedule's 'first lesson' asks for 13", "down held at", "are starting", "the last one stays"):
        assert words in reported
