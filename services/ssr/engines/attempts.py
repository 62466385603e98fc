"""A call's attempts at the replicas of a pool: a failed one goes to another replica, after a pause."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, closing, contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from ssr.core.errors import BadReply, NoEngine, Overloaded, Permanent, SsrError, TimedOut, Unavailable
from ssr.core.retry import Backoff, FailuresInARow
from ssr.engines.base import ORIGIN, Engine, Piece
from ssr.engines.call_observer import CallObserver, EngineCallKind
from ssr.engines.places import Places, Replica
from ssr.engines.time_limit import TimeLimit

_T = TypeVar("_T")
_MAX_BACKOFF_S = 5.0


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


class Attempts:
    """Makes them. `tokens_running` are about those of the calls on replicas, `busy_s` the seconds these took that came
    to something, `lost` counts replicas' failures: whoever comes back there may serve another model.
    """

    def __init__(
        self,
        places: Places,
        limits: PoolLimits,
        observer: CallObserver,
        rng: random.Random,
        now: Callable[[], float],
    ) -> None:
        self._places, self._limits, self._observer = places, limits, observer
        self._rng, self._now = rng, now
        self.tokens_running = 0
        self.busy_s = 0.0
        self.lost = 0

    async def call(
        self, affinity: str, ask: Callable[[Engine], Awaitable[_T]], kind: EngineCallKind | None, tokens: int
    ) -> tuple[_T, float]:
        """What `ask` gives of a replica, and the seconds that this took there; `tokens` is about what it costs.

        Raises: as a single engine; Overloaded and Unavailable after all attempts, TimedOut never with a second one.
        """
        deadline = asyncio.get_running_loop().time() + self._limits.timeout_s
        tried, failures, priority = list[str](), self._failures(deadline), ORIGIN.get().priority
        while True:
            replica = await self._places.take(affinity, tried, deadline, priority)
            tried.append(replica.url)
            self.tokens_running += tokens
            try:
                return await self._ask(replica, ask, kind, deadline)
            except (Overloaded, Unavailable, BadReply) as error:  # garbage, too, may be this replica's alone
                pause = failures.failed(asyncio.get_running_loop().time())
                if pause is None:
                    raise self._last(error) from error
            finally:
                self.tokens_running -= tokens
                self._places.give_back(replica, priority)
            await asyncio.sleep(pause)

    async def stream(
        self, affinity: str, open_stream: Callable[[Engine], AsyncGenerator[Piece, None]], tokens: int
    ) -> AsyncGenerator[Piece, None]:
        """As `call`, until a piece has a text: another replica would not go on with the same words.

        The first piece says how long the stream had its replica by then.
        """
        deadline = asyncio.get_running_loop().time() + self._limits.timeout_s
        tried, failures, priority = list[str](), self._failures(deadline), ORIGIN.get().priority
        while True:
            replica = await self._places.take(affinity, tried, deadline, priority)
            tried.append(replica.url)
            self.tokens_running += tokens
            began, begun = asyncio.get_running_loop().time(), False
            try:
                async with aclosing(self._pieces(replica, open_stream, deadline)) as pieces:
                    async for piece in pieces:
                        if begun:
                            yield piece
                        elif piece.text or piece.end is not None:
                            begun = bool(piece.text)
                            yield replace(piece, seconds=asyncio.get_running_loop().time() - began)
                return
            except (Overloaded, Unavailable, BadReply) as error:
                pause = failures.failed(asyncio.get_running_loop().time())
                if begun or pause is None:
                    raise self._last(error) from error
            finally:
                self.tokens_running -= tokens
                self._places.give_back(replica, priority)
            await asyncio.sleep(pause)

    def _failures(self, deadline: float) -> FailuresInARow:
        """What a replica asks for is its own pause (`places`): the call may go elsewhere at once."""
        limits = self._limits
        backoff = Backoff(limits.backoff_s, _MAX_BACKOFF_S, patience_s=math.inf, attempts=limits.attempts)
        return FailuresInARow(backoff, deadline, dice=self._rng.random)

    async def _pieces(
        self, replica: Replica, open_stream: Callable[[Engine], AsyncGenerator[Piece, None]], deadline: float
    ) -> AsyncGenerator[Piece, None]:
        """One attempt at a stream; what comes of it is noted in the replica's circuit."""
        loop, limit, until, answered = asyncio.get_running_loop(), TimeLimit(), deadline, False
        since = loop.time()
        with self._noted(replica, deadline), self._observer.attempt(EngineCallKind.STREAM), closing(limit):
            async with aclosing(open_stream(replica.engine)) as pieces:
                while (piece := await limit.within(anext(pieces, None), until)) is not None:
                    if not answered:
                        self._answered(replica)  # even if the reader has enough before the end
                        answered = True
                    # With the tokens that came of it: most streams are closed before their end.
                    self.busy_s += loop.time() - since
                    since = loop.time()
                    until = since + self._limits.timeout_s
                    yield piece

    async def _ask(
        self, replica: Replica, ask: Callable[[Engine], Awaitable[_T]], kind: EngineCallKind | None, deadline: float
    ) -> tuple[_T, float]:
        """One attempt; what comes of it is noted in the replica's circuit."""
        started = asyncio.get_running_loop().time()
        with self._noted(replica, deadline), self._observer.attempt(kind):
            async with asyncio.timeout_at(deadline):
                answer = await ask(replica.engine)
        took = asyncio.get_running_loop().time() - started
        self.busy_s += took
        return answer, took

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
            self.lost += 1
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
