"""How soon a job's end reaches the engine: a job that hangs in an engine is cancelled, or its deadline passes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from aiohttp import ClientSession

from ssr.core.errors import Unavailable
from ssr.core.limits import check_within
from ssr.engine_server.simulated.faults import FaultKind
from ssr.v1 import reasoning_pb2
from ssr_bench.simulated_stack import reasoning_stub, simulated_stack
from ssr_bench.statistics import Summary
from ssr_bench.submitting import final_status

if TYPE_CHECKING:
    from ssr_bench.submitting import Stub

#: Between two looks at the engine, in seconds; a look itself takes about as long.
_LOOK_S = 0.001
#: How long an engine may take to get, or to lose, its request, in seconds.
_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class CancellationPlan:
    """`trials` of each kind; `deadline_s` after its submission a job's deadline passes.

    Raises: InvalidRequest naming the field that is out of its limits.
    """

    trials: int = 50
    deadline_s: float = 0.5

    def __post_init__(self) -> None:
        check_within("trials", self.trials, 1, 10_000)
        check_within("deadline_s", self.deadline_s, 0.1, 60)


@dataclass(frozen=True, slots=True)
class CancellationReport:
    """Milliseconds until the engine has no request in flight: after Cancel was sent, and after a deadline passed.

    Each has one look at the engine (1 to 2 ms) in it.
    """

    plan: CancellationPlan
    cancel_ms: Summary
    deadline_ms: Summary


class WatchedEngine:
    """A simulated engine from outside: makes it hang, and looks at what it has in flight."""

    def __init__(self, session: ClientSession, address: str) -> None:
        self._session, self._url = session, f"http://{address}/simulated/faults"

    @classmethod
    @asynccontextmanager
    async def at(cls, address: str) -> AsyncIterator[Self]:
        async with ClientSession() as session:
            yield cls(session, address)

    async def hang_next(self) -> None:
        """Its next request gets no answer."""
        async with self._session.post(self._url, json={"next_requests": {FaultKind.HANG.value: 1}}) as response:
            response.raise_for_status()

    async def until_in_flight(self, count: int) -> None:
        """Until it has just so many requests in flight. Raises: Unavailable when that takes too long."""
        try:
            async with asyncio.timeout(_LIMIT_S):
                async for in_flight in self._looks():
                    if in_flight == count:
                        return
        except TimeoutError:
            raise Unavailable(f"the engine did not come to {count} requests in flight within {_LIMIT_S:g} s") from None

    async def _looks(self) -> AsyncIterator[int]:
        """The requests in flight, again and again."""
        while True:
            async with self._session.get(self._url) as response:
                state: dict[str, Any] = await response.json()
            yield int(state["counters"]["in_flight"])
            await asyncio.sleep(_LOOK_S)


async def measure_cancellation(
    plan: CancellationPlan, log: Callable[[str], None] = lambda _: None
) -> CancellationReport:
    """Bring up the stack and measure, one job after the other.

    Raises: what the stack's start raises; Unavailable when a request never ends.
    """
    log("bringing up the simulated stack")
    async with (
        simulated_stack({}, on_event=log) as stack,
        reasoning_stub(stack.address) as stub,
        WatchedEngine.at(stack.part("draft-engine").address) as engine,
    ):
        log(f"cancelling {plan.trials} jobs")
        cancelled = [await _cancelled(stub, engine) for _ in range(plan.trials)]
        log(f"letting {plan.trials} deadlines pass")
        overdue = [await _overdue(stub, engine, plan.deadline_s) for _ in range(plan.trials)]
    return CancellationReport(plan, Summary.of(cancelled), Summary.of(overdue))


async def _cancelled(stub: Stub, engine: WatchedEngine) -> float:
    """Milliseconds from sending Cancel until the engine has lost the request."""
    job = await _hanging(stub, engine)
    began = time.perf_counter()
    cancelling = asyncio.ensure_future(stub.Cancel(reasoning_pb2.CancelRequest(job_id=job.job_id)))
    await engine.until_in_flight(0)
    elapsed_s = time.perf_counter() - began
    await cancelling
    await final_status(stub, job.job_id)
    return elapsed_s * 1000


async def _overdue(stub: Stub, engine: WatchedEngine, deadline_s: float) -> float:
    """Milliseconds from the job's deadline until the engine has lost the request.

    The deadline is counted from the job's creation as the orchestrator gives it, by the clock that both share.
    """
    job = await _hanging(stub, engine, deadline_s=deadline_s)
    await engine.until_in_flight(0)
    elapsed_s = time.time() - (job.created.ToMilliseconds() / 1000 + deadline_s)
    await final_status(stub, job.job_id)
    return elapsed_s * 1000


async def _hanging(stub: Stub, engine: WatchedEngine, **limits: float) -> reasoning_pb2.Job:
    """A job whose first draft hangs in the engine."""
    await engine.hang_next()
    options = reasoning_pb2.Options(mode=reasoning_pb2.MODE_SSD, seed=1, **limits)  # type: ignore[arg-type]
    job = await stub.Submit(reasoning_pb2.SolveRequest(problem="What is 3 + 4 * 5?", options=options))
    await engine.until_in_flight(1)
    return job
