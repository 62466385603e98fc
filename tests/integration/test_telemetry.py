"""Metrics and traces of the whole system, as Prometheus and a collector get them: real gRPC, HTTP and Valkey."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from grpc import StatusCode, aio
from hang_limit import LIMIT_S
from otlp_collector import Collector, running_collector
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from redis.asyncio import Redis
from serve_process import running_command

from ssr.cli.stack.ports import free_port
from ssr.core.errors import CapabilityMissing, Unavailable
from ssr.core.job import Job, JobStatus
from ssr.core.types import Source
from ssr.drafter.servicer import running_drafter
from ssr.drafter.settings import DrafterSettings
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan
from ssr.engine_server.simulated.routes import add_simulated_routes
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr.engines.settings import EngineSettings
from ssr.orchestrator.queue.keys import GROUP, JobKeys
from ssr.orchestrator.queue.keys import stream as queue_stream
from ssr.orchestrator.service import running_orchestrator
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.runtime.rpc.job_wire import job_from_wire
from ssr.runtime.telemetry.otlp import END_S
from ssr.runtime.telemetry.telemetry import open_telemetry
from ssr.selector.servicer import running_selector
from ssr.selector.settings import SelectorSettings
from ssr.v1 import reasoning_pb2 as pb
from ssr.v1 import reasoning_pb2_grpc
from ssr.verifier.servicer import running_verifier
from ssr.verifier.settings import VerifierSettings

PROBLEM = "A shop sells 12 boxes of 7 pens, then 19 more pens. What is (12 * 7) + 19 - 3?"
REQUEST = pb.SolveRequest(problem=PROBLEM, options=pb.Options(seed=1, paths=3))
HANG = FaultPlan(rates={FaultKind.HANG: 1.0})
CALLERS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

#: Metric values by name and labels, as sample("ssr_jobs_ended_total", status="answered").
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass
class Watched:
    """The whole system, each part with metrics of its own; `settings` are the orchestrator's."""

    settings: OrchestratorSettings
    draft: SimulatedBackend
    target: SimulatedBackend
    ports: dict[str, int]

    async def metrics(self, service: str) -> Samples:
        return await scrape(self.ports[service])


@asynccontextmanager
async def watched_system(redis_url: str, otlp_endpoint: str | None = None) -> AsyncIterator[Watched]:
    """Everything but the orchestrator is running."""
    quick = {"latency": Latency(time_scale=0), "max_input_tokens": 4095, "max_total_tokens": 4096}
    draft = SimulatedBackend(SimulatedSettings.draft().model_copy(update=quick))
    target = SimulatedBackend(SimulatedSettings.target().model_copy(update=quick))
    ports = {name: free_port() for name in ("orchestrator", "selector", "drafter", "verifier")}
    common: dict[str, Any] = {"grace_s": 1, "otlp_endpoint": otlp_endpoint}
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        draft_engine, target_engine = [
            EngineSettings(
                urls=(
                    await enter(running_server(of, grace_s=1, extend=lambda app, of=of: add_simulated_routes(app, of))),  # type: ignore[misc]
                )
            )
            for of in (draft, target)
        ]
        selecting = SelectorSettings(engine=target_engine, metrics_port=ports["selector"], **common)
        drafting = DrafterSettings(engine=draft_engine, metrics_port=ports["drafter"], **common)
        verifying = VerifierSettings(engine=target_engine, metrics_port=ports["verifier"], **common)
        settings = OrchestratorSettings(
            redis_url=redis_url,
            selector=f"127.0.0.1:{await enter(running_selector(selecting))}",
            drafter=f"127.0.0.1:{await enter(running_drafter(drafting))}",
            verifier=f"127.0.0.1:{await enter(running_verifier(verifying))}",
            step_timeout_s=8,
            metrics_port=ports["orchestrator"],
            **common,
        )
        yield Watched(settings, draft, target, ports)


