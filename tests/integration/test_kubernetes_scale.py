"""The Kubernetes actuator, over HTTP: what it reads and patches, and what each refusal means."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web
from certificates import authority, issue
from hang_limit import LIMIT_S
from kube_apiserver import running_apiserver
from kubernetes_server import NAMESPACE, KubernetesServer, refused

from ssr.autoscaler.kubernetes_api import Changed, open_kubernetes
from ssr.autoscaler.kubernetes_scale import KubernetesActuator
from ssr.autoscaler.policy.signals import Engines
from ssr.core.errors import (
    BadReply,
    CapabilityMissing,
    InvalidRequest,
    NotFound,
    Overloaded,
    Retryable,
    SsrError,
    TimedOut,
    Unavailable,
)
from ssr.engines.load import Pool

TARGET = "deployments/target-engine"


@pytest.fixture
async def server() -> AsyncIterator[KubernetesServer]:
    async with KubernetesServer().running() as running:
        yield running


@asynccontextmanager
async def actuator(server: KubernetesServer, timeout_s: float = 5.0) -> AsyncIterator[KubernetesActuator]:
    async with open_kubernetes(timeout_s=timeout_s, namespace=NAMESPACE, url=server.url) as api:
        yield KubernetesActuator(api, {Pool.TARGET: "target-engine"})


@pytest.mark.parametrize(
    ("spec", "status", "engines"),
    [
        ({"replicas": 3}, {"replicas": 3, "readyReplicas": 2}, Engines(ready=2, starting=1)),
        ({"replicas": 3}, {"replicas": 4, "readyReplicas": 4}, Engines(ready=3)),
        ({"replicas": 2}, {"replicas": 3, "readyReplicas": 1, "unavailableReplicas": 2}, Engines(ready=1, starting=1)),
        ({"replicas": 0}, {"replicas": 2, "readyReplicas": 2}, Engines()),
        ({"replicas": 2}, {}, Engines(starting=2)),
        ({}, {}, Engines(starting=1)),
        ({"replicas": 1}, {"readyReplicas": 1, "fieldOfTheFuture": {"a": 1}}, Engines(ready=1)),
    ],
    ids=["starts", "surges", "rolls", "goes", "is new", "says nothing", "knows more than we"],
)
async def test_what_a_deployment_says(
    server: KubernetesServer, spec: dict[str, int], status: dict[str, int], engines: Engines
) -> None:
    server.put(TARGET, spec=spec, status=status)
    async with actuator(server) as pools:
        assert await pools.engines(Pool.TARGET) == engines


async def test_scaling_changes_the_replicas_and_nothing_else(server: KubernetesServer) -> None:
    server.put(TARGET, spec={"replicas": 1, "paused": True})
    async with actuator(server) as pools:
        await pools.scale(Pool.TARGET, 4)
        assert (server.spec(TARGET)["replicas"], server.spec(TARGET)["paused"]) == (4, True)
        server.put(TARGET, spec={"replicas": 9, "paused": False})  # somebody else, at the same time
        await pools.scale(Pool.TARGET, 0)
    assert (server.spec(TARGET)["replicas"], server.spec(TARGET)["paused"]) == (0, False)
    assert server.requests == [f"PATCH {TARGET}/scale"] * 2


async def test_a_missing_deployment_is_named_and_found_when_it_is_there(server: KubernetesServer) -> None:
    async with actuator(server) as pools:
        with pytest.raises(NotFound, match=f"get {TARGET} in namespace {NAMESPACE}: 404"):
            await pools.engines(Pool.TARGET)
        with pytest.raises(NotFound, match=f"patch {TARGET}/scale"):
            await pools.scale(Pool.TARGET, 2)
        server.put(TARGET, spec={"replicas": 1})
        await pools.scale(Pool.TARGET, 2)
        assert await pools.engines(Pool.TARGET) == Engines(starting=2)
        with pytest.raises(NotFound, match="draft"):
            await pools.engines(Pool.DRAFT)


@pytest.mark.parametrize(
    ("answer", "kind", "said", "delay_s"),
    [
        ({"status": 400}, InvalidRequest, "400 BadRequest", None),
        ({"status": 401}, CapabilityMissing, "credentials are not accepted", None),
        ({"status": 403, "message": "may not patch"}, CapabilityMissing, "may not patch .give the service", None),
        ({"status": 404}, NotFound, "404", None),
        ({"status": 409}, Changed, "409 Conflict", 1.0),
        ({"status": 422, "details": {"causes": [{"field": "spec.replicas"}]}}, InvalidRequest, "^spec.replicas", None),
        ({"status": 429, "Retry_After": "7"}, Overloaded, "429", 7.0),
        ({"status": 429, "details": {"retryAfterSeconds": 3}}, Overloaded, "429", 3.0),
        ({"status": 429, "Retry_After": "Wed, 21 Oct 2026 07:28:00 GMT"}, Overloaded, "429", 1.0),
        ({"status": 500}, Unavailable, "500 InternalError", 1.0),
        ({"status": 503, "Retry_After": "2"}, Unavailable, "503", 2.0),
        ({"status": 504}, TimedOut, "504", 1.0),
        ({"status": 418}, BadReply, "418", None),
    ],
    ids=lambda value: str(value.get("status")) if isinstance(value, dict) else "",
)
async def test_what_a_refusal_means(
    server: KubernetesServer, answer: dict[str, object], kind: type[SsrError], said: str, delay_s: float | None
) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return refused(**answer)  # type: ignore[arg-type]

    server.put(TARGET, spec={"replicas": 1})
    server.before = refuse
    async with actuator(server) as pools:
        with pytest.raises(kind, match=said) as raised:
            await pools.scale(Pool.TARGET, 2)
    assert type(raised.value) is kind
    assert (raised.value.delay_s if isinstance(raised.value, Retryable) else None) == delay_s
    assert len(server.requests) == 1, "trying again is the loop's business"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (web.Response(status=502, text="<html>a proxy</html>", content_type="text/html"), Unavailable),
        (web.Response(status=404, text="404 page not found", content_type="text/plain"), NotFound),
        (web.Response(status=200, text="<html>log in</html>", content_type="text/html"), BadReply),
        (web.Response(status=200, text="{", content_type="application/json"), BadReply),
        (web.json_response({"spec": {"replicas": "many"}}), BadReply),
    ],
    ids=["502", "404", "a page", "cut off", "no number"],
)
async def test_an_answer_that_is_not_from_kubernetes(
    server: KubernetesServer, answer: web.Response, kind: type[SsrError]
) -> None:
    async def other(request: web.Request) -> web.Response:
        return answer

    server.before = other
    async with actuator(server) as pools:
        with pytest.raises(kind, match=f"get {TARGET}"):
            await pools.engines(Pool.TARGET)


async def test_a_call_that_hangs_ends_in_time_and_the_next_one_is_answered(server: KubernetesServer) -> None:
    left = asyncio.Event()

    async def hang(request: web.Request) -> web.Response | None:
        try:
            return await asyncio.Future()
        finally:
            left.set()

    server.put(TARGET, spec={"replicas": 1})
    server.before = hang
    async with actuator(server, timeout_s=0.1) as pools:
        with pytest.raises(TimedOut, match="no answer within 0.1 s"):
            await pools.engines(Pool.TARGET)
        async with asyncio.timeout(LIMIT_S):
            await left.wait()  # the connection is closed, not kept for a late answer
    server.before = None
    async with actuator(server) as pools:
        assert await pools.engines(Pool.TARGET) == Engines(starting=1)


async def test_nobody_listens(server: KubernetesServer) -> None:
    async with KubernetesServer().running() as gone:
        pass
    async with actuator(gone) as pools:
        with pytest.raises(Unavailable, match=f"get {TARGET} in namespace {NAMESPACE}: "):
            await pools.engines(Pool.TARGET)


def account(folder: Path, token: str) -> Path:
    """What a pod sees of its service account."""
    issue(authority(folder), folder / "account")
    (folder / "account" / "token").write_text(token)
    (folder / "account" / "namespace").write_text(NAMESPACE)
    return folder / "account"


async def test_in_a_pod_the_replaced_token_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubernetes.aio.config import incluster_config

    class Clock(datetime):
        ahead = timedelta()

        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now() + cls.ahead

    monkeypatch.setattr(incluster_config, "datetime", SimpleNamespace(datetime=Clock, timedelta=timedelta))
    folder = account(tmp_path, "first")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    async with KubernetesServer().running(tls) as server:
        server.put(TARGET, spec={"replicas": 1})
        monkeypatch.delenv("KUBECONFIG", raising=False)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", server.url.rpartition(":")[2])
        async with open_kubernetes(timeout_s=5, account=folder) as api:
            assert api.namespace == NAMESPACE
            pools = KubernetesActuator(api, {Pool.TARGET: "target-engine"})
            await pools.engines(Pool.TARGET)
            (folder / "token").write_text("second")
            Clock.ahead = timedelta(minutes=2)
            await pools.engines(Pool.TARGET)
            (folder / "token").write_text("")
            Clock.ahead = timedelta(minutes=4)
            with pytest.raises(Unavailable, match="[Tt]oken"):
                await pools.engines(Pool.TARGET)
    assert server.authorizations == ["bearer first", "bearer second"]


async def test_a_pod_without_a_service_account_is_reported_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(InvalidRequest, match="automountServiceAccountToken"):
        async with open_kubernetes(timeout_s=5, account=tmp_path):
            pass
    folder = account(tmp_path, "mine")
    (folder / "ca.crt").write_text("no certificate")
    with pytest.raises(InvalidRequest, match="^certificate: "):
        async with open_kubernetes(timeout_s=5, account=folder):
            pass


async def test_outside_the_kubeconfig_reports(
    server: KubernetesServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(f"""
