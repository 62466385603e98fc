"""Calls to a service: tried again, counted, and told which trace they are in."""

from __future__ import annotations

from typing import Any

import pytest
from grpc import StatusCode, aio
from prometheus_client import CollectorRegistry

from ssr.core.errors import InvalidRequest, Unavailable
from ssr.orchestrator.metrics.stages import Stage, StageMetrics
from ssr.orchestrator.run.peer import Peer
from ssr.runtime.telemetry.tracing import NO_SPAN, Span, Tracing, make_current


class InTrace(Span):
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"  # type: ignore[assignment]


class Method:
    """A gRPC method that fails with these codes before it replies."""

    def __init__(self, *codes: StatusCode) -> None:
        self._codes = list(codes)
        self.metadata: list[Any] = []

    async def __call__(self, request: str, *, timeout: float, metadata: Any) -> str:  # noqa: ASYNC109 - gRPC's name
        self.metadata.append(metadata)
        if self._codes:
            raise aio.AioRpcError(self._codes.pop(0), aio.Metadata(), aio.Metadata(), "no")
        return request.upper()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


async def call(registry: CollectorRegistry, method: Any, timeout_s: float = 10.0) -> str:
    peer = Peer("drafter", timeout_s, StageMetrics(registry), Tracing())
    return await peer.call(Stage.DRAFT, method, "step")


def counted(registry: CollectorRegistry, what: str, reason: str) -> float | None:
    return registry.get_sample_value(f"ssr_stage_{what}_total", {"stage": "draft", "reason": reason})


async def test_a_call_that_passes_at_the_second_try_is_one_call_and_one_retry(registry: CollectorRegistry) -> None:
    assert await call(registry, Method(StatusCode.UNAVAILABLE)) == "STEP"
    assert counted(registry, "retries", "unavailable") == 1
    assert registry.get_sample_value("ssr_stage_duration_seconds_count", {"stage": "draft"}) == 1


async def test_what_cannot_pass_is_not_tried_again(registry: CollectorRegistry) -> None:
    with pytest.raises(InvalidRequest):
        await call(registry, Method(StatusCode.INVALID_ARGUMENT))
    assert counted(registry, "failures", "invalid") == 1
    assert registry.get_sample_value("ssr_stage_duration_seconds_count", {"stage": "draft"}) == 0


async def test_without_time_for_another_try_the_error_is_the_last_one(registry: CollectorRegistry) -> None:
    with pytest.raises(Unavailable, match="drafter: no"):
        await call(registry, Method(StatusCode.UNAVAILABLE), timeout_s=0.01)
    assert counted(registry, "failures", "unavailable") == 1
    assert counted(registry, "retries", "unavailable") == 0


async def test_the_call_carries_its_trace_if_it_is_in_one(registry: CollectorRegistry) -> None:
    make_current(InTrace())
    traced = Method()
    await call(registry, traced)
    make_current(NO_SPAN)
    plain = Method()
    await call(CollectorRegistry(), plain)
    assert traced.metadata == [(("traceparent", InTrace.traceparent),)]
    assert plain.metadata == [None]
