"""Every call of a service's own is counted, and is a span where its caller's trace goes on, or where a trace begins."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
from grpc import aio
from opentelemetry.trace import SpanKind

from ssr.runtime.telemetry.grpc_metrics import GrpcMetrics, MethodMetrics
from ssr.runtime.telemetry.tracing import Tracing, traceparent_in

_CODES = {code.value[0]: code.name for code in grpc.StatusCode}
#: gRPC's own: health is asked by everybody all the time, and watched for ever.
_NOT_OURS = "/grpc."
#: A client's deadline passes a little before its server's: the request was on its way. Then it cancels the call.
_EARLY_S = 0.05

if TYPE_CHECKING:  # gRPC's own class is no generic one
    _Handler = grpc.RpcMethodHandler[Any, Any]


class MeasuringInterceptor(aio.ServerInterceptor):
    """The outermost one of a server: it sees every call with the status that its caller gets.

    A call of `begins` (full names, as "/ssr.v1.ReasoningService/Solve") begins a trace where its caller has none.
    """

    def __init__(self, metrics: GrpcMetrics, tracing: Tracing, begins: Collection[str] = ()) -> None:
        self._metrics, self._tracing, self._begins = metrics, tracing, frozenset(begins)
        self._watched: dict[str, _Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        """The method's handler, watched; the same for all its calls."""
        name = handler_call_details.method
        if name not in self._watched:
            handler = await continuation(handler_call_details)
            if handler is None or name.startswith(_NOT_OURS) or handler.request_streaming:
                return handler
            self._watched[name] = self._watch(name, handler)
        return self._watched[name]

    def _watch(self, name: str, handler: _Handler) -> _Handler:
        service, _, method = name.removeprefix("/").rpartition("/")
        metrics = self._metrics.method(service, method)
        if handler.response_streaming:
            kind = grpc.unary_stream_rpc_method_handler
            watched = self._watch_stream(name, metrics, handler.unary_stream)
        else:
            kind = grpc.unary_unary_rpc_method_handler
            watched = self._watch_unary(name, metrics, handler.unary_unary)
        return kind(watched, handler.request_deserializer, handler.response_serializer)

    def _watch_unary(self, name: str, metrics: MethodMetrics, method: Any) -> Any:
        async def watched(request: Any, context: Any) -> Any:
            with self._call(name, metrics, context):
                return await method(request, context)

        return watched

    def _watch_stream(self, name: str, metrics: MethodMetrics, method: Any) -> Any:
        if not inspect.isasyncgenfunction(method):  # it writes its messages itself
            return self._watch_unary(name, metrics, method)

        async def watched(request: Any, context: Any) -> AsyncIterator[Any]:
            with self._call(name, metrics, context):
                async for message in method(request, context):
                    yield message

        return watched

    @contextmanager
    def _call(self, name: str, metrics: MethodMetrics, context: Any) -> Iterator[None]:
        """Counts a call, which is the block, and is its span."""
        begun, code = metrics.begun(), "OK"
        try:
            parent = traceparent_in(context.invocation_metadata()) if self._tracing.on else None
            with self._tracing.span(name[1:], SpanKind.SERVER, parent=parent, begins=name in self._begins):
                yield
        except BaseException as error:
            code = _code(error, context)
            raise
        finally:
            metrics.ended(begun, code)


def _code(error: BaseException, context: Any) -> str:
    """The status of a call that raised; whoever cancelled it may have been its deadline."""
    if isinstance(error, aio.AbortError):
        return _CODES.get(_number(context.code()), "UNKNOWN")
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        left_s = context.time_remaining()
        return "DEADLINE_EXCEEDED" if left_s is not None and left_s <= _EARLY_S else "CANCELLED"
    return "UNKNOWN"


def _number(code: Any) -> int:
    return int(code.value[0]) if isinstance(code, grpc.StatusCode) else int(code)
