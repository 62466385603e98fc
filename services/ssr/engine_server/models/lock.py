"""One pull of a model at a time, across processes."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ssr.core.errors import TimedOut

#: How often a waiting process looks whether the lock is free. A blocking flock could not be cancelled.
POLL_S = 0.25


@asynccontextmanager
async def exclusive(path: Path, *, timeout_s: float, on_wait: Callable[[], None]) -> AsyncIterator[None]:
    """Hold the lock file `path`, which ends with the process at the latest; `on_wait` is called once if it is taken.

    The file stays behind: removing it would let a third process lock a new file of the same name.
    Raises `TimedOut` after `timeout_s` seconds of waiting, `OSError` where the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        if not _try_lock(descriptor):
            on_wait()
            await _wait_for_lock(descriptor, path, timeout_s)
        yield
    finally:
        os.close(descriptor)


async def _wait_for_lock(descriptor: int, path: Path, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            while not _try_lock(descriptor):  # noqa: ASYNC110 - the event is another process's
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise TimedOut(
            f"another process has held {path} for more than {timeout_s:.0f} s; end it, or wait and try again"
        ) from None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
