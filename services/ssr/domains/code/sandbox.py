"""Programs of models, run in a process that can do nothing but compute.

The process has no environment, an empty folder, and limits that it cannot raise: CPU and wall time, memory, no file and
no socket can be opened (RLIMIT_NOFILE 0, and a network namespace of its own where the kernel grants one), nothing can
be written (RLIMIT_FSIZE 0), no process started (RLIMIT_NPROC 0). On Linux (x86-64, arm64) the kernel refuses all other
calls than computing needs (seccomp): to remove a file, to signal a process, to start one. Where root starts it, it
becomes another user first, since limits do not bind root; where it can do neither, it runs nothing. Without the filter
a program can still do to files and processes of its user what needs nothing opened: a warning says so once.

What it protects is the machine: a program that sets out to cheat its tests can do so, as it runs in one process with
them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ssr.core.errors import CapabilityMissing

_log = logging.getLogger(__name__)

#: For all tests of a program together.
WALL_S = 10.0
CPU_S = 5
MEMORY_MIB = 256
#: What of a program and its tests is read.
MAX_CHARS = 100_000
#: Processes at a time, and results remembered.
_AT_A_TIME = 2
_REMEMBERED = 512
_MAX_OUTPUT = 65_536

_results: OrderedDict[tuple[str, tuple[str, ...]], tuple[bool, ...]] = OrderedDict()
_places: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}


async def run_tests(program: str, tests: Sequence[str]) -> tuple[bool, ...]:
    """Which of the tests the program passes; none of those that were not reached in time.

    Raises: CapabilityMissing where a program cannot be confined.
    """
    key = (program, tuple(tests))
    if key in _results:
        _results.move_to_end(key)
        return _results[key]
    if len(program) + sum(map(len, tests)) > MAX_CHARS:
        return (False,) * len(tests)
    loop = asyncio.get_running_loop()
    async with _places.setdefault(loop, asyncio.Semaphore(_AT_A_TIME)):
        found = await _run(program, tests)
    _results[key] = found
    if len(_results) > _REMEMBERED:
        _results.popitem(last=False)
    return found


async def _run(program: str, tests: Sequence[str]) -> tuple[bool, ...]:
    with tempfile.TemporaryDirectory(prefix="ssr-program-") as folder:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            str(Path(__file__).with_name("confined.py")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=folder,
            env={},
            start_new_session=True,
        )
        job = {"program": program, "tests": list(tests), "cpu_s": CPU_S, "memory_mib": MEMORY_MIB}
        try:
            async with asyncio.timeout(WALL_S):
                output = await _exchange(process, json.dumps(job).encode())
        except TimeoutError:
            output = b""
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
    confined, _, marks = output.partition(b"\n")
    if confined == b"refused":
        raise CapabilityMissing(
            "domain code: programs cannot be confined here: the orchestrator runs as root without the right to change "
            "its user, and the kernel filters no calls; run it as another user"
        )
    if confined == b"limited":
        _warn()
    return _read(marks, len(tests))


@cache
def _warn() -> None:
    _log.warning(
        "programs of domain code run under limits alone: this kernel filters no calls, so a program may remove files "
        "and signal processes of the user it runs as"
    )


async def _exchange(process: asyncio.subprocess.Process, job: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(job)
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return b""
    process.stdin.close()
    output = b""
    while len(output) < _MAX_OUTPUT and (chunk := await process.stdout.read(_MAX_OUTPUT - len(output))):
        output += chunk
    return output


def _read(output: bytes, count: int) -> tuple[bool, ...]:
    """A line of "1" or "0" a test, as far as they came."""
    marks = [line == b"1" for line in output.split(b"\n")[:-1]][:count]
    return (*marks, *(False,) * (count - len(marks)))
