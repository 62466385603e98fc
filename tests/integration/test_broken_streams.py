"""Streams of a real job that end before the path does: the engine dies, the job is cancelled, a budget is used up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from conftest import Services
from grpc import aio
from hang_limit import LIMIT_S

from ssr.core.job import Job, JobStatus
from ssr.core.run import StepCommitted
from ssr.drafter.servicer import running_drafter
from ssr.drafter.settings import DrafterSettings
from ssr.engine_server.server.backend import GenerateRequest, TokenEvent
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan
from ssr.engine_server.simulated.routes import add_simulated_routes
from ssr.engine_server.simulated.settings import Latency, Quality, SimulatedSettings
from ssr.engines.settings import EngineSettings
from ssr.orchestrator.service import running_orchestrator
from ssr.runtime.rpc.event_wire import event_from_wire
from ssr.runtime.rpc.job_wire import job_from_wire
from ssr.v1 import reasoning_pb2 as pb
from ssr.v1 import reasoning_pb2_grpc
from ssr.verifier.servicer import running_verifier
from ssr.verifier.settings import VerifierSettings

PROBLEM = "What is ((3 + 4) * 5 - 6) * 7 + 8 - 2 * 9?"
#: Nothing is wrong and nothing blemished, so that a path has a step for each calculation.
FLAWLESS = SimulatedSettings(
    model_id="flawless-1B",
    parameters=10**9,
    quality=Quality(error_rate=0, blemish_rate=0, judge_noise=0),
    latency=Latency(time_scale=0),
)


class Halting(SimulatedBackend):
    """Every generation halts in the middle of the step behind its first `steps` ones, as long as `halting`."""

    def __init__(self, steps: int, *, halting: bool = True) -> None:
        super().__init__(FLAWLESS)
        self.halting, self.steps = halting, steps
        self.halted = asyncio.Event()
        self.prompts: list[str] = []

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Sequence[TokenEvent], None]:
        self.prompts.append(request.inputs)
        ends = 0
        async for events in super().generate(request):
            for event in events:
                if ends == self.steps and self.halting:
                    yield (event,)  # of the next step's words
                    self.halted.set()
                    await asyncio.Event().wait()
                ends += event.token.text == "\n\n"
                yield (event,)


@dataclass
class Replica:
    """An engine that can be killed: its connections are reset, and every one from then on."""

    backend: Halting
    _open: set[asyncio.Transport] = field(default_factory=set)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        @web.middleware
        async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
            assert isinstance(request.transport, asyncio.Transport)
            self._open.add(request.transport)
            return await handler(request)

        def extend(app: web.Application) -> None:
            add_simulated_routes(app, self.backend)
            app.middlewares.append(watch)

        async with running_server(self.backend, grace_s=0.1, extend=extend) as url:
            yield url

    def die(self) -> None:
        self.backend.faults.set(FaultPlan(rates={FaultKind.RESET: 1.0}))
        for transport in self._open:
            transport.abort()


@dataclass
class Bench:
    """The services with two replicas of one engine for both pools, and the API."""

    replicas: tuple[Replica, Replica]
    stub: reasoning_pb2_grpc.ReasoningServiceAsyncStub

    async def begun(self) -> tuple[Replica, Replica]:
        """The replica that a path has halted on, and the other one."""
        waiting = {asyncio.create_task(one.backend.halted.wait()): one for one in self.replicas}
        done, others = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        busy = waiting[done.pop()]
        return busy, next(one for one in self.replicas if one is not busy)

    async def submit(self, mode: pb.Mode.ValueType, **options: int | float) -> str:
        asked = pb.Options(mode=mode, seed=1, **options)  # type: ignore[arg-type]
        return (await self.stub.Submit(pb.SolveRequest(problem=PROBLEM, options=asked), timeout=LIMIT_S)).job_id

    async def committed(self, job_id: str) -> list[StepCommitted]:
        """All steps of a job, once it has ended."""
        events = self.stub.Watch(pb.WatchRequest(job_id=job_id), timeout=LIMIT_S)
        happenings = [event_from_wire(event).happening async for event in events]
        return [one for one in happenings if isinstance(one, StepCommitted)]

    async def has_committed(self, job_id: str, steps: int) -> None:
        """Waits until a job that runs has so many."""
        if not steps:
            return
        events = self.stub.Watch(pb.WatchRequest(job_id=job_id), timeout=LIMIT_S)
        async for event in events:
            steps -= isinstance(event_from_wire(event).happening, StepCommitted)
            if steps <= 0:
                break
        events.cancel()

    async def ended(self, job_id: str) -> Job:
        await self.committed(job_id)
        return job_from_wire(await self.stub.Get(pb.GetRequest(job_id=job_id), timeout=LIMIT_S))

    def halt_no_more(self) -> None:
        for one in self.replicas:
            one.backend.halting = False


@asynccontextmanager
async def bench(services: Services, halt_behind: int, *, halting: bool = True) -> AsyncIterator[Bench]:
    async with asyncio.timeout(LIMIT_S), AsyncExitStack() as stack:
        enter = stack.enter_async_context
        replicas = (Replica(Halting(halt_behind, halting=halting)), Replica(Halting(halt_behind, halting=halting)))
        urls = tuple([await enter(replica.serving()) for replica in replicas])
        engine = EngineSettings(urls=urls)
        drafter = await enter(running_drafter(DrafterSettings(engine=engine, grace_s=1)))
        verifier = await enter(running_verifier(VerifierSettings(engine=engine, grace_s=1)))
        connected = {"drafter": f"127.0.0.1:{drafter}", "verifier": f"127.0.0.1:{verifier}", "step_timeout_s": 20}
        port = await enter(running_orchestrator(services.orchestrator.model_copy(update=connected)))
        channel = await enter(aio.insecure_channel(f"127.0.0.1:{port}"))
        yield Bench(replicas, reasoning_pb2_grpc.ReasoningServiceStub(channel))


def streams(backend: Halting) -> list[str]:
    """The prompts of the path's own generations; what is asked to learn the engine, or to score, is left out."""
    return [prompt for prompt in backend.prompts if PROBLEM in prompt and "student" not in prompt]


