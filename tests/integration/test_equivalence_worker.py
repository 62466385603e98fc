"""math-verify in its worker process: the mathematics, and everything that may happen to the process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from hang_limit import LIMIT_S

from ssr.core.answers import Asked
from ssr.orchestrator.equivalence.checker import MAX_ANSWER_CHARS, MathVerifyEquivalence, Way
from ssr.orchestrator.equivalence.process import WORKER_COMMAND, WorkerProcess
from ssr.orchestrator.equivalence.settings import EquivalenceSettings

# Two answers that reading does not settle.
A, B = r"\unread{x}", r"\unread{2x}"
YES = r"\unread{yes}"

#: A worker whose behaviour is the body given; every process it ever was is a line of `pids`.
FAKE = """
import json, os, sys, time
from pathlib import Path
pids = Path({pids!r})
with pids.open("a") as file:
    file.write(f"{{os.getpid()}}\\n")
life = len(pids.read_text().split())
def say(**message):
    print(json.dumps(message), flush=True)
def questions():
    return map(json.loads, sys.stdin)
{body}
"""
ECHO = "for q in questions(): say(id=q['id'], same='yes' in q['a'] + q['b'])\n"


class FakeWorker:
    """A scripted worker and what became of it."""

    def __init__(self, folder: Path, body: str) -> None:
        self._pids = folder / "pids"
        self._pids.touch()
        script = folder / "worker.py"
        script.write_text(FAKE.format(pids=str(self._pids), body=body))
        self.command = (sys.executable, "-S", str(script))

    @property
    def pids(self) -> list[int]:
        return [int(pid) for pid in self._pids.read_text().split()]


Fake = Callable[[str], FakeWorker]


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Fake]:
    """Makes the scripted worker; afterwards none of its processes may be left, not even as a zombie."""
    made: list[FakeWorker] = []

    def make(body: str) -> FakeWorker:
        made.append(FakeWorker(tmp_path, body))
        return made[-1]

    yield make
    assert [pid for worker in made for pid in worker.pids if exists(pid)] == []


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Records:
    """What an equivalence counts."""

    def __init__(self) -> None:
        self.ways: list[Way] = []
        self.limits: list[str] = []
        self.waits = self.restarts = 0

    def decided(self, way: Way) -> None:
        self.ways.append(way)

    def waited(self, seconds: float) -> None:
        self.waits += 1

    def killed(self, limit: str) -> None:
        self.limits.append(limit)

    def restarted(self) -> None:
        self.restarts += 1


def limits(**settings: Any) -> EquivalenceSettings:
    return EquivalenceSettings(**settings)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (r"\int_0^1 x\,dx", r"\frac12", True),
        (r"\int_0^1 x\,dx", r"\frac13", False),
        (r"\sum_{k=1}^{n} k", r"\frac{n(n+1)}{2}", True),
        (r"\lim_{x\to 0}\frac{\sin x}{x}", "1", True),
        (r"\int_0^1 x^{19}\,dx \cdot \frac{1}{7^{20}}", r"\frac{1}{20 \cdot 7^{21}}", False),
        (r"\frac{", "x", False),
        (r"\frac{\partial f}{\partial x}", "0", False),
        (r"\angle ABC", r"\angle ACB", False),
        (r"\vec{a} \times \vec{b}", r"\vec{b} \times \vec{a}", False),
        ("3 4", "7", False),
        ("1,2,...,10", "1,2,...,11", False),
        ("x2+y2", "2x+2y", False),
        (r"\begin{vmatrix}1&2\\3&4\end{vmatrix}", "-2", True),
        (r"\frac123", r"\frac{1}{23}", False),
    ],
)
async def test_the_algebra(a: str, b: str, same: bool) -> None:
    async with MathVerifyEquivalence(limits(quick_s=5)) as equivalence:
        assert await equivalence.same(a, b) is same


async def test_what_was_computed_of_an_answer_is_known_from_then_on() -> None:
    records = Records()
    integral, series = r"\int_0^{6} x\,dx", r"\sum_{k=1}^{\infty} \frac{36}{3^k}"
    async with MathVerifyEquivalence(limits(quick_s=5), records) as equivalence:
        assert await equivalence.same(integral, series) is True
        for answer in (integral, series):
            assert await equivalence.same(answer, "18") is True
            assert await equivalence.same(answer, "19") is False
            assert await equivalence.same(f"{answer} ", "6.0") is False
    assert records.ways[:5] == [Way.WORKER, *[Way.READING] * 2, Way.WORKER, Way.READING]


async def test_a_question_that_takes_all_time_ends_and_the_worker_lives_on() -> None:
    records = Records()
    async with MathVerifyEquivalence(limits(quick_s=0.1, limit_s=0.3), records) as equivalence:
        assert await equivalence.same(r"\int_0^1 9^{9^{9^{9}}} dx", "7") is False
        assert await equivalence.same(r"\int_0^1 9^{9^{9^{9}}} dx", r"$\int_0^1 9^{9^{9^{9}}} dx$") is True
    assert records.limits in (["cpu"], ["time"]), "the latter on a machine that has no CPU to give"
    assert records.ways == [Way.KILLED, Way.READING]
    assert records.restarts == 0


async def test_a_question_that_takes_all_memory_ends() -> None:
    records = Records()
    greedy = "import ssr.orchestrator.equivalence.worker as w; w._WARM_UP = (); "
    greedy += "w.equivalent = lambda question, at, found: bool(bytearray(1 << 30)); w.main()"
    command = [sys.executable, "-c", greedy]
    async with MathVerifyEquivalence(limits(quick_s=20, memory_mib=64), records, command=command) as equivalence:
        assert await equivalence.same(A, B) is False
    assert records.limits == ["memory"]


async def test_reading_needs_no_worker(fake: Fake) -> None:
    worker, records = fake(""), Records()
    async with MathVerifyEquivalence(records=records, command=worker.command) as equivalence:
        assert await equivalence.same("$1{,}000$", "1000")
        assert not await equivalence.same("1/3", "0.3")
        assert await equivalence.same("x+x", "2x")
        assert not await equivalence.same("9^{9^{9^9}}", "8^{8^{8^8}}")
        long = "x" * (MAX_ANSWER_CHARS + 1)
        assert await equivalence.same(f"${long}$", long)
        assert not await equivalence.same(f"{long}+1", f"1+{long}")
    assert worker.pids == []
    assert Way.WORKER not in records.ways


async def test_a_hanging_question_is_unequal_once_and_for_all(fake: Fake) -> None:
    killed = "for q in questions(): say(id=q['id'], same=None, killed='cpu', cpu_s=q['cpu_s'])\n"
    worker, records = fake("say(ready=True)\n" + killed), Records()
    async with MathVerifyEquivalence(records=records, command=worker.command) as equivalence:
        assert await equivalence.same(A, B) is False
        assert await equivalence.same(B, A) is False
    assert records.ways == [Way.KILLED, Way.CACHE]
    assert records.limits == ["cpu"], "its first try is not counted"


async def test_a_question_that_looks_costly_finds_a_worker_of_its_own(fake: Fake) -> None:
    worker = fake("say(ready=True)\n" + ECHO)
    async with MathVerifyEquivalence(command=worker.command) as equivalence, asyncio.timeout(LIMIT_S):
        assert await equivalence.same(YES, A) is True
        assert await equivalence.same(r"\unread{yes^{9^{9}}}", r"\int 1^{2^{3^4}}") is True


async def test_a_worker_that_hangs_is_replaced(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssr.orchestrator.equivalence.process._GRACE_S", 0.1)
    monkeypatch.setattr("ssr.orchestrator.equivalence.process._WALL_S", 0.1)
    worker = fake("say(ready=True)\nif life == 1:\n  sys.stdin.readline(); time.sleep(600)\n" + ECHO)
    async with MathVerifyEquivalence(limits(quick_s=0.1), command=worker.command) as equivalence:
        assert await equivalence.same(YES, B) is True
    assert len(worker.pids) == 2


async def test_a_crash_is_tried_again(fake: Fake) -> None:
    worker = fake("say(ready=True)\nif life == 1:\n  sys.stdin.readline(); os._exit(3)\n" + ECHO)
    async with MathVerifyEquivalence(command=worker.command) as equivalence:
        assert await equivalence.same(YES, B) is True
    assert len(worker.pids) == 2


async def test_a_question_that_always_crashes_is_unequal(fake: Fake) -> None:
    worker, records = fake("say(ready=True)\nsys.stdin.readline(); os._exit(3)\n"), Records()
    async with MathVerifyEquivalence(records=records, command=worker.command) as equivalence:
        assert await equivalence.same(A, B) is False
        assert await equivalence.same(A, B) is False
    assert len(worker.pids) == 2
    assert records.limits == ["crash"]


@pytest.mark.parametrize(
    "reply",
    ["print('nonsense', flush=True)", "print('[1]', flush=True)", "say(id=q['id'] + 1, same=True)", "say(id=q['id'])"],
)
async def test_a_reply_outside_the_protocol_is_a_crash(fake: Fake, reply: str) -> None:
    worker = fake(f"say(ready=True)\nif life == 1:\n  for q in questions(): {reply}\n" + ECHO)
    async with MathVerifyEquivalence(command=worker.command) as equivalence:
        assert await equivalence.same(YES, B) is True
    assert len(worker.pids) == 2


async def test_a_worker_that_died_between_questions_is_replaced(fake: Fake) -> None:
    worker = fake("say(ready=True)\n" + ECHO)
    async with MathVerifyEquivalence(command=worker.command) as equivalence:
        assert await equivalence.same(YES, A) is True
        for pid in worker.pids:
            os.kill(pid, signal.SIGKILL)
        assert await equivalence.same(YES, B) is True


@pytest.mark.parametrize("body", ["os._exit(1)", "time.sleep(600)", "print('{', flush=True); time.sleep(600)"])
async def test_without_any_worker_text_decides(fake: Fake, body: str) -> None:
    worker, records = fake(body), Records()
    async with MathVerifyEquivalence(limits(start_limit_s=0.3), records, command=worker.command) as equivalence:
        assert await equivalence.same(A, B) is False
    assert records.ways == [Way.TEXT]


async def test_a_missing_program_leaves_text() -> None:
    nowhere = ["/nonexistent/worker"]
    async with MathVerifyEquivalence(limits(start_limit_s=0.1), command=nowhere) as equivalence:
        assert await equivalence.same(A, B) is False


async def test_a_worker_that_starts_late_still_decides(fake: Fake) -> None:
    records = Records()
    worker = fake("if life < 3: os._exit(1)\nsay(ready=True)\n" + ECHO)
    async with MathVerifyEquivalence(records=records, command=worker.command) as equivalence:
        assert await equivalence.same(YES, B) is True
    assert records.ways == [Way.WORKER]
    assert records.restarts >= 2


async def test_concurrent_callers_get_their_own_verdicts(fake: Fake) -> None:
    worker = fake("say(ready=True)\nfor q in questions(): say(id=q['id'], same='y' in q['a'] + q['b'])\n")
    async with MathVerifyEquivalence(command=worker.command) as equivalence:
        verdicts = await asyncio.gather(
            *(equivalence.same(rf"\unread{{{n}}}", rf"\unread{{{'y' if n % 3 else 'z'}{n}}}") for n in range(60)),
        )
    assert verdicts == [n % 3 != 0 for n in range(60)]
    assert 1 <= len(worker.pids) <= 2


async def test_a_verdict_is_remembered_while_there_is_room(fake: Fake, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    log = (
        f"say(ready=True)\nfor q in questions():\n  open({str(asked)!r}, 'a').write('x'); say(id=q['id'], same=True)\n"
    )
    async with MathVerifyEquivalence(limits(cache_size=2), command=fake(log).command) as equivalence:
        for pair in [(A, B), (B, A)] * 3:
            await equivalence.same(*pair)
        assert len(asked.read_text()) == 1
        await equivalence.same(A, r"\unread{1}")
        await equivalence.same(A, B)
        await equivalence.same(A, r"\unread{2}")  # forgets (A, 1), the one not used for longest
        await equivalence.same(A, B)
        assert len(asked.read_text()) == 3
        await equivalence.same(A, r"\unread{1}")
        assert len(asked.read_text()) == 4


#: Says to a first try of a hostile question that it takes longer, and never answers its second try.
HOSTILE = """
say(ready=True)
for q in questions():
    with open({asked!r}, 'a') as file:
        file.write(f"{{q['a']}} {{q['cpu_s']}}\\n")
    if 'tower' not in q['a'] + q['b']:
        say(id=q['id'], same=True, cpu_s=0.01)
    elif q['cpu_s'] < 1:
        say(id=q['id'], same=None, killed='cpu', cpu_s=q['cpu_s'])
    else:
        time.sleep(600)
