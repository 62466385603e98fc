"""As much of the Kubernetes API as Helm's `lookup` of Secrets asks: discovery, and Secrets by name."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
_SECRETS = {"name": "secrets", "singularName": "secret", "namespaced": True, "kind": "Secret", "verbs": ["get", "list"]}


@dataclass
class SecretsApi:
    """A cluster that knows Secrets, by namespace and name."""

    secrets: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    url: str = ""

    def answer(self, path: str) -> dict[str, Any] | None:
        match path.partition("?")[0].strip("/").split("/"):
            case ["version"]:
                return _VERSION
            case ["api"]:
                return {"kind": "APIVersions", "versions": ["v1"]}
            case ["apis"]:
                return {"kind": "APIGroupList", "apiVersion": "v1", "groups": []}
            case ["api", "v1"]:
                return {"kind": "APIResourceList", "groupVersion": "v1", "resources": [_SECRETS]}
            case ["api", "v1", "namespaces", namespace, "secrets", name]:
                return self.secrets.get((namespace, name))
        return None

    def keep(self, *secrets: dict[str, Any]) -> None:
        """What `kubectl apply` of these Secrets would leave."""
        for secret in secrets:
            self.secrets[secret["metadata"]["namespace"], secret["metadata"]["name"]] = secret


@contextmanager
def running_secrets_api() -> Iterator[SecretsApi]:
    """It listens on a port of 127.0.0.1 until the block ends."""
    api = SecretsApi()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = api.answer(self.path)
            missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            body = json.dumps(missing if found is None else found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        api.url = f"http://127.0.0.1:{server.server_port}"
        yield api
        server.shutdown()
        serving.join()
