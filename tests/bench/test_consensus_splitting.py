"""What is chosen on half of the problems is judged on the other half."""

from __future__ import annotations

import pytest

from ssr_bench.consensus.comparison import Row
from ssr_bench.consensus.replay import ReplayCounts, ReplayResult
from ssr_bench.consensus.splitting import chosen, family
from ssr_bench.report_json import report_json


def row(drafter: str, *passes: int, order: str = "together") -> Row:
    """Twelve tokens of each problem, in so many passes."""
    return Row(drafter, order, ReplayResult.of([ReplayCounts(passes=one, tokens=12) for one in passes]))


def test_the_setting_that_the_first_half_likes_is_shown_on_the_second() -> None:
    lucky = row("ours, a", 3, 3, 12, 12)  # best on the first half, worst on the second
    steady = row("ours, b", 4, 4, 4, 4)
    other = row("suffix", 6, 6, 6, 6)
    first, second = chosen([lucky, steady, other])
    assert (first.family, first.drafter, first.settings) == ("ours", "ours, a", 2)
    assert (first.first.value, first.second.value) == (4.0, 1.0)
    ((name, over),) = first.others
    assert (name, over.value, over.low, over.high) == ("suffix", 0.5, 0.5, 0.5)
    assert second.drafter == "suffix"


def test_a_sweep_is_compared_with_the_settings_as_they_are() -> None:
    (found,) = chosen([row("as set", 4, 4, 4, 4), row("pool 4", 3, 3, 3, 6), row("pool 9", 5, 5, 1, 1)], "as set")
    assert (found.drafter, found.settings) == ("pool 4", 3)
    assert [name for name, _ in found.others] == ["as set"]
    assert found.others[0][1].value == pytest.approx(8 / 9)


def test_few_problems_are_not_parted() -> None:
    assert chosen([row("ours", 3, 3, 3)]) == ()


def test_families() -> None:
    assert [family(name) for name in ("ngram 2-5", "ngram 1-4", "consensus, bound 0.2", "suffix (ours), factor 2")] == [
        "ngram", "ngram", "consensus", "suffix (ours)",
    ]  # fmt: skip


def test_the_interval_is_over_problems_and_holds_the_value() -> None:
    result = row("ours", 3, 4, 6, 12).result
    assert result.interval is not None
    assert result.interval.value == result.tokens_per_pass == pytest.approx(48 / 25)
    assert 1.0 <= result.interval.low < result.tokens_per_pass < result.interval.high <= 4.0
    assert "problems" not in report_json(result)
