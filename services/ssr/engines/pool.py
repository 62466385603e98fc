"""Many equal replicas of an engine as one `Engine`.

A call waits here, not in an engine, until a replica has room: the wait is fair (first come, first served, and batch
work behind the rest; `waiting.py`), can be seen (`EnginePool.snapshot`) and is left by cancelling. A failed attempt
goes to another replica; the one that failed is left alone for a while (`circuit.py`).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Self, TypeVar

from ssr.core.errors import BadReply, NoEngine, Overloaded, Permanent, SsrError, TimedOut, Unavailable
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
from ssr.engines.circuit import Circuit
from ssr.engines.pool_state import PoolLoad, PoolState, ReplicaState
from ssr.engines.replicas import Resolver
from ssr.engines.routing import choose
from ssr.engines.waiting import WaitingCalls

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_MAX_BACKOFF_S = 5.0
#: How long a call waits for a pool without any engine before it is answered so; whoever made it may wait on.
_NO_ENGINE_S = 5.0
#: The shortest wait for a replica. A loop whose timers count milliseconds (uvloop) comes up to one early, and would
#: come again and again until the moment is there.
_NAP_S = 0.001
#: Characters of a prompt for a token; mathematics and its notation have three to four.
_CHARS_PER_TOKEN = 3


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How much a pool asks of its replicas.

    `max_in_flight` calls a replica; `attempts` for a call, each after a random part of `backoff_s`, doubled every time;
    `timeout_s` for a call with all its waiting and attempts; `refresh_s` between looks at which replicas there are.
    """

    max_in_flight: int = 64
    attempts: int = 3
    timeout_s: float = 120.0
    backoff_s: float = 0.1
    refresh_s: float = 5.0


@dataclass(slots=True, eq=False)
class _Replica:
    url: str
    engine: Engine
    running: int = 0
    circuit: Circuit = field(default_factory=Circuit)


@dataclass(slots=True, eq=False)
class _Waiter:
    affinity: str
    tried: Sequence[str]
    place: asyncio.Future[_Replica]
    priority: int


def _said(origin: Origin) -> Origin:
    """A call's origin, or that of the task which makes it."""
    return ORIGIN.get() if origin is ANYONE else origin


