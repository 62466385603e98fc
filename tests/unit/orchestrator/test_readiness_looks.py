"""When a replica is ready, by what its looks at Redis find."""

from __future__ import annotations

import asyncio
import logging

import pytest

from ssr.core.errors import SsrError, Unavailable
from ssr.orchestrator.readiness import watch
from ssr.runtime.redis.failures import RedisRefused

LIMIT_S = 10
AWAY = Unavailable("Redis: away")


class TheEnd(Exception):
    """No looks are left."""


async def reported(*looks: SsrError | None) -> list[tuple[int, bool]]:
    """What is reported, each with the number of the look that it came after: 1, 2, ..."""
    seen = 0
    tellings: list[tuple[int, bool]] = []

    async def look() -> None:
        nonlocal seen
        if seen == len(looks):
            raise TheEnd
        seen += 1
        if error := looks[seen - 1]:
            raise error

    async def report(ready: bool) -> None:
        tellings.append((seen, ready))

    with pytest.raises(TheEnd):
        async with asyncio.timeout(LIMIT_S):
            await watch(look, report, every_s=0, patience=3)
    return tellings


async def test_the_first_look_that_succeeds_makes_it_ready() -> None:
    assert await reported(None, None) == [(1, True)]
    assert await reported(AWAY, AWAY, AWAY, AWAY, None) == [(5, True)]
    assert await reported(AWAY, None) == [(2, True)]


async def test_three_failures_in_a_row_end_it_and_one_success_brings_it_back() -> None:
    assert await reported(None, AWAY, AWAY, None, AWAY, AWAY, AWAY, AWAY, None) == [(1, True), (7, False), (9, True)]


async def test_a_redis_that_refuses_us_is_not_reached() -> None:
    assert await reported(None, *3 * [RedisRefused("redis_url: no right")]) == [(1, True), (4, False)]


async def test_the_log_says_once_why_it_is_not_ready(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await reported(*7 * [AWAY], None)
    assert [record.message for record in caplog.records] == ["not ready for calls: Redis: away", "ready for calls"]
