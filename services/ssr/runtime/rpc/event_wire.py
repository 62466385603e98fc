"""Events of a job, which are its journal too, in both directions."""

from __future__ import annotations

from datetime import UTC

from ssr.core.job import Event, Finished, Happening, Queued, Started
from ssr.core.run import PathEnded, Selected, StepCommitted
from ssr.core.types import PathStatus
from ssr.runtime.rpc.job_wire import PATH_STATUS, job_from_wire, job_to_wire
from ssr.runtime.rpc.step_wire import (
    calls_from_wire,
    calls_to_wire,
    step_from_wire,
    step_to_wire,
    strategy_from_wire,
    strategy_to_wire,
)
from ssr.v1 import reasoning_pb2


def event_to_wire(event: Event) -> reasoning_pb2.Event:
    message = happening_to_wire(event.happening)
    message.cursor = event.cursor
    message.job_id = event.job_id
    message.time.FromDatetime(event.time)
    return message


def event_from_wire(message: reasoning_pb2.Event) -> Event:
    return Event(message.cursor, message.job_id, message.time.ToDatetime(tzinfo=UTC), happening_from_wire(message))


def happening_to_wire(happening: Happening) -> reasoning_pb2.Event:
    """An Event message that says only what happened: no cursor, job or time yet."""
    message = reasoning_pb2.Event()
    match happening:
        case Queued():
            message.queued.SetInParent()
        case Started(epoch):
            message.started.epoch = epoch
        case Selected(strategies, calls):
            message.selected.strategies.extend(strategy_to_wire(strategy) for strategy in strategies)
            message.selected.calls.extend(calls_to_wire(calls))
        case StepCommitted(path, step, calls):
            message.step_committed.path = path
            message.step_committed.step.CopyFrom(step_to_wire(step))
            message.step_committed.calls.extend(calls_to_wire(calls))
        case PathEnded():
            message.path_ended.CopyFrom(_path_ended_to_wire(happening))
        case Finished(job):
            message.finished.job.CopyFrom(job_to_wire(job, steps=False))
    return message


def happening_from_wire(message: reasoning_pb2.Event) -> Happening:
    """Raises: ValueError for a message of a newer API."""
    match message.WhichOneof("kind"):
        case "queued":
            return Queued()
        case "started":
            return Started(message.started.epoch)
        case "selected":
            selected = message.selected
            return Selected(tuple(map(strategy_from_wire, selected.strategies)), calls_from_wire(selected.calls))
        case "step_committed":
            committed = message.step_committed
            return StepCommitted(committed.path, step_from_wire(committed.step), calls_from_wire(committed.calls))
        case "path_ended":
            return _path_ended_from_wire(message.path_ended)
        case "finished":
            return Finished(job_from_wire(message.finished.job))
        case kind:
            raise ValueError(f"an event of unknown kind {kind}")


def _path_ended_to_wire(ended: PathEnded) -> reasoning_pb2.Event.PathEnded:
    return reasoning_pb2.Event.PathEnded(
        path=ended.path,
        status=PATH_STATUS.number(ended.status),
        answer=ended.answer,
        reason=ended.reason,
        leader=ended.leader,
        confidence=ended.confidence,
        calls=calls_to_wire(ended.calls),
    )


def _path_ended_from_wire(message: reasoning_pb2.Event.PathEnded) -> PathEnded:
    return PathEnded(
        message.path,
        PATH_STATUS.read(PathStatus, message.status),
        message.answer,
        message.reason,
        message.leader,
        message.confidence if message.HasField("confidence") else None,
        calls_from_wire(message.calls),
    )
