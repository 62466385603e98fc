"""When a replica is ready, by what its looks at Redis find."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from ssr.core.errors import SsrError, Unavailable
from ssr.orchestrator.readiness import LoopTurns, watch
from ssr.runtime.redis.failures import RedisRefused, RedisSilent

LIMIT_S = 10
AWAY = Unavailable("Redis: away")
SILENT = RedisSilent("Redis: no answer within 3 s")


class TheEnd(Exception):
    """No looks are left."""


async def reported(*looks: SsrError | None, late_s: float = 0.0) -> list[tuple[int, bool]]:
    """What is reported, each with the number of the look that it came after: 1, 2, ..."""
    seen = 0
    reports: list[tuple[int, bool]] = []

    async def look() -> None:
        nonlocal seen
        if seen == len(looks):
            raise TheEnd
        seen += 1
        if error := looks[seen - 1]:
            raise error

    async def report(ready: bool) -> None:
        reports.append((seen, ready))

    with pytest.raises(TheEnd):
        async with asyncio.timeout(LIMIT_S):
            await watch(look, report, lambda: late_s, every_s=0, patience=3)
    return reports


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


async def test_a_busy_replica_stays_ready_though_it_was_too_late_for_answers() -> None:
    busy = {"late_s": 0.5}
    assert await reported(None, *14 * [SILENT], None, *14 * [SILENT], **busy) == [(1, True)]
    assert await reported(None, *15 * [SILENT], **busy) == [(1, True), (16, False)]  # then it may be Redis after all
    assert await reported(None, *3 * [AWAY], **busy) == [(1, True), (4, False)]  # a refused connection is no delay
    assert await reported(None, *3 * [SILENT]) == [(1, True), (4, False)]


async def test_the_loop_is_late_while_something_blocks_it() -> None:
    turns = LoopTurns()
    measuring = asyncio.create_task(turns.measure())
    await asyncio.sleep(0)
    assert turns.late_s() < 0.2
    time.sleep(0.5)  # noqa: ASYNC251 - the point of it
    assert turns.late_s() > 0.3
    await asyncio.sleep(0)
    measuring.cancel()
