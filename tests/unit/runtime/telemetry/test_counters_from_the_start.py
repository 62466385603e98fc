"""A counter has all its label values before anything happens, at 0: a rate sees the first event."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from ssr.autoscaler.metrics import ScalingMetrics
from ssr.core import errors
from ssr.core.job import JobStatus, Priority
from ssr.core.types import Mode, Source
from ssr.engines.call_observer import EngineCallKind
from ssr.engines.load import Pool
from ssr.engines.metrics import EngineMetrics
from ssr.orchestrator.metrics.jobs import JobMetrics
from ssr.orchestrator.metrics.stages import Stage, StageMetrics
from ssr.orchestrator.metrics.steps import StepMetrics
from ssr.runtime.rpc.errors import CODES
from ssr.runtime.telemetry.grpc_metrics import GrpcMetrics
from ssr.runtime.telemetry.reasons import REASONS, reason_of
from ssr.runtime.telemetry.redis_metrics import RedisMetrics
from ssr.v1 import reasoning_pb2

#: Values by name and labels: looking one up in the registry reads all of it each time.
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def samples() -> Samples:
    registry = CollectorRegistry()
    for of_orchestrator in (JobMetrics, StageMetrics, StepMetrics, RedisMetrics, ScalingMetrics):
        of_orchestrator(registry)
    EngineMetrics(registry, Pool.DRAFT)
    GrpcMetrics(registry).expect("ssr.v1.ReasoningService")
    found = (sample for metric in registry.collect() for sample in metric.samples)
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in found}


def at_zero(samples: Samples, name: str, **labels: str) -> bool:
    return samples.get((name, frozenset(labels.items()))) == 0.0


def test_every_end_of_a_job_is_counted_from_the_start(samples: Samples) -> None:
    for mode in Mode:
        for status in JobStatus:
            known = at_zero(samples, "ssr_jobs_ended_total", status=status, mode=mode)
            assert known is status.final, (status, mode)
    for priority in Priority:
        assert at_zero(samples, "ssr_job_first_answer_seconds_count", priority=priority)
    for name in ("takeovers", "lost"):
        assert at_zero(samples, f"ssr_job{'s' if name == 'lost' else ''}_{name}_total")


def test_every_reason_is_counted_from_the_start(samples: Samples) -> None:
    for reason in REASONS:
        assert at_zero(samples, "ssr_jobs_refused_total", reason=reason)
        for stage in Stage:
            assert at_zero(samples, "ssr_stage_failures_total", stage=stage, reason=reason)
            assert at_zero(samples, "ssr_stage_retries_total", stage=stage, reason=reason)
        for kind in EngineCallKind:
            assert at_zero(samples, "ssr_engine_attempts_total", pool="draft", kind=kind, outcome=reason)
        assert at_zero(samples, "ssr_scaling_failures_total", pool="target", reason=reason)
    assert at_zero(samples, "ssr_redis_call_failures_total", reason="memory")


def test_every_step_and_code_is_counted_from_the_start(samples: Samples) -> None:
    for mode in Mode:
        for source in Source:
            assert at_zero(samples, "ssr_steps_committed_total", mode=mode, source=source)
    service = reasoning_pb2.DESCRIPTOR.services_by_name["ReasoningService"]
    for method in service.methods:
        for code in {"OK", *(code.name for _, code in CODES)}:
            labels = {"service": "ssr.v1.ReasoningService", "method": method.name, "code": code}
            assert at_zero(samples, "ssr_grpc_server_calls_total", **labels)


@pytest.mark.parametrize("error", [errors.Overloaded("full"), errors.NotFound("x"), ValueError("a bug")])
def test_a_reason_is_one_of_those(error: Exception) -> None:
    assert reason_of(error) in REASONS
