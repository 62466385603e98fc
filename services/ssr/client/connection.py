"""Calls to one server: a deadline on each, and again after a pause where that may help."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from copy import copy
from typing import Any, Self, TypeVar

import grpc
from grpc import aio

from ssr.client.credentials import Metadata
from ssr.client.deadline import Deadline
from ssr.client.retrying import RETRIED, Retries
from ssr.core.errors import SsrError, TimedOut, Unavailable
from ssr.core.retry import Backoff
from ssr.runtime.rpc.channel import open_channel
from ssr.runtime.rpc.errors import from_rpc_error
from ssr.runtime.rpc.tls import Tls
from ssr.v1 import reasoning_pb2_grpc

Request = TypeVar("Request")
Reply = TypeVar("Reply")


class Connection:
    """An open channel to the ReasoningService at `address` ("host:port"); an async context manager.

    Every call has `metadata`. Without `tls` it is in plaintext.
    """

    def __init__(self, address: str, backoff: Backoff, metadata: Metadata = (), tls: Tls | None = None) -> None:
        self._metadata, self._tls = metadata, tls
        self._peer = f"SSR at {address}"
        self._address, self._backoff = address, backoff
        self._stack = AsyncExitStack()
        self._channel: aio.Channel | None = None
        self._stub: reasoning_pb2_grpc.ReasoningServiceAsyncStub | None = None

    async def __aenter__(self) -> Self:
        self._channel = await self._stack.enter_async_context(open_channel(self._address, tls=self._tls))
        self._stub = reasoning_pb2_grpc.ReasoningServiceStub(self._channel)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._channel = self._stub = None
        await self._stack.aclose()

    def with_metadata(self, metadata: Metadata) -> Connection:
        """The same open channel with other metadata; it is closed with this connection."""
        other = copy(self)
        other._metadata = metadata
        return other

    @property
    def stub(self) -> reasoning_pb2_grpc.ReasoningServiceAsyncStub:
        return self._stub or reasoning_pb2_grpc.ReasoningServiceStub(self.channel)

    @property
    def channel(self) -> aio.Channel:
        if self._channel is None:
            raise RuntimeError("the client is not open: use it in a `with` block")
        return self._channel

    async def ready(self, deadline: Deadline) -> None:
        """Wait until the server takes calls. Raises: Unavailable when the deadline passes first."""
        try:
            async with asyncio.timeout(deadline.remaining_s):
                await self.channel.channel_ready()
        except TimeoutError:
            raise Unavailable(
                f"{self._peer} cannot be reached within {deadline.timeout_s:g} s; check the address, that it runs, and "
                + ("that its TLS takes our certificates" if self._tls else "that it does without TLS")
            ) from None

    async def call(
        self,
        method: aio.UnaryUnaryMultiCallable[Request, Reply],
        request: Request,
        deadline: Deadline,
        metadata: Metadata = (),
    ) -> Reply:
        """The method's reply, of the first attempt that gives one; `metadata` beside the connection's own.

        Raises: the server's error; TimedOut when the deadline passes.
        """
        retries = Retries(self._backoff, deadline)
        while True:
            try:
                return await method(request, timeout=deadline.remaining_s, metadata=(*self._metadata, *metadata))
            except aio.AioRpcError as rpc_error:
                error = self._error(rpc_error, deadline)
                if not isinstance(error, RETRIED):
                    raise error from rpc_error
                await retries.pause(error)

    async def stream(
        self, method: aio.UnaryStreamMultiCallable[Request, Reply], request: Request, deadline: Deadline
    ) -> AsyncGenerator[Reply]:
        """The method's replies, of one attempt. Raises: as `call`."""
        call: Any = method(request, timeout=deadline.remaining_s, metadata=self._metadata)
        try:
            async for reply in call:
                yield reply
        except aio.AioRpcError as rpc_error:
            raise self._error(rpc_error, deadline) from rpc_error
        finally:
            call.cancel()

    def _error(self, error: aio.AioRpcError, deadline: Deadline) -> SsrError:
        if error.code() is grpc.StatusCode.CANCELLED:  # not by us: a server that stops ends its calls so
            return Unavailable(f"{self._peer}: the server ended the call", self._backoff.first_s)
        mapped = from_rpc_error(error, self._peer)
        if isinstance(mapped, TimedOut) and deadline.timeout_s is not None and deadline.passed:
            return TimedOut(f"{self._peer}: no answer within {deadline.timeout_s:g} s")
        return mapped
