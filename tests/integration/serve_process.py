"""`ssr` commands as processes of a test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from hang_limit import LIMIT_S


@dataclass
class Command:
    """A command that runs."""

    process: subprocess.Popen[str]

    def line(self, start: str) -> str:
        """What follows `start` in the next line of its output that begins so."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(start):
                return line.removeprefix(start).strip()
        raise AssertionError(f"it ended without {start!r}: {self.errors()}")

    def errors(self) -> str:
        """All of its standard error, at its end."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def signal(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    def exit_code(self) -> int:
        return self.process.wait(LIMIT_S)


@contextmanager
def running_command(*command: str, environment: dict[str, str] | None = None) -> Iterator[Command]:
    """`python ARGS...`, as by a shell without job control; nothing of its group is left behind."""
    process = subprocess.Popen(
        [sys.executable, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    with process:
        try:
            yield Command(process)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def accepts(address: str) -> bool:
    """Whether somebody listens at "host:port"."""
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until_closed(*addresses: str, limit_s: float = LIMIT_S) -> None:
    """Returns when nobody listens at any of the addresses any more."""
    until = time.monotonic() + limit_s
    left = [address for address in addresses if accepts(address)]
    while left:
        assert time.monotonic() < until, f"somebody still listens at {left}"
        time.sleep(0.02)
        left = [address for address in left if accepts(address)]
