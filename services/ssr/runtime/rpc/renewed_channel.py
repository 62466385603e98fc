"""A channel that later calls make anew: credentials of a gRPC channel cannot change, and certificates do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import grpc
from grpc import aio

#: Makes what calls a method, of a channel.
_Bind = Callable[[aio.Channel], Callable[..., Any]]


class RenewedChannel(aio.Channel):
    """Calls begin on the newest channel it was given, and end on the one where they began.

    A channel that was replaced is closed when the last of its calls has ended. Stubs made of this channel are good for
    all that come.
    """

    def __init__(self, channel: aio.Channel) -> None:
        self.newest = Lease(channel)
        self._replaced: set[Lease] = set()

    async def renew(self, channel: aio.Channel) -> None:
        """Begin calls on `channel` from now on; ends when what it replaces has ended its calls, and is closed."""
        replaced, self.newest = self.newest, Lease(channel)
        self._replaced.add(replaced)
        await replaced.idle.wait()
        self._replaced.discard(replaced)
        await replaced.channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Close all of them, whatever calls there are."""
        for lease in (*self._replaced, self.newest):
            await lease.channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self.newest.channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self.newest.channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self.newest.channel.channel_ready()

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _Method(self, lambda channel: channel.unary_unary(*args, **kwargs))

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _Method(self, lambda channel: channel.unary_stream(*args, **kwargs))

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _Method(self, lambda channel: channel.stream_unary(*args, **kwargs))

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _Method(self, lambda channel: channel.stream_stream(*args, **kwargs))


class Lease:
    """A channel and how many calls are on it. `idle` is set while there are none."""

    def __init__(self, channel: aio.Channel) -> None:
        self.channel = channel
        self.idle = asyncio.Event()
        self.idle.set()
        self._calls = 0

    def began(self, call: Any) -> None:
        self._calls += 1
        self.idle.clear()
        call.add_done_callback(self._ended)

    def _ended(self, _: object) -> None:
        self._calls -= 1
        if not self._calls:
            self.idle.set()


class _Method:
    """One method, on whatever channel is the newest."""

    def __init__(self, channel: RenewedChannel, bind: _Bind) -> None:
        self._channel, self._bind = channel, bind
        self._lease, self._call = channel.newest, bind(channel.newest.channel)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._lease is not self._channel.newest:
            self._lease = self._channel.newest
            self._call = self._bind(self._lease.channel)
        call = self._call(*args, **kwargs)
        self._lease.began(call)
        return call
