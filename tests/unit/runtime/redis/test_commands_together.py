"""Commands that wait go together; each caller gets its own reply, or its own error."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from ssr.runtime.redis import together
from ssr.runtime.redis.together import Command, CommandsTogether


class Server:
    """Answers a command with its first argument, an exception as an error reply; `sent` has what came together."""

    def __init__(self) -> None:
        self.sent: list[list[Any]] = []
        self.goes_on = asyncio.Event()
        self.failure: BaseException | None = None

    async def alone(self, command: Command) -> Any:
        self.sent.append([command.args[0]])
        await self.goes_on.wait()
        if isinstance(command.args[0], Exception):
            raise command.args[0]
        return command.args[0]

    async def together(self, commands: Sequence[Command]) -> Sequence[Any]:
        self.sent.append([command.args[0] for command in commands])
        await self.goes_on.wait()
        if self.failure is not None:
            raise self.failure
        return [command.args[0] for command in commands]


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "_AT_A_TIME", 2)
    monkeypatch.setattr(together, "_TOGETHER", 128)


async def asked(calls: CommandsTogether, *what: Any) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.create_task(calls.reply(Command((one,), {}))) for one in what]
    await asyncio.sleep(0)
    return tasks


async def test_what_comes_while_others_are_under_way_goes_together() -> None:
    server = Server()
    calls = CommandsTogether(server.alone, server.together)
    tasks = await asked(calls, *range(7))
    assert server.sent == [[0], [1]]
    server.goes_on.set()
    assert await asyncio.gather(*tasks) == list(range(7))
    assert server.sent == [[0], [1], [2, 3, 4, 5, 6]]


async def test_no_more_than_so_many_go_together() -> None:
    server = Server()
    calls = CommandsTogether(server.alone, server.together)
    tasks = await asked(calls, *range(302))
    server.goes_on.set()
    assert await asyncio.gather(*tasks) == list(range(302))
    assert [len(some) for some in server.sent] == [1, 1, 128, 128, 44]


async def test_an_error_reply_is_its_callers_alone() -> None:
    server = Server()
    calls = CommandsTogether(server.alone, server.together)
    tasks = await asked(calls, 0, 1, 2, ValueError("no such thing"), 4)
    server.goes_on.set()
    replies = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(reply) for reply in replies] == ["0", "1", "2", "no such thing", "4"]
    assert isinstance(replies[3], ValueError)


async def test_a_lost_connection_is_everybodys_and_the_next_go_on() -> None:
    server = Server()
    calls = CommandsTogether(server.alone, server.together)
    tasks = await asked(calls, *range(5))
    server.failure = ConnectionError("gone")
    server.goes_on.set()
    replies = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(reply, ConnectionError) for reply in replies] == [False, False, True, True, True]
    server.failure = None
    assert await asyncio.gather(*await asked(calls, *range(5))) == list(range(5))


async def test_what_nobody_waits_for_any_more_is_not_sent() -> None:
    server = Server()
    calls = CommandsTogether(server.alone, server.together)
    tasks = await asked(calls, *range(5))
    tasks[3].cancel()
    await asyncio.wait({tasks[3]})
    server.goes_on.set()
    await asyncio.wait(tasks)
    assert [None if task.cancelled() else task.result() for task in tasks] == [0, 1, 2, None, 4]
    assert server.sent == [[0], [1], [2, 4]]


async def test_whoever_is_cancelled_while_it_is_sent_disturbs_nobody() -> None:
    server = Server()
    alone = Server()
    calls = CommandsTogether(alone.alone, server.together)
    first = await asked(calls, *range(2))
    joined = await asked(calls, *range(2, 5))
    alone.goes_on.set()
    await asyncio.wait(first)
    await asyncio.sleep(0)
    assert server.sent == [[2, 3, 4]]
    joined[1].cancel()
    server.goes_on.set()
    await asyncio.wait(joined)
    assert [None if task.cancelled() else task.result() for task in joined] == [2, None, 4]
