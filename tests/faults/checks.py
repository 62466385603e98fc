"""What must be true of a job after the storm. Every check answers with what is wrong; nothing is good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from calm import CalmEnd
from customers import Story
from workload import Ending

from ssr.core.job import Event, Finished, Job, JobStatus, Queued, Started
from ssr.core.run import Path, PathEnded, Run, Selected, StepCommitted
from ssr.core.types import PathStatus


def wrong_with(story: Story, calm: CalmEnd) -> list[str]:
    """Everything that is wrong with a job, its events and its end."""
    job = story.job
    assert job is not None, f"{story.order.key} was not read back"
    found = [*_against_calm(job, calm, story.order.ending), *sequence_faults(story.replay), *_fold_faults(story, job)]
    if story.live != story.replay:
        found.append(f"a watcher saw {len(story.live)} events, a replay has {len(story.replay)}, or others")
    return [f"{story.order.key} {story.job_id} ({story.order.ending}): {fault}" for fault in found]


def sequence_faults(events: Sequence[Event]) -> Iterator[str]:
    """Events that are missing, doubled or out of order."""
    cursors = [tuple(map(int, event.cursor.split("-"))) for event in events]
    if any(later <= earlier for earlier, later in pairwise(cursors)):
        yield "the cursors do not rise"
    happenings = [event.happening for event in events]
    kinds = Counter(type(happening) for happening in happenings)
    if not happenings or kinds[Queued] != 1 or not isinstance(happenings[0], Queued):
        yield f"{kinds[Queued]} Queued events, or not at the beginning"
    if not happenings or kinds[Finished] != 1 or not isinstance(happenings[-1], Finished):
        yield f"{kinds[Finished]} Finished events, or not at the end"
    if kinds[Selected] > 1:
        yield f"{kinds[Selected]} Selected events"
    epochs = [happening.epoch for happening in happenings if isinstance(happening, Started)]
    if not epochs or any(later <= earlier for earlier, later in pairwise(epochs)):
        yield f"the epochs {epochs} do not rise"
    steps = Counter((one.path, one.step.index) for one in happenings if isinstance(one, StepCommitted))
    if doubled := [where for where, times in steps.items() if times > 1]:
        yield f"the steps (path, index) {doubled} are doubled"
    lengths = Counter(path for path, _ in steps)
    if missing := [(p, i) for p, length in lengths.items() for i in range(length) if (p, i) not in steps]:
        yield f"the steps (path, index) {missing} are missing"
    ends = Counter(happening.path for happening in happenings if isinstance(happening, PathEnded))
    if doubled_ends := [path for path, times in ends.items() if times > 1]:
        yield f"the paths {doubled_ends} end more than once"


def _fold_faults(story: Story, job: Job) -> Iterator[str]:
    """Whether the events add up to the job."""
    run = Run()
    try:
        for event in story.replay:
            if isinstance(event.happening, Selected | StepCommitted | PathEnded):
                run = run.apply(event.happening)
    except (ValueError, IndexError) as error:
        yield f"the events do not follow from each other: {error}"
        return
    if run.paths != job.paths:
        yield "the events add up to other paths than the job's"
    if run.ledger.usage() != job.usage:
        yield "the events add up to another usage than the job's"
    if any(path.running for path in job.paths):
        yield "a path still runs"
    last = story.replay[-1] if story.replay else None
    if last is not None and job.cursor != last.cursor:
        yield f"the job's cursor is {job.cursor}, its last event's {last.cursor}"
    if last is not None and isinstance(last.happening, Finished):
        its = last.happening.job
        if (its.status, its.answer, its.votes) != (job.status, job.answer, job.votes):
            yield f"its last event reports {its.status} {its.answer!r}, the job is {job.status} {job.answer!r}"


def _against_calm(job: Job, calm: CalmEnd, ending: Ending) -> Iterator[str]:
    """Whether the job ended as without faults, as far as its ending must."""
    if ending is Ending.DEADLINE and job.status is JobStatus.PARTIAL:
        if not job.reason.startswith("the deadline"):
            yield f"is partial for the reason {job.reason!r}"
        yield from _beginnings(job.paths, calm.paths)
        return
    if (job.status, job.answer) != (calm.status, calm.answer):
        yield f"ended {job.status} {job.answer!r}, calmly {calm.status} {calm.answer!r}; {job.error}{job.reason}"
    if ending is Ending.EARLY:
        yield from _beginnings(job.paths, calm.paths)
        return
    if job.votes != calm.votes:
        yield f"has the votes {job.votes}, calmly {calm.votes}"
    for path, other in zip(job.paths, calm.paths, strict=False):
        if path != other:
            yield f"path {path.index} is not the calm one: {_reported(path)}, calmly {_reported(other)}"
    if len(job.paths) != len(calm.paths):
        yield f"has {len(job.paths)} paths, calmly {len(calm.paths)}"


def _beginnings(paths: Sequence[Path], calm: Sequence[Path]) -> Iterator[str]:
    """Whether each path is the calm one, or was stopped on its way there."""
    for path, whole in zip(paths, calm, strict=False):
        stopped = path.status is PathStatus.STOPPED and path.steps == whole.steps[: len(path.steps)]
        if path != whole and not stopped:
            yield f"path {path.index} ({path.status}, {path.reason}) is no beginning of the calm one"


def _reported(path: Path) -> str:
    return f"{len(path.steps)} steps, {path.status} {path.answer!r} {path.reason}"
