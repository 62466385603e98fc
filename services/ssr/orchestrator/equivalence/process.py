"""The parent's end of the worker process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from typing import Any, Self

from ssr.core.errors import TimedOut, Unavailable

#: How the worker is started, unless a caller says otherwise.
WORKER_COMMAND = (sys.executable, "-m", "ssr.orchestrator.equivalence.worker")

#: How long a killed process may take to be gone, in seconds.
_REAP_LIMIT_S = 5.0


class WorkerProcess:
    """One running worker, which answers one question at a time: callers take turns (it holds no lock).

    A cancelled `ask` leaves its reply to come; `settle` waits for it, and nobody else ever gets it.
    """

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._last_id = 0
        self._owed_until: float | None = None  # loop time by which the reply to question `_last_id` is due

    @classmethod
    async def start(cls, command: Sequence[str] = WORKER_COMMAND, *, limit_s: float) -> Self:
        """Start a worker and wait until it is ready, at most `limit_s` seconds.

        Raises `Unavailable` when it cannot be started, ends, or is not ready in time; no process is left then.
        """
        try:
            # A session of its own keeps Ctrl-C for the parent, which may still have questions while it drains.
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True
            )
        except OSError as error:
            raise Unavailable(f"the equivalence worker {command[0]} cannot be started: {error}") from error
        worker = cls(process)
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

    async def ask(self, a: str, b: str, *, limit_s: float) -> bool:
        """The worker's verdict on two answers.

        Raises `TimedOut` after `limit_s` seconds and `Unavailable` when the process is gone or talks nonsense; in
        either case kill it, it is of no use any more.
        """
        self._last_id += 1
        self._owed_until = asyncio.get_running_loop().time() + limit_s
        question = {"id": self._last_id, "a": a, "b": b, "limit_s": limit_s}
        self._stdin.write(json.dumps(question).encode() + b"\n")  # a few hundred bytes: no need to drain
        return await self._reply()

    async def settle(self) -> None:
        """Wait for the reply that a cancelled question left behind, within that question's limit; raises as `ask`."""
        if self._owed_until is not None:
            await self._reply()

    async def kill(self) -> None:
        """End the process and reap it; harmless when it is gone already."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REAP_LIMIT_S):
                await self._process.wait()
                await self._stdout.read()  # the transport closes only once its pipes are read to their end

    async def _reply(self) -> bool:
        try:
            async with asyncio.timeout_at(self._owed_until):
                reply = await self._read()
        except TimeoutError as error:
            raise TimedOut("the equivalence worker gave no verdict within its limit") from error
        same = reply.get("same")
        if reply.get("id") != self._last_id or not isinstance(same, bool):
            raise Unavailable("the equivalence worker answered something that was not asked")
        self._owed_until = None
        return same

    async def _read(self) -> dict[str, Any]:
        """The next line. Raises `Unavailable` at the end of output or when the line is no JSON object."""
        try:
            line = await self._stdout.readline()
            message = json.loads(line) if line else None
        except (OSError, ValueError) as error:
            raise Unavailable("the equivalence worker wrote a line that is not its protocol") from error
        if line == b"":
            raise Unavailable("the equivalence worker ended without an answer")
        if not isinstance(message, dict):
            raise Unavailable("the equivalence worker wrote a line that is not its protocol")
        return message
