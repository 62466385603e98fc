"""The parent's end of one worker process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from ssr.core.errors import Unavailable

#: How the worker is started, unless a caller says otherwise.
WORKER_COMMAND = (sys.executable, "-m", "ssr.orchestrator.equivalence.worker")

#: How long a killed process may take to be gone, in seconds.
_REAP_LIMIT_S = 5.0
#: Why a question ended that `stop` ended.
STOPPED = "stopped"

#: The worker ends a question itself; past its wall clock limit and this it has hung.
_GRACE_S = 2.0
#: A question that waits for a busy machine's CPU may take so many times as long as its limit of CPU seconds...
_WALL_FACTOR = 20.0
#: ...and so long in any case.
_WALL_S = 1.0


@dataclass(frozen=True, slots=True)
class WorkerReply:
    """`same`: the verdict, None where something ended the question (`killed`: "cpu", "memory", "time", "crash" or, on
    request, STOPPED).

    `cpu_s`: the CPU time that it took. `culprit`: "a" or "b" where that answer alone was being computed when a limit
    ended the question. `computed`: the formulas of "a" and "b" in order, as `expression.to_data` has them.
    """

    same: bool | None
    killed: str = ""
    cpu_s: float = 0.0
    culprit: str = ""
    computed: Mapping[str, Any] = field(default_factory=dict)


def wall_limit_s(cpu_s: float) -> float:
    """The wall clock limit of a question that has `cpu_s` seconds of CPU."""
    return _WALL_S + _WALL_FACTOR * cpu_s


class WorkerProcess:
    """One running worker, which answers one question at a time: its owner alone asks it.

    It is started by a thread with subprocess: that is vfork and exec, which runs no fork handlers; those of gRPC
    crash the child of a process that serves (and those of asyncio's and uvloop's own subprocesses are run).
    """

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process, self._reader, self._writer = process, reader, writer
        self._last_id = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def start(cls, command: Sequence[str] = WORKER_COMMAND, *, limit_s: float) -> Self:
        """Start a worker and wait until it is ready, at most `limit_s` seconds.

        Raises `Unavailable` when it cannot be started, ends, or is not ready in time; no process is left then.
        """
        ours, theirs = socket.socketpair()
        starting = asyncio.ensure_future(asyncio.to_thread(_spawn, tuple(command), theirs))
        try:
            process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):  # it takes a moment, and then there is a process
                _discard(await starting)
            ours.close()
            raise
        except OSError as error:
            ours.close()
            raise Unavailable(f"the equivalence worker {command[0]} cannot be started: {error}") from error
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        worker = cls(process, reader, writer)
        try:
            async with asyncio.timeout(limit_s):
                await worker._read()
        except TimeoutError as error:
            await worker.kill()
            raise Unavailable(f"the equivalence worker was not ready within {limit_s:g} s: raise its limit") from error
        except BaseException:
            await worker.kill()
            raise
        return worker

    async def ask(self, question: dict[str, Any], *, cpu_s: float, memory_mib: int, nice: int = 0) -> WorkerReply:
        """The reply to a question (`worker.py` says what one holds).

        Raises `Unavailable` when the process is gone, hangs or talks nonsense: kill it, it is of no use any more.
        """
        self._last_id += 1
        wall_s = wall_limit_s(cpu_s)
        limits = {"id": self._last_id, "cpu_s": cpu_s, "wall_s": wall_s, "memory_mib": memory_mib, "nice": nice}
        try:
            async with asyncio.timeout(wall_s + _GRACE_S):
                self._writer.write(json.dumps(question | limits).encode() + b"\n")
                await self._writer.drain()
                reply = await self._read()
        except TimeoutError as error:
            raise Unavailable("the equivalence worker hangs") from error
        except OSError as error:
            raise Unavailable("the equivalence worker is gone") from error
        same, killed = reply.get("same"), reply.get("killed", "")
        if reply.get("id") != self._last_id or not (isinstance(same, bool) or (same is None and killed)):
            raise Unavailable("the equivalence worker answered something that was not asked")
        cpu_s, culprit = float(reply.get("cpu_s", 0.0)), str(reply.get("culprit", ""))
        return WorkerReply(same, str(killed), cpu_s, culprit, reply.get("computed", {}))

    def stop(self) -> None:
        """Have the question that is asked now end at once, with STOPPED; nothing happens where it has just ended."""
        with contextlib.suppress(OSError):
            self._writer.write(json.dumps({"stop": self._last_id}).encode() + b"\n")

    async def kill(self) -> None:
        """End the process and what it runs, and reap it; harmless when it is gone already."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)  # it leads a group of its own: the question ends too
        self._writer.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.shield(asyncio.to_thread(self._process.wait, _REAP_LIMIT_S))

    async def _read(self) -> dict[str, Any]:
        """The next line. Raises `Unavailable` at the end of output or when the line is no JSON object."""
        try:
            line = await self._reader.readline()
            message = json.loads(line) if line else None
        except (OSError, ValueError) as error:
            raise Unavailable("the equivalence worker wrote a line that is not its protocol") from error
        if line == b"":
            raise Unavailable("the equivalence worker ended without an answer")
        if not isinstance(message, dict):
            raise Unavailable("the equivalence worker wrote a line that is not its protocol")
        return message


def _spawn(command: tuple[str, ...], end: socket.socket) -> subprocess.Popen[bytes]:
    # A session of its own keeps Ctrl-C for the parent, which may still have questions while it drains.
    with end:
        descriptor = end.fileno()
        return subprocess.Popen(
            command, stdin=descriptor, stdout=descriptor, stderr=subprocess.DEVNULL, start_new_session=True
        )


def _discard(process: subprocess.Popen[bytes]) -> None:
    """End a process that nobody waits for any more; it has only just begun."""
    process.kill()
    process.wait(_REAP_LIMIT_S)
