"""The short version of `make fuzz`: some hundred inputs that nobody should send, to all methods, in this process."""

from __future__ import annotations

import logging

import pytest
from conftest import System
from fuzzing import fuzz, methods_of
from grpc import aio

from ssr.v1 import reasoning_pb2 as pb
from ssr.v1 import reasoning_pb2_grpc


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_input_surprises_a_server(system: System, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """A seed that was bad once belongs here."""
    settings = system.orchestrator
    addresses = {
        "orchestrator": system.address,
        "selector": settings.selector,
        "drafter": settings.drafter,
        "verifier": settings.verifier,
    }
    with caplog.at_level(logging.WARNING):
        findings = await fuzz(methods_of(addresses), 400, seed)
    assert findings.bad == []
    assert sum(findings.codes.values()) + findings.raw == findings.inputs == 400
    assert "Traceback" not in caplog.text
    async with aio.insecure_channel(system.address) as channel:
        stub = reasoning_pb2_grpc.ReasoningServiceStub(channel)
        asked = pb.SolveRequest(problem="What is (2 + 5) * 3?", options=pb.Options(seed=1))
        assert (await stub.Solve(asked, timeout=30)).status == pb.JOB_STATUS_ANSWERED
