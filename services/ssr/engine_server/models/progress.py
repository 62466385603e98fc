"""Showing how far a pull has come."""

from __future__ import annotations

from typing import Protocol

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as RichBar

#: Without a terminal, a line is written each time another such share of the file is there.
PLAIN_LINE_PERCENT = 10


class PullProgress(Protocol):
    """Informed by a pull of what happens. Calls come from the event loop's thread and must not block."""

    def start(self, name: str, total_bytes: int, done_bytes: int = 0) -> None:
        """`done_bytes` of `total_bytes` are there already. Called again when another source takes over."""
        ...

    def advance(self, count: int) -> None:
        """`count` more bytes are there; negative where an estimate is corrected."""
        ...

    def note(self, text: str) -> None:
        """Something the user may want to know."""
        ...

    def finish(self) -> None:
        """The pull is over, well or not. Also called for a pull that never started."""
        ...


class SilentProgress:
    """Shows nothing."""

    def start(self, name: str, total_bytes: int, done_bytes: int = 0) -> None: ...

    def advance(self, count: int) -> None: ...

    def note(self, text: str) -> None: ...

    def finish(self) -> None: ...


class RichProgress:
    """A bar with bytes, speed and time left on a terminal, plain lines elsewhere (a pod's log)."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._display: _Bar | _Lines | None = None

    def start(self, name: str, total_bytes: int, done_bytes: int = 0) -> None:
        self.finish()
        display = _Bar if self._console.is_terminal else _Lines
        self._display = display(self._console, name, total_bytes, done_bytes)

    def advance(self, count: int) -> None:
        if self._display is not None:
            self._display.advance(count)

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def finish(self) -> None:
        if self._display is not None:
            self._display.close()
            self._display = None


class _Bar:
    """A live bar; notes written to the same console appear above it."""

    def __init__(self, console: Console, name: str, total_bytes: int, done_bytes: int) -> None:
        self._bar = RichBar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task: TaskID = self._bar.add_task(name, total=total_bytes, completed=done_bytes)
        self._bar.start()

    def advance(self, count: int) -> None:
        self._bar.advance(self._task, count)

    def close(self) -> None:
        self._bar.stop()


class _Lines:
    """One line for each tenth of the file."""

    def __init__(self, console: Console, name: str, total_bytes: int, done_bytes: int) -> None:
        self._console = console
        self._name = name
        self._total = total_bytes
        self._done = done_bytes
        self._shown = self._percent()
        self._write()

    def advance(self, count: int) -> None:
        self._done += count
        if self._percent() >= self._shown + PLAIN_LINE_PERCENT:
            self._shown = self._percent() // PLAIN_LINE_PERCENT * PLAIN_LINE_PERCENT
            self._write()

    def close(self) -> None: ...

    def _percent(self) -> int:
        return self._done * 100 // max(self._total, 1)

    def _write(self) -> None:
        line = f"{self._name}: {decimal(self._done)} of {decimal(self._total)} ({self._percent()} %)"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
