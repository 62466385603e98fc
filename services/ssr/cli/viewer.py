"""Shows a job's events as they come: live on a terminal, in plain lines elsewhere, or not at all."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from rich.console import Console, RenderableType
from rich.live import Live

from ssr.cli.display import render
from ssr.cli.job_view import JobView
from ssr.cli.plain_lines import lines_of
from ssr.core.errors import BadReply
from ssr.core.job import Event, Finished, Job

_REFRESH_PER_S = 4


class Viewer(Protocol):
    """Shows events from a job's beginning; gives back the finished job (without its steps), or None."""

    async def show(self, events: AsyncIterator[Event], view: JobView) -> Job | None: ...


def viewer_for(console: Console, *, live: bool = True, lines: bool = True) -> Viewer:
    """What suits the console. `live` False keeps to lines on a terminal; `lines` False shows nothing elsewhere."""
    if console.is_terminal and live:
        return LiveViewer(console)
    return LineViewer(console) if lines or console.is_terminal else SilentViewer()


async def show_to_end(events: AsyncGenerator[Event], viewer: Viewer, view: JobView) -> Job:
    """Show a job's events and close them; gives back the finished job (without its steps).

    Raises: BadReply when the events end before the job does; what `events` raises.
    """
    async with aclosing(events):
        job = await viewer.show(events, view)
    if job is None:
        raise BadReply("the job's events ended before the job did")
    return job


class LiveViewer:
    """Redraws the job in place, and leaves its last state on the terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    async def show(self, events: AsyncIterator[Event], view: JobView) -> Job | None:
        began = time.monotonic()

        def frame() -> RenderableType:  # called by the refreshing thread
            current = replace(view, elapsed_s=time.monotonic() - began)
            return render(current, self._console.width, self._console.height - 1)

        with Live(get_renderable=frame, console=self._console, refresh_per_second=_REFRESH_PER_S):
            async for event in events:
                view = view.after(event)
        return view.job


class LineViewer:
    """Prints lines that are never redrawn."""

    def __init__(self, console: Console) -> None:
        self._console = console

    async def show(self, events: AsyncIterator[Event], view: JobView) -> Job | None:
        job = None
        began = time.monotonic()
        async for event in events:
            for line in lines_of(event):
                self._console.print(
                    f"{time.monotonic() - began:7.1f} s  {line}", markup=False, highlight=False, soft_wrap=True
                )
            job = event.happening.job if isinstance(event.happening, Finished) else job
        return job


class SilentViewer:
    """Shows nothing."""

    async def show(self, events: AsyncIterator[Event], view: JobView) -> Job | None:
        job = None
        async for event in events:
            job = event.happening.job if isinstance(event.happening, Finished) else job
        return job