"""


async def test_an_ordinary_question_is_answered_while_hostile_ones_never_end(fake: Fake, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    worker = fake(HOSTILE.format(asked=str(asked)))
    settings = limits(quick_s=0.5, limit_s=600)
    async with MathVerifyEquivalence(settings, command=worker.command) as equivalence, asyncio.TaskGroup() as group:
        hostile = [
            group.create_task(
                equivalence.same(rf"\tower{{{job} {n}}}", rf"\tower{{{job} {n} 2}}", Asked(f"hostile-{job}"))
            )
            for job in range(100)
            for n in range(3)
        ]
        async with asyncio.timeout(LIMIT_S):
            while equivalence.waiting < 299:  # one of them is in its second try
                await asyncio.sleep(0)
            assert await equivalence.same(A, B, Asked("ordinary")) is True
            assert await equivalence.same(A, r"\unread{3x}", Asked("ordinary")) is True
        assert not any(task.done() for task in hostile)
        for task in hostile:
            task.cancel()


#: Answers what has a yes in it, and ends anything else at its limit, or when asked to, if it is not the first try.
STOPPABLE = """
say(ready=True)
for q in questions():
    if 'stop' in q:
        continue
    with open({asked!r}, 'a') as file:
        file.write(f"{{q['a']}} {{q['cpu_s']}}\\n")
    if 'yes' in q['a'] + q['b']:
        say(id=q['id'], same=True, cpu_s=0.01)
    elif 'hold' in q['a']:
        time.sleep(600)
    elif q['cpu_s'] < 1:
        say(id=q['id'], same=None, killed='cpu', cpu_s=q['cpu_s'], culprit='a')
    else:
        say(id=q['id'], same=None, killed='stopped' if 'stop' in next(questions()) else 'cpu', cpu_s=0.1)
