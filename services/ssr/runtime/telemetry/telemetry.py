"""What a service's process shows of itself, opened around everything else it does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from grpc.aio import ServerInterceptor
from prometheus_client import CollectorRegistry, Gauge, GCCollector, PlatformCollector, ProcessCollector

from ssr import __version__
from ssr.core.errors import CapabilityMissing
from ssr.runtime.settings import ServiceSettings, replica_name
from ssr.runtime.telemetry.exposition import Refresh, serving_metrics
from ssr.runtime.telemetry.grpc_metrics import GrpcMetrics
from ssr.runtime.telemetry.interceptor import MeasuringInterceptor
from ssr.runtime.telemetry.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The registry and the tracing of one process. Nobody reads the registry where `metrics_port` is None."""

    registry: CollectorRegistry
    tracing: Tracing = Tracing()  # noqa: RUF009 - has no state
    metrics_port: int | None = None
    #: Awaited before every scrape.
    refreshes: list[Refresh] = field(default_factory=list)

    def interceptors(self, begins: Collection[str] = (), services: Sequence[str] = ()) -> Sequence[ServerInterceptor]:
        """What a gRPC server of these `services` (full names) needs to be watched; nothing where nobody watches.

        `begins`: see MeasuringInterceptor.
        """
        if self.metrics_port is None and not self.tracing.on:
            return ()
        metrics = GrpcMetrics(self.registry)
        for service in services:
            metrics.expect(service)
        return (MeasuringInterceptor(metrics, self.tracing, begins),)


@asynccontextmanager
async def open_telemetry(service: str, settings: ServiceSettings) -> AsyncIterator[Telemetry]:
    """Metrics and traces of this process, as far as the settings want them, until the block ends.

    Raises: Unavailable when the metrics' port is taken; CapabilityMissing when traces are wanted and cannot be made.
    """
    registry, refreshes = CollectorRegistry(), list[Refresh]()
    async with AsyncExitStack() as stack:
        tracing = await stack.enter_async_context(_open_tracing(service, settings))
        port = None
        if settings.metrics_port is not None:
            _register_process(registry, service)
            port = await stack.enter_async_context(
                serving_metrics(registry, refreshes, settings.host, settings.metrics_port)
            )
        yield Telemetry(registry, tracing, port, refreshes)


def _register_process(registry: CollectorRegistry, service: str) -> None:
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    build = Gauge("ssr_build_info", "What is running.", ("service", "version"), registry=registry)
    build.labels(service, __version__).set(1)


@asynccontextmanager
async def _open_tracing(service: str, settings: ServiceSettings) -> AsyncIterator[Tracing]:
    if settings.otlp_endpoint is None:
        yield Tracing()
        return
    try:
        from ssr.runtime.telemetry.otlp import open_otlp
    except ImportError as error:
        raise CapabilityMissing(
            f"otlp_endpoint: traces need {error.name}: pip install 'ssr-serve[cluster]', or unset it"
        ) from error
    async with open_otlp(service, replica_name(), settings.otlp_endpoint) as tracing:
        yield tracing
