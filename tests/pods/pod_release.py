"""A release of the chart on this machine: its Deployments, Services, Secrets, rollouts, and an autoscaler's API."""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from certificates import authority, issue
from chart_manifests import Manifest, Manifests, render
from kubernetes_server import NAMESPACE, KubernetesServer
from pod import Pod, decoded
from pod_names import answering
from podman import Network

RELEASE = "maths"
_LOOK_S = 0.3
_DOMAIN = f".{NAMESPACE}.svc.cluster.local"


class Release:
    """Runs the pods of `values`; `upgrade` rolls them."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network, self.namespace, self.folder = network, NAMESPACE, folder
        self.api = KubernetesServer()
        self.pods: list[Pod] = []
        self.most: dict[str, int] = {}  #: the most pods of a workload that were ready at a time
        self.manifests = Manifests((), "")
        self._secrets: dict[str, dict[str, str]] = {}
        self._addresses = (f"{network.prefix}.{last}" for last in itertools.count(10))
        self._numbers = itertools.count()
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._ends: list[asyncio.Task[None]] = []
        self._group: asyncio.TaskGroup | None = None

    def upgrade(self, values: Mapping[str, object]) -> None:
        """What `helm upgrade --install` does: Secrets that are there stay as `lookup` finds them."""
        self.manifests = render(values, name=RELEASE, namespace=NAMESPACE)
        for secret in self.manifests.of("Secret"):
            self._secrets.setdefault(secret["metadata"]["name"], decoded(secret))
        for workload in self.workloads():
            name, spec = workload["metadata"]["name"], workload["spec"]
            path = f"deployments/{name}"
            known = self.api.spec(path)["replicas"] if self._knows(path) else 1
            self.api.put(path, spec={"replicas": spec.get("replicas", known)}, status={})

    def _knows(self, path: str) -> bool:
        try:
            self.api.get(path)
        except KeyError:
            return False
        return True

    def workloads(self) -> list[Manifest]:
        return [*self.manifests.of("Deployment"), *self.manifests.of("StatefulSet")]

    def secret(self, name: str) -> Mapping[str, str]:
        return self._secrets[name]

    def claim(self, pod: str, name: str) -> Path:
        """One claim a workload: a StatefulSet's pod finds its volume again."""
        return self.folder / "claims" / pod.rpartition("-")[0] / name

    def service_account(self) -> tuple[Path, Mapping[str, str]]:
        host, _, port = self.api.url.removeprefix("https://").partition(":")
        variables = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        return self.folder / "account", variables

    def address(self) -> str:
        return next(self._addresses)

    def of(self, component: str) -> list[Pod]:
        """Its pods that are not on their way out."""
        return [pod for pod in self.pods if pod.component == component and not pod.ending]

    def ready(self) -> bool:
        """As many ready pods as are wanted, of the newest template, everywhere."""
        return all(
            sum(pod.ready for pod in self._current(one)) == self._wanted(one) and not self._old(one)
            for one in self.workloads()
        )

    async def until_ready(self, limit_s: float) -> None:
        async with asyncio.timeout(limit_s):
            while not self.ready():
                await asyncio.sleep(_LOOK_S)

    def _wanted(self, workload: Manifest) -> int:
        return int(self.api.spec(f"deployments/{workload['metadata']['name']}")["replicas"])

    def _mine(self, workload: Manifest) -> list[Pod]:
        name = workload["metadata"]["name"]
        return [pod for pod in self.pods if pod.name.rpartition("-")[0] == name and not pod.ending]

    def _current(self, workload: Manifest) -> list[Pod]:
        return [pod for pod in self._mine(workload) if pod.template == workload["spec"]["template"]]

    def _old(self, workload: Manifest) -> list[Pod]:
        return [pod for pod in self._mine(workload) if pod.template != workload["spec"]["template"]]

    async def control(self) -> None:
        """Deployments' controller, until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            while True:
                for workload in self.workloads():
                    self._step(workload)
                await asyncio.sleep(_LOOK_S)

    def _step(self, workload: Manifest) -> None:
        """One look at one workload: start what is missing, end what is old or too much, as its strategy allows."""
        wanted, current, old = self._wanted(workload), self._current(workload), self._old(workload)
        rolling = workload["spec"].get("strategy", {}).get("rollingUpdate", {"maxSurge": 0, "maxUnavailable": 1})
        while len(current) < wanted and len(current) + len(old) < wanted + rolling["maxSurge"]:
            current.append(self._start(workload))
        for pod in old:
            ready = sum(one.ready for one in self._mine(workload))
            if not pod.ready or ready - 1 >= wanted - rolling["maxUnavailable"]:
                self._end(pod)
        for pod in [] if old else sorted(current, key=lambda one: one.ready)[: len(current) - wanted]:
            self._end(pod)
        name = workload["metadata"]["name"]
        mine = self._mine(workload)
        ready = sum(pod.ready for pod in mine)
        self.most[name] = max(ready, self.most.get(name, 0))
        status = {"replicas": len(mine), "readyReplicas": ready}
        if self.api.get(f"deployments/{name}").get("status") != status:
            self.api.put(f"deployments/{name}", spec=self.api.spec(f"deployments/{name}"), status=status)

    def _start(self, workload: Manifest) -> Pod:
        assert self._group is not None
        name = f"{workload['metadata']['name']}-{next(self._numbers)}"
        pod = Pod(self, name, copy.deepcopy(workload["spec"]["template"]))
        self.pods.append(pod)
        self._lives[name] = self._group.create_task(pod.live(), name=name)
        return pod

    def _end(self, pod: Pod) -> None:
        assert self._group is not None
        if not pod.ending:
            self._ends.append(self._group.create_task(pod.end(), name=f"{pod.name}/end"))
            pod.ending = True
            pod.ready = False

    async def uninstall(self) -> None:
        """End all pods, as `helm uninstall` does, and wait for that."""
        self.manifests = Manifests((), "")
        for pod in self.pods:
            self._end(pod)
        await asyncio.gather(*self._ends)

    def named(self, name: str) -> Sequence[str] | None:
        """The addresses behind a name, as the cluster's DNS has them; a ClusterIP is the pods' own here."""
        if not name.endswith(_DOMAIN):
            return None
        for service in self.manifests.of("Service"):
            if service["metadata"]["name"] == name.removesuffix(_DOMAIN):
                wanted = service["spec"]["selector"].items()
                return [pod.address for pod in self.pods if pod.ready and wanted <= pod.labels.items()]
        return None

    async def logs(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for pod in self.pods:
            (folder / f"{pod.name}.log").write_text(await pod.runs.log())

    async def remove(self) -> None:
        await asyncio.gather(*(pod.runs.remove() for pod in self.pods))


@asynccontextmanager
async def installed(network: Network, folder: Path, values: Mapping[str, object]) -> AsyncIterator[Release]:
    """The release, starting; its containers are gone at the end, and their logs are in `folder`/logs."""
    release = Release(network, folder)
    async with AsyncExitStack() as stack:
        tls = _account(folder / "account", network)
        await stack.enter_async_context(release.api.running(tls, host=network.gateway))
        await stack.enter_async_context(answering(network.gateway, release.named))
        release.upgrade(values)
        controlling = asyncio.create_task(release.control(), name="controller")
        try:
            yield release
        finally:
            await release.logs(folder / "logs")
            controlling.cancel()
            await asyncio.gather(controlling, return_exceptions=True)
            await release.remove()


def _account(folder: Path, network: Network) -> ssl.SSLContext:
    """The files of a service account, and the API's certificate for this machine's address in the network."""
    folder.mkdir(parents=True)
    signer = authority(folder.parent)
    issue(signer, folder.parent / "api", names=f"IP:{network.gateway}")
    (folder / "ca.crt").write_bytes(signer.certificate.read_bytes())
    (folder / "token").write_text("of the test")
    (folder / "namespace").write_text(NAMESPACE)
    for entry in folder.iterdir():
        entry.chmod(0o444)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder.parent / "api" / "tls.crt", folder.parent / "api" / "tls.key")
    return context


def shown(pods: Sequence[Pod]) -> str:
    """For messages of assertions."""
    return json.dumps({pod.name: [pod.ready, pod.restarts, pod.exit_status] for pod in pods}, indent=1)
