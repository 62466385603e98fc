"""Engines whose calls are measured, and are spans in the trace of the job they are for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Self

from opentelemetry.trace import SpanKind

from ssr.engines.base import (
    ANYONE,
    GREEDY,
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
from ssr.engines.connect import open_engine
from ssr.engines.load import Pool
from ssr.engines.metrics import EngineCallKind, EngineMetrics
from ssr.engines.pool import EnginePool
from ssr.engines.settings import EngineSettings
from ssr.runtime.telemetry.reasons import reason_of
from ssr.runtime.telemetry.telemetry import Telemetry
from ssr.runtime.telemetry.tracing import Span, Tracing


@asynccontextmanager
async def open_measured_engine(
    settings: EngineSettings, pool: Pool, telemetry: Telemetry
) -> AsyncIterator[MeasuredPool]:
    """As `open_engine`: the engines of `pool`, with their metrics and spans."""
    metrics = EngineMetrics(telemetry.registry, pool)

    def watch(engine: Engine) -> Engine:
        return _MeasuredReplica(engine, metrics)

    async with open_engine(settings, watch) as engines:
        _read(engines, metrics)
        yield MeasuredPool(engines, metrics, telemetry.tracing)


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


class _Measured:
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


class _MeasuredReplica(_Measured):
    """One replica: every attempt and what came of it."""

    def __init__(self, engine: Engine, metrics: EngineMetrics) -> None:
        super().__init__(engine)
        self._metrics = metrics

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
        with self._measured(EngineCallKind.GENERATE):
            return await self._engine.generate(
                prompt, max_tokens=max_tokens, stop=stop, sampling=sampling, affinity=affinity, origin=origin
            )

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
        pieces = self._engine.stream(
            prompt, max_tokens=max_tokens, stop=stop, sampling=sampling, affinity=affinity, origin=origin
        )
        with self._measured(EngineCallKind.STREAM):
            async with aclosing(pieces):
                async for piece in pieces:
                    yield piece

    async def next_token(
        self, prompt: str, *, top_n: int, answers: Sequence[str] = (), affinity: str = "", origin: Origin = ANYONE
    ) -> NextToken:
        with self._measured(EngineCallKind.NEXT_TOKEN):
            return await self._engine.next_token(prompt, top_n=top_n, answers=answers, affinity=affinity, origin=origin)

    async def likelihood(self, prompt: str, text: str, *, affinity: str = "", origin: Origin = ANYONE) -> Likelihood:
        with self._measured(EngineCallKind.LIKELIHOOD):
            return await self._engine.likelihood(prompt, text, affinity=affinity, origin=origin)

    @contextmanager
    def _measured(self, kind: EngineCallKind) -> Iterator[None]:
        began, outcome = time.perf_counter(), "ok"
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):  # the pool's time limit comes as this, too
            outcome = "cut_off"
            raise
        except Exception as error:
            outcome = reason_of(error)
            raise
        finally:
            self._metrics.attempted(kind, outcome, time.perf_counter() - began)


class MeasuredPool(_Measured):
    """A pool: every call that got its answer, as the caller sees it."""

    def __init__(self, pool: EnginePool, metrics: EngineMetrics, tracing: Tracing) -> None:
        super().__init__(pool)
        self.pool = pool
        self._metrics, self._tracing = metrics, tracing

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
        with self._watched(EngineCallKind.GENERATE) as span:
            generation = await self._engine.generate(
                prompt, max_tokens=max_tokens, stop=stop, sampling=sampling, affinity=affinity, origin=origin
            )
            span.set(tokens=generation.tokens)
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
        pieces = self._engine.stream(
            prompt, max_tokens=max_tokens, stop=stop, sampling=sampling, affinity=affinity, origin=origin
        )
        with self._watched(EngineCallKind.STREAM) as span:
            async with aclosing(pieces):
                async for piece in pieces:
                    span.set(tokens=piece.tokens)
                    yield piece

    async def next_token(
        self, prompt: str, *, top_n: int, answers: Sequence[str] = (), affinity: str = "", origin: Origin = ANYONE
    ) -> NextToken:
        with self._watched(EngineCallKind.NEXT_TOKEN):
            return await self._engine.next_token(prompt, top_n=top_n, answers=answers, affinity=affinity, origin=origin)

    async def likelihood(self, prompt: str, text: str, *, affinity: str = "", origin: Origin = ANYONE) -> Likelihood:
        with self._watched(EngineCallKind.LIKELIHOOD):
            return await self._engine.likelihood(prompt, text, affinity=affinity, origin=origin)

    @contextmanager
    def _watched(self, kind: EngineCallKind) -> Iterator[Span]:
        began = time.perf_counter()
        with self._tracing.span(f"engine {kind}", SpanKind.CLIENT) as span:
            yield span
        self._metrics.called(kind, time.perf_counter() - began)
