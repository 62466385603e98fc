"""One child process: its log, its end, and ending it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

#: How much of a log's end a message quotes.
_TAIL_LINES = 12
_TAIL_BYTES = 4096
#: How long a killed process may take to be gone, in seconds.
_REAP_LIMIT_S = 5.0


class Child:
    """A process in a session of its own: a terminal's Ctrl-C does not reach it, and killing takes all of its group."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, log_start: int) -> None:
        self._process = process
        self._log, self._log_start = log, log_start

    @classmethod
    async def start(cls, command: Sequence[str], environment: Mapping[str, str], *, stdin: int, log: Path) -> Self:
        """Start `command`; what it prints is added to `log`. Raises: OSError when there is no such program.

        A cancellation leaves no process behind.
        """
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            log_start = os.fstat(output).st_size
            starting = asyncio.ensure_future(
                asyncio.create_subprocess_exec(
                    *command, stdin=stdin, stdout=output, stderr=output, env=environment, start_new_session=True
                )
            )
            try:
                return cls(await asyncio.shield(starting), log, log_start)
            except asyncio.CancelledError:
                await cls(await starting, log, log_start).stop(0)
                raise
        finally:
            os.close(output)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    async def wait(self) -> None:
        """Until the process has ended."""
        await self._process.wait()

    async def stop(self, grace_s: float) -> None:
        """Ask the process to end; kill it and its group when `grace_s` have passed, or when cancelled."""
        try:
            if grace_s > 0 and not self.ended:
                self._process.terminate()
                async with asyncio.timeout(grace_s):
                    await self._process.wait()
        except TimeoutError:
            pass
        finally:
            self.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(_REAP_LIMIT_S):
                await self._process.wait()

    def kill(self) -> None:
        """End the process's whole group at once. Harmless when all are gone."""
        with suppress(ProcessLookupError, PermissionError):  # macOS: not permitted for a group of zombies
            os.killpg(self.pid, signal.SIGKILL)

    def ending(self) -> str:
        """How it ended, for messages."""
        code = self._process.returncode
        if code is None:
            return "runs"
        return f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"

    def log_tail(self) -> str:
        """The last lines that this process printed, indented; says so when there are none."""
        with suppress(OSError), self._log.open("rb") as log:
            log.seek(max(self._log_start, self._log.stat().st_size - _TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
            if lines:
                return "\n".join(f"    {line}" for line in lines)
        return "    (it printed nothing)"
