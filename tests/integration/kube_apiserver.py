"""A real kube-apiserver with its etcd and RBAC, where its binaries are at hand: SSR_KUBE_APISERVER and SSR_ETCD.

There is no controller and no kubelet, so nothing runs: a Deployment's status is what a test writes. Any release of
Kubernetes since 1.20 will do.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

NAMESPACE = "ssr"
ACCOUNT = "autoscaler"
_ADMIN = "of-the-test"
_START_S = 60


@dataclass(frozen=True)
class ApiServer:
    """Its port on 127.0.0.1, and a session that may do everything."""

    port: int
    admin: aiohttp.ClientSession
    folder: Path

    async def make(self, path: str, **document: Any) -> dict[str, Any]:
        return await self._sent("POST", path, document)

    async def patch(self, path: str, **document: Any) -> dict[str, Any]:
        return await self._sent("PATCH", path, document)

    async def get(self, path: str) -> dict[str, Any]:
        return await self._sent("GET", path, None)

    async def _sent(self, method: str, path: str, document: dict[str, Any] | None) -> dict[str, Any]:
        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        async with self.admin.request(method, path, json=document, headers={"Content-Type": content}) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status < 300, answer
            return answer

    async def account(self, rules: Sequence[dict[str, Any]]) -> Path:
        """A service account with just these rights in NAMESPACE; the folder that its pods would see."""
        space = f"/api/v1/namespaces/{NAMESPACE}"
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}"
        await self.make(f"{space}/serviceaccounts", metadata={"name": ACCOUNT})
        await self.make(f"{rbac}/roles", metadata={"name": ACCOUNT}, rules=rules)
        await self.make(
            f"{rbac}/rolebindings",
            metadata={"name": ACCOUNT},
            subjects=[{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT},
        )
        token = await self.make(f"{space}/serviceaccounts/{ACCOUNT}/token", spec={"expirationSeconds": 3600})
        folder = self.folder / "account"
        folder.mkdir()
        (folder / "token").write_text(token["status"]["token"])
        (folder / "namespace").write_text(NAMESPACE)
        (folder / "ca.crt").write_bytes((self.folder / "certificates" / "apiserver.crt").read_bytes())
        return folder

    async def deployment(self, name: str, replicas: int, ready: int) -> None:
        labels = {"app": name}
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
        await self.make(
            path,
            metadata={"name": name},
            spec={
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "engine", "image": "engine"}]},
                },
            },
        )
        await self.patch(f"{path}/{name}/status", status={"replicas": ready, "readyReplicas": ready})


@asynccontextmanager
async def running_apiserver(folder: Path) -> AsyncIterator[ApiServer]:
    """With an empty NAMESPACE. Skips the test where no binaries are named."""
    apiserver, etcd = os.environ.get("SSR_KUBE_APISERVER"), os.environ.get("SSR_ETCD")
    if not apiserver or not etcd:
        pytest.skip("needs a real Kubernetes API: name the binaries, SSR_KUBE_APISERVER and SSR_ETCD")
    _write_credentials(folder)
    port, client, peer = _free_ports(3)
    with ExitStack() as stack:
        stack.enter_context(_process(folder / "etcd.log", etcd, *_etcd_arguments(folder, client, peer)))
        server = stack.enter_context(
            _process(folder / "apiserver.log", apiserver, *_apiserver_arguments(folder, port, client))
        )
        url, admin = f"https://127.0.0.1:{port}", {"Authorization": f"Bearer {_ADMIN}"}
        connector = aiohttp.TCPConnector(ssl=_trusting_anyone())
        async with aiohttp.ClientSession(url, headers=admin, connector=connector) as session:
            async with asyncio.timeout(_START_S):
                while not await _ready(session):
                    assert server.poll() is None, (folder / "apiserver.log").read_text()[-3000:]
                    await asyncio.sleep(0.1)  # nothing else reports
            running = ApiServer(port, session, folder)
            await running.make("/api/v1/namespaces", metadata={"name": NAMESPACE})
            yield running


def _write_credentials(folder: Path) -> None:
    (folder / "tokens").write_text(f'{_ADMIN},admin,admin,"system:masters"\n')
    subprocess.run(["openssl", "genrsa", "-out", folder / "key", "2048"], check=True, capture_output=True)


def _etcd_arguments(folder: Path, client: int, peer: int) -> list[str]:
    own, among = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    listening = [f"--listen-client-urls={own}", f"--advertise-client-urls={own}", f"--listen-peer-urls={among}"]
    return [f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync", *listening]


def _apiserver_arguments(folder: Path, port: int, etcd: int) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={folder / 'tokens'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'key'}",
        f"--service-account-signing-key-file={folder / 'key'}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--endpoint-reconciler-type=none",
    ]


@contextmanager
def _process(log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield process
        finally:
            process.kill()


async def _ready(session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get("/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


def _trusting_anyone() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]
