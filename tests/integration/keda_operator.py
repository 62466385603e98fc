"""KEDA's side of an external scaler, and the HPA that it makes: messages and arithmetic stated apart from ours.

The interface is written down here a second time, as KEDA 2.20 has it, so that a field of ours that strays is noticed.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc import aio
from hang_limit import LIMIT_S

_INDEX = "s0-"
_Type = descriptor_pb2.FieldDescriptorProto
#: Of each message: field -> (number, type, repeated).
_MESSAGES: dict[str, dict[str, tuple[int, int | str, bool]]] = {
    "ScaledObjectRef": {
        "name": (1, _Type.TYPE_STRING, False),
        "namespace": (2, _Type.TYPE_STRING, False),
        "scalerMetadata": (3, "ScaledObjectRef.ScalerMetadataEntry", True),
    },
    "IsActiveResponse": {"result": (1, _Type.TYPE_BOOL, False)},
    "GetMetricSpecResponse": {"metricSpecs": (1, "MetricSpec", True)},
    "MetricSpec": {
        "metricName": (1, _Type.TYPE_STRING, False),
        "targetSize": (2, _Type.TYPE_INT64, False),
        "targetSizeFloat": (3, _Type.TYPE_DOUBLE, False),
    },
    "GetMetricsRequest": {
        "scaledObjectRef": (1, "ScaledObjectRef", False),
        "metricName": (2, _Type.TYPE_STRING, False),
    },
    "GetMetricsResponse": {"metricValues": (1, "MetricValue", True)},
    "MetricValue": {
        "metricName": (1, _Type.TYPE_STRING, False),
        "metricValue": (2, _Type.TYPE_INT64, False),
        "metricValueFloat": (3, _Type.TYPE_DOUBLE, False),
    },
}


def _add_field(message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: int | str, many: bool) -> None:
    label = _Type.LABEL_REPEATED if many else _Type.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    if isinstance(kind, str):
        field.type, field.type_name = _Type.TYPE_MESSAGE, f".externalscaler.{kind}"
    else:
        field.type = _Type.Type.ValueType(kind)


def _messages() -> dict[str, Any]:
    """KEDA's message classes, in a pool of descriptors of their own."""
    file = descriptor_pb2.FileDescriptorProto(name="externalscaler.proto", package="externalscaler", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, many) in fields.items():
            _add_field(message, field, number, kind, many)
    entry = file.message_type[0].nested_type.add(name="ScalerMetadataEntry")
    entry.options.map_entry = True
    _add_field(entry, "key", 1, _Type.TYPE_STRING, False)
    _add_field(entry, "value", 2, _Type.TYPE_STRING, False)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"externalscaler.{name}"))
        for name in _MESSAGES
    }


_OF = _messages()


class ScaledObject:
    """A ScaledObject with one external-push trigger, as KEDA's operator works on it. Raises: AioRpcError."""

    def __init__(self, channel: aio.Channel, **metadata: str) -> None:
        self._channel = channel
        self._ref = _OF["ScaledObjectRef"](
            name="engines", namespace="ssr", scalerMetadata={"scalerAddress": "ssr-orchestrator:7600", **metadata}
        )

    async def metric(self) -> tuple[str, float]:
        """The metric's name and target for the HPA."""
        reply = await self._call("GetMetricSpec", "GetMetricSpecResponse", self._ref)
        (spec,) = reply.metricSpecs
        return _INDEX + spec.metricName, spec.targetSizeFloat if spec.targetSizeFloat > 0 else spec.targetSize

    async def value_and_activity(self, metric: str) -> tuple[float, bool]:
        """As every pollingInterval, and whenever the HPA asks."""
        request = _OF["GetMetricsRequest"](scaledObjectRef=self._ref, metricName=metric.removeprefix(_INDEX))
        reply = await self._call("GetMetrics", "GetMetricsResponse", request)
        (found,) = reply.metricValues
        value = found.metricValueFloat if found.metricValueFloat > 0 else found.metricValue
        active = await self._call("IsActive", "IsActiveResponse", self._ref)
        return float(value), bool(active.result)

    async def pushed(self) -> AsyncIterator[bool]:
        """What the stream says, until the server ends it with OK."""
        method: Any = self._channel.unary_stream(
            "/externalscaler.ExternalScaler/StreamIsActive",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=_OF["IsActiveResponse"].FromString,
        )
        async for message in method(self._ref):
            yield bool(message.result)

    async def _call(self, method: str, reply: str, request: Any) -> Any:
        call: Any = self._channel.unary_unary(
            f"/externalscaler.ExternalScaler/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=_OF[reply].FromString,
        )
        return await call(request, timeout=LIMIT_S)


def hpa_replicas(value: float, target: float, current: int, tolerance: float = 0.1) -> int:
    """What the HPA makes of an external metric with an average value (Kubernetes 1.33 and later).

    Source: Kubernetes, GetExternalPerPodMetricReplicas.
    """
    ratio = value / (target * current)
    return current if 1 - tolerance <= ratio <= 1 + tolerance else math.ceil(value / target)
