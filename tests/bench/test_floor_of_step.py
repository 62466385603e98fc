from __future__ import annotations

import asyncio
import os

import pytest

from ssr_bench.floor import Callee, CostFloor, FloorCall, floor_of_step, timed
from ssr_bench.statistics import Summary


def calls(name: str, alone_ms: float, many_ms: float) -> tuple[FloorCall, FloorCall]:
    summary = Summary(1, 0.0, 0.0, 0.0, 0.0)
    return FloorCall(name, 1, summary, 0.0, alone_ms), FloorCall(name, 64, summary, 0.0, many_ms)


def test_a_step_is_two_services_an_engine_call_or_more_for_each_and_an_append() -> None:
    floor = CostFloor(calls("gRPC", 1.0, 0.5), calls("HTTP", 10.0, 5.0), calls("append", 100.0, 50.0))
    assert floor_of_step(floor, 0.3, many=False, field=lambda call: call.cpu_ms) == pytest.approx(2 + 23 + 100)
    assert floor_of_step(floor, 0.0, many=True, field=lambda call: call.cpu_ms) == pytest.approx(1 + 10 + 50)


async def test_calls_are_timed_as_many_at_a_time_as_asked() -> None:
    running, most = 0, 0

    async def call() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1

    figures = await timed(Callee("nap", os.getpid(), call), in_flight=3, seconds=0.05)
    assert (figures.name, figures.in_flight, most) == ("nap", 3, 3)
    assert figures.latency_ms.p50 >= 1.0
    assert 0 < figures.elapsed_ms < figures.latency_ms.mean


async def test_every_caller_calls_at_least_once_however_little_time_there_is() -> None:
    call = await timed(Callee("nothing", os.getpid(), lambda: asyncio.sleep(0)), 3, 0.0)
    assert call.latency_ms.count == 3
    assert call.elapsed_ms > 0
