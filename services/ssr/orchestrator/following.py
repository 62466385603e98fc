"""Following a job's events: what is there already, then live, to its last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from ssr.core.job import Event, Finished
from ssr.orchestrator.notices import EVENT, Notices
from ssr.orchestrator.store import JobStore

#: How often a follower looks for events whose notice was lost.
_LOOK_S = 1.0


async def follow(store: JobStore, notices: Notices, job_id: str, cursor: str = "") -> AsyncIterator[Event]:
    """Every event behind `cursor`, in order, each once; ends behind the job's last.

    Raises: NotFound; Unavailable while Redis is away.
    """
    with notices.of(EVENT, job_id) as notice:
        while True:
            notice.clear()
            final = await store.final(job_id)  # asked first: nothing follows the events read after it was
            for event in await store.events(job_id, cursor):
                yield event
                cursor = event.cursor
                final = isinstance(event.happening, Finished)
            if final:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(notice.wait(), _LOOK_S)
