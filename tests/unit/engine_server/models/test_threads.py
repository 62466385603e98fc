import asyncio
import threading
from typing import Any

import pytest

from ssr.engine_server.models.threads import in_thread


async def test_a_result_and_an_error_come_through() -> None:
    assert await in_thread(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 7, 0)


async def test_cancelling_waits_for_the_end_of_the_thread() -> None:
    begun, release, ended = asyncio.Event(), threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work() -> Any:
        loop.call_soon_threadsafe(begun.set)
        release.wait(10)
        ended.set()

    task = asyncio.create_task(in_thread(work))
    await begun.wait()
    task.cancel()
    loop.call_soon(release.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
