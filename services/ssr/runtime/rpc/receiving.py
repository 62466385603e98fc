"""How requests come in: within a time limit, and decoded by us.

gRPC itself waits for ever for the rest of a message, and answers bytes that are no message with UNKNOWN, the name of a
Python class and a traceback in the log, before anybody has looked at who calls. Here a call is a stream of raw bytes
for gRPC: `Receiving`, the outermost interceptor, reads its one message, and `Decoding`, the innermost, makes the
request of it, behind authentication. What goes over the wire is the same.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import grpc
from google.protobuf.message import DecodeError
from grpc import aio

from ssr.core.errors import InvalidRequest, TimedOut, plain
from ssr.runtime.rpc.errors import answer

if TYPE_CHECKING:  # gRPC's own class is no generic one
    _Handler = grpc.RpcMethodHandler[Any, Any]

#: For a request to arrive as a whole, in seconds, whatever deadline its call has.
RECEIVE_S = 30.0

_Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["_Handler | None"]]
_Context = aio.ServicerContext[Any, Any]


class Receiving(aio.ServerInterceptor):
    """The outermost interceptor: reads a call's one message, and hands it on as the bytes it is."""

    def __init__(self, limit_s: float = RECEIVE_S) -> None:
        self._limit_s = limit_s

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> _Handler | None:
        """The method's handler behind our reading."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        if not handler.response_streaming:
            return grpc.stream_unary_rpc_method_handler(
                self._call(handler.unary_unary), None, handler.response_serializer
            )
        receiving = self._stream if inspect.isasyncgenfunction(handler.unary_stream) else self._call
        return grpc.stream_stream_rpc_method_handler(receiving(handler.unary_stream), None, handler.response_serializer)

    def _call(self, method: Any) -> Any:
        async def received(_: Any, context: _Context) -> Any:
            return await method(await self._message(context), context)

        return received

    def _stream(self, method: Any) -> Any:
        async def received(_: Any, context: _Context) -> AsyncIterator[Any]:
            async for message in method(await self._message(context), context):
                yield message

        return received

    async def _message(self, context: _Context) -> bytes:
        """The call's first message. Ends the call where it does not come, or not as a whole."""
        try:
            async with asyncio.timeout(self._limit_s):
                message = await context.read()
        except TimeoutError:
            await answer(TimedOut(f"request: did not arrive as a whole within {plain(self._limit_s)} s"), context)
        if message is aio.EOF:
            await answer(InvalidRequest("request", "is missing, or was cut off; send one message"), context)
        return cast("bytes", message)


class Decoding(aio.ServerInterceptor):
    """The innermost interceptor: makes requests of bytes. What it raises is answered outside of it."""

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> _Handler | None:
        """The method's handler for bytes."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return handler
        decode = handler.request_deserializer
        if handler.request_streaming:
            return _decoding_requests(handler, decode)
        if not handler.response_streaming:
            method = _decoding_call(handler.unary_unary, decode)
            return grpc.unary_unary_rpc_method_handler(method, None, handler.response_serializer)
        decoding = _decoding_stream if inspect.isasyncgenfunction(handler.unary_stream) else _decoding_call
        return grpc.unary_stream_rpc_method_handler(
            decoding(handler.unary_stream, decode), None, handler.response_serializer
        )


def _decoding_call(method: Any, decode: Any) -> Any:
    async def decoded(message: bytes, context: _Context) -> Any:
        return await method(_decoded(message, decode), context)

    return decoded


def _decoding_stream(method: Any, decode: Any) -> Any:
    async def decoded(message: bytes, context: _Context) -> AsyncIterator[Any]:
        async for reply in method(_decoded(message, decode), context):
            yield reply

    return decoded


def _decoding_requests(handler: _Handler, decode: Any) -> _Handler:
    method: Any = handler.stream_stream
    if not inspect.isasyncgenfunction(method):
        return handler

    async def requests(messages: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for message in messages:
            yield _decoded(message, decode)

    async def decoded(messages: AsyncIterator[bytes], context: _Context) -> AsyncIterator[Any]:
        async for reply in method(requests(messages), context):
            yield reply

    return grpc.stream_stream_rpc_method_handler(decoded, None, handler.response_serializer)


def _decoded(message: bytes, decode: Any) -> Any:
    try:
        return decode(message)
    except DecodeError:
        raise InvalidRequest(
            "request", f"its {len(message)} bytes are not the message that this method takes"
        ) from None
