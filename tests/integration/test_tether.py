"""The tether, with real processes: what happens at the end of standard input, and to signals and exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hang_limit import LIMIT_S

HOLDING = "from ssr.runtime.process.tether import hold_tether; hold_tether({grace}); {then}"
#: Says when it runs, and sleeps; /bin/sh is any foreign program here.
SLEEPER = "echo $$; exec sleep 600"


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def close_stdin(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def tethered(*command: str) -> tuple[str, ...]:
    return ("-m", "ssr.runtime.process.tether", "--", *command)


def test_a_process_that_holds_a_tether_ends_with_its_stdin() -> None:
    then = "print('up', flush=True); import signal; signal.pause()"
    with started("-c", HOLDING.format(grace=LIMIT_S, then=then)) as process:
        assert line(process) == "up"
        close_stdin(process)
        assert process.wait(LIMIT_S) == -signal.SIGTERM


def test_it_ends_by_force_when_it_does_not_listen() -> None:
    then = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"
    with started("-c", HOLDING.format(grace=0.1, then=then)) as process:
        assert line(process) == "up"
        close_stdin(process)
        assert process.wait(LIMIT_S) == 1


def test_a_foreign_program_ends_with_stdin() -> None:
    with started(*tethered("/bin/sh", "-c", SLEEPER)) as process:
        program = int(line(process))
        close_stdin(process)
        assert process.wait(LIMIT_S) == 128 + signal.SIGTERM
        with pytest.raises(ProcessLookupError):
            os.kill(program, 0)


def test_what_is_written_to_stdin_does_not_end_it() -> None:
    with started(*tethered("/bin/sh", "-c", SLEEPER)) as process:
        line(process)
        assert process.stdin is not None
        process.stdin.write(b"still here\n")
        process.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)


def test_sigterm_is_handed_on() -> None:
    with started(*tethered("/bin/sh", "-c", "trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done")) as process:
        assert line(process) == "up"
        process.terminate()
        assert process.wait(LIMIT_S) == 5


def test_the_exit_code_is_the_programs_own() -> None:
    with started(*tethered("/bin/sh", "-c", "exit 7")) as process:
        assert process.wait(LIMIT_S) == 7


def test_a_program_that_is_not_there() -> None:
    with started(*tethered("/no/such/program")) as process:
        assert process.wait(LIMIT_S) == 127
