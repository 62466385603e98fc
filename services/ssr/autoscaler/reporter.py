"""A replica tells of its load every few seconds, and takes that back when it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from ssr.autoscaler.board import Board
from ssr.autoscaler.complaint import Complaint
from ssr.core.errors import Unavailable
from ssr.redis.client import open_redis
from ssr.redis.patience import briefly
from ssr.scaling.signals import Load, Service
from ssr.settings import ReportingSettings

_log = logging.getLogger(__name__)

#: A report is forgotten when so many that should have followed it did not come.
MISSED_REPORTS = 4


@asynccontextmanager
async def reporting(
    settings: ReportingSettings, service: Service, measure: Callable[[], tuple[Load, int]]
) -> AsyncIterator[None]:
    """Reports as long as the block runs, where the settings name a Redis.

    `measure` gives the load of now and how many engine replicas can be called.
    """
    if settings.redis_url is None:
        yield
        return
    async with open_redis(settings.redis_url) as redis:
        board, name = Board(redis, ttl_s=MISSED_REPORTS * settings.report_s), settings.replica

        async def tell() -> None:
            load, engines = measure()
            await board.tell_load(service, name, load, engines)

        async with telling(tell, lambda: board.withdraw_load(service, name), settings.report_s):
            yield


@asynccontextmanager
async def telling(
    tell: Callable[[], Awaitable[None]], withdraw: Callable[[], Awaitable[None]], every_s: float
) -> AsyncIterator[None]:
    """Calls `tell` at once and every so many seconds while the block runs, `withdraw` behind it.

    While Redis is away nothing is told.
    """
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_keep_telling(tell, every_s), name="reports")
        try:
            yield
        finally:
            task.cancel()
    # Not where the block fails: that note expires by itself.
    await briefly(withdraw())


async def _keep_telling(tell: Callable[[], Awaitable[None]], every_s: float) -> None:
    complaint = Complaint(_log, "the load cannot be told")
    while True:
        try:
            await tell()
            complaint.over()
        except Unavailable as error:
            complaint.tell(error)
        await asyncio.sleep(every_s)
