"""How far an evaluation is: a bar with an ETA on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import time
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from ssr_bench.evaluation.record import Record

#: Between two lines where there is no terminal, in seconds.
_LINE_S = 30.0
#: The last so many seconds give the speed: problems differ.
_SPEED_S = 1800.0


class EvaluationProgress:
    """Shows `done` of `total` runs and what is reported others; a context manager."""

    def __init__(self, console: Console, total: int, done: int) -> None:
        self._console, self._total, self._done = console, total, done
        self._first, self._began = done, time.monotonic()
        self._reported, self._right, self._lost = self._began, 0, 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=console,
            speed_estimate_period=_SPEED_S,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("solving", total=total, completed=done)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if not self._console.is_terminal:
            self._line()

    def log(self, record: Record) -> None:
        """One more run has ended."""
        self._lost += record.lost
        self._right += record.correct
        self._done += 1
        lost = f", {self._lost} lost" if self._lost else ""
        description = f"{record.problem_id[-24:]} {record.cell.label}{lost}"
        self._bar.update(self._task, completed=self._done, description=description)
        if not self._console.is_terminal and time.monotonic() - self._reported >= _LINE_S:
            self._line()

    def _line(self) -> None:
        self._reported = time.monotonic()
        ended = self._done - self._first
        left_s = (self._reported - self._began) / ended * (self._total - self._done) if ended else None
        eta = "" if left_s is None else f", ETA {timedelta(seconds=round(left_s))}"
        lost = f", {self._lost} lost" if self._lost else ""
        self._console.print(f"{self._done} of {self._total} runs, {self._right} of {ended} right{lost}{eta}")
