"""Sending the day's jobs when they are due, and what became of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grpc import aio

from ssr.engines.load import Pool
from ssr.v1 import reasoning_pb2
from ssr_bench.autoscale.day import THRESHOLDS, Arrival, ArrivalKind, DayOfLoad
from ssr_bench.autoscale.engine_model import ENGINES
from ssr_bench.autoscale.pace import Pace
from ssr_bench.problems import sum_problem

if TYPE_CHECKING:
    from ssr_bench.submitting import Stub

#: The status of a job that had none when the measurement ended, and of one that the API refused or broke off.
NOT_ENDED = "NOT_ENDED"
#: How well a job may end.
ANSWERED = "ANSWERED"
#: Four times a usual step, as 512 is where models write: a step that rambles ends there.
MAX_STEP_TOKENS = 64
#: Jobs before the day at a time, and where their numbers begin.
WARMING, WARM_UP = 8, 10_000_000


@dataclass(frozen=True, slots=True)
class SentJob:
    """One job of the day: due at `at_s`, answered `took_s` later (as its caller sees it), None: not answered.

    `draft_slot_s` and `target_slot_s`: how long it kept a slot of each pool's engines busy.
    """

    at_s: float
    phase: str
    kind: ArrivalKind
    status: str
    took_s: float | None = None
    draft_slot_s: float = 0.0
    target_slot_s: float = 0.0


class DayLoad:
    """One day's jobs, sent to `stub`; `begins` is the day's start, in seconds since 1970."""

    def __init__(
        self, stub: Stub, day: DayOfLoad, pace: Pace, begins: float, now: Callable[[], float] = time.time
    ) -> None:
        self._stub, self._day, self._pace, self._begins, self._now = stub, day, pace, begins, now

    async def warm_up(self, jobs: int) -> None:
        """Jobs that are not counted, before the day."""
        numbers = iter(range(WARM_UP, WARM_UP + jobs))

        async def call_on() -> None:
            for number in numbers:
                await self._solve(Arrival(0.0, "", ArrivalKind.USUAL, number))

        async with asyncio.TaskGroup() as group:
            for _ in range(WARMING):
                group.create_task(call_on())

    async def run(self, arrivals: Sequence[Arrival], settle_s: float) -> Sequence[SentJob]:
        """All jobs, each sent at its time whatever became of those before; those that have not ended `settle_s` seconds
        after the day are cancelled."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._send(arrival)) for arrival in arrivals]
            left_s = self._pace.real_s(self._day.seconds + settle_s) - (self._now() - self._begins)
            _, late = await asyncio.wait(tasks, timeout=max(left_s, 0.0)) if tasks else (None, ())
            for task in late:
                task.cancel()
        return [
            SentJob(arrival.at_s, arrival.phase, arrival.kind, NOT_ENDED) if task.cancelled() else task.result()
            for arrival, task in zip(arrivals, tasks, strict=True)
        ]

    async def _send(self, arrival: Arrival) -> SentJob:
        await asyncio.sleep(self._begins + self._pace.real_s(arrival.at_s) - self._now())
        return await self._solve(arrival)

    async def _solve(self, arrival: Arrival) -> SentJob:
        try:
            job = await self._stub.Solve(self._request(arrival))
        except aio.AioRpcError as error:
            return SentJob(arrival.at_s, arrival.phase, arrival.kind, error.code().name)
        status = reasoning_pb2.JobStatus.Name(job.status).removeprefix("JOB_STATUS_")
        took_s = self._pace.day_s(self._now() - self._begins) - arrival.at_s
        work = {pool: ENGINES[pool].slot_seconds(job.usage.models) for pool in Pool}
        return SentJob(
            arrival.at_s,
            arrival.phase,
            arrival.kind,
            status,
            took_s if status == ANSWERED else None,
            work[Pool.DRAFT],
            work[Pool.TARGET],
        )

    def _request(self, arrival: Arrival) -> reasoning_pb2.SolveRequest:
        options = reasoning_pb2.Options(
            mode=reasoning_pb2.MODE_SSR,
            paths=self._day.paths,
            seed=arrival.number,
            threshold=THRESHOLDS[arrival.kind],
            max_step_tokens=MAX_STEP_TOKENS,
        )
        return reasoning_pb2.SolveRequest(problem=sum_problem(arrival.number, self._day.operations), options=options)
