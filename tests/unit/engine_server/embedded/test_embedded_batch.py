"""Places in the batch: bounded by slots and tokens, in order of arrival, given back on cancellation."""

from __future__ import annotations

import asyncio

import pytest

from ssr.engine_server.embedded.batch import EmbeddedBatch


class Guest:
    """A request that stays in the batch until reported to go."""

    def __init__(self, group: asyncio.TaskGroup, batch: EmbeddedBatch, tokens: int) -> None:
        self.inside = False
        self._go = asyncio.Event()
        self.task = group.create_task(self._visit(batch, tokens))

    async def _visit(self, batch: EmbeddedBatch, tokens: int) -> None:
        async with batch.place(tokens):
            self.inside = True
            await self._go.wait()

    def go(self) -> None:
        self._go.set()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("slots", "tokens"), [(2, 1000), (9, 25)])
async def test_slots_and_tokens_both_bound_the_batch(slots: int, tokens: int) -> None:
    batch = EmbeddedBatch(slots, tokens)
    async with asyncio.TaskGroup() as group:
        guests = [Guest(group, batch, 10) for _ in range(3)]
        await settle()
        assert [g.inside for g in guests] == [True, True, False]
        assert (batch.running, batch.queued) == (2, 1)
        guests[0].go()
        await settle()
        assert guests[2].inside
        for guest in guests:
            guest.go()
    assert (batch.running, batch.queued) == (0, 0)


async def test_a_small_request_does_not_overtake_a_large_one() -> None:
    batch = EmbeddedBatch(9, 20)
    async with asyncio.TaskGroup() as group:
        first, large, small = (Guest(group, batch, tokens) for tokens in (10, 20, 5))
        await settle()
        assert (first.inside, large.inside, small.inside) == (True, False, False)
        large.task.cancel()
        await settle()
        assert small.inside  # what stood in its way is gone
        first.go()
        small.go()


async def test_a_cancellation_that_comes_with_the_place_gives_it_back() -> None:
    batch = EmbeddedBatch(1, 10)
    async with asyncio.TaskGroup() as group:
        async with batch.place(1):
            second = Guest(group, batch, 1)
            await settle()
        assert batch.running == 1  # the place is the second's already, who has not heard of it yet
        second.task.cancel()
        await settle()
        third = Guest(group, batch, 1)
        await settle()
        assert third.inside
        third.go()
