"""What Redis holds of a job, read: its fields, and the fold of its events."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from ssr.core.job import Happening, Job, JobStatus
from ssr.core.run import PathEnded, Run, Selected, StepCommitted
from ssr.runtime.rpc.event_wire import happening_from_wire, happening_to_wire
from ssr.runtime.rpc.job_wire import job_from_wire, request_from_wire
from ssr.v1 import reasoning_pb2

#: Events that are folded before others on the loop have their turn: a few milliseconds.
_FOLDED_AT_ONCE = 50


def fingerprint_of(request: reasoning_pb2.SolveRequest) -> str:
    """Equal for requests that ask for the same."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()


async def folded(run: Run, payloads: Sequence[bytes]) -> Run:
    """The run behind these further events. Never blocks the loop for long."""
    for number, payload in enumerate(payloads, 1):
        happening = happening_from_wire(reasoning_pb2.Event.FromString(payload))
        if isinstance(happening, Selected | StepCommitted | PathEnded):
            run = run.apply(happening)
        if number % _FOLDED_AT_ONCE == 0:
            await asyncio.sleep(0)
    return run


def payload_of(happening: Happening) -> bytes:
    return happening_to_wire(happening).SerializeToString(deterministic=True)


def stored_event(job_id: str, cursor: str, payload: bytes) -> reasoning_pb2.Event:
    message = reasoning_pb2.Event.FromString(payload)
    message.cursor, message.job_id = cursor, job_id
    message.time.FromMilliseconds(int(cursor.partition("-")[0]))
    return message


def stored_job(job_id: str, meta: dict[bytes, bytes]) -> Job:
    """The job without its paths."""
    if b"result" in meta:
        job = replace(job_from_wire(reasoning_pb2.Job.FromString(meta[b"result"])), paths=())
    else:
        request = request_from_wire(reasoning_pb2.SolveRequest.FromString(meta[b"request"]))
        job = Job(
            job_id,
            JobStatus(meta[b"status"].decode()),
            request.problem,
            request.options,
            priority=request.priority,
            tenant=meta[b"tenant"].decode(),
            labels=request.labels,
        )
    return replace(
        job,
        created=_time(meta.get(b"created")),
        started=_time(meta.get(b"started")),
        finished=_time(meta.get(b"finished")),
        waiting_for=tuple(meta.get(b"waits", b"").decode().split()),
    )


def _time(milliseconds: bytes | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
