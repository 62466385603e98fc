"""What KEDA's external scaler answers, on decisions that the test makes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ssr.autoscaler.keda import ExternalScaler
from ssr.autoscaler.reports import DecidedReplicas
from ssr.core.errors import InvalidRequest, Overloaded, SsrError, Unavailable
from ssr.engines.load import Pool
from ssr.externalscaler import externalscaler_pb2 as pb
from ssr.runtime.redis.failures import RedisRefused

CONTEXT: Any = None
LIMIT_S = 10
NEVER_S = 1e6


class Decisions:
    """The decisions of now, or the error at reading them. `looks` counts the readings."""

    def __init__(self, draft: int | None = None, target: int | None = None) -> None:
        self.replicas = {Pool.DRAFT: draft, Pool.TARGET: target}
        self.error: SsrError | None = None
        self.looks = 0

    async def decision(self, pool: Pool) -> DecidedReplicas | None:
        self.looks += 1
        if self.error:
            raise self.error
        replicas = self.replicas[pool]
        return None if replicas is None else DecidedReplicas(1.0, replicas, ("as the test says",))

    async def seen(self) -> None:
        """Until the state of now was read, and what follows from it was done."""
        looks = self.looks
        while self.looks < looks + 2:
            await asyncio.sleep(0)


def trigger(**metadata: str) -> pb.ScaledObjectRef:
    return pb.ScaledObjectRef(name="draft", namespace="ssr", scalerMetadata={"scalerAddress": "ssr:7600", **metadata})


DRAFT, TARGET = trigger(pool="draft"), trigger(pool="target")


class Heard:
    """What a stream says, as it comes."""

    def __init__(self, stream: AsyncIterator[pb.IsActiveResponse]) -> None:
        self.said: list[bool] = []
        self.ended = asyncio.create_task(self._hear(stream))

    async def _hear(self, stream: AsyncIterator[pb.IsActiveResponse]) -> None:
        async for message in stream:
            self.said.append(message.result)

    async def hear(self, count: int) -> None:
        while len(self.said) < count and not self.ended.done():
            await asyncio.sleep(0)
        assert len(self.said) >= count


def fast(decisions: Decisions, ending: asyncio.Event, **options: Any) -> ExternalScaler:
    return ExternalScaler(decisions, ending, **{"look_s": 0.0, "repeat_s": NEVER_S} | options)


@pytest.fixture(autouse=True)
async def limit() -> AsyncIterator[None]:
    async with asyncio.timeout(LIMIT_S):
        yield


@pytest.mark.parametrize(("replicas", "active"), [(0, False), (1, True), (40, True)])
async def test_a_pool_is_active_when_it_is_to_have_engines(replicas: int, active: bool) -> None:
    scaler = fast(Decisions(draft=replicas), asyncio.Event())
    assert (await scaler.IsActive(DRAFT, CONTEXT)).result is active


async def test_the_metric_is_the_number_of_replicas_and_its_target_one() -> None:
    scaler = fast(Decisions(draft=3, target=21), asyncio.Event())
    (spec,) = (await scaler.GetMetricSpec(TARGET, CONTEXT)).metricSpecs
    assert (spec.metricName, spec.targetSize, spec.targetSizeFloat) == ("replicas", 1, 1.0)
    request = pb.GetMetricsRequest(scaledObjectRef=TARGET, metricName=spec.metricName)
    (value,) = (await scaler.GetMetrics(request, CONTEXT)).metricValues
    assert (value.metricName, value.metricValue, value.metricValueFloat) == ("replicas", 21, 21.0)


@pytest.mark.parametrize("wrong", [trigger(), trigger(pool="Draft"), trigger(pool="")], ids=["none", "other", "empty"])
async def test_a_pool_that_is_none_is_refused_by_every_method(wrong: pb.ScaledObjectRef) -> None:
    scaler = fast(Decisions(draft=1, target=1), asyncio.Event())
    calls = [
        scaler.IsActive(wrong, CONTEXT),
        scaler.GetMetricSpec(wrong, CONTEXT),
        scaler.GetMetrics(pb.GetMetricsRequest(scaledObjectRef=wrong, metricName="replicas"), CONTEXT),
        anext(aiter(scaler.StreamIsActive(wrong, CONTEXT))),
    ]
    for call in calls:
        with pytest.raises(InvalidRequest, match=r"metadata\.pool: must be one of draft, target"):
            await call


async def test_a_metric_that_is_none_is_refused() -> None:
    scaler = fast(Decisions(draft=1), asyncio.Event())
    with pytest.raises(InvalidRequest, match="metricName: must be 'replicas'; got 's0-replicas'"):
        await scaler.GetMetrics(pb.GetMetricsRequest(scaledObjectRef=DRAFT, metricName="s0-replicas"), CONTEXT)


async def test_without_a_decision_there_is_a_spec_and_no_number() -> None:
    scaler = fast(Decisions(draft=2), asyncio.Event())
    assert (await scaler.GetMetricSpec(TARGET, CONTEXT)).metricSpecs
    with pytest.raises(Unavailable, match="nothing is decided for the target engines"):
        await scaler.IsActive(TARGET, CONTEXT)
    with pytest.raises(Unavailable, match="nothing is decided for the target engines"):
        await scaler.GetMetrics(pb.GetMetricsRequest(scaledObjectRef=TARGET, metricName="replicas"), CONTEXT)


async def test_a_stream_says_how_it_is_at_once_and_then_what_changes() -> None:
    decisions, ending = Decisions(draft=0), asyncio.Event()
    heard = Heard(fast(decisions, ending).StreamIsActive(DRAFT, CONTEXT))
    await heard.hear(1)
    for replicas, said in ((3, [False, True]), (1, [False, True]), (0, [False, True, False])):
        decisions.replicas[Pool.DRAFT] = replicas
        await heard.hear(len(said))
        await decisions.seen()
        assert heard.said == said
    ending.set()
    await heard.ended


@pytest.mark.parametrize("error", [Unavailable("Redis: away"), RedisRefused("redis_url: no right"), None], ids=repr)
async def test_a_stream_says_nothing_that_it_does_not_know(error: SsrError | None) -> None:
    """Neither at its beginning nor later; and then it goes on."""
    decisions, ending = Decisions(), asyncio.Event()
    heard = Heard(fast(decisions, ending).StreamIsActive(DRAFT, CONTEXT))
    await decisions.seen()
    assert heard.said == []
    decisions.replicas[Pool.DRAFT] = 2
    await heard.hear(1)
    decisions.error, decisions.replicas[Pool.DRAFT] = error, None
    await decisions.seen()
    assert heard.said == [True]
    decisions.error, decisions.replicas[Pool.DRAFT] = None, 0
    await heard.hear(2)
    assert heard.said == [True, False]
    ending.set()
    await heard.ended


async def test_a_stream_says_the_same_again_now_and_then() -> None:
    ending = asyncio.Event()
    heard = Heard(fast(Decisions(draft=1), ending, repeat_s=0.001).StreamIsActive(DRAFT, CONTEXT))
    await heard.hear(3)
    assert set(heard.said) == {True}
    ending.set()
    await heard.ended


async def test_a_stream_that_waits_ends_at_once_when_the_service_ends() -> None:
    ending = asyncio.Event()
    heard = Heard(fast(Decisions(draft=1), ending, look_s=NEVER_S).StreamIsActive(DRAFT, CONTEXT))
    await heard.hear(1)
    ending.set()
    await heard.ended
    assert heard.said == [True]


async def test_streams_are_limited_and_give_their_place_back() -> None:
    decisions, ending = Decisions(draft=1), asyncio.Event()
    scaler = fast(decisions, ending, max_streams=1, look_s=NEVER_S)
    first = Heard(scaler.StreamIsActive(DRAFT, CONTEXT))
    await first.hear(1)
    with pytest.raises(Overloaded, match="1 streams"):
        await anext(aiter(scaler.StreamIsActive(TARGET, CONTEXT)))
    first.ended.cancel()
    await asyncio.wait([first.ended])
    second = Heard(scaler.StreamIsActive(DRAFT, CONTEXT))
    await second.hear(1)
    ending.set()
    await second.ended
