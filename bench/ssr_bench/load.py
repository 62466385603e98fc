"""A closed loop of jobs: so many callers, each with one job at a time, and what they see in a window of time."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, field

from grpc import aio

from ssr.core.errors import Unavailable
from ssr.runtime.rpc.errors import from_rpc_error
from ssr.v1 import reasoning_pb2, reasoning_pb2_grpc, step_pb2
from ssr_bench.problems import sum_problem

#: When no job has reported anything for so long, those that are left are stuck, in seconds.
SILENCE_S = 15.0
_LOST = (reasoning_pb2.JOB_STATUS_FAILED, reasoning_pb2.JOB_STATUS_PARKED)


@dataclass(frozen=True, slots=True)
class LoadLevel:
    """What is asked: `jobs` at a time, each of mode ssr with `paths` paths of about `steps` steps."""

    jobs: int
    paths: int
    steps: int


@dataclass(slots=True)
class Tally:
    """What the callers saw while `counting`.

    `gaps_s`: the seconds between the arrivals of two consecutive steps of one path at its caller. `running` and
    `finished` count jobs whether or not it is counting; `stuck` jobs did not end.
    """

    counting: bool = False
    steps: int = 0
    rewritten_steps: int = 0
    jobs: int = 0
    gaps_s: list[float] = field(default_factory=list)
    running: int = 0
    finished: int = 0
    stuck: int = 0

    def step(self, message: step_pb2.Step, gap_s: float | None) -> None:
        if self.counting:
            self.steps += 1
            self.rewritten_steps += message.source == step_pb2.STEP_SOURCE_REWRITTEN
            if gap_s is not None:
                self.gaps_s.append(gap_s)

    def end(self) -> None:
        self.finished += 1
        self.jobs += self.counting


class ClosedLoop:
    """Callers of the API. `numbers` gives every job a problem of its own."""

    def __init__(
        self, stub: reasoning_pb2_grpc.ReasoningServiceAsyncStub, load: LoadLevel, numbers: Iterator[int] | None = None
    ) -> None:
        self._stub, self._load = stub, load
        self._numbers = numbers if numbers is not None else itertools.count()
        self._stopping = False
        self._begun: set[asyncio.Task[None] | None] = set()
        #: Every caller has had a step: before, all of them begin at once, which they never do again.
        self.warm = asyncio.Event()
        self._heard = time.perf_counter()
        self.tally = Tally()

    async def run(self, during: Callable[[], Awaitable[None]]) -> None:
        """Keep the load up while `during` runs; those that run at its end finish, or are given up as stuck.

        Raises: the API's errors; Unavailable when a job fails.
        """
        try:
            async with asyncio.TaskGroup() as group:
                callers = [group.create_task(self._call_on()) for _ in range(self._load.jobs)]
                await during()
                self._stopping = True
                await self._drain(callers)
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _drain(self, callers: Collection[asyncio.Task[None]]) -> None:
        """Wait for the callers' last jobs as long as any of them makes progress; cancel the others."""
        left: Collection[asyncio.Task[None]] = callers
        while left and time.perf_counter() - self._heard < SILENCE_S:
            _, left = await asyncio.wait(left, timeout=1.0)
        self.tally.stuck = len(left)
        for caller in left:
            caller.cancel()

    async def _call_on(self) -> None:
        while not self._stopping:
            request = self._request(next(self._numbers))
            self.tally.running += 1
            try:
                await self._solve(request)
            except aio.AioRpcError as error:
                raise from_rpc_error(error, "the stack") from error
            finally:
                self.tally.running -= 1
            self.tally.end()

    async def _solve(self, request: reasoning_pb2.SolveRequest) -> None:
        arrived: dict[int, float] = {}
        async for event in self._stub.SolveStream(request):
            self._heard = now = time.perf_counter()
            if event.HasField("step_committed"):
                committed = event.step_committed
                self._begun.add(asyncio.current_task())
                if len(self._begun) == self._load.jobs:
                    self.warm.set()
                before = arrived.get(committed.path)
                self.tally.step(committed.step, None if before is None else now - before)
                arrived[committed.path] = now
            elif event.HasField("finished") and event.finished.job.status in _LOST:
                raise Unavailable(f"job {event.job_id} failed under load: {event.finished.job.error}")

    def _request(self, number: int) -> reasoning_pb2.SolveRequest:
        options = reasoning_pb2.Options(
            mode=reasoning_pb2.MODE_SSR, paths=self._load.paths, seed=number, early_stop=False
        )
        return reasoning_pb2.SolveRequest(problem=sum_problem(number, self._load.steps), options=options)
