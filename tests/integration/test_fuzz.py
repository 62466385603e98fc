"""The short version of `make fuzz`: some hundred inputs that nobody should send, to all methods, in this process."""

from __future__ import annotations

import logging

import pytest
from conftest import System
from fuzzing import fuzz, methods_of
from grpc import aio
from hang_limit import LIMIT_S

from ssr.v1 import admin_pb2, admin_pb2_grpc, reasoning_pb2_grpc
from ssr.v1 import reasoning_pb2 as pb


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_input_surprises_a_server(system: System, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """A seed that was bad once belongs here."""
    settings = system.orchestrator
    methods = await methods_of([system.address, settings.selector, settings.drafter, settings.verifier])
    services = ("ReasoningService/CreateBatch", "FileService/PutFile", "AdminService/PauseQueue")
    assert {f"/ssr.v1.{name}" for name in services} <= {method.path for method in methods}
    with caplog.at_level(logging.WARNING):
        findings = await fuzz(methods, 400, seed)
    assert findings.bad == []
    assert sum(findings.codes.values()) + findings.raw == findings.inputs == 400
    assert "Traceback" not in caplog.text
    async with aio.insecure_channel(system.address) as channel:
        await admin_pb2_grpc.AdminServiceStub(channel).ResumeQueue(admin_pb2.ResumeQueueRequest(), timeout=LIMIT_S)
        stub = reasoning_pb2_grpc.ReasoningServiceStub(channel)
        asked = pb.SolveRequest(problem="What is (2 + 5) * 3?", options=pb.Options(seed=1))
        assert (await stub.Solve(asked, timeout=LIMIT_S)).status == pb.JOB_STATUS_ANSWERED
