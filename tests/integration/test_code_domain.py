"""Programs as answers: found in paths, compared and verified by the caller's tests, and confined."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest
from tree_models import TOKENS, TreeModels, run

from ssr.core.errors import CapabilityMissing
from ssr.core.stages import Stages, Written
from ssr.core.types import Call, CallKind, Mode, Options, PathContext, PathStatus, Source, Step, StopRule
from ssr.domains.code import confined, sandbox
from ssr.domains.code.program import extract, parted, passes, same_behaviour
from ssr.domains.code.sandbox import run_tests
from ssr.orchestrator.run.domain_stages import for_domain

TESTS = "assert add(2, 3) == 5\n\nassert add(-1, 1) == 0"
ADD = "def add(a, b):\n    return a + b"
WRONG = "def add(a, b):\n    return a * b"


def test_the_last_program_of_a_path_is_its_answer() -> None:
    text = f"First:\n\n```python\n{WRONG}\n```\n\nBetter:\n\n```python\n{ADD}\n```\n\n\\boxed{{done}}"
    assert extract("done", text) == ADD
    assert extract("done", "no program") == "done"
    assert extract("", "nothing") == ""
    assert parted(TESTS + "\n\n\n") == ["assert add(2, 3) == 5", "assert add(-1, 1) == 0"]


async def test_tests_decide() -> None:
    assert await passes(ADD, TESTS) is True
    assert await passes(WRONG, TESTS) is False
    assert await passes(ADD, "") is None
    assert await run_tests(WRONG, ["assert add(2, 2) == 4", "assert add(2, 3) == 5"]) == (True, False)
    assert await same_behaviour(ADD, "def add(x, y):\n    return y + x", TESTS)
    assert not await same_behaviour(ADD, WRONG, TESTS)
    assert await same_behaviour(ADD, f"# mine\n{ADD}\n\n", "")
    assert not await same_behaviour(ADD, WRONG, "")


@pytest.mark.parametrize(
    "program",
    [
        "open('/etc/passwd')",
        "import socket\nsocket.socket()",
        "import os\nos.close(0)\nimport _socket\n_socket.socket()",
        "import os\nos.fork()",
        "import threading\nthreading.Thread(target=print).start()",
        "import os\nos.kill(os.getppid(), 0)",
        "import os\nos.rmdir(os.curdir)",
        "import os\nos.mkdir('x')",
        "import os\nos.setuid(0)",
        "import ctypes\nassert ctypes.CDLL(None).kill(1, 0) == 0",
        "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))",
        "open('x', 'w').write('x')",
        "x = 'x' * 10**9",
        "import subprocess\nsubprocess.run(['true'], check=True)",
        "raise SystemExit",
        "def f(:",
        "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (1, 1))",
    ],
)
async def test_a_program_can_do_nothing_but_compute(program: str) -> None:
    assert await run_tests(program, ["assert True"]) == (False,)


async def test_a_program_can_compute_all_it_wants() -> None:
    program = """
import math, random, re, time, itertools, collections, decimal, datetime, statistics, heapq, functools, json
def work():
    time.sleep(0.001)
    big = [random.random() for _ in range(200_000)]
    heapq.heapify(big)
    assert math.isclose(statistics.fmean(big), 0.5, abs_tol=0.1)
    assert re.fullmatch(r"a+", "aaa") and datetime.datetime.now().year > 2000 and time.perf_counter() > 0
    try:
        return functools.reduce(int.__mul__, range(1, 500)) % 7 + int(decimal.Decimal(2).sqrt())
    except ZeroDivisionError:
        raise
"""
    assert await run_tests(program, ["assert work() == 1", "1 / 0", "assert work() == 1"]) == (True, False, True)


@pytest.mark.parametrize(("said", "warned"), [(b"limited", True), (b"filtered", False)])
async def test_limits_alone_are_warned_of(
    said: bytes, warned: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox._warn.cache_clear()
    monkeypatch.setattr(sandbox, "_exchange", reply_of(said + b"\n1\n0\n"))
    assert await run_tests(f"# {said!r}", ["one", "two"]) == (True, False)
    assert ("filters no calls" in caplog.text) is warned


async def test_what_cannot_be_confined_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_exchange", reply_of(b"refused\n"))
    with pytest.raises(CapabilityMissing, match="run it as another user"):
        await run_tests("# refused", ["one"])


def reply_of(output: bytes) -> Callable[[asyncio.subprocess.Process, bytes], Awaitable[bytes]]:
    async def exchange(process: asyncio.subprocess.Process, job: bytes) -> bytes:
        return output

    return exchange


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
@pytest.mark.parametrize(("user", "filtered", "first"), [("root", False, "refused"), ("root", True, "filtered")])
def test_root_that_cannot_change_its_user_needs_the_filter(user: str, filtered: bool, first: str) -> None:
    """`confined` as it is, with the rights of a root that may not change its user."""
    lines = [
        "import os, runpy, sys",
        "def no(*_): raise PermissionError",
        "os.geteuid, os.setgroups = lambda: 0, no",
        *([] if filtered else ["import platform; platform.machine = lambda: 'unknown'"]),
        f"runpy.run_path({confined.__file__!r}, run_name='__main__')",
    ]
    job = json.dumps({"program": "", "tests": ["assert True"], "cpu_s": 5, "memory_mib": 256})
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], input=job.encode(), capture_output=True, timeout=30)
    assert done.stdout.decode().splitlines() == [first, *(["1"] if filtered else [])]


async def test_a_program_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssr.domains.code.sandbox.WALL_S", 1.0)
    assert await run_tests("while True: pass", ["assert True"]) == (False,)


async def test_what_a_program_prints_is_no_verdict() -> None:
    assert await run_tests("print('1\\n1\\n1')", ["assert False", "print('1')"]) == (False, True)


class Programmers(TreeModels):
    """Path i writes the program `programs[i]`; no path writes a box."""

    def __init__(self, programs: Sequence[str]) -> None:
        super().__init__([1] * len(programs))
        self._programs = programs

    async def write(self, context: PathContext, options: Options) -> Written:
        text = f"```python\n{self._programs[context.path]}\n```"
        step = Step(len(context.steps), text, Source.TARGET, TOKENS, ends_turn=True)
        return Written(step, (Call(CallKind.WRITE, "large", 10, 50, 0, TOKENS),))


async def test_a_program_that_passes_wins_against_the_majority() -> None:
    models = Programmers([WRONG, WRONG, ADD, WRONG])
    options = Options(
        Mode.PARALLEL, 4, StopRule.EVIDENCE, early_stop=False, confidence=0.95, min_gain=0.0, domain="code", tests=TESTS
    )

    class Domained(TreeModels):
        def stages(self) -> Stages:
            return for_domain(models.stages(), options)

    outcome = await run(Domained([1]), options)
    assert outcome.answer == ADD
    assert [path.status for path in outcome.run.paths] == [PathStatus.ANSWERED] * 3 + [PathStatus.STOPPED]
    assert replace(options, tests="").tests == ""
