"""Engines whose calls are measured, and are spans in the trace of the job they are for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Self, TypeVar

from ssr.engines.base import GREEDY, ChatMessage, Engine, EngineInfo, Generation, Likelihood, NextToken, Sampling
from ssr.engines.connect import open_engine
from ssr.engines.load import Pool
from ssr.engines.metrics import EngineCallKind, EngineMetrics
from ssr.engines.pool import EnginePool
from ssr.engines.settings import EngineSettings
from ssr.runtime.telemetry.reasons import reason_of
from ssr.runtime.telemetry.telemetry import Telemetry
from ssr.runtime.telemetry.tracing import SpanRole, Tracing

_T = TypeVar("_T")


@asynccontextmanager
async def open_watched_engine(settings: EngineSettings, pool: Pool, telemetry: Telemetry) -> AsyncIterator[WatchedPool]:
    """As `open_engine`: the engines of `pool`, with their metrics and spans."""
    metrics = EngineMetrics(telemetry.registry, pool)

    def watch(engine: Engine) -> Engine:
        return _WatchedReplica(engine, metrics)

    async with open_engine(settings, watch) as engines:
        _read(engines, metrics)
        yield WatchedPool(engines, metrics, telemetry.tracing)


def _read(engines: EnginePool, metrics: EngineMetrics) -> None:
    def replicas() -> tuple[int, int]:
        known = engines.snapshot().replicas
        return len(known), sum(not replica.failing for replica in known)

    metrics.read(
        waiting=lambda: engines.snapshot().waiting,
        running=lambda: engines.snapshot().running,
        replicas=replicas,
        generated=lambda: engines.load().generated_tokens,
    )


class _Watched:
    """An engine with something around its calls; what is cheap goes straight through."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        return await self._engine.render(messages)

    async def count_tokens(self, text: str) -> int:
        return await self._engine.count_tokens(text)

    async def info(self) -> EngineInfo:
        return await self._engine.info()

    async def __aenter__(self) -> Self:
        await self._engine.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._engine.__aexit__(*exc)


class _WatchedReplica(_Watched):
    """One replica: every attempt and what came of it."""

    def __init__(self, engine: Engine, metrics: EngineMetrics) -> None:
        super().__init__(engine)
        self._metrics = metrics

    async def generate(
        self, prompt: str, *, max_tokens: int, stop: Sequence[str] = (), sampling: Sampling = GREEDY, affinity: str = ""
    ) -> Generation:
        call = self._engine.generate(prompt, max_tokens=max_tokens, stop=stop, sampling=sampling, affinity=affinity)
        return await self._measured(EngineCallKind.GENERATE, call)

    async def next_token(self, prompt: str, *, top_n: int, affinity: str = "") -> NextToken:
        return await self._measured(EngineCallKind.NEXT_TOKEN, self._engine.next_token(prompt, top_n=top_n))

    async def likelihood(self, prompt: str, text: str, *, affinity: str = "") -> Likelihood:
        return await self._measured(EngineCallKind.LIKELIHOOD, self._engine.likelihood(prompt, text))

    async def _measured(self, kind: EngineCallKind, call: Awaitable[_T]) -> _T:
        began, outcome = time.perf_counter(), "ok"
        try:
            return await call
        except asyncio.CancelledError:  # the pool's time limit comes as this, too
            outcome = "cut_off"
            raise
        except Exception as error:
            outcome = reason_of(error)
            raise
        finally:
            self._metrics.attempted(kind, outcome, time.perf_counter() - began)


class WatchedPool(_Watched):
    """A pool: every call that got its answer, as the caller sees it."""

    def __init__(self, pool: EnginePool, metrics: EngineMetrics, tracing: Tracing) -> None:
        super().__init__(pool)
        self.pool = pool
        self._metrics, self._tracing = metrics, tracing

    async def generate(
        self, prompt: str, *, max_tokens: int, stop: Sequence[str] = (), sampling: Sampling = GREEDY, affinity: str = ""
    ) -> Generation:
        began = time.perf_counter()
        with self._tracing.span("engine generate", SpanRole.CLIENT) as span:
            generation = await self._engine.generate(
                prompt, max_tokens=max_tokens, stop=stop, sampling=sampling, affinity=affinity
            )
            span.set(tokens=generation.tokens)
        self._metrics.called(EngineCallKind.GENERATE, time.perf_counter() - began)
        return generation

    async def next_token(self, prompt: str, *, top_n: int, affinity: str = "") -> NextToken:
        began = time.perf_counter()
        with self._tracing.span("engine next_token", SpanRole.CLIENT):
            token = await self._engine.next_token(prompt, top_n=top_n, affinity=affinity)
        self._metrics.called(EngineCallKind.NEXT_TOKEN, time.perf_counter() - began)
        return token

    async def likelihood(self, prompt: str, text: str, *, affinity: str = "") -> Likelihood:
        began = time.perf_counter()
        with self._tracing.span("engine likelihood", SpanRole.CLIENT):
            likelihood = await self._engine.likelihood(prompt, text, affinity=affinity)
        self._metrics.called(EngineCallKind.LIKELIHOOD, time.perf_counter() - began)
        return likelihood
