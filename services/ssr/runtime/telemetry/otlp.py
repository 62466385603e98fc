"""Spans by OpenTelemetry's SDK, sent to a collector over OTLP.

The SDK sends from a thread of its own, in batches. What a dead collector does not take is dropped beyond 2048 spans; it
is told of in the log once a minute at most, and delays nothing but the end of the process, by END_S.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from grpc import aio
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan

from ssr import __version__
from ssr.runtime.telemetry.tracing import (
    NO_SPAN,
    Attribute,
    Span,
    SpanRole,
    Tracing,
    current_span,
    make_current,
    parse_traceparent,
)

_log = logging.getLogger(__name__)

#: For one batch, its retries included, in seconds.
_SEND_S = 5.0
#: For what is left when the process ends, in seconds.
END_S = 2.0
#: How often a collector that does not answer is told of.
_TELL_S = 60.0
#: Whose lines about that we replace: it has several for each batch, and may still be at it when we have ended.
_EXPORTER_LOG = "opentelemetry.exporter.otlp.proto.grpc.exporter"

_KINDS = {SpanRole.INTERNAL: SpanKind.INTERNAL, SpanRole.SERVER: SpanKind.SERVER, SpanRole.CLIENT: SpanKind.CLIENT}
_NO_CONTEXT = Context()


@asynccontextmanager
async def open_otlp(service: str, replica: str, endpoint: str) -> AsyncIterator[Tracing]:
    """Tracing of this process to the collector at `endpoint`, which need not be up; what is left is sent at the end."""
    resource = Resource.create(
        {
            "service.name": f"ssr-{service}",
            "service.namespace": "ssr",
            "service.version": __version__,
            "service.instance.id": replica,
        }
    )
    logging.getLogger(_EXPORTER_LOG).addFilter(_not_told)
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http:"), timeout=_SEND_S)
    provider.add_span_processor(BatchSpanProcessor(_TellingExporter(exporter, endpoint)))
    try:
        yield OtlpTracing(provider.get_tracer("ssr", __version__))
    finally:
        await asyncio.shield(_shut_down(provider))


async def _shut_down(provider: TracerProvider) -> None:
    """Send what is left, for END_S at most. The thread is a daemon: a process can end before it."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def work() -> None:
        provider.shutdown()
        with suppress(RuntimeError):  # nobody waits any more, and the loop is closed
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=work, name="otlp-shutdown", daemon=True).start()
    try:
        async with asyncio.timeout(END_S):
            await done.wait()
    except TimeoutError:
        _log.warning("otlp_endpoint: the last spans could not be sent within %g s", END_S)


def _not_told(record: logging.LogRecord) -> bool:
    """A filter that lets nothing pass."""
    return False


class _TellingExporter(SpanExporter):
    """Tells of a collector that does not take spans, now and then. Its methods are called by the SDK's thread."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        self._exporter, self._endpoint = exporter, endpoint
        self._lost, self._tell_at = 0, 0.0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._lost += len(spans)
            if time.monotonic() >= self._tell_at:
                _log.warning("otlp_endpoint: %s does not take spans; %d are lost so far", self._endpoint, self._lost)
                self._tell_at = time.monotonic() + _TELL_S
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class OtlpSpan(Span):
    """A span of OpenTelemetry's."""

    __slots__ = ("_context", "_span")

    def __init__(self, span: OtelSpan) -> None:
        self._span, self._context = span, span.get_span_context()

    @property
    def traceparent(self) -> str:
        context = self._context
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    @property
    def trace_id(self) -> str:
        return f"{self._context.trace_id:032x}"

    @property
    def sampled(self) -> bool:
        return bool(self._context.trace_flags & TraceFlags.SAMPLED)

    @property
    def inner(self) -> OtelSpan:
        return self._span

    def set(self, **attributes: Attribute) -> None:
        for name, value in attributes.items():
            self._span.set_attribute(f"ssr.{name}", value)


class OtlpTracing(Tracing):
    """Makes spans that are sent."""

    on = True

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def span(
        self,
        name: str,
        kind: SpanRole = SpanRole.INTERNAL,
        *,
        parent: str | None = None,
        begins: bool = False,
        **attributes: Attribute,
    ) -> Any:
        above = _span_of(parent) if parent else current_span()
        if isinstance(above, OtlpSpan):
            # Below a span that is not sampled nothing is: it goes on for its trace id, and costs nothing.
            return _InSpan(self._start(name, kind, above, attributes) if above.sampled else above, above.sampled)
        return _InSpan(self._start(name, kind, None, attributes) if begins else NO_SPAN, begins)

    def _start(self, name: str, kind: SpanRole, above: OtlpSpan | None, attributes: dict[str, Attribute]) -> OtlpSpan:
        context = set_span_in_context(above.inner, _NO_CONTEXT) if above else _NO_CONTEXT
        named = {f"ssr.{key}": value for key, value in attributes.items()}
        return OtlpSpan(self._tracer.start_span(name, context, _KINDS[kind], named))


def _span_of(traceparent: str) -> Span:
    """Somebody else's span."""
    parsed = parse_traceparent(traceparent)
    if parsed is None:
        return NO_SPAN
    trace_id, span_id, flags = parsed
    return OtlpSpan(NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))))


class _InSpan:
    """The current task is in a span; at the end of the block the span ends, if it is `ours`."""

    __slots__ = ("_before", "_ours", "_span")

    _before: Span

    def __init__(self, span: Span, ours: bool) -> None:
        self._span, self._ours = span, ours

    def __enter__(self) -> Span:
        self._before = make_current(self._span)
        return self._span

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        make_current(self._before)
        if self._ours and isinstance(self._span, OtlpSpan):
            inner = self._span.inner
            if isinstance(error, asyncio.CancelledError):
                inner.set_attribute("ssr.cancelled", True)
            elif isinstance(error, Exception):
                cause = error.__context__ if isinstance(error, aio.AbortError) and error.__context__ else error
                inner.set_status(Status(StatusCode.ERROR, f"{type(cause).__name__}: {cause}"))
            inner.end()
