"""The suite's own checks find what they are there to find."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from chaos import Harm, schedule
from checks import sequence_faults
from cluster import role_of

from ssr.core.job import Event, Finished, Happening, Job, JobStatus, Queued, Started
from ssr.core.run import PathEnded, Selected, StepCommitted
from ssr.core.types import NO_STRATEGY, Options, PathStatus, Source, Step

JOB = Job("job", JobStatus.ANSWERED, "What is 1 + 1?", Options(paths=1))
#: What a job of one path with two steps reports, by a second owner from its second step on.
GOOD: tuple[Happening, ...] = (
    Queued(),
    Started(1),
    Selected((NO_STRATEGY,)),
    StepCommitted(0, Step(0, "one", Source.DRAFT, 1)),
    Started(2),
    StepCommitted(0, Step(1, "two", Source.DRAFT, 1)),
    PathEnded(0, PathStatus.ANSWERED, "2"),
    Finished(JOB),
)
NAMES = ("redis", "orchestrator-1", "orchestrator-2", "selector-1", "drafter-1", "verifier-1")
ENGINES = ("draft-engine-1", "target-engine-1")


def events(happenings: Sequence[Happening]) -> list[Event]:
    return [Event(f"{n}-0", "job", datetime.now(UTC), happening) for n, happening in enumerate(happenings, 9)]


def without(index: int) -> list[Happening]:
    return [happening for n, happening in enumerate(GOOD) if n != index]


def twice(index: int) -> list[Happening]:
    return [happening for n, happening in enumerate(GOOD) for _ in range(1 + (n == index))]


def test_a_good_sequence_passes() -> None:
    assert list(sequence_faults(events(GOOD))) == []


@pytest.mark.parametrize("index", [0, 3, 7], ids=["Queued", "the first step", "Finished"])
def test_a_missing_event_is_found(index: int) -> None:
    assert list(sequence_faults(events(without(index))))


@pytest.mark.parametrize("index", range(len(GOOD)))
def test_a_doubled_event_is_found(index: int) -> None:
    assert list(sequence_faults(events(twice(index))))


def test_cursors_that_do_not_rise_are_found() -> None:
    reported = events(GOOD)
    reported[3], reported[4] = reported[4], reported[3]
    assert "the cursors do not rise" in list(sequence_faults(reported))


def test_a_seed_fixes_the_schedule_and_every_part_is_hit() -> None:
    blows = schedule(5, 30, 1000, NAMES + ENGINES)
    assert blows == schedule(5, 30, 1000, NAMES + ENGINES) != schedule(6, 30, 1000, NAMES + ENGINES)
    assert len(blows) == 30
    assert [blow.at for blow in blows] == sorted(blow.at for blow in blows)
    assert all(0 < blow.at < 1000 for blow in blows)
    assert {blow.role for blow in blows if blow.harm is Harm.KILL} == {role_of(name) for name in NAMES + ENGINES}
