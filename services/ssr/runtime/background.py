"""Tasks that run beside a block and end with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def supervised(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Runs `work` until the block ends. What it raises ends the block, and leaves it in an exception group."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work, name=name)
        yield
        task.cancel()


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Runs work that never ends by itself until the block ends.

    Not a TaskGroup, which would wrap the errors that leave the block: they are for whoever calls.
    """
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
