"""Many equal replicas of an engine as one `Engine`.

A call waits for a place on a replica (`places`), in the pool and not in an engine. A failed attempt goes to another
replica; the one that failed is left alone for a while (`circuit`), and one that has no room gets fewer calls at a time
(`concurrency`).
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, closing, contextmanager
from dataclasses import dataclass
from typing import Self, TypeVar

from ssr.core.errors import BadReply, NoEngine, Overloaded, Permanent, SsrError, TimedOut, Unavailable
from ssr.core.retry import Backoff, FailuresInARow
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
from ssr.engines.places import Places, Replica
from ssr.engines.pool_state import PoolLoad, PoolState
from ssr.engines.replicas import Resolver
from ssr.engines.time_limit import TimeLimit

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_MAX_BACKOFF_S = 5.0
#: Characters of a prompt for a token; mathematics and its notation have three to four.
_CHARS_PER_TOKEN = 3


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How much a pool asks of its replicas.

    `max_in_flight` calls a replica; `attempts` for a call, the second after a pause of `backoff_s` (see `Backoff`);
    `timeout_s` for a call with all its waiting and attempts; `refresh_s` between looks at which replicas there are.
    `gathered`: the paths of a job prefer one replica (see `routing`).
    """

    max_in_flight: int = 64
    attempts: int = 3
    timeout_s: float = 120.0
    backoff_s: float = 0.05
    refresh_s: float = 5.0
    gathered: bool = False


def _said(origin: Origin) -> Origin:
    """A call's origin, or that of the task which makes it."""
    return ORIGIN.get() if origin is ANYONE else origin


