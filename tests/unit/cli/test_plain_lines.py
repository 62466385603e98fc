"""A job as lines for pipes and logs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ssr.cli.plain_lines import lines_of
from ssr.cli.wording import flops_text, one_line
from ssr.core.job import Event, Finished, Happening, Job, JobStatus, Queued, Started
from ssr.core.ledger import Usage
from ssr.core.run import PathEnded, Selected, StepCommitted
from ssr.core.types import NO_STRATEGY, Options, PathStatus, Source, Step, Strategy
from ssr.core.vote import Vote

JOB = Job("job-a", JobStatus.ANSWERED, "?", Options(), "42", (Vote("42", (0, 2), 8.5),), usage=Usage(drafted_tokens=9))


@pytest.mark.parametrize(
    ("happening", "lines"),
    [
        (Queued(), ["job job-a: queued"]),
        (Started(1), ["started"]),
        (Started(2), ["started again by another owner (2)"]),
        (Selected((Strategy("A", "Equation", ""), NO_STRATEGY)), ["path 0: strategy A Equation"]),
        (
            StepCommitted(1, Step(0, "one\ntwo", Source.DRAFT, 5, 7.25)),
            ["path 1 step 1: draft accepted with 7.2, 5 tokens: one two"],
        ),
        (
            StepCommitted(1, Step(2, "", Source.REWRITTEN, 1, 9.0, draft_score=0.5)),
            ["path 1 step 3: rewritten, the draft had 0.5, 1 token: (empty)"],
        ),
        (StepCommitted(0, Step(0, "x", Source.TARGET, 5)), ["path 0 step 1: target, 5 tokens: x"]),
        (PathEnded(0, PathStatus.ANSWERED, "42"), ["path 0: answered: 42"]),
        (PathEnded(0, PathStatus.NO_ANSWER, reason="no box"), ["path 0: no answer: no box"]),
        (
            Finished(JOB),
            [
                "vote: 42 by 2 paths (0, 2), mean score 8.5",
                "tokens: 9 drafted (0 accepted, 0 rejected)",
                "answer: 42",
            ],
        ),
        (
            Finished(Job("job-a", JobStatus.FAILED, "?", Options(), error="no engine")),
            ["tokens: none", "failed: no engine"],
        ),
        (
            Finished(Job("job-a", JobStatus.PARKED, "?", Options(), error="3 replicas died")),
            ["tokens: none", "parked: 3 replicas died"],
        ),
        (
            Finished(
                replace(JOB, usage=Usage(drafted_tokens=9, accepted_tokens=4, rejected_tokens=2, wasted_tokens=3))
            ),
            [
                "vote: 42 by 2 paths (0, 2), mean score 8.5",
                "tokens: 9 drafted (4 accepted, 2 rejected, 3 wasted)",
                "answer: 42",
            ],
        ),
    ],
)
def test_lines(happening: Happening, lines: list[str]) -> None:
    assert lines_of(Event("1", "job-a", datetime(2025, 1, 1, tzinfo=UTC), happening)) == lines


def test_one_line_cuts() -> None:
    assert one_line("a\n b\tc", 5) == "a b c"
    assert one_line("abcdef", 5) == "abcd…"


@pytest.mark.parametrize(
    ("flops", "text"),
    [(0.0, "–"), (999.0, "999 FLOP"), (999.6, "1 KFLOP"), (1.234e12, "1.23 TFLOP")],
)
def test_flops(flops: float, text: str) -> None:
    assert flops_text(flops) == text
