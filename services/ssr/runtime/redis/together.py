"""Commands that come while others are under way go to Redis together: one write, one read, and no connection each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

#: So many commands, alone or together with others, are under way at a time; one that hangs holds nobody back at once.
_AT_A_TIME = 8
#: Commands that go together at most.
_TOGETHER = 64


@dataclass(frozen=True, slots=True)
class Command:
    """A command with redis-py's options for reading its reply."""

    args: tuple[Any, ...]
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Waiting:
    command: Command
    reply: asyncio.Future[Any]


class CommandsTogether:
    """Sends commands one by one, or those that wait together.

    `alone` gives the reply to one command. `together` those to several in their order, an exception in the place of a
    reply that is an error; what it raises is raised for all of them.
    """

    def __init__(
        self,
        alone: Callable[[Command], Awaitable[Any]],
        together: Callable[[Sequence[Command]], Awaitable[Sequence[Any]]],
    ) -> None:
        self._alone, self._together = alone, together
        self._under_way = 0
        self._waiting: list[_Waiting] = []
        self._sending: set[asyncio.Task[None]] = set()

    async def reply(self, command: Command) -> Any:
        """The reply to a command. Raises: what `alone` or `together` does."""
        if self._under_way < _AT_A_TIME:
            self._under_way += 1
            try:
                return await self._alone(command)
            finally:
                self._free()
        waiting = _Waiting(command, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        return await waiting.reply

    def _free(self) -> None:
        """One is under way no more; those that wait are, then."""
        self._under_way -= 1
        waiting = [one for one in self._waiting if not one.reply.done()]  # nobody waits for the others any more
        some, self._waiting = waiting[:_TOGETHER], waiting[_TOGETHER:]
        if some:
            self._under_way += 1
            task = asyncio.get_running_loop().create_task(self._send(some), name="redis/together")
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, some: Sequence[_Waiting]) -> None:
        try:
            replies = await self._together([one.command for one in some])
        except Exception as error:
            replies = [error] * len(some)
        except BaseException:
            for one in some:
                one.reply.cancel()
            raise
        finally:
            self._free()
        for one, reply in zip(some, replies, strict=True):
            if one.reply.done():
                continue
            if isinstance(reply, Exception):
                one.reply.set_exception(reply)
            else:
                one.reply.set_result(reply)
