from __future__ import annotations

import asyncio
import time

import pytest

from ssr_bench.virtual_time import run_virtually


def test_an_hour_takes_no_time_and_the_clock_reports_it() -> None:
    async def wait() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert run_virtually(wait()) == pytest.approx(3600)
    assert time.monotonic() - began < 60


def test_timers_come_in_order_and_timeouts_work() -> None:
    order: list[str] = []

    async def after(seconds: float, name: str) -> None:
        await asyncio.sleep(seconds)
        order.append(name)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(after(2, "second"))
            group.create_task(after(1, "first"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(6)
        order.append(f"{asyncio.get_running_loop().time():.0f}")

    run_virtually(main())
    assert order == ["first", "second", "7"]


def test_waiting_for_nothing_is_an_error() -> None:
    async def stuck() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="time would stand still"):
        run_virtually(stuck())
