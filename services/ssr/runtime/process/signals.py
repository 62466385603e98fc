"""Being asked to end: SIGTERM (Kubernetes, a parent) and SIGINT (Ctrl-C)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGINT)


def end_early() -> None:
    """Until an event loop takes over, a signal ends the process with code 0, in the middle of its imports.

    Without it the first process of a container would not notice SIGTERM for that time.
    """
    for signum in ENDING:
        signal.signal(signum, _leave)


def _leave(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


@contextmanager
def cancelled_by_signals(
    signals: Sequence[signal.Signals] = ENDING, *, again: Callable[[signal.Signals], object] | None = None
) -> Iterator[None]:
    """While the block runs, a signal cancels the current task; the second and later ones do too, or call `again`."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    asked = False

    def end(signum: signal.Signals) -> None:
        nonlocal asked
        if asked and again is not None:
            again(signum)
        else:
            task.cancel()
        asked = True

    for signum in signals:
        loop.add_signal_handler(signum, end, signum)
    try:
        yield
    finally:
        for signum in signals:
            loop.remove_signal_handler(signum)
