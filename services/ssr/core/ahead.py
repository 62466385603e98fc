"""Drafting ahead: the drafts of a path are one stream, which goes on while the verifier judges what is complete of it.

What is drafted ahead is a guess and never a step. It is used only when its turn comes and it was asked exactly what
would be asked then, so a run commits the same steps with and without it; then the verifier judges it like any other.
Accepted, nothing begins anew, unless drafts come sooner than verdicts: then each is asked for alone (`Pacing`). Where
the path takes another turn, the stream is closed as soon as that is known, and another one opened behind the rewrite.
What is thrown away is accounted as CallKind.WASTED with the step that stands instead: whole steps as their engine
counted them, and the beginning of one at the pace of those before it, because nobody counts it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Self

from ssr.core.errors import BadReply
from ssr.core.lookahead import Pacing
from ssr.core.path_stream import Ask, OpenStream
from ssr.core.run import Run, StepCommitted
from ssr.core.stages import OnRejected, Written, unheard
from ssr.core.types import Call, CallKind


@dataclass(frozen=True, slots=True)
class _Draft:
    """A draft, the run that it was written for, and the run as it would be if it stood as it is."""

    run: Run
    written: Written
    accepted: Run


class _Pace:
    """How fast a path's drafts come, and how long the one in the making takes by now; seconds of the loop's clock."""

    def __init__(self) -> None:
        self._tokens, self._seconds, self._since = 0, 0.0, 0.0
        self.continued = False  #: whether the stream has given a step

    def begin(self) -> None:
        self._since, self.continued = asyncio.get_running_loop().time(), False

    def came(self, tokens: int) -> None:
        now = asyncio.get_running_loop().time()
        self._tokens, self._seconds = self._tokens + tokens, self._seconds + now - self._since
        self._since, self.continued = now, True

    def begun(self, most: int) -> int:
        """Tokens of the step in the making."""
        if not self._seconds:
            return 0
        return min(most, round(self.begun_s * self._tokens / self._seconds))

    @property
    def begun_s(self) -> float:
        """Seconds since the last step came, or the stream was opened."""
        return asyncio.get_running_loop().time() - self._since


class DraftsAhead:
    """The drafts of one path: each in its turn, and up to `depth` behind it (0: drafting waits for the verdict).

    `ask` says what the drafter is asked in a run, `goes_on` whether the path takes another step there; `pacing` is what
    all paths know. An async context manager: leaving it ends the drafting, and what has come of it then is not
    accounted.
    """

    def __init__(
        self,
        open_stream: OpenStream,
        ask: Ask,
        goes_on: Callable[[Run], bool],
        depth: Callable[[], int],
        pacing: Pacing,
    ) -> None:
        self._open, self._ask, self._goes_on, self._depth, self._pacing = open_stream, ask, goes_on, depth, pacing
        self._turn: _Draft | None = None
        self._unsettled: Written | None = None  # the draft whose turn it is, until what stands in its place is known
        self._judging = False  # whether the draft whose turn it is has been given out
        self._given = 0.0  # when it was, by the loop's clock
        self._rejected = False
        self._ready: deque[_Draft] = deque()
        self._drafting: asyncio.Task[None] | None = None
        self._error: Exception | None = None
        self._news = asyncio.Event()
        self._pace = _Pace()
        self._begun_tokens, self._begun_s = 0, 0.0  # of a draft that was cut off

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stop()

    async def next(self, run: Run) -> Written:
        """The draft of the path's next step, written ahead or now; behind it, drafting goes on.

        Raises: what the drafter raises. What failed ahead of its turn is tried again first.
        """
        loop, awaited = asyncio.get_running_loop(), self._judging and (self._ready or self._drafting is not None)
        began = loop.time()
        self._judging = self._rejected = asked = False
        while not self._ready:
            if self._drafting is None:
                if asked:
                    raise self._error or BadReply("a stream of drafts ended without one")
                self._draft_from(run)
                asked = True
            self._news.clear()
            await self._news.wait()
        self._turn, self._judging, came = self._ready.popleft(), True, loop.time()
        if awaited:
            self._pacing.waited(came - began, began - self._given)
        self._given, self._unsettled = came, self._turn.written
        await self._go_on(self._turn)
        return self._turn.written

    @property
    def on_rejected(self) -> OnRejected:
        """What awaits that the draft whose turn it is will be rewritten: drafting behind it ends then.

        `unheard` where nothing is drafted that would still be under way.
        """
        return unheard if self._drafting is None or self._pacing.outrun else self._reject

    async def _reject(self) -> None:
        self._rejected = True
        self._cut_off()

    async def settle(self, run: Run, committed: StepCommitted) -> tuple[Call, ...]:
        """Keep what is ahead if it goes on from the step that will stand, else throw it away.

        Gives the calls of what is thrown away.
        """
        assert self._turn is not None
        self._unsettled = None
        if not self._ready and self._drafting is None and not self._rejected:
            return ()
        run = run.apply(committed)
        same_end = committed.step.cut == self._turn.written.step.cut  # equal texts may go on differently
        if not self._rejected and same_end and self._goes_on(run) and self._ask(run) == self._ask(self._turn.accepted):
            return ()
        return await self._throw_away(self._turn.written)

    async def abandoned(self) -> tuple[Call, ...]:
        """The path ends although a draft has no verdict: the calls for it and for what is ahead, all thrown away."""
        if (draft := self._unsettled) is None:
            return ()
        self._unsettled = None
        own = tuple(replace(call, kind=CallKind.WASTED) for call in draft.calls)
        return (*own, *await self._throw_away(draft))

    async def _go_on(self, turn: _Draft) -> None:
        """Drafting goes on behind the draft whose turn it is, as far as it may."""
        depth = self._depth()
        if not depth:
            await self._stop()
        elif self._drafting is None and len(self._ready) < depth:
            last = self._ready[-1] if self._ready else turn
            if self._goes_on(last.accepted):
                self._draft_from(last.accepted)

    def _draft_from(self, run: Run) -> None:
        context, _ = self._ask(run)
        self._error = None
        self._drafting = asyncio.create_task(self._draft(run, context.path), name=f"drafts/path-{context.path}")

    async def _draft(self, run: Run, path: int) -> None:
        """Draft from `run` on, until enough is ahead or the path would end."""
        try:
            self._pace.begin()
            most = 0 if self._depth() and not self._pacing.outrun else 1
            async with aclosing(self._open(*self._ask(run), most=most)) as steps:
                async for written in steps:
                    draft = _Draft(run, written, run.apply(StepCommitted(path, written.step, written.calls)))
                    self._pace.came(written.step.tokens)
                    self._ready.append(draft)
                    self._news.set()
                    run = draft.accepted
                    ahead = len(self._ready) - (not self._judging)
                    if not self._goes_on(run):
                        return
                    if ahead >= self._depth():
                        if ahead:
                            self._pacing.far_enough()
                        return
        except Exception as error:  # no failure until it is its turn
            self._error = error
        finally:
            self._drafting = None
            self._news.set()

    def _cut_off(self) -> None:
        if self._drafting is not None and not self._drafting.cancelling():
            assert self._turn is not None
            self._begun_tokens = self._pace.begun(self._ask(self._turn.run)[1].max_step_tokens)
            self._begun_s = self._pace.begun_s
            self._drafting.cancel()

    async def _stop(self) -> None:
        if (drafting := self._drafting) is not None:
            drafting.cancel()
            await asyncio.gather(drafting, return_exceptions=True)
            self._drafting = None

    async def _throw_away(self, turn: Written) -> tuple[Call, ...]:
        self._cut_off()
        await self._stop()
        wasted = [replace(call, kind=CallKind.WASTED) for draft in self._ready for call in draft.written.calls]
        if self._begun_tokens and turn.calls:
            of_draft = turn.calls[-1]
            begun = Call(CallKind.WASTED, of_draft.model, of_draft.parameters, 0, 0, self._begun_tokens)
            seconds = None if of_draft.engine_s is None else self._begun_s
            wasted.append(replace(begun, continued=self._pace.continued, engine_s=seconds))
        self._ready.clear()
        self._begun_tokens = 0
        return tuple(wasted)
