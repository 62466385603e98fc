"""What is measured of a gateway."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class GatewayMetrics:
    """Requests by endpoint: how many, how they ended, how long they took, how many there are now."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "ssr_gateway_requests", "Requests that ended.", ("endpoint", "status"), registry=registry
        )
        self.seconds = Histogram(
            "ssr_gateway_request_duration_seconds",
            "From a request's arrival to its last byte.",
            ("endpoint",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge("ssr_gateway_requests_in_flight", "Requests in hand.", registry=registry)
