from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ssr.core.job import Event, Finished, Job, JobStatus, Priority, Queued, Started
from ssr.core.ledger import Ledger, ModelUsage, Usage
from ssr.core.run import Path, PathEnded, Selected, StepCommitted
from ssr.core.steps import CutText, join_path
from ssr.core.types import (
    Call,
    CallKind,
    Mode,
    Options,
    PathContext,
    PathStatus,
    Source,
    Step,
    StopRule,
    Strategy,
    WorkedExample,
)
from ssr.core.vote import Vote
from ssr.runtime.rpc.event_wire import event_from_wire, event_to_wire
from ssr.runtime.rpc.job_wire import job_from_wire, job_to_wire
from ssr.runtime.rpc.step_wire import calls_from_wire, context_from_wire, context_to_wire, step_from_wire, step_to_wire
from ssr.v1 import reasoning_pb2, step_pb2

STRATEGY = Strategy("A", "Algebra", "Name the unknowns.", (WorkedExample("1+1?", "It is\n\n\\boxed{2}."),))
CALL = Call(CallKind.DRAFT, "m", 10, 5, 2, 8, cache_unreported=True, tail_tokens=3, engine_s=1.5)
STEPS = (
    Step(0, "a", Source.DRAFT, 5, 7.5),
    Step(1, "b", Source.REWRITTEN, 6, 9.0, ends_turn=True, draft_score=0.0, draft_text="x"),
    Step(2, "c", Source.TARGET, 7),
)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
JOB = Job(
    "job-1",
    JobStatus.ANSWERED,
    "p",
    Options(mode=Mode.PARALLEL, stop_rule=StopRule.FAST_2, seed=3, early_stop=False),
    answer="42",
    votes=(Vote("42", (0, 2), 8.0), Vote("7", (1,), None)),
    paths=(Path(0, STRATEGY, STEPS, PathStatus.ANSWERED, "42"), Path(1, STRATEGY, (), PathStatus.FAILED, "", "why")),
    usage=Ledger().add([CALL], STEPS[0]).usage(),
    error="e",
    created=NOON,
    started=NOON,
    finished=NOON,
    cursor="1-2",
)


def test_a_job_survives_the_wire() -> None:
    assert job_from_wire(job_to_wire(JOB)) == JOB


def test_seconds_on_engines_that_an_older_version_does_not_report_are_unknown() -> None:
    older = job_to_wire(JOB)
    for name in ("draft_engine_s", "target_engine_s", "selection_engine_s"):
        older.usage.ClearField(name)
    usage = job_from_wire(older).usage
    assert (usage.draft_engine_s, usage.target_engine_s, usage.selection_engine_s) == (None, None, None)
    assert JOB.usage.draft_engine_s == 1.5
    (call,) = calls_from_wire([step_pb2.Call(kind=step_pb2.CALL_KIND_DRAFT, model="m")])
    assert call.engine_s is None


def test_a_job_without_steps_keeps_its_mean_scores() -> None:
    message = job_to_wire(JOB, steps=False)
    assert not message.paths[0].steps
    assert message.paths[0].mean_score == pytest.approx(8.25)
    assert not message.paths[1].HasField("mean_score")


@pytest.mark.parametrize(
    "happening",
    [
        Queued(),
        Started(3),
        Selected((STRATEGY, STRATEGY), (CALL,)),
        *(StepCommitted(1, step, (CALL,)) for step in STEPS),
        PathEnded(2, PathStatus.STALLED, "", "an empty step"),
        PathEnded(2, PathStatus.EXHAUSTED, reason="no room", calls=(Call(CallKind.WASTED, "m", 5, 90, 10, 12),)),
    ],
)
def test_events_survive_the_wire(happening: object) -> None:
    event = Event("5-0", "job-1", NOON, happening)  # type: ignore[arg-type]
    assert event_from_wire(event_to_wire(event)) == event


def test_the_last_event_carries_the_job() -> None:
    happening = event_from_wire(event_to_wire(Event("5-0", "job-1", NOON, Finished(JOB)))).happening
    assert isinstance(happening, Finished)
    assert (happening.job.answer, happening.job.votes, happening.job.usage) == (JOB.answer, JOB.votes, JOB.usage)


def test_an_event_of_a_newer_api_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        event_from_wire(reasoning_pb2.Event(cursor="1-0"))


def test_a_context_survives_the_wire() -> None:
    context = PathContext("job-1", 3, "p", STRATEGY, ("a", "b"), 2**60)
    assert context_from_wire(context_to_wire(context)) == context


def test_what_was_cut_goes_on_at_the_cut_behind_the_wire() -> None:
    steps = (CutText("The crates hold 12"), "40 apples.")
    context = context_from_wire(context_to_wire(PathContext("job-1", 3, "p", STRATEGY, steps, 0)))
    assert join_path(context.steps) == "The crates hold 1240 apples.\n\n"
    sent = step_to_wire(Step(0, steps[0], Source.DRAFT, 5))
    assert (sent.text, sent.cut, step_from_wire(sent).cut) == ("The crates hold 12", True, True)
    older = step_pb2.PathContext(job_id="job-1", steps=["a", "b"])  # of a version that knows no cut steps
    assert join_path(context_from_wire(older).steps) == "a\n\nb\n\n"


def test_the_usage_of_an_older_server_has_what_was_cached_left_out_of_its_flops() -> None:
    message = job_to_wire(replace(JOB, usage=Usage(models=(ModelUsage("m", 10, 1, 30, 20, 9, reused_tokens=20),))))
    message.usage.models[0].ClearField("reused_tokens")
    (model,) = job_from_wire(message).usage.models
    assert model.total_flops == message.usage.models[0].flops == 2 * 10 * (30 - 20 + 9)


def test_what_a_newer_version_reports_is_read_as_unknown() -> None:
    """A client or replica of this version, while those of the next one are coming up."""
    message = job_to_wire(JOB)
    message.status, message.priority = 99, 99  # type: ignore[assignment]
    message.options.mode = message.options.stop_rule = 99  # type: ignore[assignment]
    message.paths[0].status = message.paths[0].steps[0].source = 99  # type: ignore[assignment]
    job = job_from_wire(message)
    assert (job.status, job.priority) == (JobStatus.UNKNOWN, Priority.INTERACTIVE)
    assert (job.options.mode, job.options.stop_rule) == (Mode.UNKNOWN, StopRule.UNKNOWN)
    assert (job.paths[0].status, job.paths[0].steps[0].source) == (PathStatus.UNKNOWN, Source.UNKNOWN)
    assert job.answer == JOB.answer
    assert job_to_wire(job).status == 0
    assert step_from_wire(step_pb2.Step(source=99, text="a")).text == "a"  # type: ignore[arg-type]
    assert calls_from_wire([step_pb2.Call(kind=99)])[0].kind is CallKind.UNKNOWN  # type: ignore[arg-type]
