"""Pauses between attempts, and streams that go on."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from ssr.client.deadline import Deadline
from ssr.client.retrying import Retries, resumed
from ssr.core.errors import InvalidRequest, NotFound, Overloaded, SsrError, Unavailable
from ssr.core.retry import Backoff


def test_pauses_double_up_to_a_bound() -> None:
    backoff = Backoff(first_s=0.1, max_s=1.0)
    for attempt, floor_s in enumerate((0.1, 0.2, 0.4, 0.8, 1.0, 1.0)):
        assert floor_s <= backoff.pause_s(attempt, 0.0) <= 1.5 * floor_s
    assert backoff.pause_s(10_000, 0.0) <= 1.5


def test_a_pause_is_never_shorter_than_the_server_asks_for() -> None:
    assert 30 <= Backoff(first_s=0.1, max_s=1.0).pause_s(0, 30.0) <= 45


def test_pauses_differ() -> None:
    assert len({Backoff().pause_s(0, 0.0) for _ in range(20)}) > 1


async def test_no_pause_that_outlasts_the_deadline() -> None:
    error = Overloaded("full", 5.0)
    with pytest.raises(Overloaded) as caught:
        await Retries(Backoff(), Deadline(4.0)).pause(error)
    assert caught.value is error


async def test_success_ends_a_row_of_failures() -> None:
    retries = Retries(Backoff(first_s=0.0, patience_s=3.0), Deadline(None))
    await retries.pause(Unavailable("away", 0.0))
    retries.succeeded()
    with pytest.raises(Unavailable):
        await retries.pause(Unavailable("away", 60.0))


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_deadline_is_a_positive_number(timeout_s: float) -> None:
    with pytest.raises(InvalidRequest, match="timeout_s"):
        Deadline(timeout_s)


def test_no_deadline_allows_everything() -> None:
    never = Deadline(None)
    assert never.remaining_s is None
    assert not never.passed


async def test_a_stream_goes_on_behind_its_last_reply() -> None:
    opened: list[str] = []

    async def open_behind(cursor: str) -> AsyncGenerator[str]:
        opened.append(cursor)
        first = int(cursor or 0) + 1
        for number in range(first, min(first + 2, 6)):
            yield str(number)
        if first < 5:
            raise Unavailable("away", 0.0)

    retries = Retries(Backoff(first_s=0.0), Deadline(None))
    assert [reply async for reply in resumed(open_behind, str, "", retries)] == ["1", "2", "3", "4", "5"]
    assert opened == ["", "2", "4"]


async def test_a_stream_ends_with_errors_that_trying_again_does_not_mend() -> None:
    async def open_behind(cursor: str) -> AsyncGenerator[str]:
        yield "1"
        raise NotFound("gone")

    seen: list[str] = []
    with pytest.raises(SsrError, match="gone"):
        async for reply in resumed(open_behind, str, "", Retries(Backoff(), Deadline(None))):
            seen.append(reply)
    assert seen == ["1"]
