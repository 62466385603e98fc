"""Waiting: for Redis, until it is back, or hardly at all for a replica that ends; and for a notice, not for ever."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from ssr.core.errors import Unavailable

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

_FIRST_DELAY_S = 0.1
_MAX_DELAY_S = 2.0
#: How often a wait that goes on is told of: there may be hundreds.
_TELL_S = 30.0
#: How long handing something back may take while this replica ends.
_BRIEFLY_S = 2.0


async def patiently(what: str, call: Callable[[], Awaitable[Result]]) -> Result:
    """The result of `call`, tried again while Redis is away; end the wait by cancelling it.

    Whatever `call` writes must bear being written twice: a call that failed may have been done all the same.
    """
    delay_s, tell_at = _FIRST_DELAY_S, time.monotonic()
    while True:
        try:
            return await call()
        except Unavailable as error:
            if time.monotonic() >= tell_at:
                _log.warning("%s waits: %s", what, error)
                tell_at = time.monotonic() + _TELL_S
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))
            delay_s = min(2 * delay_s, _MAX_DELAY_S)


async def briefly(call: Awaitable[None]) -> None:
    """Try `call` once and not for long: a replica that ends leaves in order if it can, and leaves all the same."""
    with suppress(TimeoutError, Unavailable):
        async with asyncio.timeout(_BRIEFLY_S):
            await call


async def set_within(wakeup: asyncio.Event, seconds: float) -> None:
    """Wait until the notice comes, but not longer. (`asyncio.wait_for` of Python 3.11 can lose a cancellation here.)"""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wakeup.wait()
