"""Prefix accounting against a path whose caches are worked out by hand."""

from __future__ import annotations

from dataclasses import replace

from ssr.core.ledger import Ledger
from ssr.core.prefixes import SELECTION, Prefixes
from ssr.core.types import Call, CallKind, Source, Step


def reported(kind: CallKind, prompt: int, cached: int, generated: int, **more: int) -> Call:
    model = "d" if kind in (CallKind.DRAFT, CallKind.WASTED) else "t"
    return Call(kind, model, 1_000, prompt, cached, generated, tail_tokens=more.get("tail", 0))


def unreported(kind: CallKind, prompt: int, generated: int, **more: int) -> Call:
    return replace(reported(kind, prompt, 0, generated, **more), cache_unreported=True)


def continued(kind: CallKind, generated: int) -> Call:
    return replace(reported(kind, 0, 0, generated), continued=True)


def reused(*steps: tuple[int, list[Call], bool]) -> list[tuple[int, ...]]:
    prefixes, found = Prefixes(), []
    for path, calls, rewritten in steps:
        one, prefixes = prefixes.after(path, calls, rewritten=rewritten)
        found.append(one)
    return found


def test_what_an_engine_reports_counts_as_far_as_the_job_put_it_there() -> None:
    assert reused(
        (0, [reported(CallKind.WRITE, 100, 96, 20)], False),  # of another job
        (0, [reported(CallKind.WRITE, 125, 120, 20)], False),  # its own prompt and text
        (1, [reported(CallKind.WRITE, 100, 100, 20)], False),  # the opening of the other path
        (1, [reported(CallKind.SCORE, 300, 90, 1)], False),  # another dialogue
    ) == [(0,), (120,), (100,), (0,)]


def test_a_problem_that_the_engine_knows_from_another_job_looks_no_cheaper() -> None:
    """All of it is in the cache already, the questions too; only what a path's own prompts share counts."""
    warm = [
        (0, [reported(CallKind.DRAFT, 100, 99, 20), reported(CallKind.SCORE, 170, 169, 1, tail=40)], False),
        (0, [reported(CallKind.DRAFT, 120, 119, 20), reported(CallKind.SCORE, 190, 189, 1, tail=40)], False),
    ]
    assert reused(*warm) == [(0, 0), (119, 130)]
    assert reused(*warm, (1, warm[0][1], False))[-1] == (99, 110), "another path begins with the problem alone"


def test_a_stream_leaves_all_its_steps_in_the_cache() -> None:
    assert reused(
        (0, [reported(CallKind.DRAFT, 100, 0, 20)], False),
        (0, [continued(CallKind.DRAFT, 30)], False),
        (0, [reported(CallKind.DRAFT, 160, 150, 10)], False),
    ) == [(0,), (0,), (150,)]


def test_an_engine_that_does_not_report_keeps_what_a_path_has_sent_and_got() -> None:
    question = {"tail": 40}
    assert reused(
        # An accepted draft: both dialogues have it.
        (0, [unreported(CallKind.DRAFT, 100, 20), unreported(CallKind.SCORE, 170, 1, **question)], False),
        # A rejected one of 30 tokens, rewritten with 25: the draft model has read 120, the judge 130 and the question.
        (
            0,
            [
                unreported(CallKind.DRAFT, 120, 30),
                unreported(CallKind.SCORE, 200, 1, **question),
                unreported(CallKind.REWRITE, 120, 25),
            ],
            True,
        ),
        # Behind the rewrite: the rejected draft is in nobody's prompt.
        (0, [unreported(CallKind.DRAFT, 145, 10), unreported(CallKind.SCORE, 205, 1, **question)], False),
        (0, [unreported(CallKind.DRAFT, 155, 10), unreported(CallKind.REWRITE, 155, 9)], True),
        (1, [unreported(CallKind.DRAFT, 100, 20)], False),  # begins beside the other path
    ) == [(0, 0), (120, 130, 0), (120, 130), (155, 145), (0,)]


def test_two_calls_for_one_step_follow_each_other() -> None:
    asked_again = [unreported(CallKind.WRITE, 100, 20), unreported(CallKind.WRITE, 125, 5)]
    assert reused((0, asked_again, False), (SELECTION, [unreported(CallKind.SELECT, 90, 1)] * 2, False)) == [
        (0, 120),
        (0, 90),
    ]


def test_drafts_that_are_thrown_away_leave_nothing() -> None:
    waste = [continued(CallKind.DRAFT, 20), unreported(CallKind.REWRITE, 100, 15), continued(CallKind.WASTED, 50)]
    found = reused(
        (0, [unreported(CallKind.DRAFT, 90, 10)], False),
        (0, waste, True),
        (0, [unreported(CallKind.DRAFT, 115, 10)], False),
    )
    assert found[-1] == (100,)


def test_the_ledger_marks_what_it_estimates() -> None:
    """SSD on an engine that reports no cached tokens costs what it does on one that reports them."""
    steps = [
        ([reported(CallKind.DRAFT, 100, 0, 20), reported(CallKind.SCORE, 170, 0, 1)], Source.DRAFT),
        ([reported(CallKind.DRAFT, 120, 120, 20), reported(CallKind.SCORE, 190, 130, 1)], Source.DRAFT),
        ([reported(CallKind.DRAFT, 140, 140, 20), reported(CallKind.SCORE, 210, 150, 1)], Source.DRAFT),
    ]
    reporting, silent = Ledger(), Ledger()
    for index, (calls, source) in enumerate(steps):
        step = Step(index, "x", source, 20, 8.0)
        reporting = reporting.add(calls, step, path=0)
        without = [
            replace(c, cached_tokens=0, cache_unreported=True, tail_tokens=40 * (c.kind == "score")) for c in calls
        ]
        silent = silent.add(without, step, path=0)
    assert silent.total_ratio == reporting.total_ratio
    assert (reporting.usage().estimated_tokens, silent.usage().estimated_tokens) == (0, 540)
    assert sum(model.cached_tokens for model in silent.usage().models) == 0
