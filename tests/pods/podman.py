"""Containers by podman, one `podman run` each, in a network in which every container has an address."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

#: crun refuses hybrid cgroups, and the default limits may exceed the machine's own.
AS_HERE = ("--runtime", "runc", "--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1000:1000")


def podman(*arguments: object, check: bool = True) -> str:
    """What a command of podman's prints. Raises: RuntimeError with what it complains of."""
    done = subprocess.run(["podman", *map(str, arguments)], capture_output=True, text=True, timeout=300)
    if check and done.returncode:
        raise RuntimeError(f"podman {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


async def podman_later(*arguments: object) -> tuple[int, str]:
    """As `podman`, beside other things: the exit status, and what was printed and complained of."""
    process = await asyncio.create_subprocess_exec(
        "podman", *map(str, arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace").strip()


@dataclass(frozen=True)
class Network:
    """Its containers have addresses from `prefix`.10 on; this machine is `gateway` in it."""

    name: str
    prefix: str

    @property
    def gateway(self) -> str:
        return f"{self.prefix}.1"


@contextmanager
def network(name: str, prefix: str = "10.89.77") -> Iterator[Network]:
    """A network of its own, without podman's name server, until the block ends; containers left in it are removed."""
    podman("network", "rm", "--force", name, check=False)
    podman("network", "create", "--disable-dns", "--subnet", f"{prefix}.0/24", "--gateway", f"{prefix}.1", name)
    # The bridge, and with it this machine's address, is there while a container is.
    here = ("--network", name, "--ip", f"{prefix}.2", *AS_HERE)
    podman("run", "--detach", "--name", f"{name}-bridge", *here, _any_image(), "sleep", "3600")
    try:
        yield Network(name, prefix)
    finally:
        podman("network", "rm", "--force", "--time", 1, name, check=False)


def _any_image() -> str:
    return podman("images", "--quiet", "--filter", "dangling=false").splitlines()[0]


@dataclass
class Container:
    """One container: `command` is empty where the image's own is to run. `mounts`: target -> (source, read-only)."""

    name: str
    image: str
    command: Sequence[str]
    network: Network
    address: str
    environment: Mapping[str, str]
    user: str
    folder: str
    memory: str
    mounts: Mapping[str, tuple[Path, bool]]
    search: str
    groups: Sequence[str] = ()
    read_only: bool = True
    options: Sequence[str] = field(default=())

    async def start(self) -> None:
        entry = ["--entrypoint", json.dumps(list(self.command))] if self.command else []
        variables = [word for name, value in self.environment.items() for word in ("--env", f"{name}={value}")]
        volumes = [
            word
            for target, (source, read_only) in self.mounts.items()
            for word in ("--volume", f"{source}:{target}:{'ro' if read_only else 'rw'}")
        ]
        code, said = await podman_later(
            *("run", "--detach", "--name", self.name, "--hostname", self.name, *AS_HERE),
            *("--network", self.network.name, "--ip", self.address, "--dns", self.network.gateway),
            *("--dns-search", self.search, "--dns-opt", "ndots:5", "--cap-drop", "ALL"),
            *("--security-opt", "no-new-privileges", "--user", self.user, "--workdir", self.folder),
            *(["--read-only", "--read-only-tmpfs=false"] if self.read_only else []),
            *(["--memory", self.memory] if self.memory else []),
            *(word for group in self.groups for word in ("--group-add", group)),
            *(*variables, *volumes, *entry, "--no-healthcheck", *self.options, self.image),
        )
        if code:
            raise RuntimeError(f"{self.name} cannot be started: {said}")

    async def running(self) -> bool:
        code, said = await podman_later("inspect", "--format", "{{.State.Running}}", self.name)
        return code == 0 and said == "true"

    async def signal(self, name: str) -> None:
        await podman_later("kill", "--signal", name, self.name)

    async def ended(self, limit_s: float) -> int | None:
        """Its exit status, as soon as it has one; None where that takes too long."""
        try:
            async with asyncio.timeout(limit_s):
                code, said = await podman_later("wait", self.name)
                return int(said) if code == 0 else None
        except TimeoutError:
            return None

    async def execute(self, *command: str) -> int:
        code, _ = await podman_later("exec", self.name, *command)
        return code

    async def log(self) -> str:
        return (await podman_later("logs", self.name))[1]

    async def remove(self) -> None:
        await podman_later("rm", "--force", "--time", "1", "--volumes", self.name)
