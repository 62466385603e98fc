"""`Equivalence` by math-verify: spelling first, then a worker process that may hang or die without harm."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Self

from ssr.core.errors import TimedOut, Unavailable
from ssr.orchestrator.equivalence.notation import aligned, normalise, same_text, settled
from ssr.orchestrator.equivalence.process import WORKER_COMMAND, WorkerProcess

logger = logging.getLogger(__name__)

#: Longer answers are prose or a runaway generation; they are compared as text.
MAX_ANSWER_CHARS = 500

_ATTEMPTS = 2  # the second one with a fresh process
_START_PAUSE_S = 30.0  # after a failed start, so that not every question waits for the next one


class MathVerifyEquivalence:
    """Decides with math-verify whether answers are equal; implements `ssr.core.answers.Equivalence`.

    An async context manager that owns one worker process, started at the first question that needs it (or by
    `warm`). Questions are answered in turn, so any number of callers may ask at once. A question gets `limit_s`
    seconds of the worker, waiting and start-up (`start_limit_s`) not counted; past them, or when the worker dies
    over it twice, the answers are compared as normalised text. The last `cache_size` verdicts are remembered.
    """

    def __init__(
        self,
        *,
        limit_s: float = 5.0,
        start_limit_s: float = 30.0,
        cache_size: int = 4096,
        command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        self._limit_s = limit_s
        self._start_limit_s = start_limit_s
        self._cache_size = cache_size
        self._command = tuple(command)
        self._verdicts: OrderedDict[tuple[str, str], bool] = OrderedDict()
        self._turn = asyncio.Lock()
        self._worker: WorkerProcess | None = None
        self._no_start_before = 0.0  # loop time
        self._open = False

    async def __aenter__(self) -> Self:
        self._open = True
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._open = False
        await self._drop()

    async def warm(self) -> None:
        """Start the worker now. Raises `Unavailable` when that fails; `same` then still works, on text."""
        async with self._turn:
            await self._ready_worker()

    async def same(self, a: str, b: str) -> bool:
        """Whether two answers are the same mathematics. Never fails: without a worker, text decides."""
        if max(len(a), len(b)) > MAX_ANSWER_CHARS:
            return same_text(a, b)
        first, second = sorted((normalise(a), normalise(b)))
        verdict = settled(first, second)
        if verdict is not None:
            return verdict
        question = aligned(first, second)
        known = self._recalled(question)
        if known is not None:
            return known
        async with self._turn:
            known = self._recalled(question)  # the caller before us may have asked the same
            return await self._judged(*question) if known is None else known

    async def _judged(self, a: str, b: str) -> bool:
        for _ in range(_ATTEMPTS):
            try:
                worker = await self._ready_worker()
            except Unavailable as error:
                logger.warning("Comparing %r and %r as text: %s", a, b, error)
                return same_text(a, b)
            try:
                return self._remembered((a, b), await worker.ask(a, b, limit_s=self._limit_s))
            except TimedOut:
                logger.info("Comparing %r and %r as text: no verdict within %g s", a, b, self._limit_s)
                await self._drop()
                break
            except Unavailable as error:
                logger.warning("Restarting the equivalence worker over %r and %r: %s", a, b, error)
                await self._drop()
        # Remembered as well: what hung or killed the worker would do so again.
        return self._remembered((a, b), same_text(a, b))

    async def _ready_worker(self) -> WorkerProcess:
        """The worker, owing nobody a reply. Raises `Unavailable` when there is none and none can be started."""
        if self._worker is not None:
            try:
                await self._worker.settle()
            except (TimedOut, Unavailable):
                await self._drop()
        if self._worker is None:
            self._worker = await self._started()
            if not self._open:  # closed while it started
                await self._drop()
                raise Unavailable("the equivalence checker was closed")
        return self._worker

    async def _started(self) -> WorkerProcess:
        loop = asyncio.get_running_loop()
        if not self._open:
            raise Unavailable("the equivalence checker is closed: use it inside its `async with`")
        if loop.time() < self._no_start_before:
            raise Unavailable(f"the equivalence worker failed to start less than {_START_PAUSE_S:g} s ago")
        try:
            return await WorkerProcess.start(self._command, limit_s=self._start_limit_s)
        except Unavailable:
            self._no_start_before = loop.time() + _START_PAUSE_S
            raise

    async def _drop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.kill()

    def _recalled(self, question: tuple[str, str]) -> bool | None:
        if question in self._verdicts:
            self._verdicts.move_to_end(question)
        return self._verdicts.get(question)

    def _remembered(self, question: tuple[str, str], verdict: bool) -> bool:
        self._verdicts[question] = verdict
        if len(self._verdicts) > self._cache_size:
            self._verdicts.popitem(last=False)
        return verdict
