"""Drafting ahead: while the verifier judges a draft, the drafter goes on behind it as if it were accepted.

What is drafted ahead is a guess and never a step. It is used only when its turn comes and it was asked exactly what
would be asked then, so a run commits the same steps with and without it; then the verifier judges it like any other.
Where the path takes another turn, everything ahead is thrown away. What was finished of it is accounted as
CallKind.WASTED with the step that stands instead; a draft that is cut off while it is written has spent tokens too, but
nobody knows how many, and the ledger has none of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self

from ssr.core.errors import SsrError
from ssr.core.run import Run, StepCommitted
from ssr.core.types import Call, CallKind, Options, PathContext, Written

#: What the drafter is asked for the next step of a path, given the run.
Ask = Callable[[Run], tuple[PathContext, Options]]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A draft, and the run that it was written for."""

    run: Run
    path: int
    written: Written

    @property
    def accepted(self) -> Run:
        """The run as it would be if the draft stood as it is."""
        return self.run.apply(StepCommitted(self.path, self.written.step, self.written.calls))


class DraftsAhead:
    """The drafts of one path: each in its turn, and up to `lookahead` behind it.

    `ask` says what the drafter is asked in a run, `goes_on` whether the path takes another step there. An async context
    manager: leaving it ends the drafts that are under way, and what is finished then is not accounted.
    """

    def __init__(
        self,
        lookahead: int,
        write: Callable[[PathContext, Options], Awaitable[Written]],
        ask: Ask,
        goes_on: Callable[[Run], bool],
    ) -> None:
        self._lookahead, self._write, self._ask, self._goes_on = lookahead, write, ask, goes_on
        self._turn: _Draft | None = None
        self._ahead: deque[asyncio.Task[_Draft | None]] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._throw_away()

    async def next(self, run: Run) -> Written:
        """The draft of the path's next step, written ahead or now; behind it, drafting goes on.

        Raises: what the drafter raises. What failed ahead of its turn is tried again first.
        """
        draft = await self._ahead[0] if self._ahead else None
        if draft is None:
            await self._throw_away()
            draft = await self._draft(run)
        else:
            self._ahead.popleft()
        self._turn = draft
        while len(self._ahead) < self._lookahead:
            last = self._ahead[-1] if self._ahead else draft
            self._ahead.append(asyncio.create_task(self._draft_behind(last), name=f"draft-ahead/path-{draft.path}"))
        return draft.written

    async def settle(self, run: Run, committed: StepCommitted) -> tuple[Call, ...]:
        """Keep what is ahead if it goes on from the step that will stand, else throw it away.

        Gives the calls of what was finished and is thrown away.
        """
        if not self._ahead or self._turn is None:
            return ()
        run = run.apply(committed)
        same_end = committed.step.cut == self._turn.written.step.cut  # equal texts may go on differently
        if same_end and self._goes_on(run) and self._ask(run) == self._ask(self._turn.accepted):
            return ()
        return await self._throw_away()

    async def _draft(self, run: Run) -> _Draft:
        context, options = self._ask(run)
        return _Draft(run, context.path, await self._write(context, options))

    async def _draft_behind(self, earlier: _Draft | asyncio.Task[_Draft | None]) -> _Draft | None:
        """The draft behind an earlier one; None where none may follow, or where it fails, which is no failure yet."""
        draft = earlier if isinstance(earlier, _Draft) else await earlier
        if draft is None or not self._goes_on(draft.accepted):
            return None
        with suppress(SsrError):
            return await self._draft(draft.accepted)
        return None

    async def _throw_away(self) -> tuple[Call, ...]:
        for task in self._ahead:
            task.cancel()
        ends = await asyncio.gather(*self._ahead, return_exceptions=True)
        self._ahead.clear()
        drafts = [end.written for end in ends if isinstance(end, _Draft)]
        return tuple(replace(call, kind=CallKind.WASTED) for draft in drafts for call in draft.calls)
