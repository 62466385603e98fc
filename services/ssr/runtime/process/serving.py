"""One service as a process: it says when it serves, and ends in order when it is asked to."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import uvloop

from ssr.core.errors import single_error
from ssr.runtime.process.logs import log_to_stderr
from ssr.runtime.process.signals import cancelled_by_signals
from ssr.runtime.settings import ServiceSettings

Settings = TypeVar("Settings", bound=ServiceSettings)

#: Serves while the block runs, on the port it yields.
Running = Callable[[Settings], AbstractAsyncContextManager[int]]

#: Of gc.set_threshold. What a service allocates lives as long as a call, and most of it is freed without the collector,
#: which at Python's own 700 still went through all calls in flight, again and again: 7 % of a step's CPU time.
_GC_THRESHOLDS = (5_000, 10, 10)


def run_service(name: str, running: Running[Settings], settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; what is in hand then has the settings' grace. A second signal ends at once.

    Raises: what `running` raises; the SsrError alone where it came from a group of tasks.
    """
    log_to_stderr(settings.log_level, settings.log_format, service=name, texts=settings.log_texts)
    gc.freeze()  # what the imports have made stays for good
    gc.set_threshold(*_GC_THRESHOLDS)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(name, running, settings))
    except BaseExceptionGroup as group:
        raise single_error(group) from None


async def _serve(name: str, running: Running[Settings], settings: Settings) -> None:
    try:
        with cancelled_by_signals(again=_exit_now):
            async with running(settings) as port:
                _announce(f"ready: {name} on {settings.host}:{port}")
                await asyncio.Event().wait()
    except asyncio.CancelledError:  # a signal: this is the orderly end
        return


def _exit_now(signum: signal.Signals) -> None:
    os._exit(128 + signum)


def _announce(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - for whoever waits for this process
