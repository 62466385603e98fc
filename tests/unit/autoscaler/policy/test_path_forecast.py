from __future__ import annotations

import pytest

from ssr.autoscaler.policy.forecast import Forecast, PathAverages, PathWork
from ssr.core.ledger import ModelUsage, Usage
from ssr.engines.load import Pool

#: Five paths of ten steps of 50 tokens; two steps a path were rewritten, with 70 tokens each.
JOB = Usage(
    models=(ModelUsage("draft", 1, generated_tokens=2500), ModelUsage("target", 1, generated_tokens=760)),
    drafted_tokens=2500,
    rewritten_tokens=700,
    scoring_tokens=50,
    selection_tokens=10,
    accepted_steps=40,
    rewritten_steps=10,
)


def many(usage: Usage, paths: int, times: int = 500) -> PathWork:
    averages = PathAverages()
    for _ in range(times):
        averages = averages.add(usage, paths)
    return averages.work()


def test_averages_are_of_a_path() -> None:
    work = many(JOB, paths=5)
    assert work.drafted_steps == pytest.approx(10.0, rel=0.01)
    assert work.drafted_tokens == pytest.approx(500.0, rel=0.01)
    assert work.rewrite_tokens == pytest.approx(70.0, rel=0.01)
    assert work.rewrite_rate == pytest.approx(0.2, rel=0.01)
    assert work.selection_tokens == pytest.approx(2.0, rel=0.01)


def test_jobs_without_drafts_lead_to_none() -> None:
    alone = Usage(models=(ModelUsage("target", 1, generated_tokens=900),), written_tokens=900)
    work = many(alone, paths=1)
    assert work.tokens(Pool.DRAFT, None) == pytest.approx(0.0, abs=3.0)
    assert work.tokens(Pool.TARGET, None) == pytest.approx(900.0, rel=0.01)
    assert work.rewrite_tokens == PathWork().rewrite_tokens


def test_a_job_that_cost_nothing_reports_nothing() -> None:
    assert many(Usage(), paths=5) == PathWork()
    assert many(JOB, paths=0) == PathWork()


def test_the_targets_tokens_are_scores_rewrites_and_selection() -> None:
    work = PathWork(drafted_steps=10, drafted_tokens=500, rewrite_tokens=70, selection_tokens=2, written_tokens=30)
    assert work.tokens(Pool.TARGET, rewrite_rate=0.5) == 10 + 10 * 0.5 * 70 + 2 + 30
    assert work.tokens(Pool.DRAFT, rewrite_rate=0.5) == 500


def test_the_measured_rewrite_rate_goes_before_the_average() -> None:
    work = PathWork(rewrite_rate=0.3)
    assert work.tokens(Pool.TARGET, None) == work.tokens(Pool.TARGET, 0.3)
    assert work.tokens(Pool.TARGET, 0.0) < work.tokens(Pool.TARGET, None)


def test_a_forecast_has_an_age() -> None:
    forecast = Forecast(at=100.0)
    assert forecast.fresh(now=120.0, ttl_s=20.0)
    assert not forecast.fresh(now=120.1, ttl_s=20.0)
