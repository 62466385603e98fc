"""Errors across gRPC: core.errors to status codes on the server, and back on the client."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn
from urllib.parse import quote

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import aio
from grpc_status import rpc_status

from ssr.core import errors
from ssr.core.allowance import Allowance
from ssr.runtime.telemetry.private_texts import private

_log = logging.getLogger(__name__)

#: Whose reasons those of ErrorInfo are.
DOMAIN = "ssr"
#: What is tried for a status to fit into the headers that carry it.
_MESSAGE_CHARS = (1000, 400, 150, 50)
_MAX_VIOLATIONS = 20
_MAX_HEADER_BYTES = 6000

#: Most special first: the first class that an error is an instance of gives its code.
CODES: tuple[tuple[type[errors.SsrError], grpc.StatusCode], ...] = (
    (errors.InvalidRequest, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.ContextFull, grpc.StatusCode.OUT_OF_RANGE),
    (errors.Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (errors.PermissionDenied, grpc.StatusCode.PERMISSION_DENIED),
    (errors.NotFound, grpc.StatusCode.NOT_FOUND),
    (errors.Conflict, grpc.StatusCode.ALREADY_EXISTS),
    (errors.CapabilityMissing, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.StaleOwner, grpc.StatusCode.ABORTED),
    (errors.LostGround, grpc.StatusCode.ABORTED),
    (errors.BadReply, grpc.StatusCode.INTERNAL),
    (errors.Overloaded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.NoEngine, grpc.StatusCode.UNAVAILABLE),
    (errors.Unavailable, grpc.StatusCode.UNAVAILABLE),
    (errors.TimedOut, grpc.StatusCode.DEADLINE_EXCEEDED),
    (errors.Retryable, grpc.StatusCode.UNAVAILABLE),
    (errors.Permanent, grpc.StatusCode.INTERNAL),
)


def to_status(error: errors.SsrError) -> status_pb2.Status:
    """The gRPC status of an error: ErrorInfo always, BadRequest and RetryInfo where they apply.

    Long messages lose their ends: a status travels in headers, and clients take no more of those than 8 KiB.
    """
    status = _status(error, _MESSAGE_CHARS[0])
    for chars in _MESSAGE_CHARS[1:]:
        if _header_bytes(status) <= _MAX_HEADER_BYTES:
            break
        status = _status(error, chars)
    return status


def _status(error: errors.SsrError, chars: int) -> status_pb2.Status:
    kind, code = next((kind, code) for kind, code in CODES if isinstance(error, kind))
    status = status_pb2.Status(code=code.value[0], message=_cut(error.public, chars))
    _add(status, error_details_pb2.ErrorInfo(reason=reason_of(kind), domain=DOMAIN, metadata=_used_up(error)))
    if isinstance(error, errors.InvalidRequest):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=one.field, description=_cut(one.message, chars))
            for one in error.violations[:_MAX_VIOLATIONS]
        ]
        _add(status, error_details_pb2.BadRequest(field_violations=violations))
    if isinstance(error, errors.Retryable):
        delay = Duration()
        delay.FromMilliseconds(round(error.delay_s * 1000))
        _add(status, error_details_pb2.RetryInfo(retry_delay=delay))
    return status


def _used_up(error: errors.SsrError) -> dict[str, str]:
    """ErrorInfo's metadata: the limit that there is no more of."""
    if not isinstance(error, errors.Overloaded) or error.used_up is None:
        return {}
    return {"what": error.used_up.what, "limit": str(error.used_up.limit)}


