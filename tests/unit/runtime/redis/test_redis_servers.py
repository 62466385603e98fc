"""Asking sentinels for the master."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import ConnectionError as RedisConnectionError

from ssr.runtime.redis.servers import Sentinels

UP = {"ip": "10.0.0.1", "port": 6379, "is_master": True, "is_sdown": False, "is_odown": False}


@dataclass(eq=False)
class FakeSentinel:
    """Answers with `state`, or not at all, once it may."""

    state: dict[str, Any] | None
    may: asyncio.Event = field(default_factory=asyncio.Event)

    async def sentinel_masters(self) -> dict[str, Any]:
        await self.may.wait()
        if self.state is None:
            raise RedisConnectionError("refused")
        return {"first": {**self.state, "num-other-sentinels": 2}}


def sentinels(*fakes: FakeSentinel) -> Sentinels:
    asked = Sentinels([], sentinel_kwargs={})  # type: ignore[no-untyped-call]
    asked.sentinels = list(fakes)  # type: ignore[arg-type]
    return asked


async def test_calls_at_the_same_time_lose_no_sentinel_and_the_one_that_answers_comes_first() -> None:
    dead, slow, other = FakeSentinel(None), FakeSentinel(UP), FakeSentinel(None)
    asked = sentinels(dead, slow, other)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        found = [group.create_task(asked.discover_master("first")) for _ in range(3)]
        await asyncio.sleep(0)
        dead.may.set()
        await asyncio.sleep(0)
        slow.may.set()
    assert [one.result() for one in found] == [("10.0.0.1", 6379)] * 3
    assert asked.sentinels == [slow, dead, other]  # type: ignore[comparison-overlap]


@pytest.mark.parametrize("state", [None, {**UP, "is_odown": True}, {**UP, "is_master": False}])
async def test_a_master_that_is_down_or_unknown_is_not_found(state: dict[str, Any] | None) -> None:
    one = FakeSentinel(state)
    one.may.set()
    with pytest.raises(MasterNotFoundError, match="'first'"):
        await sentinels(one).discover_master("first")