@asynccontextmanager
async def orchestrator(
    settings: OrchestratorSettings, **changes: object
) -> AsyncIterator[reasoning_pb2_grpc.ReasoningServiceAsyncStub]:
    async with (
        running_orchestrator(settings.model_copy(update=changes)) as port,
        aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield reasoning_pb2_grpc.ReasoningServiceStub(channel)


async def scrape(port: int) -> Samples:
    headers = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics", headers=headers) as reply:
        assert reply.status == 200
        assert reply.headers["Content-Type"].startswith("application/openmetrics-text")
        families = list(text_string_to_metric_families(await reply.text()))  # type: ignore[no-untyped-call]
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    wanted = set(labels.items())
    return sum(number for (found, of), number in samples.items() if found == name and wanted <= of)


async def solve(stub: reasoning_pb2_grpc.ReasoningServiceAsyncStub, request: pb.SolveRequest = REQUEST) -> Job:
    return job_from_wire(await stub.Solve(request, timeout=LIMIT_S))


async def test_metrics_agree_with_the_job_that_was_solved(redis_url: str) -> None:
    async with watched_system(redis_url) as system, orchestrator(system.settings) as stub:
        job = await solve(stub)
        reported = {name: await system.metrics(name) for name in system.ports}
    of, usage = reported["orchestrator"], job.usage
    steps = [step for path in job.paths for step in path.steps]
    rewritten = [step for step in steps if step.source is Source.REWRITTEN]
    assert rewritten, "the seed makes some"
    assert value(of, "ssr_jobs_submitted_total", priority="interactive") == 1
    assert value(of, "ssr_jobs_ended_total", status="answered", mode="ssr") == 1
    assert value(of, "ssr_job_duration_seconds_count", mode="ssr") == 1
    assert value(of, "ssr_job_first_step_seconds_count", mode="ssr") == 1
    assert value(of, "ssr_queue_wait_seconds_count", priority="interactive") == 1
    assert value(of, "ssr_steps_committed_total", source="rewritten") == len(rewritten) == usage.rewritten_steps
    assert value(of, "ssr_steps_committed_total", source="draft") == usage.accepted_steps
    assert value(of, "ssr_step_duration_seconds_count", mode="ssr") == len(steps)
    assert value(of, "ssr_step_score_count") == len(steps)
    assert value(of, "ssr_step_score_sum", outcome="rewritten") == pytest.approx(
        sum(s.draft_score or 0 for s in rewritten)
    )
    for role, kind, tokens in (
        ("draft", "accepted", usage.accepted_tokens),
        ("draft", "rejected", usage.rejected_tokens),
        ("target", "rewritten", usage.rewritten_tokens),
        ("target", "scoring", usage.scoring_tokens),
        ("target", "selection", usage.selection_tokens),
    ):
        assert value(of, "ssr_generated_tokens_total", role=role, kind=kind) == tokens, kind
    assert value(of, "ssr_prompt_tokens_total") == sum(model.prompt_tokens for model in usage.models)
    assert value(of, "ssr_prompt_tokens_total", cache="hit") == sum(model.cached_tokens for model in usage.models)
    assert value(of, "ssr_stage_duration_seconds_count", stage="select") == 1
    assert value(of, "ssr_stage_duration_seconds_count", stage="verify") >= len(steps)
    assert value(of, "ssr_redis_ready") == 1
    assert value(of, "ssr_worker_paths_limit", priority="interactive") == system.settings.max_paths
    assert value(of, "ssr_queue_jobs") == value(of, "ssr_queue_oldest_seconds") == 0
    solve_call = {"service": "ssr.v1.ReasoningService", "method": "Solve"}
    assert value(of, "ssr_grpc_server_calls_total", code="OK", **solve_call) == 1
    verify = reported["verifier"]
    assert value(verify, "ssr_verification_duration_seconds_count", outcome="rewritten") >= len(rewritten)
    for service, pool, kind in (("drafter", "draft", "generate"), ("selector", "target", "next_token")):
        engine = reported[service]
        calls = value(engine, "ssr_engine_call_duration_seconds_count", pool=pool, kind=kind)
        assert calls == value(engine, "ssr_engine_attempts_total", pool=pool, kind=kind, outcome="ok") > 0
        assert value(engine, "ssr_engine_replicas", pool=pool, state="healthy") == 1
        assert value(engine, "ssr_engine_generated_tokens_total", pool=pool) > 0
        assert value(engine, "ssr_build_info", service=service) == 1
        assert value(engine, "process_resident_memory_bytes") > 0


async def test_metrics_of_what_goes_wrong(redis_url: str) -> None:
    async with watched_system(redis_url) as system, orchestrator(system.settings, max_unfinished=1) as stub:
        system.draft.faults.set(FaultPlan(rates={FaultKind.OVERLOADED: 1.0}))
        failed = await solve(stub, pb.SolveRequest(problem=PROBLEM, options=pb.Options(paths=1, mode=pb.MODE_SSD)))
        assert failed.status is JobStatus.FAILED
        system.draft.faults.set(HANG)
        while value(await system.metrics("orchestrator"), "ssr_worker_jobs"):  # it leaves the queue last
            await asyncio.sleep(0.01)
        job_id = (await stub.Submit(REQUEST, timeout=LIMIT_S)).job_id
        with pytest.raises(aio.AioRpcError) as refused:
            await stub.Submit(REQUEST, timeout=LIMIT_S)
        assert refused.value.code() is StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(aio.AioRpcError):
            await stub.Submit(pb.SolveRequest(), timeout=LIMIT_S)
        while not value(busy := await system.metrics("drafter"), "ssr_engine_calls_running", pool="draft"):
            await asyncio.sleep(0.01)
        in_hand = await system.metrics("orchestrator")
        await stub.Cancel(pb.CancelRequest(job_id=job_id), timeout=LIMIT_S)
        while not value(of := await system.metrics("orchestrator"), "ssr_jobs_ended_total", status="cancelled"):
            await asyncio.sleep(0.01)
    assert value(in_hand, "ssr_worker_jobs", priority="interactive") == 1
    assert value(in_hand, "ssr_worker_paths", priority="interactive") == 3
    assert value(of, "ssr_jobs_refused_total", reason="overloaded") == 1
    assert value(of, "ssr_jobs_refused_total", reason="invalid") == 1
    assert value(of, "ssr_jobs_ended_total", status="failed", mode="ssd") == 1
    assert value(of, "ssr_stage_failures_total", stage="draft") == 1
    calls = {"service": "ssr.v1.ReasoningService", "method": "Submit"}
    assert value(of, "ssr_grpc_server_calls_total", code="RESOURCE_EXHAUSTED", **calls) == 1
    assert value(of, "ssr_grpc_server_calls_total", code="INVALID_ARGUMENT", **calls) == 1
    assert value(busy, "ssr_engine_attempts_total", kind="stream", outcome="overloaded") > 0
    assert value(busy, "ssr_grpc_server_calls_in_flight", service="ssr.v1.DraftingService", method="DraftSteps") > 0


async def test_the_queue_is_shown_while_nobody_takes_from_it(redis_url: str) -> None:
    async with watched_system(redis_url) as system, orchestrator(system.settings, max_paths=16, batch_paths=16) as stub:
        system.draft.faults.set(HANG)
        system.target.faults.set(HANG)
        for _ in range(3):
            await stub.Submit(REQUEST, timeout=LIMIT_S)
        while not value(of := await system.metrics("orchestrator"), "ssr_worker_jobs"):
            await asyncio.sleep(0.01)
        assert value(of, "ssr_queue_jobs", priority="interactive") == 2
        assert value(of, "ssr_queue_paths", priority="interactive") == 6
        assert value(of, "ssr_queue_oldest_seconds", priority="interactive") > 0


async def test_a_replica_without_redis_says_so(redis_url: str) -> None:
    away = "redis://127.0.0.1:1/0"
    async with watched_system(redis_url) as system, orchestrator(system.settings, redis_url=away):
        while not value(of := await system.metrics("orchestrator"), "ssr_redis_call_failures_total"):
            await asyncio.sleep(0.01)
    assert value(of, "ssr_redis_call_failures_total", reason="connection") > 0
    assert value(of, "ssr_redis_ready") == 0
    assert not any(name == "ssr_queue_jobs" for name, _ in of), "what is not known is not shown"


async def test_a_taken_metrics_port_is_reported_and_other_paths_are_not_served(redis_url: str) -> None:
    settings = DrafterSettings(engine=EngineSettings(urls=("http://127.0.0.1:1",)), metrics_port=0)
    async with open_telemetry("one", settings) as telemetry:
        port = telemetry.metrics_port
        taken = settings.model_copy(update={"metrics_port": port})
        with pytest.raises(Unavailable, match=f"metrics_port: cannot listen on 127.0.0.1:{port}"):
            async with open_telemetry("two", taken):
                pass
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/") as reply:
            assert reply.status == 404


def check_one_trace(collector: Collector, trace: str, job_id: str, root_parent: str) -> None:
    """Everything of the job is in one trace and hangs together."""
    assert {span.trace for span in collector.spans} == {trace}
    known = {span.span for span in collector.spans} | {root_parent}
    assert all(span.parent in known for span in collector.spans)
    assert all(span.attributes.get("ssr.job", job_id) == job_id for span in collector.spans)


async def test_a_job_is_one_trace_across_all_services(redis_url: str) -> None:
    async with running_collector() as collector:
        async with watched_system(redis_url, collector.url) as system, orchestrator(system.settings) as stub:
            reply = await stub.Solve(REQUEST, timeout=LIMIT_S, metadata=(("traceparent", CALLERS),))
            job = job_from_wire(reply)
            await stub.Get(pb.GetRequest(job_id=job.job_id), timeout=LIMIT_S)
        await collector.until(lambda: bool(collector.named("job")))
    _, trace, caller, _ = CALLERS.split("-")
    check_one_trace(collector, trace, job.job_id, caller)
    assert {span.service for span in collector.spans} == {f"ssr-{name}" for name in system.ports}
    (root,) = collector.named("ssr.v1.ReasoningService/Solve")
    (run,) = collector.named("job")
    assert (root.parent, run.parent) == (caller, root.span)
    assert run.attributes["ssr.status"] == "answered"
    assert run.attributes["ssr.mode"] == "ssr"
    assert not collector.named("ssr.v1.ReasoningService/Get"), "a look at a job begins no trace"
    verdicts = {(s.attributes["ssr.path"], s.attributes["ssr.step"]): s for s in collector.named("verify")}
    for path in job.paths:
        for step in path.steps:
            reported = verdicts[path.index, step.index].attributes
            assert reported["ssr.accepted"] == (step.source is Source.DRAFT)
            assert reported["ssr.score"] == (step.score if reported["ssr.accepted"] else step.draft_score)
            assert reported["ssr.tokens"] == step.tokens
    drafted = {span.span for span in collector.named("draft")}
    served = collector.named("ssr.v1.DraftingService/Draft")
    assert served
    assert {span.parent for span in served} <= drafted
    assert {span.parent for span in collector.named("engine generate")} & {span.span for span in served}


async def test_a_trace_goes_on_with_the_replica_that_takes_a_job_over(redis_url: str) -> None:
    async with running_collector() as collector, Redis.from_url(redis_url) as redis:
        async with watched_system(redis_url, collector.url) as system:
            system.draft.faults.set(HANG)
            async with orchestrator(system.settings, replica="lost") as stub:
                job_id = (await stub.Submit(REQUEST, timeout=LIMIT_S)).job_id
                while not await redis.xlen(JobKeys(job_id).events) > 2:  # selected
                    await asyncio.sleep(0.01)
                (pending,) = await redis.xpending_range(queue_stream("interactive"), GROUP, "-", "+", 10)
                entry = [pending["message_id"]]
                await redis.xclaim(queue_stream("interactive"), GROUP, "dead", 0, entry, idle=60_000)  # type: ignore[arg-type]
                await redis.hincrby(JobKeys(job_id).meta, "epoch", 1)  # somebody else owned it last
            system.draft.faults.set(FaultPlan())
            async with orchestrator(system.settings, replica="heir", lease_s=1) as stub:
                while not job_from_wire(await stub.Get(pb.GetRequest(job_id=job_id), timeout=LIMIT_S)).status.final:
                    await asyncio.sleep(0.01)
                of = await system.metrics("orchestrator")
        await collector.until(lambda: len(collector.named("job")) == 2)
    (root,) = collector.named("ssr.v1.ReasoningService/Submit")
    check_one_trace(collector, root.trace, job_id, "")
    assert (
        sorted(span.attributes["ssr.status"] for span in collector.named("job") if "ssr.status" in span.attributes)[0]
        == "answered"
    )
    assert {span.parent for span in collector.named("job")} == {root.span}
    assert value(of, "ssr_job_takeovers_total") == 1


async def test_a_dead_collector_delays_nothing_and_is_reported_of_once(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    with caplog.at_level(logging.WARNING):
        async with watched_system(redis_url) as system:
            async with asyncio.timeout(LIMIT_S), orchestrator(system.settings, otlp_endpoint=endpoint) as stub:
                assert (await solve(stub)).status is JobStatus.ANSWERED
                leaving = asyncio.get_running_loop().time()
            left_s = asyncio.get_running_loop().time() - leaving
    assert left_s < END_S + 2
    assert not [record for record in caplog.records if record.name.startswith("opentelemetry")]
    reported = [record for record in caplog.records if "does not take spans" in record.getMessage()]
    assert len(reported) <= 1


async def test_traces_without_their_packages_are_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "ssr.runtime.telemetry.otlp", raising=False)
    settings = DrafterSettings(
        engine=EngineSettings(urls=("http://127.0.0.1:1",)), otlp_endpoint="http://127.0.0.1:4317"
    )
    with pytest.raises(CapabilityMissing, match=r"pip install 'ssr-serve\[cluster\]'"):
        async with open_telemetry("drafter", settings):
            pass


@pytest.mark.parametrize(
    ("service", "variables"),
    [("drafter", {"ENGINE__URLS": "http://127.0.0.1:1"}), ("engine", {"KIND": "simulated"})],
)
async def test_a_process_logs_json_and_serves_its_metrics(service: str, variables: dict[str, str]) -> None:
    port = free_port()
    settings = {"LOG_FORMAT": "json", "METRICS_PORT": str(port), **variables}
    environment = {f"SSR_{service.upper()}_{name}": value for name, value in settings.items()}
    with running_command("-m", "ssr", "serve", service, "--port", "0", environment=environment) as command:
        command.line("ready: ")
        samples = await scrape(port)
        command.signal(signal.SIGTERM)
        assert command.exit_code() == 0
        lines = [json.loads(line) for line in command.errors().splitlines()]
    assert value(samples, "ssr_build_info", service=service) == 1
    assert f"metrics on http://127.0.0.1:{port}/metrics" in [line["message"] for line in lines]
    assert {line["service"] for line in lines} == {service}
    assert all(line.keys() >= {"time", "level", "logger", "message", "replica"} for line in lines)
