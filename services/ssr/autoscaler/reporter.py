"""A replica reports its load every few seconds, and takes that back when it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from ssr.autoscaler.policy.signals import Service
from ssr.autoscaler.reports import ReportStore
from ssr.autoscaler.throttled_log import ThrottledLog
from ssr.core.errors import SsrError
from ssr.engines.load import Load
from ssr.runtime.redis.client import open_redis
from ssr.runtime.redis.patience import briefly
from ssr.runtime.settings import ReportingSettings

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
        report_store, name = ReportStore(redis, ttl_s=MISSED_REPORTS * settings.report_s), settings.replica

        async def report() -> None:
            load, engines = measure()
            await report_store.report_load(service, name, load, engines)

        async with keep_reporting(report, lambda: report_store.withdraw_load(service, name), settings.report_s):
            yield


@asynccontextmanager
async def keep_reporting(
    report: Callable[[], Awaitable[None]], withdraw: Callable[[], Awaitable[None]], every_s: float
) -> AsyncIterator[None]:
    """Calls `report` at once and every so many seconds while the block runs, `withdraw` after it.

    While Redis is away nothing is reported.
    """
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_keep_reporting(report, every_s), name="reports")
        try:
            yield
        finally:
            task.cancel()
    # Not where the block fails: that note expires by itself.
    await briefly(withdraw())


async def _keep_reporting(report: Callable[[], Awaitable[None]], every_s: float) -> None:
    throttled_log = ThrottledLog(_log, "the load cannot be reported")
    while True:
        try:
            await report()
            throttled_log.over()
        except SsrError as error:
            throttled_log.report(error)
        await asyncio.sleep(every_s)
