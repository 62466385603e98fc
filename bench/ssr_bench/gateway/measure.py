"""What the gateway adds to the gRPC API: time a request and a streamed step, and memory with many streams."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson

from ssr.cli.stack.ports import free_port
from ssr.client import AsyncClient
from ssr.core.errors import BadReply, Unavailable
from ssr_bench.gateway.http_caller import HttpCaller, calling
from ssr_bench.gateway.scripted import problem_of
from ssr_bench.gateway.ways import LIMIT_S, body_of, streamed, watched
from ssr_bench.process_tree import read_usage
from ssr_bench.statistics import Summary, percentile

#: What is asked of the gateway: milliseconds at the median, bytes.
GOAL_REQUEST_MS, GOAL_STEP_MS, GOAL_BYTES = 1.0, 0.3, 300_000_000
_STEPS_OF_A_REQUEST = 3
_START_S, _SAMPLE_S = 60.0, 0.25
_WARM_UP = 20


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """`requests` of each way, one at a time; `paced` streams of `steps` steps `pause_ms` apart; `streams` at a time.

    `stream_pause_ms`: between the steps of those.
    """

    requests: int = 400
    paced: int = 10
    steps: int = 40
    pause_ms: float = 5.0
    streams: int = 1000
    stream_steps: int = 10
    stream_pause_ms: float = 2000.0


@dataclass(frozen=True, slots=True)
class Compared:
    """The same by gRPC and through the gateway, in ms; `added_ms` of the medians.

    `http_ms`: what the smallest application on the gateway's server takes, without anything behind it.
    `grpc_p10_ms`, `gateway_p10_ms`: what one in ten stays below, which other work on the machine disturbs least.
    `client_cpu_ms`: what a gRPC client takes for one; `gateway_cpu_ms`: what the gateway does, which is one, too.
    """

    http_ms: Summary
    grpc_ms: Summary
    gateway_ms: Summary
    grpc_p10_ms: float
    gateway_p10_ms: float
    client_cpu_ms: float
    gateway_cpu_ms: float

    @property
    def added_ms(self) -> float:
        return self.gateway_ms.p50 - self.grpc_ms.p50

    @property
    def added_p10_ms(self) -> float:
        return self.gateway_p10_ms - self.grpc_p10_ms


@dataclass(frozen=True, slots=True)
class ManyStreams:
    """`streams` at a time: a step from its sending to its arrival, the gateway's memory, its CPU a step."""

    streams: int
    steps: int
    step_ms: Summary
    idle_bytes: int
    peak_bytes: int
    cpu_ms_a_step: float


@dataclass(frozen=True, slots=True)
class GatewayReport:
    """What was measured."""

    request: Compared
    step: Compared
    many: ManyStreams

    @property
    def missed(self) -> list[str]:
        """The goals that were missed, in words."""
        checks = (
            (self.request.added_ms <= GOAL_REQUEST_MS, f"a request takes {self.request.added_ms:.2f} ms more"),
            (self.step.added_ms <= GOAL_STEP_MS, f"a streamed step takes {self.step.added_ms:.2f} ms more"),
            (self.many.peak_bytes <= GOAL_BYTES, f"the process took {self.many.peak_bytes / 1e6:.0f} MB"),
        )
        return [words for kept, words in checks if not kept]


async def measure_gateway(plan: GatewayPlan, log: Callable[[str], None] = lambda _: None) -> GatewayReport:
    """Raises: Unavailable where a process does not start; BadReply where a reply is not what it should be."""
    async with AsyncExitStack() as stack:
        server_port, gateway_port = free_port(), free_port()
        scripted = (sys.executable, "-m", "ssr_bench.gateway.scripted", str(server_port))
        await stack.enter_async_context(_process("the scripted orchestrator", scripted, {}))
        client = await stack.enter_async_context(AsyncClient(f"127.0.0.1:{server_port}"))
        await client.ready(_START_S)
        command = (str(Path(sys.executable).with_name("ssr")), "serve", "gateway", "--port", str(gateway_port))
        variables = {"SSR_GATEWAY_ORCHESTRATOR": f"127.0.0.1:{server_port}", "SSR_GATEWAY_UI": "false"}
        pid = await stack.enter_async_context(_process("the gateway", command, variables))
        bare_port = free_port()
        bare = (sys.executable, "-m", "ssr_bench.gateway.bare", str(bare_port))
        await stack.enter_async_context(_process("the bare application", bare, {}))
        for port in (gateway_port, bare_port):
            await _listens(port)
        caller = await stack.enter_async_context(calling(gateway_port))
        bare_caller = await stack.enter_async_context(calling(bare_port))
        log("requests")
        request = await _requests(plan, client, caller, bare_caller, pid)
        log("streamed steps")
        step = await _paced(plan, client, caller, bare_caller, pid)
        log(f"{plan.streams} streams at a time")
        return GatewayReport(request, step, await _many(plan, gateway_port, pid))


