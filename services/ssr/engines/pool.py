"""Many equal replicas of an engine as one `Engine`.

A call waits for a place on a replica (`places`), in the pool and not in an engine. A failed attempt goes to another
replica (`attempts`); the one that failed is left alone for a while (`circuit`), and one that has no room gets fewer
calls at a time (`concurrency`).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Self, TypeVar

from ssr.core.errors import Unavailable
from ssr.engines.attempts import Attempts, PoolLimits
from ssr.engines.base import (
    ANYONE,
    GREEDY,
    ORIGIN,
    ChatMessage,
    Engine,
    EngineInfo,
    Generation,
    Likelihood,
    NextToken,
    Origin,
    Piece,
    Sampling,
)
from ssr.engines.call_observer import CallObserver, EngineCallKind, Unobserved
from ssr.engines.places import Places
from ssr.engines.pool_state import PoolLoad, PoolState
from ssr.engines.replicas import Resolver

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_MAX_BACKOFF_S = 5.0
#: Characters of a prompt for a token; mathematics and its notation have three to four.
_CHARS_PER_TOKEN = 3


def _said(origin: Origin) -> Origin:
    """A call's origin, or that of the task which makes it."""
    return ORIGIN.get() if origin is ANYONE else origin


class EnginePool:
    """An `Engine` over the replicas that `resolver` reports; `connect` makes the client of one from its URL.

    `observer` sees the calls. Use it as a context manager: entering resolves for the first time, leaving closes all
    clients. Calls raise what a single engine raises; `Overloaded` and `Unavailable` only after all attempts, `TimedOut`
    never with a second one.
    """

    def __init__(
        self,
        resolver: Resolver,
        connect: Callable[[str], Engine],
        limits: PoolLimits,
        *,
        observer: CallObserver | None = None,
        rng: random.Random | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolver, self._connect, self._limits = resolver, connect, limits
        self._observer = observer or Unobserved()
        self._places = Places(limits.max_in_flight, limits.timeout_s, now, gathered=limits.gathered)
        self._attempts = Attempts(self._places, limits, self._observer, rng or random.Random(), now)
        self._info: tuple[int, EngineInfo] | None = None  # and the failures of replicas by then
        self._refreshing: asyncio.Task[None] | None = None
        self._tokens_called = 0  # of all calls, waiting and running
        self._generated_tokens = 0

    async def generate(
        self,
        prompt: str,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        sampling: Sampling = GREEDY,
        affinity: str = "",
        origin: Origin = ANYONE,
    ) -> Generation:
        with self._observer.call(EngineCallKind.GENERATE) as span:
            generation, seconds = await self._timed(
                affinity,
                lambda engine: engine.generate(
                    prompt, max_tokens=max_tokens, stop=stop, sampling=sampling, origin=_said(origin)
                ),
                kind=EngineCallKind.GENERATE,
                tokens=len(prompt) // _CHARS_PER_TOKEN + max_tokens,
            )
            span.set(tokens=generation.tokens)
        self._generated_tokens += generation.tokens
        return replace(generation, seconds=seconds)

    async def stream(
        self,
        prompt: str,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        sampling: Sampling = GREEDY,
        affinity: str = "",
        origin: Origin = ANYONE,
    ) -> AsyncGenerator[Piece, None]:
        """See `Engine.stream`."""
        tokens, generated = len(prompt) // _CHARS_PER_TOKEN + max_tokens, 0
        self._tokens_called += tokens
        pieces = self._attempts.stream(
            affinity,
            lambda engine: engine.stream(
                prompt, max_tokens=max_tokens, stop=stop, sampling=sampling, origin=_said(origin)
            ),
            tokens,
        )
        try:
            with self._observer.call(EngineCallKind.STREAM) as span:
                async with aclosing(pieces):
                    async for piece in pieces:
                        self._generated_tokens += piece.tokens - generated
                        generated = piece.tokens
                        span.set(tokens=generated)
                        yield piece
        finally:
            self._tokens_called -= tokens

    async def next_token(
        self, prompt: str, *, top_n: int, answers: Sequence[str] = (), affinity: str = "", origin: Origin = ANYONE
    ) -> NextToken:
        with self._observer.call(EngineCallKind.NEXT_TOKEN):
            token, seconds = await self._timed(
                affinity,
                lambda engine: engine.next_token(prompt, top_n=top_n, answers=answers, origin=_said(origin)),
                kind=EngineCallKind.NEXT_TOKEN,
                tokens=len(prompt) // _CHARS_PER_TOKEN + 1,
            )
        self._generated_tokens += 1
        return replace(token, seconds=seconds)

    async def likelihood(self, prompt: str, text: str, *, affinity: str = "", origin: Origin = ANYONE) -> Likelihood:
        with self._observer.call(EngineCallKind.LIKELIHOOD):
            likelihood, seconds = await self._timed(
                affinity,
                lambda engine: engine.likelihood(prompt, text, origin=_said(origin)),
                kind=EngineCallKind.LIKELIHOOD,
                tokens=(len(prompt) + len(text)) // _CHARS_PER_TOKEN + 1,
            )
        self._generated_tokens += 1
        return replace(likelihood, seconds=seconds)

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        return await self._call(lambda engine: engine.render(messages))

    async def count_tokens(self, text: str) -> int:
        return await self._call(lambda engine: engine.count_tokens(text))

    async def info(self) -> EngineInfo:
        """See `Engine.info`; asked again only when the replicas have changed, as they do when the model does."""
        if self._info is None or self._info[0] != self._attempts.lost:
            info = await self._call(lambda engine: engine.info())
            self._info = (self._attempts.lost, info)
        return self._info[1]

    def snapshot(self) -> PoolState:
        """The pool as it is now."""
        places = self._places
        return PoolState(waiting=places.waiting, running=places.running, replicas=places.states())

    def load(self) -> PoolLoad:
        """The pool's calls in tokens, as they are now."""
        attempts = self._attempts
        waiting = self._tokens_called - attempts.tokens_running
        return PoolLoad(waiting, attempts.tokens_running, self._generated_tokens, attempts.busy_s)

    async def refresh(self) -> None:
        """Brings the replicas up to date: new ones get work from now on, those gone only finish what they run."""
        try:
            urls = await self._resolver.resolve()
        except Unavailable as error:
            _log.warning("keeping the known replicas: %s", error)
            return
        places = self._places
        if places.replicas.keys() != set(urls):
            self._info = None
        for url in [url for url in places.replicas if url not in urls]:
            places.remove(url)
        for url in urls:
            if url not in places.replicas:
                places.add(url, await self._connect(url).__aenter__())
        places.look_who_answers()
        places.seat()
        await self._close_idle()

    async def __aenter__(self) -> Self:
        await self.refresh()
        if self._resolver.changes:
            self._refreshing = asyncio.create_task(self._keep_fresh(), name="engine-pool-refresh")
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._refreshing:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
        self._places.stop()
        for replica in (*self._places.replicas.values(), *self._places.leaving):
            await replica.engine.__aexit__(None, None, None)

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(self._limits.refresh_s)
            try:
                await self.refresh()
            except Exception:
                _log.exception("looking for replicas failed; keeping the known ones")

    async def _close_idle(self) -> None:
        for replica in [replica for replica in self._places.leaving if not replica.running]:
            await replica.engine.__aexit__(None, None, None)
            self._places.leaving.remove(replica)

    async def _call(self, ask: Callable[[Engine], Awaitable[_T]]) -> _T:
        """What costs no tokens."""
        answer, _ = await self._attempts.call("", ask, None, 0)
        return answer

    async def _timed(
        self, affinity: str, ask: Callable[[Engine], Awaitable[_T]], *, kind: EngineCallKind, tokens: int
    ) -> tuple[_T, float]:
        """The answer, and how many seconds a replica took for it."""
        self._tokens_called += tokens
        try:
            return await self._attempts.call(affinity, ask, kind, tokens)
        finally:
            self._tokens_called -= tokens
