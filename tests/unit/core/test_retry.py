"""When to try again, and when not to."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.core.retry import Backoff, FailuresInARow


@given(st.integers(0, 10**6), st.floats(0, 100), st.floats(0, 1))
def test_a_pause_is_never_shorter_than_asked_and_at_most_half_as_long_again(
    attempt: int, asked_s: float, luck: float
) -> None:
    backoff = Backoff(first_s=0.1, max_s=5.0)
    least = max(asked_s, min(5.0, 0.1 * 2 ** min(attempt, 60)))
    assert least <= backoff.pause_s(attempt, asked_s, dice=lambda: luck) <= least * 1.5 + 1e-9


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts_are_bounded(attempts: int) -> None:
    failures = FailuresInARow(Backoff(patience_s=math.inf, attempts=attempts))
    pauses = [failures.failed(0.0) for _ in range(attempts)]
    assert None not in pauses[:-1]
    assert pauses[-1] is None


def test_no_pause_goes_past_the_deadline_or_the_patience() -> None:
    still = Backoff(first_s=1.0, patience_s=3.0)
    assert FailuresInARow(still, deadline=11.0, dice=lambda: 0.0).failed(10.0) is None
    assert FailuresInARow(still, deadline=11.1, dice=lambda: 0.0).failed(10.0) == 1.0
    assert FailuresInARow(still, dice=lambda: 0.0).failed(10.0, asked_s=3.0) is None


def test_patience_begins_with_the_first_failure_of_a_row() -> None:
    failures = FailuresInARow(Backoff(first_s=1.0, patience_s=3.0), dice=lambda: 0.0)
    assert failures.failed(0.0) == 1.0
    assert failures.failed(2.0) is None
    failures.succeeded()
    assert failures.failed(100.0) == 1.0