class EnginePool:
    """An `Engine` over the replicas that `resolver` tells; `connect` makes the client of one from its URL.

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
        self._replicas: dict[str, _Replica] = {}
        self._leaving: list[_Replica] = []
        self._waiters: WaitingCalls[_Waiter] = WaitingCalls()
        self._info: EngineInfo | None = None
        self._wake_up: asyncio.TimerHandle | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._tokens_called = 0  # of all calls, waiting and running
        self._tokens_running = 0
        self._generated_tokens = 0
        self._busy_s = 0.0
        self._away = False  # no replica answers, and that is in the log

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

    async def next_token(self, prompt: str, *, top_n: int, affinity: str = "", origin: Origin = ANYONE) -> NextToken:
        token = await self._call(
            affinity,
            lambda engine: engine.next_token(prompt, top_n=top_n, origin=_said(origin)),
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
        now = self._now()
        states = tuple(
            ReplicaState(r.url, r.running, r.circuit.allows(now), r.circuit.failures > 0)
            for r in self._replicas.values()
        )
        running = sum(r.running for r in (*self._replicas.values(), *self._leaving))
        return PoolState(waiting=len(self._waiters), running=running, replicas=states)

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
        if self._replicas.keys() != set(urls):
            self._info = None
        for url in [url for url in self._replicas if url not in urls]:
            self._leaving.append(self._replicas.pop(url))
        for url in urls:
            if url not in self._replicas:
                self._replicas[url] = _Replica(url, await self._connect(url).__aenter__())
        self._look_who_answers()
        self._seat()
        await self._close_idle()

    def _look_who_answers(self) -> None:
        """One line of the log when the last replica is gone or fails, and one when a replica is there again."""
        known = len(self._replicas)
        away = all(replica.circuit.failures for replica in self._replicas.values())
        if away and not self._away:
            _log.warning("the pool has no engine, and calls wait: %d known, none answers", known)
        elif self._away and not away:
            _log.info("the pool has an engine again: %d known", known)
        self._away = away

    async def __aenter__(self) -> Self:
        await self.refresh()
        if self._resolver.changes:
            self._refreshing = asyncio.create_task(self._keep_fresh(), name="engine-pool-refresh")
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._refreshing:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
        if self._wake_up:
            self._wake_up.cancel()
        for replica in (*self._replicas.values(), *self._leaving):
            await replica.engine.__aexit__(None, None, None)

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(self._limits.refresh_s)
            try:
                await self.refresh()
            except Exception:
                _log.exception("looking for replicas failed; keeping the known ones")

    async def _close_idle(self) -> None:
        for replica in [replica for replica in self._leaving if not replica.running]:
            await replica.engine.__aexit__(None, None, None)
            self._leaving.remove(replica)

    async def _call(self, affinity: str, ask: Callable[[Engine], Awaitable[_T]], *, tokens: int = 0) -> _T:
        self._tokens_called += tokens
        try:
            return await self._attempts(affinity, ask, tokens)
        finally:
            self._tokens_called -= tokens

    async def _attempts(self, affinity: str, ask: Callable[[Engine], Awaitable[_T]], tokens: int) -> _T:
        deadline = asyncio.get_running_loop().time() + self._limits.timeout_s
        tried: list[str] = []
        while True:
            replica = await self._place(affinity, tried, deadline)
            tried.append(replica.url)
            self._tokens_running += tokens
            try:
                return await self._ask(replica, ask, deadline)
            except (Overloaded, Unavailable, BadReply) as error:  # garbage, too, may be this replica's alone
                pause = self._backoff_s(len(tried))
                if len(tried) >= self._limits.attempts or asyncio.get_running_loop().time() + pause >= deadline:
                    raise self._last(error) from error
            finally:
                self._tokens_running -= tokens
                self._vacate(replica)
            await asyncio.sleep(pause)

    def _backoff_s(self, attempt: int) -> float:
        return self._rng.uniform(0, min(_MAX_BACKOFF_S, self._limits.backoff_s * 2.0 ** (attempt - 1)))

    async def _streamed(
        self, affinity: str, open_stream: Callable[[Engine], AsyncGenerator[Piece, None]], tokens: int
    ) -> AsyncGenerator[Piece, None]:
        """As `_attempts`, until a piece has a text: another replica would not go on with the same words."""
        deadline = asyncio.get_running_loop().time() + self._limits.timeout_s
        tried: list[str] = []
        while True:
            replica = await self._place(affinity, tried, deadline)
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
                pause = self._backoff_s(len(tried))
                late = asyncio.get_running_loop().time() + pause >= deadline
                if begun or late or len(tried) >= self._limits.attempts:
                    raise self._last(error) from error
            finally:
                self._tokens_running -= tokens
                self._vacate(replica)
            await asyncio.sleep(pause)

    async def _pieces(
        self, replica: _Replica, open_stream: Callable[[Engine], AsyncGenerator[Piece, None]], deadline: float
    ) -> AsyncGenerator[Piece, None]:
        """One attempt at a stream; what comes of it is noted in the replica's circuit."""
        loop, limit = asyncio.get_running_loop(), deadline
        with self._noted(replica, deadline):
            async with aclosing(open_stream(replica.engine)) as pieces:
                while True:
                    async with asyncio.timeout_at(limit):
                        piece = await anext(pieces, None)
                    if piece is None:
                        return
                    self._answered(replica)  # even if the reader has enough before the end
                    limit = loop.time() + self._limits.timeout_s
                    yield piece

    async def _ask(self, replica: _Replica, ask: Callable[[Engine], Awaitable[_T]], deadline: float) -> _T:
        """One attempt; what comes of it is noted in the replica's circuit."""
        with self._noted(replica, deadline):
            async with asyncio.timeout_at(deadline):
                return await ask(replica.engine)

    @contextmanager
    def _noted(self, replica: _Replica, deadline: float) -> Iterator[None]:
        started = asyncio.get_running_loop().time()
        try:
            yield
        except TimeoutError as error:
            if deadline - started < self._limits.timeout_s / 2:
                replica.circuit.abandoned()  # it came late out of the queue: that says nothing about the replica
            else:
                replica.circuit.failed(self._now())
            raise TimedOut(f"{replica.url} did not answer within the {self._limits.timeout_s:g} s of a call") from error
        except Overloaded as error:
            replica.circuit.overloaded(self._now(), error.delay_s)
            raise
        except (Unavailable, TimedOut, BadReply):
            replica.circuit.failed(self._now())
            self._look_who_answers()
            raise
        except Permanent:
            replica.circuit.succeeded()
            raise
        except BaseException:
            replica.circuit.abandoned()
            raise
        else:
            self._answered(replica)
            self._busy_s += asyncio.get_running_loop().time() - started

    def _answered(self, replica: _Replica) -> None:
        replica.circuit.succeeded()
        if self._away:
            self._look_who_answers()

    async def _place(self, affinity: str, tried: Sequence[str], deadline: float) -> _Replica:
        """A replica with one of its places taken, as soon as there is one; `_vacate` gives it back."""
        waits = self._waiters.before(ORIGIN.get().priority)
        replica = None if waits else self._take(affinity, tried, self._now())
        return await self._wait(affinity, tried, deadline) if replica is None else replica

    def _vacate(self, replica: _Replica) -> None:
        replica.running -= 1
        self._seat()

    async def _wait(self, affinity: str, tried: Sequence[str], deadline: float) -> _Replica:
        waiter = _Waiter(affinity, tried, asyncio.get_running_loop().create_future(), ORIGIN.get().priority)
        self._waiters.add(waiter)
        self._seat()  # sets the clock for the replica that may be tried again first
        no_engine_at = asyncio.get_running_loop().time() + _NO_ENGINE_S
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(deadline, no_engine_at)):
                    return await asyncio.shield(waiter.place)
            if self._away:
                raise self._no_place(NoEngine, _NO_ENGINE_S)
            async with asyncio.timeout_at(deadline):
                return await asyncio.shield(waiter.place)
        except BaseException as error:
            self._stand_up(waiter)
            if isinstance(error, TimeoutError):
                raise self._no_place(NoEngine if self._away else Unavailable, self._limits.timeout_s) from error
            raise

    def _stand_up(self, waiter: _Waiter) -> None:
        """Leaves the queue, or gives back the place that came in the moment of leaving."""
        if waiter.place.done():
            replica = waiter.place.result()
            replica.running -= 1
            replica.circuit.abandoned()
        else:
            waiter.place.cancel()
            self._waiters.remove(waiter)
        self._seat()

    def _last(self, error: SsrError) -> SsrError:
        """What a call that is not tried again ends with. One replica out of reach is no missing pool."""
        return Unavailable(str(error)) if isinstance(error, NoEngine) and not self._away else error

    def _no_place(self, kind: type[Unavailable], waited_s: float) -> SsrError:
        known = f"{len(self._replicas)} are known, {self.snapshot().running} calls run on them"
        return kind(
            f"no replica of the engine took the call within {min(waited_s, self._limits.timeout_s):g} s ({known}): "
            "check that the engine runs and is ready, or add replicas"
        )

    def _seat(self) -> None:
        """Gives free places to the calls that wait, in the order of their turns."""
        now = self._now()  # one moment for all: a replica too early to take and too late to wait for is never tried
        while waiter := self._waiters.turn():
            replica = self._take(waiter.affinity, waiter.tried, now)
            if replica is None:
                break
            self._waiters.took(waiter)
            waiter.place.set_result(replica)
        self._set_wake_up(now)

    def _take(self, affinity: str, tried: Sequence[str], now: float) -> _Replica | None:
        """Takes a place on the best replica, on one not tried before if there is any."""
        allowed = [replica for replica in self._replicas.values() if replica.circuit.allows(now)]
        untried = [replica for replica in allowed if replica.url not in tried]
        replica = choose(untried or allowed, affinity, max_in_flight=self._limits.max_in_flight)
        if replica is not None:
            replica.running += 1
            replica.circuit.started()
        return replica

    def _set_wake_up(self, now: float) -> None:
        """Comes back when the next replica may be tried again, if a call waits for that."""
        if self._wake_up:
            self._wake_up.cancel()
            self._wake_up = None
        if not self._waiters:
            return
        pauses = [r.circuit.reopens_at - now for r in self._replicas.values() if r.circuit.reopens_at > now]
        if pauses:
            self._wake_up = asyncio.get_running_loop().call_later(max(_NAP_S, min(pauses)), self._seat)
