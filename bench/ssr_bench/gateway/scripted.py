"""An orchestrator whose jobs are scripts: what they cost is what is in front of it. A process of its own.

A problem says what its job does: "steps=12 pause_ms=5" has one path of 12 steps, 5 ms apart. Each step begins with the
time that it was sent at, in ns of the machine's monotonic clock, which is the same in all of its processes.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ssr.core.errors import InvalidRequest, NotFound
from ssr.core.job import Event, Finished, Happening, Job, JobStatus, Queued, Started
from ssr.core.ledger import Usage
from ssr.core.run import Path, PathEnded, StepCommitted
from ssr.core.types import NO_STRATEGY, Options, PathStatus, Source, Step
from ssr.core.vote import Vote
from ssr.runtime.rpc.event_wire import event_to_wire
from ssr.runtime.rpc.job_wire import job_to_wire, labels_from_wire
from ssr.runtime.rpc.server import Servicer, running_server
from ssr.v1 import reasoning_pb2, reasoning_pb2_grpc

_SCRIPT = re.compile(r"steps=(\d+) pause_ms=(\d+(?:\.\d+)?)")
#: What a step of a few sentences has.
_TEXT = "We multiply both sides by twelve and collect what has x in it on the left. " * 3
_ANSWER = "42"


def problem_of(steps: int, pause_ms: float) -> str:
    """A problem whose job is so."""
    return f"steps={steps} pause_ms={pause_ms:g}"


def sent_at_ns(text: str) -> int | None:
    """When a step was sent; None for a text that is none of a script's."""
    head = text.strip().partition(" ")[0]
    return int(head) if head.isdigit() else None


def script_of(problem: str) -> tuple[int, float] | None:
    """Its steps, and the seconds before each; None for a problem that is no script."""
    script = _SCRIPT.fullmatch(problem)
    return None if script is None else (int(script[1]), float(script[2]) / 1000)


def step_text() -> str:
    """The text of a step that is sent now."""
    return f"{time.monotonic_ns()} {_TEXT}"


class ScriptedServicer(reasoning_pb2_grpc.ReasoningServiceServicer):
    """Jobs of scripts; nothing runs unless it is watched or waited for."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    async def Submit(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.SolveRequest, context: Any
    ) -> reasoning_pb2.Job:
        if script_of(request.problem) is None:
            raise InvalidRequest("problem", "is no script")
        job_id = f"job-{hashlib.sha256(request.idempotency_key.encode()).hexdigest()[:24]}"
        job = Job(
            job_id,
            JobStatus.QUEUED,
            request.problem,
            Options(),
            labels=labels_from_wire(request.labels),
            created=datetime.now(UTC),
        )
        self._jobs[job_id] = job
        return job_to_wire(job)

    async def Get(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.GetRequest, context: Any
    ) -> reasoning_pb2.Job:
        job, steps = self._job(request.job_id), list[Step]()
        for number in range(1 << 30):
            match await self._happening(job, number):
                case StepCommitted(_, step):
                    steps.append(step)
                case Finished(ended):
                    del self._jobs[job.job_id]
                    path = Path(0, NO_STRATEGY, tuple(steps), PathStatus.ANSWERED, _ANSWER)
                    return job_to_wire(replace(ended, paths=(path,)))
        raise AssertionError("every script ends")

    async def Watch(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.WatchRequest, context: Any
    ) -> AsyncIterator[reasoning_pb2.Event]:
        job = self._job(request.job_id)
        for number in range(1 << 30):
            happening = await self._happening(job, number)
            if happening is None:
                del self._jobs[job.job_id]
                return
            yield event_to_wire(Event(str(number), job.job_id, datetime.now(UTC), happening))

    async def Cancel(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.CancelRequest, context: Any
    ) -> reasoning_pb2.Job:
        return job_to_wire(replace(self._job(request.job_id), status=JobStatus.CANCELLED))

    async def List(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.ListRequest, context: Any
    ) -> reasoning_pb2.ListResponse:
        return reasoning_pb2.ListResponse()

    async def _happening(self, job: Job, number: int) -> Happening | None:
        script = script_of(job.problem)
        assert script is not None  # Submit refused what is none
        steps, pause_s = script
        if number < 2:
            return Queued() if number == 0 else Started(1)
        if (step := number - 2) < steps:
            if pause_s:
                await asyncio.sleep(pause_s)
            return StepCommitted(0, Step(step, step_text(), Source.DRAFT, 48, score=8.0))
        if step == steps:
            return PathEnded(0, PathStatus.ANSWERED, _ANSWER)
        if step == steps + 1:
            votes = (Vote(_ANSWER, (0,), 8.0),)
            ended = replace(job, status=JobStatus.ANSWERED, answer=_ANSWER, votes=votes, usage=Usage())
            return Finished(replace(ended, finished=datetime.now(UTC)))
        return None

    def _job(self, job_id: str) -> Job:
        if job_id not in self._jobs:
            raise NotFound("job_id: there is none")
        return self._jobs[job_id]


async def _serve(port: int) -> None:
    servicer = ScriptedServicer()  # type: ignore[abstract]  # what nobody calls here is UNIMPLEMENTED
    add = partial(reasoning_pb2_grpc.add_ReasoningServiceServicer_to_server, servicer)
    async with running_server([Servicer("ssr.v1.ReasoningService", add)], host="127.0.0.1", port=port, grace_s=1):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
