"""Following a job: its events, what is there already and then live, or just its end."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ssr.core.retry import Backoff
from ssr.orchestrator.queue.followers import Followers
from ssr.orchestrator.queue.job_reader import EVENTS_AT_ONCE, JobReader
from ssr.orchestrator.queue.wakeups import FINISHED, Wakeups
from ssr.runtime.redis.patience import set_within
from ssr.v1.reasoning_pb2 import Event

#: How long a follower waits for a wake-up before it looks for itself: about a second at first, and longer as long as
#: nothing comes. They are seldom lost, and a thousand followers of silent jobs must cost next to nothing.
_LOOKS = Backoff(first_s=0.8, max_s=24.0)


async def follow(store: JobReader, followers: Followers, job_id: str, cursor: str = "") -> AsyncIterator[Event]:
    """Every event behind `cursor`, in order, each once; ends behind the job's last.

    Raises: NotFound; Unavailable while Redis is away.
    """
    silent = 0
    with followers.following(job_id) as here:
        while True:
            here.news.clear()
            looks, here.look = here.look, False
            events = await store.events(job_id, cursor) if looks else here.behind(cursor)
            if looks or events:
                silent = 0 if events else silent + 1
            for event in events:
                yield event
                cursor = event.cursor
                if event.HasField("finished"):
                    return
            # A cursor behind the last event gets none; and events expire with their job.
            if looks and not events and await store.final(job_id) and not await store.events(job_id, cursor):
                return
            if len(events) == EVENTS_AT_ONCE:
                here.look = True
            elif not here.look:
                await set_within(here.news, _LOOKS.pause_s(silent, 0.0))
                here.look = here.look or not here.news.is_set()  # the time has come


async def ended(store: JobReader, wakeups: Wakeups, job_id: str) -> None:
    """Wait until the job has ended. Raises: NotFound; Unavailable while Redis is away."""
    silent = 0
    with wakeups.of(FINISHED, job_id) as wakeup:
        while True:
            wakeup.clear()
            if await store.final(job_id):
                return
            await set_within(wakeup, _LOOKS.pause_s(silent, 0.0))
            silent += 1