class _Meter:
    """What both ways take, as they are used in turn, so that both see the same machine."""

    def __init__(self, gateway_pid: int) -> None:
        self._pid = gateway_pid
        self.http: list[float] = []
        self.grpc: list[float] = []
        self.gateway: list[float] = []
        self._client_cpu_s, self._gateway_cpu_s = 0.0, self._used_s()

    def client_used(self, cpu_s: float) -> None:
        self._client_cpu_s += cpu_s

    def compared(self) -> Compared:
        return Compared(
            Summary.of(self.http),
            Summary.of(self.grpc),
            Summary.of(self.gateway),
            percentile(sorted(self.grpc), 10),
            percentile(sorted(self.gateway), 10),
            1000 * self._client_cpu_s / len(self.grpc),
            1000 * (self._used_s() - self._gateway_cpu_s) / len(self.gateway),
        )

    def _used_s(self) -> float:
        return read_usage({"gateway": self._pid})["gateway"].cpu_s


async def _requests(plan: GatewayPlan, client: AsyncClient, caller: HttpCaller, bare: HttpCaller, pid: int) -> Compared:
    problem, meter = problem_of(_STEPS_OF_A_REQUEST, 0), _Meter(pid)
    for number in range(-_WARM_UP, plan.requests):
        if number == 0:
            meter = _Meter(pid)
        begun, used = time.perf_counter(), time.process_time()
        job = await client.solve(problem, timeout_s=LIMIT_S)
        between = time.perf_counter()
        meter.client_used(time.process_time() - used)
        body = await _whole(caller, body_of(problem, number))
        ended = time.perf_counter()
        if body["ssr"]["answer"] != job.answer:
            raise BadReply(f"the gateway answered: {body}")
        bare_begun = time.perf_counter()
        await _whole(bare, body_of(problem, number))
        meter.http.append(1000 * (time.perf_counter() - bare_begun))
        meter.grpc.append(1000 * (between - begun))
        meter.gateway.append(1000 * (ended - between))
    return meter.compared()


async def _whole(caller: HttpCaller, body: dict[str, Any]) -> Any:
    """A whole reply. Raises: BadReply for one that is an error."""
    pieces: list[bytes] = []
    status = await caller.post("/v1/chat/completions", body, pieces.append)
    reply = orjson.loads(b"".join(pieces))
    if status != HTTPStatus.OK:
        raise BadReply(f"the gateway answered {status}: {reply}")
    return reply


async def _paced(plan: GatewayPlan, client: AsyncClient, caller: HttpCaller, bare: HttpCaller, pid: int) -> Compared:
    problem, meter = problem_of(plan.steps, plan.pause_ms), _Meter(pid)
    for number in range(plan.paced):
        used = time.process_time()
        meter.grpc += await watched(client, problem)
        meter.client_used(time.process_time() - used)
        body = body_of(problem, 1_000_000 + number, stream=True)
        meter.gateway += await streamed(caller, body)
        meter.http += await streamed(bare, body)
    return meter.compared()


async def _many(plan: GatewayPlan, port: int, pid: int) -> ManyStreams:
    problem = problem_of(plan.stream_steps, plan.stream_pause_ms)
    before = read_usage({"gateway": pid})["gateway"]
    peak = before.rss_bytes

    async def sample() -> None:
        nonlocal peak
        while True:
            await asyncio.sleep(_SAMPLE_S)
            peak = max(peak, read_usage({"gateway": pid})["gateway"].rss_bytes)

    async def one(number: int) -> list[float]:
        # Not all in one moment: callers are not each other's.
        await asyncio.sleep(plan.stream_pause_ms / 1000 * number / plan.streams)
        async with calling(port) as caller:
            return await streamed(caller, body_of(problem, 2_000_000 + number, stream=True))

    sampling = asyncio.create_task(sample(), name="memory")
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number), name=f"stream {number}") for number in range(plan.streams)]
    finally:
        sampling.cancel()
    after = read_usage({"gateway": pid})["gateway"]
    delays = [delay for task in tasks for delay in task.result()]
    return ManyStreams(
        plan.streams,
        len(delays),
        Summary.of(delays),
        before.rss_bytes,
        max(peak, after.rss_bytes),
        1000 * (after.cpu_s - before.cpu_s) / len(delays),
    )


@asynccontextmanager
async def _process(name: str, command: tuple[str, ...], variables: dict[str, str]) -> AsyncIterator[int]:
    """A process, as long as the block runs; yields its id. Raises: Unavailable where it ended in the meantime."""
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **variables}, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process.pid
        if process.returncode is not None:
            raise Unavailable(f"{name} ended with status {process.returncode}")
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _listens(port: int) -> None:
    until = time.monotonic() + _START_S
    while True:
        with suppress(OSError):
            async with calling(port):
                return
        if time.monotonic() > until:
            raise Unavailable(f"the gateway does not listen within {_START_S:g} s")
        await asyncio.sleep(0.05)
