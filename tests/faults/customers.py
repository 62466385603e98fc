"""Those who submit jobs and follow them, whatever happens to the cluster meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from chaos import Progress
from workload import Ending, Order

from ssr.client import AsyncClient
from ssr.core.job import Event, Job
from ssr.core.retry import Backoff
from ssr.core.run import StepCommitted

#: Comes back fast, and does not give up before the test does.
PATIENT = Backoff(first_s=0.05, max_s=1.0, patience_s=300.0)
#: Nothing takes so long, not even starting everything again on a machine that is busy: then a job is lost.
_STALLED_S = 150.0


def _patient_client(address: str) -> AsyncClient:
    return AsyncClient(address, backoff=PATIENT, timeout_s=PATIENT.patience_s)


@dataclass(slots=True)
class Story:
    """What became of one order: the events its customer saw live, those of a replay, and the job at its end."""

    order: Order
    job_id: str
    live: list[Event] = field(default_factory=list)
    replay: list[Event] = field(default_factory=list)
    job: Job | None = None


async def serve_customers(address: str, orders: Sequence[Order], at_a_time: int, progress: Progress) -> list[Story]:
    """Submits every order, never more than `at_a_time` unfinished ones, and follows each to its end.

    The work of jobs that end exactly as without faults counts as progress.
    Raises: AssertionError naming the orders that are left when nothing happens any more.
    """
    places = asyncio.Semaphore(at_a_time)

    async def served(client: AsyncClient, order: Order) -> Story:
        async with places:
            return await _served(client, order, progress)

    async with _patient_client(address) as client, asyncio.TaskGroup() as group:
        serving = [group.create_task(served(client, order), name=order.key) for order in orders]
        stalling = group.create_task(progress.stalled(_STALLED_S), name="stalled")
        everybody = asyncio.gather(*serving)
        await asyncio.wait((everybody, stalling), return_when=asyncio.FIRST_COMPLETED)
        left = [task.get_name() for task in serving if not task.done()]
        assert not left, f"nothing happens any more, and these orders have no end: {left}"
        stalling.cancel()
    return everybody.result()


async def serve_until(
    address: str, orders: Iterator[Order], at_a_time: int, progress: Progress, enough: asyncio.Event
) -> list[Story]:
    """Submits orders and follows them to their ends, `at_a_time` at any moment, until there were `enough`.

    Raises: AssertionError when nothing happens any more.
    """
    stories: list[Story] = []

    async def serve(client: AsyncClient) -> None:
        while not enough.is_set():
            stories.append(await _served(client, next(orders), progress))
            progress.jobs += 1

    async with _patient_client(address) as client, asyncio.TaskGroup() as group:
        serving = [group.create_task(serve(client), name=f"customer {number}") for number in range(at_a_time)]
        stalling = group.create_task(progress.stalled(_STALLED_S), name="stalled")
        everybody = asyncio.gather(*serving)
        await asyncio.wait((everybody, stalling), return_when=asyncio.FIRST_COMPLETED)
        assert everybody.done(), f"nothing happens any more, after {len(stories)} jobs"
        stalling.cancel()
    return stories


async def read_back(addresses: Sequence[str], stories: Sequence[Story]) -> None:
    """Fills in the replays and the jobs, each story's from one of the replicas in turn."""
    for number, address in enumerate(addresses):
        async with _patient_client(address) as client:
            for story in stories[number :: len(addresses)]:
                await read_again(client, story)


async def read_again(client: AsyncClient, story: Story) -> None:
    """Fills in the story's replay and its job."""
    story.replay = [event async for event in client.watch(story.job_id)]
    story.job = await client.get(story.job_id)


async def whole_story(client: AsyncClient, order: Order) -> Story:
    """One order from its submission to its end, with its replay."""
    story = await _served(client, order, Progress())
    await read_again(client, story)
    return story


async def _served(client: AsyncClient, order: Order, progress: Progress) -> Story:
    submitted = await client.submit(order.problem, idempotency_key=order.key, **order.options)
    story = Story(order, submitted.job_id)
    again: asyncio.Task[Job] | None = None
    async with asyncio.TaskGroup() as group:
        async for event in client.watch(submitted.job_id):
            story.live.append(event)
            progress.event(step=order.ending is Ending.EXACT and isinstance(event.happening, StepCommitted))
            if again is None:  # a customer who does not trust the first reply
                again = group.create_task(client.submit(order.problem, idempotency_key=order.key, **order.options))
    assert again is not None, f"{order.key} had no events"
    assert again.result().job_id == story.job_id, f"{order.key} was submitted twice and is two jobs"
    return story
