"""KEDA against the external scaler: real gRPC from KEDA's own interface, decisions in a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from grpc import StatusCode, aio
from hang_limit import LIMIT_S
from keda_operator import ScaledObject, hpa_replicas
from valkey_servers import server

from ssr.autoscaler.keda import ExternalScaler
from ssr.autoscaler.policy.decision import ScalingDecision
from ssr.autoscaler.policy.signals import Engines
from ssr.autoscaler.policy.state import ScalingState
from ssr.autoscaler.reports import ReportStore
from ssr.engines.load import Pool
from ssr.externalscaler import externalscaler_pb2_grpc
from ssr.runtime.redis.client import open_redis
from ssr.runtime.rpc.server import Servicer, running_server

TTL_S = 30.0
#: Longer than any test: whoever waits for it fails.
GRACE_S = 120.0


@dataclass
class Scaler:
    """A replica's external scaler, and the reports that it reads; `end` returns when its server has ended."""

    report_store: ReportStore
    channel: aio.Channel
    end: Callable[[], Awaitable[None]]

    async def decide(self, pool: Pool, replicas: int, age_s: float = 0.0) -> None:
        now = (await self.report_store.read()).now - age_s
        state = ScalingState.fresh(Engines(replicas), now)
        await self.report_store.decide(pool, ScalingDecision(replicas, ("as the test says",), state), now)

    def scaled_object(self, **metadata: str) -> ScaledObject:
        return ScaledObject(self.channel, **metadata)


@asynccontextmanager
async def running_scaler(redis_url: str) -> AsyncIterator[Scaler]:
    ending = asyncio.Event()

    async def drain() -> None:
        ending.set()

    async with AsyncExitStack() as stack, asyncio.timeout(LIMIT_S):
        redis = await stack.enter_async_context(open_redis(redis_url))
        report_store = ReportStore(redis, ttl_s=TTL_S)
        scaler = ExternalScaler(report_store, ending, look_s=0.02)
        add = partial(externalscaler_pb2_grpc.add_ExternalScalerServicer_to_server, scaler)
        serving = await stack.enter_async_context(AsyncExitStack())
        port = await serving.enter_async_context(
            running_server(
                [Servicer("externalscaler.ExternalScaler", add)], host="127.0.0.1", port=0, grace_s=GRACE_S, drain=drain
            )
        )
        channel = await stack.enter_async_context(aio.insecure_channel(f"127.0.0.1:{port}"))
        yield Scaler(report_store, channel, serving.aclose)


@pytest.fixture
async def scaler(redis_url: str) -> AsyncIterator[Scaler]:
    async with running_scaler(redis_url) as scaler:
        yield scaler


async def test_a_pool_at_zero_is_woken_by_the_stream(scaler: Scaler) -> None:
    await scaler.decide(Pool.DRAFT, 0)
    draft = scaler.scaled_object(pool="draft")
    metric, _ = await draft.metric()
    assert await draft.value_and_activity(metric) == (0.0, False)
    pushed = draft.pushed()
    assert await anext(pushed) is False
    await scaler.decide(Pool.DRAFT, 2)
    assert await anext(pushed) is True
    assert await draft.value_and_activity(metric) == (2.0, True)
    await scaler.decide(Pool.DRAFT, 0)
    assert await anext(pushed) is False


async def test_the_hpa_comes_to_the_number_that_was_decided(scaler: Scaler) -> None:
    """Exactly for pools of less than ten, and for all when `behavior` has no tolerance."""
    target = scaler.scaled_object(pool="target")
    metric, per_replica = await target.metric()
    assert metric == "s0-replicas"
    for wanted in (1, 2, 7, 10, 19, 21, 64):
        await scaler.decide(Pool.TARGET, wanted)
        value, active = await target.value_and_activity(metric)
        assert active
        for current in range(1, 70):
            assert hpa_replicas(value, per_replica, current, tolerance=0) == wanted
            default = hpa_replicas(value, per_replica, current)
            assert default == wanted or (current >= 10 and default == current and abs(wanted - current) <= current / 10)


async def test_each_scaled_object_is_reported_of_its_pool(scaler: Scaler) -> None:
    await scaler.decide(Pool.DRAFT, 1)
    await scaler.decide(Pool.TARGET, 0)
    one, other = scaler.scaled_object(pool="draft"), scaler.scaled_object(pool="target")
    first, second, third = one.pushed(), other.pushed(), other.pushed()
    assert [await anext(stream) for stream in (first, second, third)] == [True, False, False]
    await scaler.decide(Pool.TARGET, 5)
    assert [await anext(stream) for stream in (second, third)] == [True, True]
    assert [await each.value_and_activity("s0-replicas") for each in (one, other)] == [(1.0, True), (5.0, True)]


async def test_a_trigger_without_its_pool_is_reported_what_is_wrong(scaler: Scaler) -> None:
    for metadata, got in (({}, "''"), ({"pool": "engines"}, "'engines'")):
        with pytest.raises(aio.AioRpcError) as refused:
            await scaler.scaled_object(**metadata).metric()
        assert refused.value.code() is StatusCode.INVALID_ARGUMENT
        assert refused.value.details() == f"metadata.pool: must be one of draft, target; got {got}"


async def test_an_old_decision_is_no_number(scaler: Scaler) -> None:
    await scaler.decide(Pool.DRAFT, 4, age_s=2 * TTL_S)
    draft = scaler.scaled_object(pool="draft")
    metric, _ = await draft.metric()
    with pytest.raises(aio.AioRpcError) as none:
        await draft.value_and_activity(metric)
    assert none.value.code() is StatusCode.UNAVAILABLE
    pushed = draft.pushed()
    await scaler.decide(Pool.DRAFT, 4)
    assert await anext(pushed) is True


async def test_a_stream_outlives_a_redis_that_goes_away(tmp_path: Path) -> None:
    with server(tmp_path) as redis:
        async with running_scaler(f"redis://{redis.address}") as scaler:
            draft = scaler.scaled_object(pool="draft")
            await scaler.decide(Pool.DRAFT, 3)
            pushed = draft.pushed()
            assert await anext(pushed) is True
            redis.kill()
            with pytest.raises(aio.AioRpcError) as away:
                await draft.value_and_activity("s0-replicas")
            assert away.value.code() is StatusCode.UNAVAILABLE
            with server(tmp_path, port=redis.port):
                # Empty, and still nothing is said of a pool that nothing is known of.
                await scaler.decide(Pool.DRAFT, 3)
                assert await draft.value_and_activity("s0-replicas") == (3.0, True)
                await scaler.decide(Pool.DRAFT, 0)
                assert await anext(pushed) is False


async def test_streams_do_not_hold_a_server_that_ends(redis_url: str) -> None:
    """They end with OK, which KEDA takes as a reason to call again soon."""
    async with running_scaler(redis_url) as scaler:
        await scaler.decide(Pool.DRAFT, 1)
        streams = [scaler.scaled_object(pool="draft").pushed() for _ in range(2)]
        assert [await anext(stream) for stream in streams] == [True, True]
        await scaler.end()
        # The channel still stands: closing it would cut off what the server said and nobody has heard yet.
        assert [[said async for said in stream] for stream in streams] == [[], []]
