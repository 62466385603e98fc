"""Engines whose calls are measured, and are spans in the trace of the job they are for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext

from opentelemetry.trace import SpanKind

from ssr.engines.call_observer import EngineCallKind
from ssr.engines.connect import open_engine
from ssr.engines.load import Pool
from ssr.engines.metrics import EngineMetrics
from ssr.engines.pool import EnginePool
from ssr.engines.settings import EngineSettings
from ssr.runtime.telemetry.reasons import reason_of
from ssr.runtime.telemetry.telemetry import Telemetry
from ssr.runtime.telemetry.tracing import Span, Tracing


@asynccontextmanager
async def open_measured_engine(settings: EngineSettings, pool: Pool, telemetry: Telemetry) -> AsyncIterator[EnginePool]:
    """As `open_engine`: the engines of `pool`, with their metrics and spans."""
    metrics = EngineMetrics(telemetry.registry, pool)
    async with open_engine(settings, MeasuredCalls(metrics, telemetry.tracing)) as engines:
        _read(engines, metrics)
        yield engines


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


class MeasuredCalls:
    """Implements `CallObserver`: every attempt and what came of it; every call that got its answer, and its span."""

    def __init__(self, metrics: EngineMetrics, tracing: Tracing) -> None:
        self._metrics, self._tracing = metrics, tracing

    @contextmanager
    def call(self, kind: EngineCallKind) -> Iterator[Span]:
        began = time.perf_counter()
        with self._tracing.span(f"engine {kind}", SpanKind.CLIENT) as span:
            yield span
        self._metrics.called(kind, time.perf_counter() - began)

    def attempt(self, kind: EngineCallKind | None) -> AbstractContextManager[None]:
        return nullcontext() if kind is None else self._attempt(kind)

    @contextmanager
    def _attempt(self, kind: EngineCallKind) -> Iterator[None]:
        began, outcome = time.perf_counter(), "ok"
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit, TimeoutError):  # the last is the pool's own time limit
            outcome = "cut_off"
            raise
        except Exception as error:
            outcome = reason_of(error)
            raise
        finally:
            self._metrics.attempted(kind, outcome, time.perf_counter() - began)
