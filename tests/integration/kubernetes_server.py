"""Kubernetes' HTTP API for Deployments and Leases, as far as a client can report: versions, conflicts, refusals.

Checked against a real kube-apiserver by the tests that run on both.
"""

from __future__ import annotations

import copy
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Before = Callable[[web.Request], Awaitable[web.Response | None]]

NAMESPACE = "ssr"
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}
_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")


def refused(status: int, message: str = "", *, details: Any = None, **headers: str) -> web.Response:
    """A Status of failure. A header is written as an argument: Retry_After="7"."""
    document = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message or f"the test says {status}",
        "reason": _REASONS.get(status, ""),
        "details": details or {},
        "code": status,
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.json_response(document, status=status, headers=named)


class KubernetesServer:
    """`before` sees every request first: it may answer itself, hang, or change what is stored."""

    def __init__(self) -> None:
        self.url = ""
        self.before: Before | None = None
        self.requests: list[str] = []
        self.authorizations: list[str | None] = []
        self._objects: dict[str, dict[str, Any]] = {}
        self._version = 100

    def put(self, path: str, **document: Any) -> None:
        """Store an object, as somebody else would."""
        self._version += 1
        document = copy.deepcopy(document)
        if path.startswith("deployments/"):
            document["spec"] = {"selector": {}, "template": {}, **document["spec"]}
        document.setdefault("metadata", {}).update(
            name=path.rpartition("/")[2], namespace=NAMESPACE, resourceVersion=str(self._version)
        )
        self._objects[path] = document

    def take(self, path: str) -> None:
        """Delete an object."""
        del self._objects[path]

    def get(self, path: str) -> dict[str, Any]:
        return copy.deepcopy(self._objects[path])

    def spec(self, path: str) -> dict[str, Any]:
        spec: dict[str, Any] = self.get(path)["spec"]
        return spec

    @asynccontextmanager
    async def running(
        self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> AsyncIterator[KubernetesServer]:
        app = web.Application(middlewares=[self._asked])
        leases = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
        deployment = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{{name}}"
        app.router.add_get(deployment, self._read)
        app.router.add_patch(f"{deployment}/scale", self._scale)
        app.router.add_get(f"{leases}/{{name}}", self._read)
        app.router.add_put(f"{leases}/{{name}}", self._replace)
        app.router.add_post(leases, self._create)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, host, 0, ssl_context=tls)
        await site.start()
        self.url = f"{'https' if tls else 'http'}://{host}:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    @web.middleware
    async def _asked(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} {_short(request.path)}")
        self.authorizations.append(request.headers.get("Authorization"))
        answer = await self.before(request) if self.before else None
        response: web.StreamResponse = answer or await handler(request)
        return response

    async def _read(self, request: web.Request) -> web.Response:
        path = _short(request.path)
        if path not in self._objects:
            return _missing(path)
        return web.json_response(self._objects[path])

    async def _create(self, request: web.Request) -> web.Response:
        document = await request.json()
        path = f"leases/{document['metadata']['name']}"
        if path in self._objects:
            return refused(409, f'{path} "already exists"', details={"reason": "AlreadyExists"})
        return _malformed(document) or self._stored(path, document, 201)

    async def _replace(self, request: web.Request) -> web.Response:
        path, document = _short(request.path), await request.json()
        if path not in self._objects:
            return _missing(path)
        version = document["metadata"].get("resourceVersion")
        if version not in (None, self._objects[path]["metadata"]["resourceVersion"]):
            return refused(
                409, f"{path}: the object has been modified; please apply your changes to the latest version"
            )
        return _malformed(document) or self._stored(path, document, 200)

    async def _scale(self, request: web.Request) -> web.Response:
        path, patch = _short(request.path).removesuffix("/scale"), await request.json()
        if request.content_type != "application/merge-patch+json":
            return refused(415, f"not a merge patch: {request.content_type}")
        if path not in self._objects:
            return _missing(path)
        replicas = patch["spec"]["replicas"]
        if replicas < 0:
            details = {"causes": [{"reason": "FieldValueInvalid", "field": "spec.replicas"}]}
            return refused(422, "must be greater than or equal to 0", details=details)
        document = self.get(path)
        document["spec"]["replicas"] = replicas
        self.put(path, **document)
        return web.json_response(
            {
                "kind": "Scale",
                "apiVersion": "autoscaling/v1",
                "metadata": self._objects[path]["metadata"],
                "spec": {"replicas": replicas},
                "status": {"replicas": 0, "selector": "app=engine"},
            }
        )

    def _stored(self, path: str, document: dict[str, Any], status: int) -> web.Response:
        self.put(path, **document)
        return web.json_response(self._objects[path], status=status)


def _short(path: str) -> str:
    return path.rpartition(f"/namespaces/{NAMESPACE}/")[2]


def _missing(path: str) -> web.Response:
    kind, _, name = path.partition("/")
    return refused(404, f'{kind} "{name}" not found', details={"kind": kind, "name": name})


def _malformed(document: dict[str, Any]) -> web.Response | None:
    spec = document["spec"]
    for name in ("acquireTime", "renewTime"):
        if name in spec and not _MICRO_TIME.fullmatch(spec[name]):
            return refused(400, f"{name}: cannot parse {spec[name]}")
    return None
