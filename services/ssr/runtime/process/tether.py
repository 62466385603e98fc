"""A process that does not outlive its parent, however the parent ends.

The parent holds the other end of the process's standard input and never writes to it: end of file means that the
parent is gone. A program of ours calls `hold_tether`; a foreign program is run as a child of this module:

    python -m ssr.runtime.process.tether -- valkey-server --port 6379

which hands SIGTERM and SIGINT on, ends with the program's own exit code, and is kept small to start in no time.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from threading import Thread

#: The environment variable that says, with the value 1, that standard input is a tether.
VARIABLE = "SSR_TETHER"
#: How long an untethered process may take to end by itself, in seconds.
GRACE_S = 5.0
#: The shell's exit code for a command that cannot be run.
NOT_RUN = 127

_STDIN = 0
_CHUNK_BYTES = 4096
_FORWARDED = (signal.SIGTERM, signal.SIGINT)


def hold_tether(grace_s: float = GRACE_S) -> None:
    """Have this process end when standard input does: by SIGTERM to itself, `grace_s` seconds later by force."""
    Thread(target=_end_with_stdin, args=(grace_s,), name="tether", daemon=True).start()


def _end_with_stdin(grace_s: float) -> None:
    while os.read(_STDIN, _CHUNK_BYTES):  # below sys.stdin, whose lock would trouble the interpreter's end
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_s)
    os._exit(1)


def run_tethered(command: Sequence[str], grace_s: float = GRACE_S) -> int:
    """Run a program to its end, or to standard input's; returns its exit code (128 + n when signal n ended it)."""
    wakeups = _signals_as_bytes()
    try:
        program = _spawn(command)
    except OSError as error:
        print(f"error: {command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 - all that this program says
        return NOT_RUN
    watched, kill_at = [_STDIN, wakeups], None
    while True:
        ready, _, _ = select.select(watched, [], [], None if kill_at is None else max(0.0, kill_at - time.monotonic()))
        if wakeups in ready:
            code = _handle_signals(os.read(wakeups, _CHUNK_BYTES), program)
            if code is not None:
                return code
        if _STDIN in ready and not os.read(_STDIN, _CHUNK_BYTES):
            watched, kill_at = [wakeups], time.monotonic() + grace_s
            os.kill(program, signal.SIGTERM)
        if kill_at is not None and time.monotonic() >= kill_at:
            os.kill(program, signal.SIGKILL)
            kill_at = None


def _signals_as_bytes() -> int:
    """A file descriptor that gives the number of each signal that comes from now on."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for signum in (*_FORWARDED, signal.SIGCHLD):
        signal.signal(signum, lambda *_: None)
    return reading


def _spawn(command: Sequence[str]) -> int:
    return os.posix_spawnp(
        command[0],
        list(command),
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, _STDIN, os.devnull, os.O_RDONLY, 0)],
        setsigdef=[signal.SIGPIPE],  # Python ignores it; a program expects the default
    )


def _handle_signals(numbers: bytes, program: int) -> int | None:
    """The program's exit code once it has ended."""
    for signum in numbers:
        if signum in _FORWARDED:
            os.kill(program, signum)
    ended, status = os.waitpid(program, os.WNOHANG)
    if not ended:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(run_tethered(arguments[1:] if arguments[:1] == ["--"] else arguments))
