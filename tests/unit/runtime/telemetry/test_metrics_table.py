"""The table of metrics in docs/operate/metrics.md and what the services really have are the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from ssr.autoscaler.metrics import ScalingMetrics
from ssr.autoscaler.policy.decision import ScalingDecision
from ssr.autoscaler.policy.demand import Demand
from ssr.autoscaler.policy.signals import Engines, PoolSignals, Service
from ssr.autoscaler.policy.state import ScalingState
from ssr.core.errors import Overloaded, Unavailable
from ssr.core.job import JobStatus, Priority
from ssr.core.run import StepCommitted
from ssr.core.types import Mode, Source, Step
from ssr.engines.call_observer import EngineCallKind
from ssr.engines.load import Load, Pool
from ssr.engines.metrics import EngineMetrics
from ssr.gateway.metrics import GatewayMetrics
from ssr.orchestrator.equivalence.checker import Way
from ssr.orchestrator.metrics.equivalence import EquivalenceMetrics
from ssr.orchestrator.metrics.jobs import JobMetrics
from ssr.orchestrator.metrics.redis_memory import MemoryMetrics, RedisMemory
from ssr.orchestrator.metrics.stages import Stage, StageMetrics
from ssr.orchestrator.metrics.steps import StepMetrics
from ssr.orchestrator.metrics.workers import ParkingMetrics, QueueMetrics, WorkerMetrics
from ssr.orchestrator.queue.job_queue import Backlog, QueuedJob
from ssr.runtime.settings import ServiceSettings
from ssr.runtime.telemetry.grpc_metrics import GrpcMetrics
from ssr.runtime.telemetry.redis_metrics import RedisMetrics
from ssr.runtime.telemetry.telemetry import open_telemetry
from ssr.verifier.metrics import VerificationMetrics

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "docs" / "operate" / "metrics.md"
ROW = re.compile(r"^\| `(ssr_\w+)`( †)? \| (\w+) \| ([\w, ]*?) ?\| (.+) \|$", re.MULTILINE)
#: What no label may be: there are too many of them.
UNBOUNDED = {"tenant", "job", "job_id", "path", "problem", "replica", "url"}

#: A metric's type and labels.
Shape = tuple[str, frozenset[str]]


class FakeRedis:
    """Fails every call."""

    async def execute_command(self, *args: object) -> None:
        raise ConnectionRefusedError


async def use(registry: CollectorRegistry) -> None:
    """Everything of which a service can have metrics, once: labels are seen on what has happened."""
    in_call = GrpcMetrics(registry).method("ssr.v1.DraftingService", "Draft")
    in_call.ended(in_call.begun(), "OK")
    jobs = JobMetrics(registry)
    jobs.submitted(Priority.BATCH)
    jobs.refused(Overloaded("full"))
    jobs.claimed(Priority.BATCH, 1.0, first=True, taken_over=True)
    jobs.first_step(Mode.SSR, 1.0)
    jobs.ended(JobStatus.ANSWERED, Mode.SSR, 1.0)
    jobs.first_answer(Priority.BATCH, 1.0)
    for happened in (jobs.handed_back, jobs.moved, jobs.lost, jobs.lost_ground):
        happened()
    StepMetrics(registry).committed(Mode.SSR, StepCommitted(0, Step(0, "x", Source.DRAFT, 3, 8.0)), 0.1)
    equivalence = EquivalenceMetrics(registry)
    equivalence.decided(Way.WORKER)
    equivalence.waited(0.1)
    equivalence.killed("cpu")
    equivalence.restarted()
    stages = StageMetrics(registry)
    stages.succeeded(Stage.DRAFT, 0.1)
    stages.tried_again(Stage.DRAFT, Unavailable("away"))
    stages.failed(Stage.DRAFT, Unavailable("away"))
    WorkerMetrics(registry, lambda: [QueuedJob(Priority.BATCH, "1-0", "job-1", 3)], dict.fromkeys(Priority, 16))
    ParkingMetrics(registry, lambda: {Pool.DRAFT: 1})
    QueueMetrics(registry, lambda: 2.0).report({Priority.BATCH: Backlog(1, 3, 1_000)}, 0)
    redis = FakeRedis()
    RedisMetrics(registry).watch(redis)
    with pytest.raises(ConnectionRefusedError):
        await redis.execute_command("PING")
    MemoryMetrics(registry).seen = RedisMemory(1, 2, "noeviction")
    engines = EngineMetrics(registry, Pool.DRAFT)
    engines.read(waiting=lambda: 1, running=lambda: 2, replicas=lambda: (2, 1), generated=lambda: 5)
    engines.called(EngineCallKind.GENERATE, 0.1)
    engines.attempted(EngineCallKind.GENERATE, "ok", 0.1)
    VerificationMetrics(registry).verified(True, 0.1)
    gateway = GatewayMetrics(registry)
    gateway.requests.labels("ChatCompletions.create", "200").inc()
    gateway.seconds.labels("ChatCompletions.create").observe(0.1)
    scaling = ScalingMetrics(registry)
    scaling.leading(True)
    signals = PoolSignals(Pool.TARGET, {Service.VERIFIER: Load()}, Engines(1, 1))
    scaling.decided(Pool.TARGET, signals, Demand(), 1, ScalingDecision(2, (), ScalingState.fresh(Engines(1, 1), 0.0)))
    scaling.failed(Pool.TARGET, Unavailable("away"))


@pytest.fixture
async def shapes() -> dict[str, Shape]:
    async with open_telemetry("test", ServiceSettings(metrics_port=0)) as telemetry:
        await use(telemetry.registry)
        return {
            family.name + ("_total" if family.type == "counter" else ""): (
                family.type,
                frozenset(name for sample in family.samples for name in sample.labels if name != "le"),
            )
            for family in telemetry.registry.collect()
            if family.name.startswith("ssr_")
        }


def documented() -> dict[str, Shape]:
    rows = ROW.findall(PAGE.read_text())
    return {name: (kind, frozenset(filter(None, labels.strip().split(", ")))) for name, _, kind, labels, _ in rows}


def test_the_page_and_the_services_have_the_same_metrics(shapes: dict[str, Shape]) -> None:
    assert documented() == shapes


def test_no_label_grows_without_bound(shapes: dict[str, Shape]) -> None:
    assert not {label for _, labels in shapes.values() for label in labels} & UNBOUNDED


def test_every_class_of_metrics_is_in_the_table(shapes: dict[str, Shape]) -> None:
    """A module of metrics that `use` above has forgotten would be in no table."""
    services = ROOT / "services" / "ssr"
    modules = [*services.glob("runtime/telemetry/*.py"), *services.glob("orchestrator/metrics/*.py")]
    modules += [services / part / "metrics.py" for part in ("autoscaler", "engines", "gateway", "verifier")]
    declared = set(re.findall(r'"(ssr_\w+)"', "\n".join(module.read_text() for module in modules)))
    assert {name.removesuffix("_total") for name in shapes if not name.startswith("ssr_scaling_")} == {
        name for name in declared if not name.startswith("ssr_scaling_")
    }


def test_the_table_says_what_to_do() -> None:
    rows = ROW.findall(PAGE.read_text())
    assert len(rows) == len(documented()), "each metric once"
    assert all(len(advice) > 20 for *_, advice in rows)
