"""An engine pool's load as a service reports it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ssr.engines.load import Load
from ssr.engines.pool import EnginePool
from ssr.engines.pool_state import PoolLoad

#: In calls; a minute at a report every 5 s.
_HALF_LIFE = 12
_KEPT = 0.5 ** (1 / _HALF_LIFE)


@dataclass(slots=True)
class StepCounts:
    """What a verifier has done since it started."""

    verified: int = 0
    rewritten: int = 0


class _Done(NamedTuple):
    """What was done in some time."""

    seconds: float = 0.0
    busy_s: float = 0.0
    tokens: float = 0.0
    verified: float = 0.0
    rewritten: float = 0.0

    def then(self, now: _Done, before: _Done) -> _Done:
        """With what was done from `before` to `now`, and this counting less."""
        return _Done(*(old * _KEPT + new - seen for old, new, seen in zip(self, now, before, strict=True)))


class LoadMeter:
    """Each call adds the calls of now, and what was done lately: a call counts half after `_HALF_LIFE` more.

    What was done is counted when a call ends. Over one report it would say little about the calls of now: these take
    longer than that, and while load rises most of them have not ended.
    """

    def __init__(
        self, pool: EnginePool, steps: StepCounts | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool, self._steps, self._now = pool, steps or StepCounts(), now
        self._seen = self._done(pool.load())
        self._lately = _Done()

    def __call__(self) -> tuple[Load, int]:
        """The load, and how many engine replicas can be called."""
        state, work = self._pool.snapshot(), self._pool.load()
        done = self._done(work)
        self._lately, self._seen = self._lately.then(done, self._seen), done
        lately = self._lately
        seconds = max(lately.seconds, 1e-3)
        load = Load(
            requests_waiting=state.waiting,
            requests_running=state.running,
            tokens_waiting=work.tokens_waiting,
            tokens_running=work.tokens_running,
            tokens_per_s=lately.tokens / seconds,
            busy_slots=lately.busy_s / seconds,
            verified_per_s=lately.verified / seconds,
            rewritten_per_s=lately.rewritten / seconds,
        )
        return load, sum(replica.healthy for replica in state.replicas)

    def _done(self, work: PoolLoad) -> _Done:
        return _Done(self._now(), work.busy_s, work.generated_tokens, self._steps.verified, self._steps.rewritten)