"""


async def test_a_second_try_is_stopped_for_a_job_that_has_wasted_little(fake: Fake, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    asked.touch()
    worker = fake(STOPPABLE.format(asked=str(asked)))
    settings = limits(quick_s=0.5, limit_s=600)
    async with MathVerifyEquivalence(settings, command=worker.command) as equivalence, asyncio.TaskGroup() as group:
        hostile = group.create_task(equivalence.same(r"\tower{1}", r"\tower{2}", Asked("hostile")))
        async with asyncio.timeout(LIMIT_S):
            while "600" not in asked.read_text():
                await asyncio.sleep(0.01)
            held = group.create_task(equivalence.same(r"\hold", r"\unread{1}", Asked("held")))  # the kept worker
            while "hold" not in asked.read_text():
                await asyncio.sleep(0.01)
            assert await equivalence.same(YES, r"\unread{2}", Asked("ordinary"))
            while asked.read_text().count("600") < 2:  # the stopped question is asked again
                await asyncio.sleep(0.01)
            held.cancel()
        assert not hostile.done()
        hostile.cancel()


async def test_an_answer_that_cannot_be_computed_is_asked_about_once(fake: Fake, tmp_path: Path) -> None:
    asked, records = tmp_path / "asked", Records()
    body = f"say(ready=True)\nfor q in questions():\n  open({str(asked)!r}, 'a').write('x')\n"
    body += "  say(id=q['id'], same=None, killed='cpu', cpu_s=1, culprit='a')\n"
    settings = limits(quick_s=1, limit_s=1)
    async with MathVerifyEquivalence(settings, records, command=fake(body).command) as equivalence:
        assert await equivalence.same(r"\hopeless{1}", r"\unread{1}") is False
        assert await equivalence.same(r"\unread{2}", r"\hopeless{1}") is False
        assert await equivalence.same(r"\hopeless{1}", r"$\hopeless{1}$") is True
        assert asked.read_text() == "x"
        await equivalence.same(r"\unread{1}", r"\unread{2}")
    assert asked.read_text() == "xx", "the other answers are asked about"
    assert records.ways[:2] == [Way.KILLED, Way.KILLED]


async def test_jobs_that_nothing_is_known_of_pay_for_others_with_the_like(fake: Fake, tmp_path: Path) -> None:
    """A flood of new hostile jobs: after a few of them the rest go behind an ordinary job that came last."""
    asked = tmp_path / "asked"
    body = f"say(ready=True)\nfor q in questions():\n  open({str(asked)!r}, 'a').write(q['a'] + chr(10))\n"
    body += "  say(id=q['id'], **({'same': True} if 'yes' in q['a'] + q['b'] else {'same': None, 'killed': 'cpu', "
    body += "'culprit': 'a'}), cpu_s=q['cpu_s'])\n"
    async with MathVerifyEquivalence(command=fake(body).command) as equivalence:
        hostile = [equivalence.same(rf"\tower{{{n}}}", rf"\tower{{{n}}}+1", Asked(f"hostile-{n}")) for n in range(100)]
        *_, ordinary = await asyncio.gather(*hostile, equivalence.same(YES, A, Asked("ordinary")))
    assert ordinary is True
    served = asked.read_text().split()
    assert next(i for i, answer in enumerate(served) if "yes" in answer or answer == A) < 10


async def test_a_caller_that_leaves_takes_its_question_back(fake: Fake, tmp_path: Path) -> None:
    asked, log = tmp_path / "asked", tmp_path / "log"
    os.mkfifo(asked)
    hang = f"say(ready=True)\nq = next(questions()); open({str(asked)!r}, 'w').close()\n"
    hang += f"open({str(asked)!r}).read(); say(id=q['id'], same=True)\n"
    hang += (
        f"for q in questions(): open({str(log)!r}, 'a').write(q['a']); say(id=q['id'], same='yes' in q['a'] + q['b'])\n"
    )
    settings = limits()
    async with MathVerifyEquivalence(settings, command=fake(hang).command) as equivalence:
        first = asyncio.create_task(equivalence.same(A, B))
        await asyncio.to_thread(asked.read_text)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await asyncio.to_thread(asked.write_text, "")
        assert await equivalence.same(YES, r"\unread{1}") is True
        assert await equivalence.same(A, r"\unread{1}") is False, "it got the reply to the cancelled question"


async def test_leaving_ends_a_busy_worker_and_closes_the_checker(fake: Fake, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    os.mkfifo(asked)
    worker = fake(f"say(ready=True); next(questions()); open({str(asked)!r}, 'w').close(); time.sleep(600)")
    async with MathVerifyEquivalence(limits(quick_s=60), command=worker.command) as equivalence:
        question = asyncio.create_task(equivalence.same(A, B))
        await asyncio.to_thread(asked.read_text)
    assert await question is False
    assert await equivalence.same(A, r"\unread{1}") is False


async def test_leaving_while_the_worker_starts_leaves_no_process(fake: Fake, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    worker = fake(f"open({str(begun)!r}, 'w').close(); time.sleep(600)")
    async with MathVerifyEquivalence(command=worker.command) as equivalence:
        question = asyncio.create_task(equivalence.same(A, B))
        await asyncio.to_thread(begun.read_text)
    assert await question is False


RUN: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60, "check": False}


def test_the_worker_ends_with_its_input_even_in_the_middle_of_a_question() -> None:
    question = {"id": 1, "a": r"\int 9^{9^{9^9}} dx", "b": "7", "cpu_s": 600, "wall_s": 600, "memory_mib": 512}
    ended = subprocess.run(WORKER_COMMAND, input=json.dumps(question) + "\n", **RUN)
    assert ended.stdout == '{"ready": true}\n'
    assert ended.returncode == 0


async def _started_while_serving(starts: int) -> int:
    """How many of so many workers start while calls run through a gRPC server and a channel of this process."""
    command = (sys.executable, "-S", "-c", """print('{"ready": true}', flush=True); input()""")
    server = aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    started = 0
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel, asyncio.TaskGroup() as group:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]

        async def calls() -> None:
            while started < starts:
                await check(health_pb2.HealthCheckRequest())

        for _ in range(8):
            group.create_task(calls())
        while started < starts:
            worker = await WorkerProcess.start(command, limit_s=30)
            await worker.kill()
            started += 1
    await server.stop(None)
    return started


def test_workers_start_in_a_process_that_serves() -> None:
    """A forked child runs gRPC's fork handlers there, and one of eight dies of them: with 40, that would be seen."""
    assert uvloop.run(_started_while_serving(40)) == 40
