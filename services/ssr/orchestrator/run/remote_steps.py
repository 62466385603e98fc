"""A path's next steps from a service: a stream of them, or a call each from a service that does not stream yet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import grpc
from grpc import aio

from ssr.core.errors import BadReply, TimedOut
from ssr.core.path_stream import behind
from ssr.core.stages import OnRejected, Written
from ssr.core.types import Options, PathContext
from ssr.orchestrator.metrics.stages import Stage
from ssr.orchestrator.run.peer import Metadata, Peer
from ssr.runtime.rpc.options_wire import sampling_to_wire
from ssr.runtime.rpc.step_wire import calls_from_wire, context_to_wire, step_from_wire
from ssr.runtime.telemetry.log_context import about_next_step
from ssr.v1 import step_pb2, verification_pb2

Request = TypeVar("Request")
Message = TypeVar("Message")


class _StepReply(Protocol):
    """What DraftResponse and WriteResponse have in common."""

    @property
    def step(self) -> step_pb2.Step: ...

    @property
    def calls(self) -> Sequence[step_pb2.Call]: ...


Reply = TypeVar("Reply", bound=_StepReply)

#: How long a service that cannot stream is asked without, before it is tried again: it may have been updated.
_OLD_S = 60.0


class CannotStream(Exception):
    """A replica of an older version answered that it does not know the method."""


class Streaming:
    """Whether a service streams, as far as is known; `now` counts seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._old_until = now, -1.0

    @property
    def believed(self) -> bool:
        return self._now() >= self._old_until

    def refused(self) -> None:
        self._old_until = self._now() + _OLD_S


async def next_part(call: aio.UnaryStreamCall[Request, Message], timeout: float) -> Message | None:  # noqa: ASYNC109
    """The next message of a stream within so many seconds; None at its end. Otherwise the call is cancelled.

    Raises: CannotStream; TimedOut; gRPC's errors.
    """
    try:
        async with asyncio.timeout(timeout):
            part = await call.read()
    except TimeoutError as error:
        raise TimedOut(f"the next part did not come within {timeout:g} s") from error
    except aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            raise CannotStream from error
        raise
    return None if part is aio.EOF else part  # type: ignore[return-value]


class RemoteSteps(Generic[Request, Reply]):
    """Implements `core.stages.StepWriter` with a service that writes steps: by its two methods, `one` and `many`.

    `ask` is the type of their requests, DraftRequest or WriteRequest; `behalf` says on whose behalf they are.
    """

    def __init__(
        self,
        peer: Peer,
        stage: Stage,
        one: aio.UnaryUnaryMultiCallable[Request, Reply],
        many: aio.UnaryStreamMultiCallable[Request, Reply],
        ask: Callable[..., Request],
        behalf: Mapping[str, Any],
        streaming: Streaming,
    ) -> None:
        self._peer, self._stage, self._one, self._many, self._ask = peer, stage, one, many, ask
        self._behalf, self._streaming = behalf, streaming

    async def stream(self, context: PathContext, options: Options, *, most: int = 0) -> AsyncGenerator[Written, None]:
        """See `core.stages.StepWriter`. A stream that breaks is opened again behind its last step."""
        given = 0
        stream = _Stream(self._many)
        try:
            while True:
                request = self._request(context, options, most - given if most else 0)
                written = await self._next(context, request, stream, alone=most == 1)
                if written is None:
                    return
                context, options = behind(context, options, written.step)
                given += 1
                yield written
                if given == most or written.step.ends_turn or options.max_path_tokens < 1:
                    return
        finally:
            stream.close()

    def _request(self, context: PathContext, options: Options, most: int) -> Request:
        return self._ask(
            context=context_to_wire(context, **self._behalf),
            sampling=sampling_to_wire(options),
            max_tokens=options.max_step_tokens,
            max_path_tokens=options.max_path_tokens,
            max_steps=most,
        )

    async def _next(
        self, context: PathContext, request: Request, stream: _Stream[Request, Reply], *, alone: bool
    ) -> Written | None:
        with self._peer.step_span(self._stage, context) as span, about_next_step(context):
            reply = await self._reply(context.job_id, request, stream, alone=alone)
            if reply is None:
                return None
            span.set(tokens=reply.step.tokens)
        return Written(step_from_wire(reply.step), calls_from_wire(reply.calls))

    async def _reply(
        self, job_id: str, request: Request, stream: _Stream[Request, Reply], *, alone: bool
    ) -> Reply | None:
        if not alone and self._streaming.believed:
            try:
                return await self._peer.call(self._stage, stream.next, request, job_id)
            except CannotStream:
                self._streaming.refused()
        return await self._peer.call(self._stage, self._one, request, job_id)


class _Stream(Generic[Request, Reply]):
    """One stream, opened with the request for its next step whenever it is not open."""

    def __init__(self, method: aio.UnaryStreamMultiCallable[Request, Reply]) -> None:
        self._method = method
        self._call: aio.UnaryStreamCall[Request, Reply] | None = None

    async def next(self, request: Request, *, timeout: float, metadata: Metadata) -> Reply | None:  # noqa: ASYNC109
        """The next step; None where the stream has ended."""
        if self._call is None:
            self._call = self._method(request, metadata=metadata)
        try:
            return await next_part(self._call, timeout)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None


class VerdictInParts:
    """VerificationService.VerifyInParts as a method with one reply; `rejected` is awaited with the first of two."""

    def __init__(
        self,
        method: aio.UnaryStreamMultiCallable[verification_pb2.VerifyRequest, verification_pb2.VerifyResponse],
        rejected: OnRejected,
    ) -> None:
        self._method, self._rejected = method, rejected

    async def __call__(
        self,
        request: verification_pb2.VerifyRequest,
        *,
        timeout: float,  # noqa: ASYNC109
        metadata: Metadata,
    ) -> verification_pb2.VerifyResponse:
        call = self._method(request, timeout=timeout, metadata=metadata)
        verdict = None
        try:
            while (part := await next_part(call, timeout)) is not None:
                if part.HasField("step"):
                    verdict = part
                else:
                    await self._rejected()
        finally:
            call.cancel()  # where it has not ended
        if verdict is None:
            raise BadReply("VerifyInParts ended without a verdict")
        return verdict
