"""Spans by OpenTelemetry's SDK, sent to a collector over OTLP.

The SDK sends from a thread of its own, in batches. What a dead collector does not take is dropped beyond 2048 spans; it
is logged once a minute at most, and delays nothing but the end of the process, by END_S.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from ssr import __version__
from ssr.runtime.telemetry.tracing import Tracing

_log = logging.getLogger(__name__)

#: For one batch, its retries included, in seconds.
_SEND_S = 5.0
#: For what is left when the process ends, in seconds.
END_S = 2.0
#: How often a collector that does not answer is logged.
_REPORT_S = 60.0
#: Whose lines about that we replace: it has several for each batch, and may still be at it when we have ended.
_EXPORTER_LOG = "opentelemetry.exporter.otlp.proto.grpc.exporter"


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
    logging.getLogger(_EXPORTER_LOG).addFilter(_nothing_passes)
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http:"), timeout=_SEND_S)
    provider.add_span_processor(BatchSpanProcessor(_ReportingExporter(exporter, endpoint)))
    try:
        yield Tracing(provider.get_tracer("ssr", __version__))
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


def _nothing_passes(record: logging.LogRecord) -> bool:
    """A filter that lets nothing pass."""
    return False


class _ReportingExporter(SpanExporter):
    """Logs that a collector does not take spans, now and then. Its methods are called by the SDK's thread."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        self._exporter, self._endpoint = exporter, endpoint
        self._lost, self._report_at = 0, 0.0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._lost += len(spans)
            if time.monotonic() >= self._report_at:
                _log.warning("otlp_endpoint: %s does not take spans; %d are lost so far", self._endpoint, self._lost)
                self._report_at = time.monotonic() + _REPORT_S
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
