"""Runs a command's coroutine: signals cancel it, errors become one line, and the outcome an exit status."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import typer

from ssr.cli.exit_status import ExitStatus, print_error
from ssr.core.errors import SsrError


def run(main: Coroutine[Any, Any, ExitStatus], *, interrupted: str = "interrupted") -> NoReturn:
    """Run `main` to its end and leave with its exit status.

    SIGINT and SIGTERM cancel it, and it has time to clean up; then `interrupted` says what became of its work.
    """
    try:
        status = asyncio.run(_terminable(main))
    except KeyboardInterrupt:
        print_error(interrupted)
        status = ExitStatus.INTERRUPTED
    except asyncio.CancelledError:
        print_error(interrupted)
        status = ExitStatus.TERMINATED
    except SsrError as error:
        status = _report(error)
    except ExceptionGroup as group:
        cause = next(_ssr_errors(group), None)
        if cause is None:
            raise
        status = _report(cause)
    raise typer.Exit(status)


@contextmanager
def refusing() -> Iterator[None]:
    """For reading a command line: an error of ours becomes one line and the exit status, before anything is begun."""
    try:
        yield
    except SsrError as error:
        raise typer.Exit(_report(error)) from error


def _report(error: SsrError) -> ExitStatus:
    print_error(str(error))
    return ExitStatus.of_error(error)


def _ssr_errors(group: BaseExceptionGroup[BaseException]) -> Iterator[SsrError]:
    """The errors of ours in a group of failed tasks."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _ssr_errors(error)
        elif isinstance(error, SsrError):
            yield error


async def _terminable(main: Coroutine[Any, Any, ExitStatus]) -> ExitStatus:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError, RuntimeError, ValueError):  # no such signals here, or not the main thread
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await main
    finally:
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGTERM)