apiVersion: v1
kind: Config
current-context: here
clusters: [{{name: c, cluster: {{server: "{server.url}"}}}}]
users: [{{name: u, user: {{token: mine}}}}]
contexts: [{{name: here, context: {{cluster: c, user: u, namespace: {NAMESPACE}}}}}]
""")
    monkeypatch.setenv("KUBECONFIG", str(config))
    server.put(TARGET, spec={"replicas": 2})
    async with open_kubernetes(timeout_s=5) as api:
        pools = KubernetesActuator(api, {Pool.TARGET: "target-engine"})
        assert await pools.engines(Pool.TARGET) == Engines(starting=2)
    assert server.authorizations == ["Bearer mine"]
    config.write_text("contexts: 3")
    with pytest.raises(InvalidRequest, match="^KUBECONFIG: "):
        async with open_kubernetes(timeout_s=5):
            pass


async def test_no_kubernetes_and_no_client_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(NotFound, match="no kubeconfig at .*none"):
        async with open_kubernetes(timeout_s=5):
            pass
    monkeypatch.setitem(sys.modules, "kubernetes.aio.client", None)
    with pytest.raises(CapabilityMissing, match=r"pip install 'ssr-serve\[cluster\]'"):
        async with open_kubernetes(timeout_s=5):
            pass


async def test_a_real_cluster_with_no_more_rights_than_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_apiserver(tmp_path) as real:
        await real.deployment("target-engine", replicas=3, ready=2)
        await real.deployment("of-others", replicas=1, ready=1)
        named = {"apiGroups": ["apps"], "resourceNames": ["target-engine", "missing"]}
        rules = [
            {**named, "resources": ["deployments"], "verbs": ["get"]},
            {**named, "resources": ["deployments/scale"], "verbs": ["patch"]},
        ]
        folder = await real.account(rules)
        monkeypatch.delenv("KUBECONFIG", raising=False)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(real.port))
        async with open_kubernetes(timeout_s=5, account=folder) as api:
            pools = KubernetesActuator(api, {Pool.TARGET: "target-engine", Pool.DRAFT: "of-others"})
            assert await pools.engines(Pool.TARGET) == Engines(ready=2, starting=1)
            await pools.scale(Pool.TARGET, 5)
            assert await pools.engines(Pool.TARGET) == Engines(ready=2, starting=3)
            with pytest.raises(InvalidRequest, match=r"^spec.replicas: "):
                await pools.scale(Pool.TARGET, -1)
            with pytest.raises(CapabilityMissing, match="cannot get resource"):
                await pools.engines(Pool.DRAFT)
            with pytest.raises(CapabilityMissing, match="cannot patch resource"):
                await pools.scale(Pool.DRAFT, 2)
            missing = KubernetesActuator(api, {Pool.TARGET: "missing"})
            with pytest.raises(NotFound, match='"missing" not found'):
                await missing.engines(Pool.TARGET)
            with pytest.raises(NotFound, match='"missing" not found'):
                await missing.scale(Pool.TARGET, 2)