class EnginePool:
    """An `Engine` over the replicas that `resolver` reports; `connect` makes the client of one from its URL.

    Use it as a context manager: entering resolves for the first time, leaving closes all clients. Calls raise what a
    single engine raises; `Overloaded` and `Unavailable` only after all attempts, `TimedOut` never with a second one.
    """

    def __init__(
        self,
        resolver: Resolver,
        connect: Callable[[str], Engine],
        limits: PoolLimits,
        *,
        rng: random.Random | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolver, self._connect, self._limits = resolver, connect, limits
        self._rng, self._now = rng or random.Random(), now
        self._places = Places(limits.max_in_flight, limits.timeout_s, now, gathered=limits.gathered)
        self._info: EngineInfo | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._tokens_called = 0  # of all calls, waiting and running
        self._tokens_running = 0
        self._generated_tokens = 0
        self._busy_s = 0.0

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
        generation = await self._call(
            affinity,
            lambda engine: engine.generate(
                prompt, max_tokens=max_tokens, stop=stop, sampling=sampling, origin=_said(origin)
            ),
            tokens=len(prompt) // _CHARS_PER_TOKEN + max_tokens,
        )
        self._generated_tokens += generation.tokens
        return generation

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
        pieces = self._streamed(
            affinity,
            lambda engine: engine.stream(
                prompt, max_tokens=max_tokens, stop=stop, sampling=sampling, origin=_said(origin)
            ),
            tokens,
        )
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    self._generated_tokens += piece.tokens - generated
                    generated = piece.tokens
                    yield piece
        finally:
            self._tokens_called -= tokens

    async def next_token(
        self, prompt: str, *, top_n: int, answers: Sequence[str] = (), affinity: str = "", origin: Origin = ANYONE
    ) -> NextToken:
        token = await self._call(
            affinity,
            lambda engine: engine.next_token(prompt, top_n=top_n, answers=answers, origin=_said(origin)),
            tokens=len(prompt) // _CHARS_PER_TOKEN + 1,
        )
        self._generated_tokens += 1
        return token

    async def likelihood(self, prompt: str, text: str, *, affinity: str = "", origin: Origin = ANYONE) -> Likelihood:
        likelihood = await self._call(
            affinity,
            lambda engine: engine.likelihood(prompt, text, origin=_said(origin)),
            tokens=(len(prompt) + len(text)) // _CHARS_PER_TOKEN + 1,
        )
        self._generated_tokens += 1
        return likelihood

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        return await self._call("", lambda engine: engine.render(messages))

    async def count_tokens(self, text: str) -> int:
        return await self._call("", lambda engine: engine.count_tokens(text))

    async def info(self) -> EngineInfo:
        """See `Engine.info`; asked again only when the replicas have changed, as they do when the model does."""
        if self._info is None:
            self._info = await self._call("", lambda engine: engine.info())
        return self._info

    def snapshot(self) -> PoolState:
        """The pool as it is now."""
        places = self._places
        return PoolState(waiting=places.waiting, running=places.running, replicas=places.states())

    def load(self) -> PoolLoad:
        """The pool's calls in tokens, as they are now."""
        waiting = self._tokens_called - self._tokens_running
        return PoolLoad(waiting, self._tokens_running, self._generated_tokens, self._busy_s)

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

    async def _call(self, affinity: str, ask: Callable[[Engine], Awaitable[_T]], *, tokens: int = 0) -> _T:
        self._tokens_called += tokens
        try:
            return await self._attempts(affinity, ask, tokens)
        finally:
            self._tokens_called -= tokens

    async def _attempts(self, affinity: str, ask: Callable[[Engine], Awaitable[_T]], tokens: int) -> _T:
        deadline = asyncio.get_running_loop().time() + self._limits.timeout_s
        tried, failures, priority = list[str](), self._failures(deadline), ORIGIN.get().priority
        while True:
            replica = await self._places.take(affinity, tried, deadline, priority)
            tried.append(replica.url)
            self._tokens_running += tokens
            try:
                return await self._ask(replica, ask, deadline)
            except (Overloaded, Unavailable, BadReply) as error:  # garbage, too, may be this replica's alone
                pause = failures.failed(asyncio.get_running_loop().time())
                if pause is None:
                    raise self._last(error) from error
            finally:
                self._tokens_running -= tokens
                self._places.give_back(replica, priority)
            await asyncio.sleep(pause)

    def _failures(self, deadline: float) -> FailuresInARow:
        """What a replica asks for is its own pause (`places`): the call may go elsewhere at once."""
        limits = self._limits
        backoff = Backoff(limits.backoff_s, _MAX_BACKOFF_S, patience_s=math.inf, attempts=limits.attempts)
        return FailuresInARow(backoff, deadline, dice=self._rng.random)

    async def _streamed(
        self, affinity: str, open_stream: Callable[[Engine], AsyncGenerator[Piece, None]], tokens: int
    ) -> AsyncGenerator[Piece, None]:
        """As `_attempts`, until a piece has a text: another replica would not go on with the same words."""
        deadline = asyncio.get_running_loop().time() + self._limits.timeout_s
        tried, failures, priority = list[str](), self._failures(deadline), ORIGIN.get().priority
        while True:
            replica = await self._places.take(affinity, tried, deadline, priority)
            tried.append(replica.url)
            self._tokens_running += tokens
            begun = False
            try:
                async with aclosing(self._pieces(replica, open_stream, deadline)) as pieces:
                    async for piece in pieces:
                        begun = begun or bool(piece.text)
                        if begun or piece.end is not None:
                            yield piece
                return
            except (Overloaded, Unavailable, BadReply) as error:
                pause = failures.failed(asyncio.get_running_loop().time())
                if begun or pause is None:
                    raise self._last(error) from error
            finally:
                self._tokens_running -= tokens
                self._places.give_back(replica, priority)
            await asyncio.sleep(pause)

    async def _pieces(
        self, replica: Replica, open_stream: Callable[[Engine], AsyncGenerator[Piece, None]], deadline: float
    ) -> AsyncGenerator[Piece, None]:
        """One attempt at a stream; what comes of it is noted in the replica's circuit."""
        loop, limit, until, answered = asyncio.get_running_loop(), TimeLimit(), deadline, False
        since = loop.time()
        with self._noted(replica, deadline), closing(limit):
            async with aclosing(open_stream(replica.engine)) as pieces:
                while (piece := await limit.within(anext(pieces, None), until)) is not None:
                    if not answered:
                        self._answered(replica)  # even if the reader has enough before the end
                        answered = True
                    # With the tokens that came of it: most streams are closed before their end.
                    self._busy_s += loop.time() - since
                    since = loop.time()
                    until = since + self._limits.timeout_s
                    yield piece

    async def _ask(self, replica: Replica, ask: Callable[[Engine], Awaitable[_T]], deadline: float) -> _T:
        """One attempt; what comes of it is noted in the replica's circuit."""
        started = asyncio.get_running_loop().time()
        with self._noted(replica, deadline):
            async with asyncio.timeout_at(deadline):
                answer = await ask(replica.engine)
        self._busy_s += asyncio.get_running_loop().time() - started
        return answer

    @contextmanager
    def _noted(self, replica: Replica, deadline: float) -> Iterator[None]:
        started, since = asyncio.get_running_loop().time(), self._now()
        try:
            yield
        except TimeoutError as error:
            if deadline - started < self._limits.timeout_s / 2:
                replica.circuit.abandoned()  # it came late out of the queue: that says nothing about the replica
            else:
                replica.failed(error, self._now())
            raise TimedOut(f"{replica.url} did not answer within the {self._limits.timeout_s:g} s of a call") from error
        except Overloaded as error:
            replica.refused(error, self._now(), since)
            raise
        except (Unavailable, TimedOut, BadReply) as error:
            replica.failed(error, self._now())
            self._info = None  # whoever comes back there may serve another model
            self._places.look_who_answers()
            raise
        except Permanent:
            replica.succeeded()
            raise
        except BaseException:
            replica.circuit.abandoned()
            raise
        else:
            self._answered(replica)

    def _answered(self, replica: Replica) -> None:
        replica.succeeded()
        if self._places.away:
            self._places.look_who_answers()

    def _last(self, error: SsrError) -> SsrError:
        """What a call that is not tried again ends with. One replica out of reach is no missing pool."""
        return Unavailable(str(error)) if isinstance(error, NoEngine) and not self._places.absent else error