@pytest.mark.parametrize("mode", [pb.MODE_BASELINE, pb.MODE_DRAFT])
@pytest.mark.parametrize("halt_behind", [0, 1, 3])
async def test_a_path_goes_on_elsewhere_behind_its_last_step_when_the_engine_dies(
    services: Services, mode: pb.Mode.ValueType, halt_behind: int
) -> None:
    async with bench(services, halt_behind) as system:
        job_id = await system.submit(mode)
        dying, other = await system.begun()
        await system.has_committed(job_id, halt_behind)  # what is still on its way would be lost
        system.halt_no_more()
        dying.die()
        job = await system.ended(job_id)
        committed = await system.committed(job_id)
        undisturbed = await system.ended(await system.submit(mode))
    steps = [one.step for one in committed]
    assert [step.index for step in steps] == list(range(len(steps))), "a step is missing, or there twice"
    assert len(steps) > halt_behind + 1
    assert (job.status, job.answer) == (JobStatus.ANSWERED, undisturbed.answer)
    assert job.paths[0].steps == undisturbed.paths[0].steps
    assert len(streams(dying.backend)) == 1
    (resumed, _) = streams(other.backend)  # the other one is of the undisturbed job
    for step in steps[:halt_behind]:
        assert resumed.count(step.text) == 1
    assert steps[halt_behind].text not in resumed


async def test_drafts_go_on_elsewhere_behind_what_was_drafted_when_the_engine_dies(services: Services) -> None:
    """Verification has its own calls on the same replicas: what it has accepted is committed once."""
    async with bench(services, 2) as system:
        job_id = await system.submit(pb.MODE_SSD, threshold=0)
        dying, _ = await system.begun()
        system.halt_no_more()
        dying.die()
        job = await system.ended(job_id)
        committed = await system.committed(job_id)
        undisturbed = await system.ended(await system.submit(pb.MODE_SSD, threshold=0))
    assert undisturbed.status is JobStatus.ANSWERED, undisturbed
    assert [one.step.index for one in committed] == list(range(len(committed)))
    assert job.status is JobStatus.ANSWERED
    assert [step.text for step in job.paths[0].steps] == [step.text for step in undisturbed.paths[0].steps]
    assert job.usage.rewritten_steps == 0


@pytest.mark.parametrize("mode", [pb.MODE_BASELINE, pb.MODE_DRAFT, pb.MODE_SSD])
async def test_cancelling_reaches_an_engine_in_the_middle_of_a_stream(
    services: Services, mode: pb.Mode.ValueType
) -> None:
    async with bench(services, 2) as system:
        job_id = await system.submit(mode, threshold=0)
        busy, _ = await system.begun()
        assert busy.backend.activity.in_flight == 1
        await system.stub.Cancel(pb.CancelRequest(job_id=job_id), timeout=LIMIT_S)
        while busy.backend.activity.in_flight:
            await asyncio.sleep(0.005)
        job = await system.ended(job_id)
    assert job.status is JobStatus.CANCELLED
    assert busy.backend.activity.cancelled == 1
    assert len(job.paths[0].steps) <= 2


@pytest.mark.parametrize(("mode", "paths"), [(pb.MODE_BASELINE, 1), (pb.MODE_PARALLEL, 3), (pb.MODE_SSD, 1)])
@pytest.mark.parametrize("max_steps", [1, 2, 4])
async def test_a_budget_of_steps_is_exact_though_the_engine_streams_on(
    services: Services, mode: pb.Mode.ValueType, paths: int, max_steps: int
) -> None:
    """An engine that takes no time has written the path when the first step is committed."""
    async with bench(services, 0, halting=False) as system:
        job_id = await system.submit(mode, paths=paths, max_steps=max_steps, threshold=0)
        job = await system.ended(job_id)
        committed = await system.committed(job_id)
        while any(one.backend.activity.in_flight for one in system.replicas):
            await asyncio.sleep(0.005)
    assert (job.status, len(committed)) == (JobStatus.PARTIAL, max_steps)
    assert job.reason == f"{max_steps} of max_steps={max_steps} steps are committed"
    assert len({(one.path, one.step.index) for one in committed}) == max_steps


async def test_tokens_of_a_path_are_exact_at_a_streams_end(services: Services) -> None:
    async with bench(services, 0, halting=False) as system:
        whole = await system.ended(await system.submit(pb.MODE_BASELINE))
        tokens = sum(step.tokens for step in whole.paths[0].steps)
        for most in (tokens // 2, tokens - 1):
            job = await system.ended(await system.submit(pb.MODE_BASELINE, max_path_tokens=most))
            assert sum(step.tokens for step in job.paths[0].steps) == most
            assert job.usage.written_tokens == most
