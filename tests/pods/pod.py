"""One pod as the kubelet runs it: variables, mounts, security, probes, preStop, grace."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.request import urlopen

from chart_manifests import Manifest, component_of
from grpc import aio
from grpc_health.v1 import health_pb2
from podman import Container, Network

_NAMED = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
#: How often probes are looked at, in seconds.
_LOOK_S = 0.25


class Node(Protocol):
    """Where pods run."""

    network: Network
    namespace: str
    folder: Path

    def secret(self, name: str) -> Mapping[str, str]: ...

    def claim(self, pod: str, name: str) -> Path: ...

    def service_account(self) -> tuple[Path, Mapping[str, str]]: ...

    def address(self) -> str: ...


class Pod:
    """`template` has metadata and spec. `ready` is what its Services go by."""

    def __init__(self, node: Node, name: str, template: Manifest) -> None:
        self.node, self.name, self.template = node, name, template
        self.component, self.labels = component_of(template), template["metadata"]["labels"]
        self.spec: Manifest = template["spec"]
        (self.container,) = self.spec["containers"]
        self.address = node.address()
        self.ready = self.ending = False
        self.restarts: list[str] = []
        self.exit_status: int | None = None
        self.folder = node.folder / name
        self.runs = self._container()

    def variables(self) -> dict[str, str]:
        """As the container sees them."""
        found: dict[str, str] = {}
        for variable in self.container.get("env", []):
            if "value" in variable:
                found[variable["name"]] = _filled(variable["value"], found)
            elif "fieldRef" in variable["valueFrom"]:
                assert variable["valueFrom"]["fieldRef"] == {"fieldPath": "metadata.name"}
                found[variable["name"]] = self.name
            else:
                reference = variable["valueFrom"]["secretKeyRef"]
                found[variable["name"]] = self.node.secret(reference["name"])[reference["key"]]
        return found

    def _container(self) -> Container:
        security, own = self.spec["securityContext"], self.container["securityContext"]
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert own["allowPrivilegeEscalation"] is False
        environment = self.variables()
        mounts = self._mounts(security["fsGroup"])
        if self.spec["automountServiceAccountToken"]:
            place, of_api = self.node.service_account()
            mounts["/var/run/secrets/kubernetes.io/serviceaccount"] = (place, True)
            environment |= of_api
        words = [*self.container.get("command", []), *self.container.get("args", [])]
        return Container(
            self.name,
            self.container["image"],
            [_filled(word, environment) for word in words],
            self.node.network,
            self.address,
            environment,
            f"{security['runAsUser']}:{security['runAsGroup']}",
            self.container.get("workingDir", "/tmp"),
            self.container["resources"]["limits"]["memory"].replace("Mi", "m").replace("Gi", "g"),
            mounts,
            f"{self.node.namespace}.svc.cluster.local",
            groups=[str(security["fsGroup"])],
            read_only=own["readOnlyRootFilesystem"],
        )

    def _mounts(self, group: int) -> dict[str, tuple[Path, bool]]:
        """Volumes as folders of this machine, with the owner and the rights that the kubelet gives them."""
        volumes: dict[str, Any] = {volume["name"]: volume for volume in self.spec.get("volumes", [])}
        found = {}
        for mount in self.container.get("volumeMounts", []):
            volume = volumes.get(mount["name"])
            place = self.node.claim(self.name, mount["name"]) if volume is None else self.folder / mount["name"]
            place.mkdir(parents=True, exist_ok=True)
            shutil.chown(place, 0, group)
            place.chmod(0o2770)
            if volume is not None and "secret" in volume:
                for entry, value in self._entries(volume["secret"]).items():
                    (place / entry).write_text(value)
                    shutil.chown(place / entry, 0, group)
                    (place / entry).chmod(volume["secret"]["defaultMode"])
            found[mount["mountPath"]] = (place, bool(mount.get("readOnly")))
        return found

    def _entries(self, volume: Manifest) -> Mapping[str, str]:
        """The files of a volume with a Secret: its entries, or those that are asked for under other names."""
        entries = self.node.secret(volume["secretName"])
        return {item["path"]: entries[item["key"]] for item in volume["items"]} if "items" in volume else entries

    async def live(self) -> None:
        """Run, and be probed, until `end`."""
        await self.runs.start()
        if not await self._started():
            return
        due = {name: 0.0 for name in ("readinessProbe", "livenessProbe") if name in self.container}
        failures = dict.fromkeys(due, 0)
        self.ready = "readinessProbe" not in due and not self.ending
        while not self.ending:
            for name in due:
                probe = self.container[name]
                if time.monotonic() < due[name]:
                    continue
                passed = await self._passes(probe)
                due[name] = time.monotonic() + probe["periodSeconds"]
                failures[name] = 0 if passed else failures[name] + 1
                failed = failures[name] >= probe["failureThreshold"]
                if name == "readinessProbe":
                    self.ready = not self.ending and (passed or (self.ready and not failed))
                elif failed:
                    self.restarts.append(f"livenessProbe failed {failures[name]} times")
                    return
            if not self.ending and not await self.runs.running():
                self.restarts.append("ended by itself")
                self.ready = False
                return
            await asyncio.sleep(_LOOK_S)

    async def _started(self) -> bool:
        if (probe := self.container.get("startupProbe")) is None:
            return True
        until = time.monotonic() + probe["periodSeconds"] * probe["failureThreshold"]
        while not self.ending:
            if await self._passes(probe):
                return True
            if time.monotonic() > until or not await self.runs.running():
                self.restarts.append("did not start")
                return False
            await asyncio.sleep(_LOOK_S)
        return False

    async def _passes(self, probe: Manifest) -> bool:
        limit_s = float(probe.get("timeoutSeconds", 1))
        try:
            async with asyncio.timeout(limit_s + 1):
                return await self._asked(probe, limit_s)
        except (OSError, TimeoutError, aio.AioRpcError):
            return False

    async def _asked(self, probe: Manifest, limit_s: float) -> bool:
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        if "grpc" in probe:
            async with aio.insecure_channel(f"{self.address}:{probe['grpc']['port']}") as channel:
                request = health_pb2.HealthCheckRequest(service=probe["grpc"].get("service", ""))
                reply = await _check(channel)(request, timeout=limit_s)
                return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)
        if "httpGet" in probe:
            url = f"http://{self.address}:{ports[probe['httpGet']['port']]}{probe['httpGet']['path']}"
            return await asyncio.to_thread(_answers, url, limit_s)
        if "tcpSocket" in probe:
            _, writer = await asyncio.open_connection(self.address, ports[probe["tcpSocket"]["port"]])
            writer.close()
            return True
        return await self.runs.execute(*probe["exec"]["command"]) == 0

    async def end(self) -> None:
        """As a deletion: out of the Services, preStop, SIGTERM, the grace, SIGKILL."""
        self.ending, self.ready = True, False
        wait_s = self.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        await asyncio.sleep(wait_s)
        await self.runs.signal("TERM")
        self.exit_status = await self.runs.ended(self.spec["terminationGracePeriodSeconds"] - wait_s)
        if self.exit_status is None:
            await self.runs.signal("KILL")


def _check(channel: aio.Channel) -> Any:
    return channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )


def decoded(secret: Manifest) -> dict[str, str]:
    return {entry: base64.b64decode(data).decode() for entry, data in secret["data"].items()}


def _answers(url: str, limit_s: float) -> bool:
    with urlopen(url, timeout=limit_s) as reply:
        return bool(reply.status == 200)


def _filled(text: str, known: Mapping[str, str]) -> str:
    """$(NAME) as the kubelet expands it: those not known stay as they are."""
    return _NAMED.sub(lambda match: known.get(match[1], match[0]), text)
