"""Following a job: its events, what is there already and then live, or just its end."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ssr.orchestrator.queue.job_store import JobStore
from ssr.orchestrator.queue.wakeups import EVENT, FINISHED, Wakeups
from ssr.runtime.redis.patience import set_within
from ssr.v1.reasoning_pb2 import Event

#: How often a follower looks for what it got no notice of, in seconds.
_LOOK_S = 1.0


async def follow(store: JobStore, wakeups: Wakeups, job_id: str, cursor: str = "") -> AsyncIterator[Event]:
    """Every event behind `cursor`, in order, each once; ends behind the job's last.

    Raises: NotFound; Unavailable while Redis is away.
    """
    with wakeups.of(EVENT, job_id) as wakeup:
        while True:
            wakeup.clear()
            events = await store.events(job_id, cursor)
            for event in events:
                yield event
                cursor = event.cursor
                if event.HasField("finished"):
                    return
            # A cursor behind the last event gets none; and events expire with their job.
            if not events and await store.final(job_id) and not await store.events(job_id, cursor):
                return
            await set_within(wakeup, _LOOK_S)


async def ended(store: JobStore, wakeups: Wakeups, job_id: str) -> None:
    """Wait until the job has ended. Raises: NotFound; Unavailable while Redis is away."""
    with wakeups.of(FINISHED, job_id) as wakeup:
        while True:
            wakeup.clear()
            if await store.final(job_id):
                return
            await set_within(wakeup, _LOOK_S)
