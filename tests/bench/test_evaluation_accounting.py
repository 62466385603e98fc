"""What runs cost, against sums made by hand."""

from __future__ import annotations

import pytest
from evaluation_records import BASELINE, DRAFT_SIZE, SSD, TARGET_SIZE, call, drafted, path, record, step, written

from ssr.core.job import JobStatus
from ssr.core.ledger import Ledger
from ssr.core.types import Call, CallKind, Source, Step
from ssr_bench.evaluation import accounting
from ssr_bench.evaluation.accounting import cost_ratio, decode_flops, mean_tokens, rewrite_share, total_flops


def test_flops_are_twice_parameters_times_tokens() -> None:
    one = record(SSD, paths=[drafted(8.0, 2.0)])  # two drafts and scores, one rewrite
    draft, target = 2 * DRAFT_SIZE, 2 * TARGET_SIZE
    assert decode_flops(one) == draft * 20 + target * (2 + 10)
    assert total_flops(one) == draft * (20 + 200) + target * (2 + 10 + 400 + 100)


def test_the_ledger_of_a_job_says_the_same() -> None:
    calls = (call(CallKind.DRAFT, 100, 10), call(CallKind.SCORE, 200, 1), call(CallKind.REWRITE, 100, 12))
    ledger = Ledger().add(calls, Step(0, "x", Source.REWRITTEN, 12, 9.0, draft_score=1.0))
    one = record(SSD, paths=[path(step(0, *calls, score=9.0, draft_score=1.0))])
    assert decode_flops(one) == ledger.decode_flops
    assert total_flops(one) == ledger.total_flops


def test_only_what_a_job_had_put_into_the_cache_counts_as_cached() -> None:
    first = path(
        step(0, call(CallKind.WRITE, 100, 20, cached=96)),  # of another job
        step(1, call(CallKind.WRITE, 125, 20, cached=120)),  # its own prompt and text
        step(2, call(CallKind.WRITE, 150, 20, cached=150)),  # five more than it knew
    )
    second = path(step(0, call(CallKind.WRITE, 100, 20, cached=100)), index=1)  # the opening of the first path
    cached = [cached for _, cached in accounting.calls_of(record(paths=[first, second]))]
    assert cached == [0, 120, 145, 100]


def test_a_score_finds_nothing_of_what_was_written() -> None:
    steps = step(0, call(CallKind.WRITE, 100, 10), call(CallKind.SCORE, 300, 1, cached=90), score=5.0)
    later = step(1, call(CallKind.SCORE, 310, 1, cached=300), score=5.0)
    assert [cached for _, cached in accounting.calls_of(record(paths=[path(steps, later)]))] == [0, 0, 300]


def test_an_unknown_size_is_no_cost() -> None:
    unknown = Call(CallKind.WRITE, "x", 0, 10, 0, 5)
    assert decode_flops(record(paths=[path(step(0, unknown))])) is None
    assert total_flops(record()) is None


def test_ratios_are_over_the_problems_that_both_solved() -> None:
    baseline = [record(problem=name, paths=written(tokens)) for name, tokens in (("a", 100), ("b", 300), ("c", 50))]
    ssd = [record(SSD, problem, paths=[drafted(8.0, 2.0)]) for problem in ("a", "b", "unknown")]
    found = cost_ratio(ssd, baseline, decode_flops)
    assert found is not None
    assert found.value == pytest.approx(2 * (20 * DRAFT_SIZE + 12 * TARGET_SIZE) / (400 * TARGET_SIZE))
    target = cost_ratio(ssd, baseline, accounting.target_tokens)
    assert target is not None
    assert target.value == pytest.approx(24 / 400)
    wall = cost_ratio(ssd, baseline, accounting.wall_s)
    assert wall is not None
    assert wall.value == 1.0


def test_lost_runs_are_no_part_of_a_ratio() -> None:
    baseline = [record(problem="a", paths=written(100)), record(problem="b", paths=written(1), status=JobStatus.FAILED)]
    runs = [record(SSD, problem, paths=written(50)) for problem in ("a", "b")]
    found = cost_ratio(runs, baseline, decode_flops)
    assert found is not None
    assert found.value == 0.5
    assert cost_ratio(runs, [], decode_flops) is None


def test_repeats_are_compared_with_repeats() -> None:
    baseline = [record(repeat=repeat, paths=written(100 * (repeat + 1))) for repeat in (0, 1)]
    runs = [record(SSD, repeat=repeat, paths=written(50)) for repeat in (1, 2)]
    found = cost_ratio(runs, baseline, decode_flops)
    assert found is not None
    assert found.value == 0.25


def test_tokens_by_kind() -> None:
    runs = [record(SSD, paths=[drafted(8.0, 2.0)]), record(SSD, "b", paths=[drafted(8.0)])]
    tokens = mean_tokens(runs)
    assert (tokens.drafted, tokens.accepted, tokens.rejected) == (15, 10, 5)
    assert (tokens.rewritten, tokens.scoring, tokens.written) == (5, 1.5, 0)
    assert (tokens.new, tokens.cached) == ((2 * 300 + 100 + 300) / 2, 0)
    assert rewrite_share(runs) == pytest.approx(1 / 3)
    assert rewrite_share([record(BASELINE, paths=written(10))]) is None


def test_models_are_reported_the_smaller_first() -> None:
    assert list(accounting.sizes([record(SSD, paths=[drafted(8.0)])]).items()) == [
        ("d", DRAFT_SIZE),
        ("t", TARGET_SIZE),
    ]
