"""The gRPC calls that a service answers."""

from __future__ import annotations

import time

import grpc
from google.protobuf import descriptor_pool
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

#: From a cheap look to a Solve that waits for the whole job, in seconds.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class GrpcMetrics:
    """Calls by method: how many, how they ended, how long they took, how many there are now."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("service", "method")
        self.calls = Counter("ssr_grpc_server_calls", "Calls that ended.", (*labels, "code"), registry=registry)
        self.seconds = Histogram(
            "ssr_grpc_server_call_duration_seconds",
            "From a call's arrival to its last byte.",
            labels,
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge("ssr_grpc_server_calls_in_flight", "Calls in hand.", labels, registry=registry)

    def expect(self, service: str) -> None:
        """Have all counters of a service (its full name) from the start: a rate sees the first call of each kind."""
        for method in descriptor_pool.Default().FindServiceByName(service).methods:
            self.method(service, method.name)

    def method(self, service: str, method: str) -> MethodMetrics:
        return MethodMetrics(self, service, method)


class MethodMetrics:
    """The calls of one method; its children are looked up once, not with every call."""

    def __init__(self, metrics: GrpcMetrics, service: str, method: str) -> None:
        self._seconds = metrics.seconds.labels(service, method)
        self._in_flight = metrics.in_flight.labels(service, method)
        self._by_code = {code.name: metrics.calls.labels(service, method, code.name) for code in grpc.StatusCode}

    def begun(self) -> float:
        """A call has come; gives what `ended` is to be given."""
        self._in_flight.inc()
        return time.perf_counter()

    def ended(self, begun: float, code: str) -> None:
        """A call has ended with this status, as "OK"."""
        self._in_flight.dec()
        self._seconds.observe(time.perf_counter() - begun)
        self._by_code[code].inc()
