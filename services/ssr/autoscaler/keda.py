"""KEDA's external scaler: the decisions of ssr.autoscaler.policy as KEDA asks for them, for external-push triggers.

What KEDA 2.20 and Kubernetes make of the answers (KEDA's pkg/scalers/external_scaler.go, pkg/scaling and pkg/fallback;
Kubernetes' pkg/controller/podautoscaler/replica_calculator.go):

- From and to zero it is KEDA that scales. A `true` on the stream wakes a pool at once, to the larger of one and
  minReplicaCount; `false` is passed over there. To zero it goes when IsActive, asked every pollingInterval, says no and
  cooldownPeriod is over.
- Above zero it is the HPA that KEDA makes: ceil(value / target), target 1, so the value is the number of replicas. It
  keeps away from changes within its tolerance, 10 % unless behavior.scaleUp.tolerance and behavior.scaleDown.tolerance
  say otherwise (Kubernetes 1.35, and 1.33 behind a feature gate): with the default, pools of less than ten replicas
  follow exactly, and one of 20 moves from 23 up and 17 down. No value can help that. Its own stabilisation (5 minutes
  down) and rates come on top of ours unless `behavior` switches them off.
- KEDA puts "s0-" before the metric's name, and takes it away before it asks us.
- An error leaves replicas as they are: the HPA does nothing without its metric, and KEDA neither wakes the pool nor
  takes it to zero. With `fallback`, its replicas hold after failureThreshold errors, and wake the pool; `fallback` with
  replicas 0 makes KEDA scale to zero at the first error.
- When a stream ends with OK, KEDA calls again after 2 s. With every error the wait doubles, up to a minute, and only an
  OK makes it short again: so a stream stays open while Redis is away, and an ending server ends it with OK.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Protocol

from grpc import aio

from ssr.autoscaler.reports import DecidedReplicas
from ssr.core.errors import InvalidRequest, Overloaded, SsrError, Unavailable, echoed
from ssr.engines.load import Pool
from ssr.externalscaler import externalscaler_pb2 as pb
from ssr.externalscaler import externalscaler_pb2_grpc
from ssr.runtime.redis.patience import set_within

METRIC = "replicas"
#: Of the metric, per replica.
TARGET = 1

#: Seconds between looks at the decision, for a stream.
_LOOK_S = 1.0
#: Seconds after which a stream says the same again. KEDA drops a wake-up that comes before it has made the HPA, and
#: proxies on the way end streams that are silent for minutes.
_REPEAT_S = 30.0
#: KEDA opens one per ScaledObject; each costs a look a second.
_MAX_STREAMS = 64
#: When to come back if there are more, in seconds.
_FULL_S = 10.0

_Context = aio.ServicerContext[pb.ScaledObjectRef, pb.IsActiveResponse]
_SpecContext = aio.ServicerContext[pb.ScaledObjectRef, pb.GetMetricSpecResponse]
_MetricsContext = aio.ServicerContext[pb.GetMetricsRequest, pb.GetMetricsResponse]


class Decisions(Protocol):
    """Where decisions are read. Raises: Unavailable without Redis."""

    async def decision(self, pool: Pool) -> DecidedReplicas | None:
        """The newest decision; None when there is none that is fresh."""
        ...


class ExternalScaler(externalscaler_pb2_grpc.ExternalScalerServicer):
    """Answers for the pool that a ScaledObject names. Any replica can answer; an old decision is none.

    Streams end in order when `ending` is set. `look_s`: how soon they see a change.
    """

    def __init__(
        self,
        decisions: Decisions,
        ending: asyncio.Event,
        *,
        look_s: float = _LOOK_S,
        repeat_s: float = _REPEAT_S,
        max_streams: int = _MAX_STREAMS,
    ) -> None:
        self._decisions, self._ending = decisions, ending
        self._look_s, self._repeat_s, self._max_streams = look_s, repeat_s, max_streams
        self._streams = 0

    async def IsActive(  # noqa: N802 - gRPC's name
        self, request: pb.ScaledObjectRef, context: _Context
    ) -> pb.IsActiveResponse:
        return pb.IsActiveResponse(result=await self._replicas(_pool(request)) > 0)

    async def StreamIsActive(  # noqa: N802 - gRPC's name
        self, request: pb.ScaledObjectRef, context: _Context
    ) -> AsyncIterator[pb.IsActiveResponse]:
        pool, now = _pool(request), asyncio.get_running_loop().time
        said: bool | None = None
        again_at = 0.0
        with self._stream():
            while not self._ending.is_set():
                active = await self._active(pool)
                if active is not None and (active is not said or now() >= again_at):
                    said, again_at = active, now() + self._repeat_s
                    yield pb.IsActiveResponse(result=active)
                await set_within(self._ending, self._look_s)

    async def GetMetricSpec(  # noqa: N802 - gRPC's name
        self, request: pb.ScaledObjectRef, context: _SpecContext
    ) -> pb.GetMetricSpecResponse:
        # Without a decision too: KEDA cannot make its HPA without it.
        _pool(request)
        spec = pb.MetricSpec(metricName=METRIC, targetSize=TARGET, targetSizeFloat=TARGET)
        return pb.GetMetricSpecResponse(metricSpecs=[spec])

    async def GetMetrics(  # noqa: N802 - gRPC's name
        self, request: pb.GetMetricsRequest, context: _MetricsContext
    ) -> pb.GetMetricsResponse:
        pool = _pool(request.scaledObjectRef)
        if request.metricName != METRIC:
            raise InvalidRequest("metricName", f"must be {METRIC!r}; got {request.metricName!r}")
        replicas = await self._replicas(pool)
        value = pb.MetricValue(metricName=METRIC, metricValue=replicas, metricValueFloat=replicas)
        return pb.GetMetricsResponse(metricValues=[value])

    async def _replicas(self, pool: Pool) -> int:
        decided = await self._decisions.decision(pool)
        if decided is None:
            raise Unavailable(
                f"nothing is decided for the {pool} engines now: no orchestrator decides, or it cannot see their load"
            )
        return decided.replicas

    async def _active(self, pool: Pool) -> bool | None:
        """Whether the pool needs engines; None while that is not known. Why, KEDA hears at its own calls."""
        try:
            return await self._replicas(pool) > 0
        except SsrError:
            return None

    @contextmanager
    def _stream(self) -> Iterator[None]:
        """A place among the streams. Raises: Overloaded when there is none."""
        if self._streams >= self._max_streams:
            raise Overloaded(f"there are {self._max_streams} streams already, which is the limit", _FULL_S)
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1


def _pool(scaled_object: pb.ScaledObjectRef) -> Pool:
    """The pool that the trigger's metadata name. Raises: InvalidRequest."""
    name = scaled_object.scalerMetadata.get("pool", "")
    try:
        return Pool(name)
    except ValueError:
        raise InvalidRequest("metadata.pool", f"must be one of {', '.join(Pool)}; got {echoed(name)}") from None
