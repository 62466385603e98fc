r"""The process that does the algebra: `python -m ssr.orchestrator.equivalence.worker`.

It reads one JSON object a line from stdin and writes one a line to stdout:

    -> {"id": 7, "a": "\\int_0^1 x dx", "b": "1/2", "cpu_s": 0.3, "wall_s": 4.0, "memory_mib": 512, "nice": 0}
    <- {"id": 7, "same": true, "computed": {"a": [...], "b": [...]}, "cpu_s": 0.08}
       or {"id": 8, "same": null, "killed": "cpu", "cpu_s": 0.3, "culprit": "a"}
    -> {"stop": 9}                                   ends question 9: "killed" is "stopped"

The first line it writes is {"ready": true}. End of input ends it, in the middle of a question too.

Every question has a child of its own, forked from this small process without threads, where everything is imported
already: its limits end the child, and the next question finds everything as it was.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

from ssr.orchestrator.equivalence.algebra import Computed, equivalent

_OUT_OF_MEMORY = 3
_FAILED = 4
#: Of an answer, in characters of JSON.
_MOST_COMPUTED = 4000
#: What of the parent's memory counts as the child's from the start, where the system does not say, in bytes.
_ASSUMED_SIZE = 1 << 30
#: Compiles the parser's patterns, has it learn what comes often and imports what sympy imports late: start-up, and
#: nobody's question.
_WARM_UP = (
    (r"\int_0^1 x^2+x\,dx", r"\int_0^{\pi} \sin x \, dx"),
    (r"\int_0^1 \frac{1}{1+x^2}\,dx", r"\int_0^{\infty} e^{-x^2}\,dx"),
    (r"\int \frac{\ln x}{x}\,dx", r"\int_0^1 \sqrt{1-x^2}\,dx"),
    (r"\sum_{k=0}^{\infty} \frac{1}{2^k}", r"\sum_{n=1}^{\infty} \frac{1}{n^2}"),
    (r"\sum_{k=1}^{n} x^k", r"\prod_{k=2}^{n} \left(1-\frac{1}{k}\right)"),
    (r"\lim_{x\to0}\frac{\sin 3x}{x}", r"\lim_{n\to\infty} \left(1+\frac{1}{n}\right)^n"),
    (r"\log_2 \begin{vmatrix}1&2\\3&4\end{vmatrix}", r"\sqrt{4}"),
    (r"\det \begin{pmatrix}a&b\\c&d\end{pmatrix}", "ad-bc"),
)


class Input:
    """Lines of a file descriptor, without a buffer that hides from `select`."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._rest = b""

    @property
    def has_line(self) -> bool:
        """Whether a line has been read already."""
        return b"\n" in self._rest

    def line(self) -> bytes:
        """The next line; b"" at the end of input."""
        while b"\n" not in self._rest:
            more = os.read(self.descriptor, 1 << 16)
            if not more:
                return b""
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line


def serve(questions: Input, replies: int) -> None:
    """Answer until the end of input."""
    for pair in _WARM_UP:
        with contextlib.suppress(Exception):
            equivalent({"a": pair[0], "b": pair[1]})
    gc.collect()
    gc.freeze()  # a child's collections would copy every page that it shares
    _write(replies, {"ready": True})
    while line := questions.line():
        question = json.loads(line)
        if "stop" in question:
            continue  # it has ended already
        reply = _answer(question, questions)
        if reply is None:
            return
        _write(replies, {"id": question["id"], **reply})


def _answer(question: dict[str, Any], questions: Input) -> dict[str, Any] | None:
    """The reply of a child; None when the input ends meanwhile."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _child(question, theirs)
    os.close(theirs)
    try:
        ended, written = _await(ours, questions, question)
    finally:
        os.close(ours)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    if ended == "abandoned":
        return None
    cpu_s = round(usage.ru_utime + usage.ru_stime, 4)
    stages, _, reply = written.partition(b"{")
    if reply.endswith(b"\n"):
        return {**json.loads(b"{" + reply), "cpu_s": cpu_s}
    killed = ended if ended == "stopped" else "time" if ended == "late" else _cause(status)
    culprit = stages[-1:].decode() if stages[-1:] in (b"a", b"b") else ""
    return {"same": None, "killed": killed, "cpu_s": cpu_s, "culprit": culprit}


def _await(child: int, questions: Input, question: dict[str, Any]) -> tuple[str, bytes]:
    """Wait for the child's verdict or end ("ended"), the limit ("late"), a request to stop it ("stopped") or the end of
    input ("abandoned"); and all that the child has written: what it was at, and its verdict.
    """
    written, until = b"", time.monotonic() + question["wall_s"]
    while (left := until - time.monotonic()) > 0:
        ready, _, _ = select.select([child, questions.descriptor], [], [], 0 if questions.has_line else left)
        if child in ready:
            more = os.read(child, 1 << 16)
            written += more
            if not more or written.endswith(b"\n"):
                return "ended", written
        elif ready or questions.has_line:
            line = questions.line()
            if not line:
                return "abandoned", written
            if json.loads(line).get("stop") == question["id"]:
                return "stopped", written
    return "late", written


def _cause(status: int) -> str:
    """Which limit ended a child that said nothing."""
    if os.WIFSIGNALED(status):
        return "cpu" if os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGXCPU) else "memory"
    return "memory" if os.WEXITSTATUS(status) == _OUT_OF_MEMORY else "crash"


def _child(question: dict[str, Any], out: int) -> None:
    """Decide one question within its limits, and end."""
    code = _FAILED
    try:
        with contextlib.suppress(OSError):
            os.nice(question.get("nice", 0))
        _limit(question["cpu_s"], question["memory_mib"])
        found: Computed = {}
        same = equivalent(question, lambda stage: _note(out, stage), found)
        _write(out, _verdict(same, found))
        code = 0
    except MemoryError:
        code = _OUT_OF_MEMORY
    except Exception:
        code = _FAILED
    finally:
        os._exit(code)


def _verdict(same: bool, found: Computed) -> dict[str, object]:
    """With what was computed, unless it is much."""
    small = {name: trees for name, trees in found.items() if len(json.dumps(trees)) <= _MOST_COMPUTED}
    return {"same": same, "computed": small}


def _note(out: int, stage: str) -> None:
    os.write(out, stage.encode())


def _limit(cpu_s: float, memory_mib: int) -> None:
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # the kernel ends us, even inside one endless multiplication
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    ceiling = _size() + (memory_mib << 20)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        ceiling = min(ceiling, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS has the limit and refuses to set it
        resource.setrlimit(resource.RLIMIT_AS, (ceiling, hard))


def _size() -> int:
    """The address space in use, in bytes."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return _ASSUMED_SIZE
    return pages * resource.getpagesize()


def main() -> None:
    """Serve stdin and stdout."""
    logging.disable(logging.CRITICAL)
    replies = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library that prints must not break the protocol
    serve(Input(sys.stdin.fileno()), replies)


def _write(replies: int, message: dict[str, object]) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(replies, data) :]


if __name__ == "__main__":
    main()
