r"""The process that does the algebra: `python -m ssr.orchestrator.equivalence.worker`.

It reads one JSON object a line from stdin and writes one a line to stdout:

    -> {"id": 7, "a": "\\frac12", "b": "2^{-1}", "limit_s": 5.0}
    <- {"id": 7, "same": true}

The first line it writes is {"ready": true}. End of input ends it. A question that runs past its limit is killed by
the parent; the alarm here is for the case that no parent is left to do it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import signal
import sys
from typing import TextIO

#: An expression like 9^{9^{9^9}} takes all memory there is before it takes all the time.
MEMORY_LIMIT_BYTES = 2 << 30

_ALARM_GRACE_S = 2.0


def equivalent(a: str, b: str) -> bool:
    """Whether math-verify holds two LaTeX answers for the same, seen from either side (its `verify` has sides)."""
    from math_verify import parse, verify  # type: ignore[import-untyped]

    # Its own time limits use SIGALRM and end only Python code; ours is a kill from outside.
    read_a, read_b = (parse(f"${text}$", parsing_timeout=None) for text in (a, b))
    return any(verify(gold, given, timeout_seconds=None) for gold, given in ((read_a, read_b), (read_b, read_a)))


def serve(questions: TextIO, replies: TextIO) -> None:
    """Answer until the end of input."""
    equivalent("1", "x")  # compiles the parser's patterns, which is start-up and nobody's question
    _write(replies, {"ready": True})
    for line in questions:
        question = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, question["limit_s"] + _ALARM_GRACE_S)
        same = equivalent(question["a"], question["b"])
        signal.setitimer(signal.ITIMER_REAL, 0)
        _write(replies, {"id": question["id"], "same": same})


def main() -> None:
    """Serve stdin and stdout within the memory limit."""
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the kernel ends us, even inside one endless multiplication
    _limit_memory()
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library that prints must not break the protocol
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    with replies:
        serve(sys.stdin, replies)


def _limit_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    ceiling = MEMORY_LIMIT_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_LIMIT_BYTES, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS has the limit and refuses to set it
        resource.setrlimit(resource.RLIMIT_AS, (ceiling, hard))


def _write(replies: TextIO, message: dict[str, object]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


if __name__ == "__main__":
    main()
