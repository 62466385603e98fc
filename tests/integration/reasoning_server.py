"""A ReasoningService that follows a script: real gRPC, no reasoning."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from grpc import aio

from ssr.core.errors import NotFound, SsrError, Unavailable
from ssr.core.job import Event, Finished, Happening, Job, JobStatus, Queued, Started
from ssr.core.run import PathEnded, Run, Selected, StepCommitted
from ssr.core.types import Call, CallKind, Mode, Options, PathStatus, Source, Step, Strategy
from ssr.core.vote import Vote
from ssr.runtime.rpc.event_wire import event_to_wire
from ssr.runtime.rpc.job_wire import job_to_wire
from ssr.runtime.rpc.server import Servicer, running_server
from ssr.v1 import reasoning_pb2, reasoning_pb2_grpc

BEGAN = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
JOB_ID = "job-a"
PROBLEM = "What is 6 times 7?"

SOON_S = 0.001


def away() -> Unavailable:
    """An error that asks to come back at once."""
    return Unavailable("away for a moment", SOON_S)


def decisions() -> list[Happening]:
    """Two paths that agree: one accepted draft, one rewritten."""
    draft = Call(CallKind.DRAFT, "small", 500, 90, 10, 12)
    score = Call(CallKind.SCORE, "large", 1500, 120, 100, 1)
    rewrite = Call(CallKind.REWRITE, "large", 1500, 110, 100, 14)
    strategies = (Strategy("A", "Equation", "Write x."), Strategy("C", "Unit rate", "Find one."))
    first = Step(0, "6 times 7 is 42.\nSo \\boxed{42}", Source.DRAFT, 12, 8.25)
    second = Step(0, "Seven sixes: \\boxed{42}", Source.REWRITTEN, 14, 9.0, draft_score=3.5)
    return [
        Selected(strategies, (Call(CallKind.SELECT, "large", 1500, 80, 0, 1),)),
        StepCommitted(0, first, (draft, score)),
        StepCommitted(1, second, (draft, score, rewrite)),
        PathEnded(0, PathStatus.ANSWERED, "42"),
        PathEnded(1, PathStatus.ANSWERED, "42"),
    ]


def finished_job(status: JobStatus = JobStatus.ANSWERED, error: str = "") -> Job:
    """The job that `decisions` lead to, or one that ended without an answer."""
    run = Run()
    for decision in decisions():
        run = run.apply(decision)  # type: ignore[arg-type]
    answered = status is JobStatus.ANSWERED
    return Job(
        JOB_ID,
        status,
        PROBLEM,
        Options(mode=Mode.SSR, paths=2, seed=7),
        answer="42" if answered else "",
        votes=(Vote("42", (0, 1), 8.625),) if answered else (),
        paths=run.paths,
        usage=run.ledger.usage(),
        error=error,
        created=BEGAN,
        started=BEGAN + timedelta(seconds=1),
        finished=BEGAN + timedelta(seconds=4),
    )


def events_of(job: Job) -> list[Event]:
    """The job's events from its beginning to its end; their cursors are "1", "2", ..."""
    happenings: list[Happening] = [Queued(), Started(1), *decisions(), Finished(job)]
    return [Event(str(i), job.job_id, BEGAN + timedelta(seconds=i), h) for i, h in enumerate(happenings, 1)]