def reason_of(kind: type[errors.SsrError]) -> str:
    """An error's name in ErrorInfo: INVALID_REQUEST for InvalidRequest."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).upper()


def _add(status: status_pb2.Status, message: Message) -> None:
    detail = AnyMessage()
    detail.Pack(message)
    status.details.append(detail)


def _cut(message: str, chars: int) -> str:
    return message if len(message) <= chars else f"{message[:chars]}..."


def _header_bytes(status: status_pb2.Status) -> int:
    """Of the message, percent-encoded, and of the whole in base64."""
    return len(quote(status.message, safe=" ")) + len(status.SerializeToString()) * 4 // 3


def from_rpc_error(error: aio.AioRpcError, peer: str) -> errors.SsrError:
    """What a failed call means; `peer` names the service for codes that its own code did not choose."""
    code, message = error.code(), error.details() or ""
    match code:
        case grpc.StatusCode.INVALID_ARGUMENT:
            return _invalid(error, message)
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            delay_s = _retry_delay_s(error)
            return errors.Overloaded(message, delay_s, _read_used_up(error, delay_s))
        case grpc.StatusCode.UNAVAILABLE:
            away = errors.NoEngine if _reason(error) == reason_of(errors.NoEngine) else errors.Unavailable
            return away(f"{peer}: {message}", _retry_delay_s(error))
        case grpc.StatusCode.CANCELLED:
            # A cancellation of our own is a CancelledError. This one is the server's, which answers calls so that it
            # has not read yet when it stops, even within its grace: another replica can take them.
            return errors.Unavailable(f"{peer}: the server stopped before it read the call", _retry_delay_s(error))
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return errors.TimedOut(f"{peer}: {message}", _retry_delay_s(error))
    for kind, known in CODES:
        if known is code and kind is not errors.Permanent:
            return kind(message)
    return errors.BadReply(f"{peer}: {code.name}: {message}")


class remote_errors:  # noqa: N801 - reads as what it does, as contextlib's do
    """Turns a gRPC error raised inside into ours; `peer` as for `from_rpc_error`."""

    __slots__ = ("_peer",)

    def __init__(self, peer: str) -> None:
        self._peer = peer

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, aio.AioRpcError):
            raise from_rpc_error(error, self._peer) from error


class ErrorInterceptor(aio.ServerInterceptor):
    """Answers our errors with their status; anything else with INTERNAL, its traceback only in the log."""

    def __init__(self) -> None:
        self._guarded: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The method's handler behind our guard, the same for all its calls."""
        name = handler_call_details.method
        if name not in self._guarded:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            self._guarded[name] = _guarded(handler)
        return self._guarded[name]


def _guarded(handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
    if handler.request_streaming:
        if not handler.response_streaming:
            return handler
        return grpc.stream_stream_rpc_method_handler(
            _guard_stream(handler.stream_stream), handler.request_deserializer, handler.response_serializer
        )
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(
            _guard_stream(handler.unary_stream), handler.request_deserializer, handler.response_serializer
        )
    return grpc.unary_unary_rpc_method_handler(
        _guard_unary(handler.unary_unary), handler.request_deserializer, handler.response_serializer
    )


def _guard_unary(method: Any) -> Any:
    async def guarded(request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
        try:
            return await method(request, context)
        except Exception as error:
            await answer(error, context, request)

    return guarded


def _guard_stream(method: Any) -> Any:
    if not inspect.isasyncgenfunction(method):  # it writes its messages itself, as gRPC's own health service does
        return _guard_unary(method)

    async def guarded(request: Any, context: aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        try:
            async for message in method(request, context):
                yield message
        except Exception as error:
            await answer(error, context, request)

    return guarded


async def answer(error: Exception, context: aio.ServicerContext[Any, Any], request: object = b"") -> NoReturn:
    """Ends the call with the status of what it raised. No line of the log quotes the request, in bytes."""
    if isinstance(error, aio.AbortError):  # it has its status
        raise error
    if isinstance(error, errors.SsrError):
        await context.abort_with_status(rpc_status.to_status(to_status(error)))
    with private(request.decode("utf-8", "replace") if isinstance(request, bytes) else ""):
        _log.error("unexpected error", exc_info=error)
    await context.abort(grpc.StatusCode.INTERNAL, "internal error; the server's log has the details")


def _invalid(error: aio.AioRpcError, message: str) -> errors.InvalidRequest:
    """A server's INVALID_ARGUMENT; one without details, as older servers send it, names its field in the message."""
    bad = error_details_pb2.BadRequest()
    if _unpack(error, bad) and bad.field_violations:
        return errors.InvalidRequest.of([errors.Violation(v.field, v.description) for v in bad.field_violations])
    field, _, rest = message.partition(": ")
    return errors.InvalidRequest(field, rest or message)


def _reason(error: aio.AioRpcError) -> str:
    """The name that ErrorInfo gives the error; "" for none, or another domain's."""
    info = error_details_pb2.ErrorInfo()
    return info.reason if _unpack(error, info) and info.domain == DOMAIN else ""


def _read_used_up(error: aio.AioRpcError, delay_s: float) -> Allowance | None:
    info = error_details_pb2.ErrorInfo()
    if not (_unpack(error, info) and info.domain == DOMAIN and info.metadata["limit"].isdecimal()):
        return None
    return Allowance(info.metadata["what"], int(info.metadata["limit"]), 0, delay_s)


def _retry_delay_s(error: aio.AioRpcError) -> float:
    info = error_details_pb2.RetryInfo()
    return float(info.retry_delay.ToTimedelta().total_seconds()) if _unpack(error, info) else 1.0


def _unpack(error: aio.AioRpcError, into: Message) -> bool:
    """Whether the error has such a detail, which is then read. A status that contradicts its call has none."""
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
    except ValueError:
        return False
    return any(detail.Unpack(into) for detail in (status.details if status is not None else ()))
