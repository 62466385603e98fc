"""Waiting: for Redis, until it is back, or hardly at all for a replica that ends; and for a wake-up, not for ever."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from ssr.core.errors import Unavailable
from ssr.core.retry import Backoff, FailuresInARow
from ssr.runtime.redis.failures import RedisRefused

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

_BACKOFF = Backoff(first_s=0.1, max_s=2.0, patience_s=math.inf)
#: How often a wait that goes on is reported: there may be hundreds.
_REPORT_S = 30.0
#: How long handing something back may take while this replica ends.
_BRIEFLY_S = 2.0


async def patiently(what: str, call: Callable[[], Awaitable[Result]]) -> Result:
    """The result of `call`, tried again while Redis is away or refuses us; end the wait by cancelling it.

    A refusal passes too: rights are taken away and given again while an operator changes users, and a process that
    worked goes on then. Whether Redis takes us at all is asked at the start.

    Whatever `call` writes must bear being written twice: a call that failed may have been done all the same.
    """
    failures, report_at = FailuresInARow(_BACKOFF), time.monotonic()
    while True:
        try:
            return await call()
        except (Unavailable, RedisRefused) as error:
            if time.monotonic() >= report_at:
                _log.warning("%s waits: %s", what, error)
                report_at = time.monotonic() + _REPORT_S
            await asyncio.sleep(failures.failed(time.monotonic()) or 0.0)


async def briefly(call: Awaitable[None]) -> None:
    """Try `call` once and not for long: a replica that ends leaves in order if it can, and leaves all the same."""
    with suppress(TimeoutError, Unavailable, RedisRefused):
        async with asyncio.timeout(_BRIEFLY_S):
            await call


async def set_within(wakeup: asyncio.Event, seconds: float) -> None:
    """Wait for the wake-up, but not longer. (`asyncio.wait_for` of Python 3.11 can lose a cancellation here.)"""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wakeup.wait()
