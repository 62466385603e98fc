"""The autoscaler as `ssr serve autoscaler` runs it: reports in a real Valkey, and Kubernetes' HTTP API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hang_limit import LIMIT_S
from kubernetes_server import NAMESPACE, KubernetesServer, refused

from ssr.autoscaler.policy.forecast import Workload
from ssr.autoscaler.policy.settings import ScalingLimits, ScalingSettings
from ssr.autoscaler.policy.signals import Service
from ssr.autoscaler.reports import ReportStore
from ssr.autoscaler.service import running_autoscaler
from ssr.autoscaler.settings import AutoscalerSettings, Deployments
from ssr.engines.load import Load
from ssr.runtime.redis.client import open_redis

AT_ONCE = ScalingLimits(up_window_s=0)
DRAFT, TARGET = "deployments/draft-engine", "deployments/target-engine"


@pytest.fixture
async def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubernetesServer]:
    """An API with two Deployments, where a kubeconfig says it is."""
    async with KubernetesServer().running() as server:
        for path in (DRAFT, TARGET):
            server.put(path, spec={"replicas": 1}, status={"replicas": 1, "readyReplicas": 1})
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": NAMESPACE}}],
            "clusters": [{"name": "it", "cluster": {"server": server.url}}],
            "users": [{"name": "it", "user": {}}],
        }
        file = tmp_path / "config"
        file.write_text(json.dumps(config))
        monkeypatch.setenv("KUBECONFIG", str(file))
        yield server


def settings(redis_url: str, replica: str = "one") -> AutoscalerSettings:
    return AutoscalerSettings(
        redis_url=redis_url,
        replica=replica,
        deployments=Deployments(draft="draft-engine", target="target-engine"),
        scaling=ScalingSettings(interval_s=0.05, draft=AT_ONCE, target=AT_ONCE),
        metrics_port=0,
        grace_s=1,
        lease_s=2.0,
        renew_s=1.0,
        retry_s=0.1,
    )


async def load(redis_url: str, **running: int) -> None:
    async with open_redis(redis_url) as redis:
        report_store = ReportStore(redis, ttl_s=60)
        for service in Service:
            await report_store.report_load(service, "pod", Load(requests_running=running.get(service, 0)), 1)
        await report_store.report_workload("pod", Workload())


async def replicas(kubernetes: KubernetesServer, draft: int, target: int) -> None:
    """Waits until so many are asked for."""
    while (kubernetes.spec(DRAFT)["replicas"], kubernetes.spec(TARGET)["replicas"]) != (draft, target):
        await asyncio.sleep(0.01)


async def test_a_rewriting_burst_grows_the_target_alone(redis_url: str, kubernetes: KubernetesServer) -> None:
    async with asyncio.timeout(LIMIT_S):
        await load(redis_url, drafter=10, verifier=150)
        async with running_autoscaler(settings(redis_url)) as port:
            await replicas(kubernetes, 1, 4)  # 150 / (64 slots x 0.75)
            async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())  # type: ignore[attr-defined]
            assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert kubernetes.spec("leases/ssr-autoscaler").get("holderIdentity") is None  # given back


async def test_what_cannot_be_scaled_now_is_scaled_later(
    redis_url: str, kubernetes: KubernetesServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing Deployment, a refused patch and an API that fails are reported, and survived."""
    target = kubernetes.get(TARGET)
    kubernetes.take(TARGET)
    answers = iter([refused(403), refused(500), refused(429, Retry_After="0")])

    async def refuse(request: web.Request) -> web.Response | None:
        return next(answers, None) if request.path.endswith("draft-engine/scale") else None

    kubernetes.before = refuse
    async with asyncio.timeout(LIMIT_S):
        await load(redis_url, drafter=150, verifier=150)
        async with running_autoscaler(settings(redis_url)):
            while kubernetes.spec(DRAFT)["replicas"] != 4:
                await asyncio.sleep(0.01)
            kubernetes.put(TARGET, spec={"replicas": 1}, status=target["status"])
            await replicas(kubernetes, 4, 4)
    said = "\n".join(record.message for record in caplog.records)
    assert "target engines stay as they are: Kubernetes: get deployments/target-engine" in said
    assert "give the service account this right" in said


async def test_another_one_goes_on_when_the_leader_ends(redis_url: str, kubernetes: KubernetesServer) -> None:
    async with asyncio.timeout(LIMIT_S), AsyncExitStack() as second:
        async with running_autoscaler(settings(redis_url, "one")):
            await load(redis_url, verifier=150)
            await replicas(kubernetes, 1, 4)
            await second.enter_async_context(running_autoscaler(settings(redis_url, "two")))
            assert kubernetes.spec("leases/ssr-autoscaler")["holderIdentity"] == "one"
        await load(redis_url, verifier=300)
        await replicas(kubernetes, 1, 7)
        assert kubernetes.spec("leases/ssr-autoscaler")["holderIdentity"] == "two"


async def test_decisions_are_exported(
    redis_url: str, kubernetes: KubernetesServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with asyncio.timeout(LIMIT_S):
        await load(redis_url, verifier=150)
        async with running_autoscaler(settings(redis_url)), aiohttp.ClientSession() as http:
            await replicas(kubernetes, 1, 4)
            url = next(word for record in caplog.records for word in record.message.split() if "/metrics" in word)
            text = await (await http.get(url)).text()
            while 'ssr_scaling_replicas{pool="target",state="wanted"} 4.0' not in text:
                text = await (await http.get(url)).text()
    assert "ssr_scaling_leader 1.0" in text
    assert 'ssr_scaling_demand_slots{part="steady",pool="target"} 150.0' in text
    assert any("target engines: 1 -> 4: demand 150.0 slots" in record.message for record in caplog.records)
