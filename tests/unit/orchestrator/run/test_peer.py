"""Calls to a service: tried again, counted, and reported which trace they are in."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpc import StatusCode, aio
from grpc_status import rpc_status
from prometheus_client import CollectorRegistry

from ssr.core.errors import InvalidRequest, NoEngine, Unavailable
from ssr.engines.load import Pool
from ssr.orchestrator.metrics.stages import Stage, StageMetrics
from ssr.orchestrator.run.parking import Parking
from ssr.orchestrator.run.peer import Peer
from ssr.runtime.rpc.errors import to_status
from ssr.runtime.telemetry.tracing import NO_SPAN, Tracing, make_current, remote_span

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


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


async def call(
    registry: CollectorRegistry,
    method: Any,
    timeout_s: float = 10.0,
    *,
    job_id: str = "",
    parking: Parking | None = None,
) -> str:
    peer = Peer("drafter", Pool.DRAFT, timeout_s, StageMetrics(registry), Tracing(), parking or Parking())
    return await peer.call(Stage.DRAFT, method, "step", job_id)


class WithoutEngine:
    """A gRPC method whose pool has no engine for so many calls, each of which takes a while to say so."""

    def __init__(self, calls: int, parking: Parking, takes_s: float = 0.02) -> None:
        self._calls, self._parking, self._takes_s = calls, parking, takes_s
        self.waits: list[tuple[Pool, ...]] = []

    async def __call__(self, request: str, *, timeout: float, metadata: Any) -> str:  # noqa: ASYNC109 - gRPC's name
        self.waits.append(self._parking.waits_for("job"))
        if self._calls:
            self._calls -= 1
            await asyncio.sleep(self._takes_s)
            status = rpc_status.to_status(to_status(NoEngine("none is ready")))
            trailing = aio.Metadata(*status.trailing_metadata)
            raise aio.AioRpcError(StatusCode.UNAVAILABLE, aio.Metadata(), trailing, "none is ready")
        return request.upper()


async def test_the_time_without_an_engine_does_not_count(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ssr.orchestrator.run.peer._PARKED_S", 0.01)
    parking = Parking()
    method = WithoutEngine(5, parking)
    with caplog.at_level("INFO", "ssr"):
        assert await call(registry, method, timeout_s=0.05, job_id="job", parking=parking) == "STEP"
    assert method.waits == [(), *5 * [(Pool.DRAFT,)]]
    assert parking.waits_for("job") == ()
    assert parking.calls[Pool.DRAFT] == 0
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "the draft pool has no ready engine" in caplog.text


async def test_a_call_for_no_job_does_not_wait_for_an_engine(registry: CollectorRegistry) -> None:
    parking = Parking()
    with pytest.raises(NoEngine, match="drafter: none is ready"):
        await call(registry, WithoutEngine(1, parking), parking=parking)


async def test_the_state_of_a_job_changes_with_its_parked_calls() -> None:
    parking = Parking()
    changes = asyncio.create_task(parking.changed("job", ()))
    with parking.parked("job", Pool.TARGET), parking.parked("job", Pool.DRAFT), parking.parked("other", Pool.DRAFT):
        assert await changes == (Pool.DRAFT, Pool.TARGET)
        assert await parking.changed("job", ()) == (Pool.DRAFT, Pool.TARGET)
        assert parking.calls == {Pool.DRAFT: 2, Pool.TARGET: 1}
    assert await parking.changed("job", (Pool.DRAFT,)) == ()


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
    make_current(remote_span(TRACEPARENT))
    traced = Method()
    await call(registry, traced)
    make_current(NO_SPAN)
    plain = Method()
    await call(CollectorRegistry(), plain)
    assert traced.metadata == [(("traceparent", TRACEPARENT),)]
    assert plain.metadata == [None]
