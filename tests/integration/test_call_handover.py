"""One of two replicas of a service ends under a burst of calls: the other can take them all, so none is lost."""

from __future__ import annotations

import asyncio
import signal

import pytest
from hang_limit import LIMIT_S
from prometheus_client import CollectorRegistry
from serve_process import running_command

from ssr.engines.load import Pool
from ssr.orchestrator.metrics.stages import Stage, StageMetrics
from ssr.orchestrator.run.parking import Parking
from ssr.orchestrator.run.peer import Peer
from ssr.runtime.rpc.channel import open_channel
from ssr.runtime.telemetry.tracing import Tracing
from ssr.v1 import selection_pb2, selection_pb2_grpc

SELECTOR = ("-m", "ssr", "serve", "selector", "--port", "0")
#: It answers without its engine what this test asks.
ENVIRONMENT = {"SSR_SELECTOR_ENGINE__URLS": "http://127.0.0.1:1"}


@pytest.mark.parametrize("calls", [200, 800])
async def test_calls_that_a_stopping_server_has_not_read_go_to_another(calls: int) -> None:
    with (
        running_command(*SELECTOR, environment=ENVIRONMENT) as ending,
        running_command(*SELECTOR, environment=ENVIRONMENT) as staying,
    ):
        addresses = [command.line("ready: selector on ") for command in (ending, staying)]
        peer = Peer("selector", Pool.TARGET, LIMIT_S, StageMetrics(CollectorRegistry()), Tracing(), Parking())
        async with open_channel(f"ipv4:{','.join(addresses)}") as channel:
            stub = selection_pb2_grpc.SelectionServiceStub(channel)
            request = selection_pb2.ListStrategySetsRequest()
            await asyncio.gather(*(stub.ListStrategySets(request) for _ in range(20)))  # both are connected
            burst = [
                asyncio.create_task(peer.call(Stage.STRATEGY_SETS, stub.ListStrategySets, request))
                for _ in range(calls)
            ]
            await asyncio.sleep(0)  # they are on their way
            ending.signal(signal.SIGTERM)
            replies = await asyncio.gather(*burst)
        assert all(len(reply.strategy_sets) >= 4 for reply in replies)
        assert ending.exit_code() == 0
