"""`ssr bench gateway` on a small plan: it measures what it says, and knows a goal that was missed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ssr_bench.gateway.measure import Compared, GatewayPlan, GatewayReport, ManyStreams, measure_gateway
from ssr_bench.gateway.table import gateway_table
from ssr_bench.report_json import report_json
from ssr_bench.statistics import Summary

SMALL = GatewayPlan(requests=5, paced=2, steps=4, pause_ms=1.0, streams=20, stream_steps=3, stream_pause_ms=20.0)


async def test_requests_steps_and_streams_are_measured_by_both_ways(capfd: pytest.CaptureFixture[str]) -> None:
    report = await measure_gateway(SMALL)
    assert capfd.readouterr().out == "", "what is printed is the report alone, for --json"
    assert (report.request.http_ms.count, report.step.http_ms.count) == (5, 8)
    assert (report.request.grpc_ms.count, report.request.gateway_ms.count) == (5, 5)
    assert (report.step.grpc_ms.count, report.step.gateway_ms.count) == (8, 8)
    assert (report.many.streams, report.many.steps) == (20, 60)
    for one in (report.request.grpc_ms, report.request.gateway_ms, report.step.grpc_ms, report.step.gateway_ms):
        assert 0 < one.p50 <= one.p99
    assert 0 < report.request.grpc_p10_ms <= report.request.grpc_ms.p50
    assert report.request.client_cpu_ms > 0
    assert report.many.peak_bytes >= report.many.idle_bytes > 10_000_000
    assert report.many.step_ms.p50 > 0
    assert gateway_table(report) is not None
    assert report_json(report)["request"]["added_ms"] == report.request.added_ms


def test_goals_that_were_missed_are_named() -> None:
    def ms(value: float) -> Summary:
        return Summary.of([value])

    def added(grpc: float, gateway: float) -> Compared:
        return Compared(ms(0.4), ms(grpc), ms(gateway), grpc, gateway, 1.0, 2.0)

    many = ManyStreams(1000, 10, ms(1), 80_000_000, 299_000_000, 0.5)
    kept = GatewayReport(added(2.0, 2.9), added(0.5, 0.7), many)
    assert kept.missed == []
    slow = replace(kept, request=added(2.0, 3.2), step=added(0.5, 0.9))
    assert slow.missed == ["a request takes 1.20 ms more", "a streamed step takes 0.40 ms more"]
    assert replace(kept, many=replace(many, peak_bytes=301_000_000)).missed == ["the process took 301 MB"]
