"""math-verify in its worker process: the mathematics, and everything that may happen to the process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ssr.core.answers import classes
from ssr.core.errors import Unavailable
from ssr.orchestrator.equivalence.checker import MAX_ANSWER_CHARS, MathVerifyEquivalence
from ssr.orchestrator.equivalence.process import WORKER_COMMAND

# Two answers that spelling does not settle.
A, B = "x+x", "2x"

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
ECHO = "for q in questions(): say(id=q['id'], same=q['a'] == 'yes' or q['b'] == 'yes')\n"


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


SAME = [
    (r"\frac12", "0.5"),
    ("x=5", "5"),
    ("(B)", "B"),
    ("12 cm", "12"),
    (r"12\text{ cm}", "12"),
    (r"50\%", "50%"),
    (r"50\%", "50"),
    ("3,4", "4,3"),
    (r"\{3,4\}", "4,3"),
    ("(3,4)", "3,4"),
    ("10:30", "10:30"),
    ("2:3", "4:6"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}"),
    (r"\begin{pmatrix}\frac12\\ x\end{pmatrix}", r"\begin{pmatrix}0.5\\x\end{pmatrix}"),
    ("[1,2)", "[1, 2)"),
    (r"1\le x\le 2", "[1,2]"),
    (r"(-\infty,2]", r"x\le 2"),
    (r"[1,2]\cup[3,4]", r"[3,4] \cup [1,2]"),
    ("x^2+2x+1", "(x+1)^2"),
    (r"\sqrt{8}", r"2\sqrt2"),
    (r"\dfrac{\sqrt2}{2}", r"\frac{1}{\sqrt{2}}"),
    ("1,000,000", "10^6"),
    ("3 million", "3000000"),
    ("y=2x+3", "2x+3=y"),
    ("y=2x+3", "2x+3"),
    ("x>2", "2<x"),
    ("2 or 3", "3, 2"),
    (r"2\text{ or }3", "2,3"),
    (r"\pm 2", "2,-2"),
    (r"\left(1,\frac{2}{3}\right)", r"(1, \tfrac23)"),
    ("4+3i", "3i+4"),
    ("x=3, y=4", "y=4, x=3"),
]
DIFFERENT = [
    ("x=5", "y=5"),
    ("B", "C"),
    (r"50\%", "0.5"),
    ("(3,4)", "(4,3)"),
    ("(3,4)", "4,3"),
    ("(3,4)", r"\{3,4\}"),
    ("10:30", "5:15"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&5\end{pmatrix}"),
    ("[1,2)", "(1,2]"),
    ("(1,2)", "[1,2]"),
    ("1, 000", "1000"),
    ("x>2", r"x\ge 2"),
    ("3 1/2", "31/2"),
    (r"0.\overline{3}", "0"),
    (r"\pi", "3.14159"),
    ("p-q", "q-p"),
    (r"\frac{1}{0}", "5"),
    ("", "5"),
    (r"\text{Monday}", "Tuesday"),
    (r"\frac{", "x"),
]


async def test_the_mathematics_of_answers() -> None:
    async with MathVerifyEquivalence() as equivalence:
        verdicts = {pair: await equivalence.same(*pair) for pair in SAME + DIFFERENT}
        assert {pair for pair, same in verdicts.items() if same} == set(SAME)
        mirrored = {(a, b): await equivalence.same(b, a) for a, b in verdicts}
        assert mirrored == verdicts


async def test_answers_are_grouped_for_the_vote() -> None:
    async with MathVerifyEquivalence() as equivalence:
        assert await classes([r"\frac{2}{4}", "x^2", "0.5", None, r"x\cdot x", "7"], equivalence) == [
            [0, 2],
            [1, 4],
            [5],
        ]


async def test_a_real_hang_ends_at_the_limit_and_the_next_question_is_answered() -> None:
    async with MathVerifyEquivalence(limit_s=0.5) as equivalence:
        await equivalence.warm()
        assert await equivalence.same("10^{10^{10}}", "7") is False
    async with MathVerifyEquivalence() as equivalence:
        assert await equivalence.same(A, B) is True


async def test_spelling_needs_no_worker(fake: Fake) -> None:
    worker = fake("")
    async with MathVerifyEquivalence(command=worker.command) as equivalence:
        assert await equivalence.same("$1{,}000$", "1000")
        assert not await equivalence.same("1/3", "0.3")
        long = "x" * (MAX_ANSWER_CHARS + 1)
        assert await equivalence.same(f"{long} + 1", f"{long}+1")
        assert not await equivalence.same(f"{long}+1", f"1+{long}")
    assert worker.pids == []


async def test_a_hanging_question_is_answered_by_text_once_and_for_all(fake: Fake) -> None:
    worker = fake("say(ready=True)\nif life == 1:\n  sys.stdin.readline(); time.sleep(600)\n" + ECHO)
    async with MathVerifyEquivalence(limit_s=0.2, command=worker.command) as equivalence:
        await equivalence.warm()
        assert await equivalence.same(A, B) is False
        assert await equivalence.same(B, A) is False
        assert len(worker.pids) == 1
    assert not exists(worker.pids[0])


async def test_after_a_hang_a_fresh_worker_answers(fake: Fake) -> None:
    worker = fake("say(ready=True)\nif life == 1:\n  sys.stdin.readline(); time.sleep(600)\n" + ECHO)
    async with MathVerifyEquivalence(limit_s=1, command=worker.command) as equivalence:
        assert await equivalence.same(A, B) is False
        assert await equivalence.same("yes", "1+y") is True
    assert len(worker.pids) == 2


async def test_a_crash_is_tried_again(fake: Fake) -> None:
    worker = fake("say(ready=True)\nif life == 1:\n  sys.stdin.readline(); os._exit(3)\n" + ECHO)
    async with MathVerifyEquivalence(command=worker.command) as equivalence:
        assert await equivalence.same("yes", "1+y") is True
    assert len(worker.pids) == 2


async def test_a_question_that_always_crashes_is_answered_by_text(fake: Fake) -> None:
    worker = fake("say(ready=True)\nsys.stdin.readline(); os._exit(3)\n")
    async with MathVerifyEquivalence(command=worker.command) as equivalence:
        assert await equivalence.same(A, B) is False
        assert await equivalence.same(A, B) is False
    assert len(worker.pids) == 2


@pytest.mark.parametrize(
    "reply",
    ["print('nonsense', flush=True)", "print('[1]', flush=True)", "say(id=q['id'] + 1, same=True)", "say(id=q['id'])"],
)
async def test_a_reply_outside_the_protocol_is_a_crash(fake: Fake, reply: str) -> None:
    worker = fake(f"say(ready=True)\nif life == 1:\n  for q in questions(): {reply}\n" + ECHO)
    async with MathVerifyEquivalence(command=worker.command) as equivalence:
        assert await equivalence.same("yes", "1+y") is True
    assert len(worker.pids) == 2


async def test_a_worker_that_died_between_questions_is_replaced(fake: Fake) -> None:
    worker = fake("say(ready=True)\n" + ECHO)
    async with MathVerifyEquivalence(command=worker.command) as equivalence:
        await equivalence.warm()
        os.kill(worker.pids[0], signal.SIGKILL)
        assert await equivalence.same("yes", "1+y") is True
    assert len(worker.pids) == 2


@pytest.mark.parametrize("body", ["os._exit(1)", "time.sleep(600)", "print('{', flush=True); time.sleep(600)"])
async def test_a_worker_that_does_not_start_leaves_text(fake: Fake, body: str) -> None:
    worker = fake(body)
    async with MathVerifyEquivalence(start_limit_s=1, command=worker.command) as equivalence:
        with pytest.raises(Unavailable, match="equivalence worker"):
            await equivalence.warm()
        assert await equivalence.same(A, B) is False
    assert len(worker.pids) == 1, "a failed start is not tried again at once"


async def test_a_missing_program_leaves_text() -> None:
    async with MathVerifyEquivalence(command=["/nonexistent/worker"]) as equivalence:
        with pytest.raises(Unavailable, match="/nonexistent/worker cannot be started"):
            await equivalence.warm()
        assert await equivalence.same(A, B) is False


async def test_concurrent_callers_get_their_own_verdicts(fake: Fake) -> None:
    worker = fake("say(ready=True)\nfor q in questions(): say(id=q['id'], same='y' in q['a'] + q['b'])\n")
    async with MathVerifyEquivalence(command=worker.command) as equivalence:
        verdicts = await asyncio.gather(
            *(equivalence.same(f"{n}+x", f"{n}+{'y' if n % 3 else 'z'}") for n in range(60)),
        )
    assert verdicts == [n % 3 != 0 for n in range(60)]
    assert len(worker.pids) == 1


async def test_the_same_question_is_asked_once_while_it_is_remembered(fake: Fake, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    log = (
        f"say(ready=True)\nfor q in questions():\n  open({str(asked)!r}, 'a').write('x'); say(id=q['id'], same=True)\n"
    )
    async with MathVerifyEquivalence(cache_size=2, command=fake(log).command) as equivalence:
        await asyncio.gather(*(equivalence.same(*pair) for pair in [(A, B), (B, A)] * 5))
        assert len(asked.read_text()) == 1
        await equivalence.same(A, "1+x")
        await equivalence.same(A, B)
        await equivalence.same(A, "2+x")  # forgets (A, 1+x), the one not used for longest
        await equivalence.same(A, B)
        assert len(asked.read_text()) == 3
        await equivalence.same(A, "1+x")
        assert len(asked.read_text()) == 4


async def test_a_cancelled_caller_does_not_shift_the_replies(fake: Fake, tmp_path: Path) -> None:
    asked, go = tmp_path / "asked", tmp_path / "go"
    for pipe in (asked, go):
        os.mkfifo(pipe)
    wait = f"say(ready=True)\nq = next(questions()); open({str(asked)!r}, 'w').close(); open({str(go)!r}).read()\n"
    worker = fake(wait + "say(id=q['id'], same=True)\n" + ECHO)
    async with MathVerifyEquivalence(command=worker.command) as equivalence:
        first = asyncio.create_task(equivalence.same(A, B))
        await asyncio.to_thread(asked.read_text)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        second = asyncio.create_task(equivalence.same("1+x", "x+2"))
        await asyncio.to_thread(go.write_text, "")
        assert await second is False, "it got the reply to the cancelled question"
        assert await equivalence.same("yes", "1+y") is True
    assert len(worker.pids) == 1


async def test_a_cancelled_question_that_hangs_costs_the_next_one_only_time(fake: Fake, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    os.mkfifo(asked)
    hang = f"say(ready=True)\nif life == 1:\n  next(questions()); open({str(asked)!r}, 'w').close(); time.sleep(600)\n"
    worker = fake(hang + ECHO)
    async with MathVerifyEquivalence(limit_s=1, command=worker.command) as equivalence:
        first = asyncio.create_task(equivalence.same(A, B))
        await asyncio.to_thread(asked.read_text)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await equivalence.same("yes", "1+y") is True
    assert len(worker.pids) == 2


async def test_cancelling_the_start_leaves_no_process(fake: Fake, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    worker = fake(f"open({str(begun)!r}, 'w').close(); time.sleep(600)")
    async with MathVerifyEquivalence(command=worker.command) as equivalence:
        warming = asyncio.create_task(equivalence.warm())
        await asyncio.to_thread(begun.read_text)
        warming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await warming
        assert not exists(worker.pids[0])


async def test_leaving_ends_a_busy_worker_and_closes_the_checker(fake: Fake, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    os.mkfifo(asked)
    worker = fake(f"say(ready=True); next(questions()); open({str(asked)!r}, 'w').close(); time.sleep(600)")
    async with MathVerifyEquivalence(limit_s=60, command=worker.command) as equivalence:
        question = asyncio.create_task(equivalence.same(A, B))
        await asyncio.to_thread(asked.read_text)
    assert await question is False
    with pytest.raises(Unavailable, match="async with"):
        await equivalence.warm()
    assert len(worker.pids) == 1


async def test_leaving_while_the_worker_starts_leaves_no_process(fake: Fake, tmp_path: Path) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    for pipe in (begun, go):
        os.mkfifo(pipe)
    worker = fake(f"open({str(begun)!r}, 'w').close(); open({str(go)!r}).read(); say(ready=True)\n" + ECHO)
    async with MathVerifyEquivalence(command=worker.command) as equivalence:
        warming = asyncio.create_task(equivalence.warm())
        await asyncio.to_thread(begun.read_text)
    await asyncio.to_thread(go.write_text, "")
    with pytest.raises(Unavailable, match="closed"):
        await warming


RUN: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 30, "check": False}


def test_the_worker_ends_with_its_input() -> None:
    ended = subprocess.run(WORKER_COMMAND, input='{"id": 1, "a": "x+x", "b": "2x", "limit_s": 5}\n', **RUN)
    assert ended.stdout == '{"ready": true}\n{"id": 1, "same": true}\n'
    assert ended.returncode == 0


def test_an_orphaned_worker_ends_itself_in_the_middle_of_a_hang() -> None:
    question = '{"id": 1, "a": "10^{10^{10}}", "b": "7", "limit_s": -1.5}\n'  # the grace makes it 0.5 s
    ended = subprocess.run(WORKER_COMMAND, input=question, **RUN)
    assert ended.stdout == '{"ready": true}\n'
    assert ended.returncode == -signal.SIGALRM
