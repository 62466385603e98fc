"""What a job looks like, at widths a terminal has."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len
from rich.console import Console

from ssr.cli.display import render
from ssr.cli.job_view import JobView
from ssr.cli.ledger_view import engine_time_text, usage_view
from ssr.core.job import Event, Finished, Happening, Job, JobStatus, Queued, Started
from ssr.core.ledger import ModelUsage, Usage
from ssr.core.run import PathEnded, Selected, StepCommitted
from ssr.core.types import Call, CallKind, Options, PathStatus, Source, Step, Strategy
from ssr.core.vote import Vote

BEGAN = datetime(2025, 1, 2, tzinfo=UTC)
PROBLEM = "A pump fills a pool with 45 litres of water a minute. " * 8
WIDTHS = (60, 80, 120)


def call(kind: CallKind, model: str) -> Call:
    return Call(kind, model, 1_500_000_000, 1234, 1000, 56)


def step(index: int, source: Source, text: str = "The rate is $45 - 5 = 40$ litres.\nSo we divide.") -> Step:
    rewritten = source is Source.REWRITTEN
    return Step(index, text, source, 56, 9.0 if rewritten else 7.3, draft_score=2.1 if rewritten else None)


def view_after(*happenings: Happening) -> JobView:
    view = JobView(PROBLEM, Options(paths=3), elapsed_s=12.3)
    for number, happening in enumerate((Queued(), Started(1), *happenings)):
        view = view.after(Event(str(number), "job-a", BEGAN + timedelta(seconds=number), happening))
    return view


def running(paths: int = 3, steps: int = 2) -> JobView:
    strategies = tuple(
        Strategy("ABCDEFGHIJKLMNOP"[i], f"Percent and fraction of a whole {i}", "") for i in range(paths)
    )
    happenings: list[Happening] = [Selected(strategies, (call(CallKind.SELECT, "qwen2.5-coder-1.5b"),))]
    for path in range(paths):
        for index in range(steps):
            source = (Source.DRAFT, Source.REWRITTEN)[(index + path) % 2]
            calls = (call(CallKind.DRAFT, "qwen2.5-coder-0.5b"), call(CallKind.SCORE, "qwen2.5-coder-1.5b"))
            happenings.append(StepCommitted(path, step(index, source), calls))
    return view_after(*happenings)


def finished(status: JobStatus = JobStatus.ANSWERED, error: str = "") -> JobView:
    view = running()
    for path in range(3):
        view = view.after(Event("90", "job-a", BEGAN, PathEnded(path, PathStatus.ANSWERED, "60")))
    votes = (Vote("60", (0, 1, 2), 8.15),) if status is JobStatus.ANSWERED else ()
    job = Job("job-a", status, PROBLEM, Options(paths=3), "60" if votes else "", votes, error=error)
    job = replace(job, usage=view.run.ledger.usage())
    return view.after(Event("99", "job-a", BEGAN + timedelta(seconds=23.4), Finished(job)))


def text_of(view: JobView, width: int, height: int | None = None) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(render(view, width, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "view",
    [view_after(), running(), running(16, 1), finished(), finished(JobStatus.FAILED, "no engine " * 30)],
    ids=["begun", "running", "sixteen", "answered", "failed"],
)
def test_no_line_is_wider_than_the_terminal(view: JobView, width: int) -> None:
    for height in (None, 24, 40):
        assert all(cell_len(line) <= width for line in text_of(view, width, height).splitlines())


@pytest.mark.parametrize("width", WIDTHS)
def test_paths_as_they_grow(width: int) -> None:
    text = text_of(running(), width, 40)
    for words in ("Path 0", "A Percent", "running", "2 steps", "✓ 7.3", "✎ 9.0", "(was 2.1)", "56 tok", "12 s"):
        assert words in text
    assert "So we divide." in text  # the last step in full


@pytest.mark.parametrize("width", WIDTHS)
def test_the_outcome(width: int) -> None:
    text = text_of(finished(), width)
    for words in ("answered 60", "Answer  60", "0, 1, 2", "8.2", "decode_ratio", "total_ratio", "23.4 s", "TFLOP"):
        assert words in text
    assert "estimated baseline" in " ".join(text.split())
    assert "drafted" in text


def test_what_is_estimated_is_marked() -> None:
    usage = Usage(
        models=(
            ModelUsage("small", 10, 1, 90, 0, 9, reused_tokens=60, estimated_tokens=60),
            ModelUsage("large", 100, 1, 90, 30, 9, reused_tokens=30),
        ),
        decode_ratio=1.0,
        total_ratio=2.0,
        draft_token_flops=20.0,
        target_token_flops=200.0,
        rewrite_rate=0.25,
        gamma=0.4,
        gamma_without_spm=0.35,
    )
    console = Console(file=io.StringIO(), width=120)
    console.print(usage_view(usage, 1.0))
    assert isinstance(console.file, io.StringIO)
    shown = " ".join(console.file.getvalue().split())
    assert "~60" in shown
    assert "~30" not in shown
    assert "total_ratio about 2.00" in shown
    assert "R 25%, FLOPs of a draft token 0.100 of the target's, gamma 0.40 (0.35 without SPM)" in shown


def test_seconds_on_engines_are_shown_where_all_are_known() -> None:
    usage = Usage(draft_engine_s=3.04, target_engine_s=20.0, selection_engine_s=0.0)
    assert engine_time_text(usage) == "3.0 s draft, 20.0 s target"
    assert engine_time_text(replace(usage, draft_engine_s=None)) == ""


def test_before_the_strategies() -> None:
    assert "choosing strategies" in text_of(view_after(), 80, 24)
    assert "waiting for its turn" in text_of(JobView(PROBLEM), 80, 24)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (JobStatus.NO_ANSWER, "No answer"),
        (JobStatus.FAILED, "Failed  no engine"),
        (JobStatus.PARKED, "Parked  no engine"),
        (JobStatus.CANCELLED, "Cancelled"),
    ],
)
def test_no_answer_says_why(status: JobStatus, said: str) -> None:
    assert said in text_of(finished(status, "no engine" if "no engine" in said else ""), 80)


def test_drafting_ahead_is_named_and_its_waste_reported() -> None:
    view = running(1, 1)
    assert not {"lookahead", "wasted"} & set(text_of(view, 120).replace(",", "").split())
    wasted = StepCommitted(0, step(1, Source.REWRITTEN), (call(CallKind.WASTED, "qwen2.5-coder-0.5b"),))
    view = replace(view, options=Options(paths=1, lookahead=2)).after(Event("9", "job-a", BEGAN, wasted))
    text = text_of(view, 120)
    assert "lookahead 2" in text
    assert "56 wasted" in text


def test_a_reserve_is_named() -> None:
    view = running(3, 1)
    assert "reserve" not in text_of(view, 120)
    assert "1 in reserve" in text_of(replace(view, options=Options(paths=3, reserve=1)), 120)


@pytest.mark.parametrize("height", [24, 40])
@pytest.mark.parametrize(("paths", "steps"), [(1, 30), (3, 12), (5, 12), (16, 3)])
def test_the_live_view_fits_the_terminal(paths: int, steps: int, height: int) -> None:
    assert len(text_of(running(paths, steps), 80, height).splitlines()) <= height


def test_a_model_cannot_command_the_terminal() -> None:
    view = running(1, 0)
    event = StepCommitted(0, step(0, Source.DRAFT, "\x1b[31mred\x1b[0m [bold]x[/bold] \x07\x9b1m"))
    text = text_of(view.after(Event("9", "job-a", BEGAN, event)), 80, 40)
    assert "red [bold]x[/bold]" in text
    assert not set(text) & {"\x1b", "\x07", "\x9b"}