class ScriptedReasoning(reasoning_pb2_grpc.ReasoningServiceServicer):
    """Answers with `job` and its events, after the faults that are in its script.

    `faults` holds, by method, what the next calls fail with. `breaks` holds, for the next watches, after how many
    events they fail, and with what. `silent_after`: a watch says nothing after so many events. `calls` has every
    request, by method, in order, and `tenants` who sent it. `hold_submit`: the first Submit never answers.
    `knows_wait` False: a Get answers at once, as those of 0.1.0 do. What breaks watches breaks such a Get, too.
    """

    def __init__(self, job: Job | None = None) -> None:
        self.job = job or finished_job()
        self.events = events_of(self.job)
        self.faults: dict[str, list[SsrError]] = {}
        self.breaks: list[tuple[int, SsrError | grpc.StatusCode]] = []
        self.silent_after: int | None = None
        self.hold_submit = False
        self.knows_wait = True
        self.calls: list[tuple[str, Any]] = []
        self.tenants: list[str | None] = []
        self.silent = threading.Event()
        self.cancelled = threading.Event()
        self.on_silent: Callable[[], None] = lambda: None

    def requests(self, method: str) -> list[Any]:
        """The requests of one method, in order."""
        return [request for name, request in self.calls if name == method]

    def add_to(self, server: aio.Server) -> None:
        reasoning_pb2_grpc.add_ReasoningServiceServicer_to_server(self, server)

    async def Submit(  # noqa: N802
        self, request: reasoning_pb2.SolveRequest, context: Any
    ) -> reasoning_pb2.Job:
        self._note("Submit", request, context)
        if self.hold_submit:
            self.hold_submit = False
            await self._say_nothing()
        return job_to_wire(replace(self.job, status=JobStatus.QUEUED, answer="", votes=()), steps=False)

    async def Get(self, request: reasoning_pb2.GetRequest, context: Any) -> reasoning_pb2.Job:  # noqa: N802
        self._note("Get", request, context)
        self._check(request.job_id)
        if request.wait_s and not self.knows_wait and not self.requests("Watch"):
            return job_to_wire(replace(self.job, status=JobStatus.RUNNING))
        if request.wait_s and self.breaks:
            fault = self.breaks.pop(0)[1]
            assert isinstance(fault, SsrError)
            raise fault
        if request.wait_s and self.silent_after is not None:
            await self._say_nothing()
        return job_to_wire(self.job)

    async def Watch(  # noqa: N802
        self, request: reasoning_pb2.WatchRequest, context: Any
    ) -> AsyncIterator[reasoning_pb2.Event]:
        self._note("Watch", request, context)
        self._check(request.job_id)
        limit, fault = self.breaks.pop(0) if self.breaks else (len(self.events), None)
        for sent, event in enumerate(self.events[int(request.cursor or 0) :]):
            if sent == limit:
                break
            if sent == self.silent_after:
                await self._say_nothing()
            yield event_to_wire(event)
        if isinstance(fault, SsrError):
            raise fault
        if fault is not None:
            await context.abort(fault, "as the script says")

    async def Cancel(self, request: reasoning_pb2.CancelRequest, context: Any) -> reasoning_pb2.Job:  # noqa: N802
        self._note("Cancel", request, context)
        self._check(request.job_id)
        self.cancelled.set()
        return job_to_wire(self.job, steps=False)

    async def List(self, request: reasoning_pb2.ListRequest, context: Any) -> reasoning_pb2.ListResponse:  # noqa: N802
        self._note("List", request, context)
        return reasoning_pb2.ListResponse(jobs=[job_to_wire(self.job, steps=False)], next_page_token="9")

    def _note(self, method: str, request: Any, context: Any) -> None:
        self.calls.append((method, request))
        self.tenants.append(dict(context.invocation_metadata()).get("x-ssr-tenant"))
        if faults := self.faults.get(method):
            raise faults.pop(0)

    def _check(self, job_id: str) -> None:
        if job_id != self.job.job_id:
            raise NotFound(f"job_id: there is no job {job_id!r}")

    async def _say_nothing(self) -> None:
        self.silent.set()
        self.on_silent()
        await asyncio.Event().wait()


@asynccontextmanager
async def serving(script: ScriptedReasoning) -> AsyncIterator[str]:
    """The script's server, on a free port of the loopback; yields its address."""
    servicers: Sequence[Servicer] = [Servicer("ssr.v1.ReasoningService", script.add_to)]
    async with running_server(servicers, host="127.0.0.1", port=0, grace_s=0) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def serving_in_thread(script: ScriptedReasoning) -> Iterator[str]:
    """The same in an event loop of another thread, for callers that block."""
    address: list[str] = []
    started, ended = threading.Event(), threading.Event()

    async def serve() -> None:
        async with serving(script) as where:
            address.append(where)
            started.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="scripted-server")
    thread.start()
    try:
        assert started.wait(10)
        yield address[0]
    finally:
        ended.set()
        thread.join()
