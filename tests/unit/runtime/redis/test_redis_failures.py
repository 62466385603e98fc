"""Failures of Redis as ours: what passes, what has to be set right, what is our own fault."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from redis import exceptions
from redis._parsers.base import BaseParser

from ssr.core.errors import Permanent, Unavailable
from ssr.runtime.redis.failures import RedisRefused, redis_errors


@pytest.mark.parametrize(
    "reply",
    [
        "READONLY You can't write against a read only replica. script: 1234, on @user_script:1.",
        "LOADING Redis is loading the dataset in memory",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "CLUSTERDOWN The cluster is down",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "MOVED 3999 127.0.0.1:6381",
        "ASK 3999 127.0.0.1:6381",
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "NOREPLICAS Not enough good replicas to write.",
        "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
        "ERR max number of clients reached",
    ],
)
async def test_what_passes_with_time_is_unavailable_with_a_time_to_come_back(reply: str) -> None:
    with pytest.raises(Unavailable, match="Redis: ") as caught, redis_errors():
        raise BaseParser.parse_error(reply)  # type: ignore[no-untyped-call]
    assert caught.value.delay_s > 0


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ConnectionError("Connection refused"),
        exceptions.TimeoutError("no answer"),
        exceptions.MaxConnectionsError("Too many connections"),
        exceptions.ClusterError("TTL exhausted."),
        exceptions.SlotNotCoveredError("Slot 1 is not covered"),
        ConnectionResetError(),
    ],
)
async def test_a_redis_that_cannot_be_reached_is_unavailable(error: Exception) -> None:
    with pytest.raises(Unavailable, match="Redis: ."), redis_errors():
        raise error


async def test_a_full_memory_is_reported_as_that() -> None:
    with pytest.raises(Unavailable, match="memory is full.*maxmemory") as caught, redis_errors():
        raise BaseParser.parse_error("OOM command not allowed when used memory > 'maxmemory'. script: 1234")  # type: ignore[no-untyped-call]
    assert caught.value.delay_s == 5


@pytest.mark.parametrize(
    "reply",
    [
        "NOAUTH Authentication required.",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "NOPERM User worker has no permissions to run the 'evalsha' command",
    ],
)
async def test_who_is_refused_is_reported_what_to_set_right(reply: str) -> None:
    with pytest.raises(RedisRefused, match="^redis_url: Redis refuses") as caught, redis_errors():
        raise BaseParser.parse_error(reply)  # type: ignore[no-untyped-call]
    assert isinstance(caught.value, Permanent)


@pytest.mark.parametrize(
    "reply",
    [
        "ERR user_script:3: Script attempted to access nonexistent global variable 'x' script: 1234",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "CROSSSLOT Keys in request don't hash to the same slot",
        "BUSYGROUP Consumer Group name already exists",
    ],
)
async def test_a_fault_of_our_own_stays_what_it_is(reply: str) -> None:
    with pytest.raises(exceptions.ResponseError), redis_errors():
        raise BaseParser.parse_error(reply)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("then", [None, exceptions.ConnectionError("gone")])
async def test_a_cancellation_that_was_swallowed_inside_arrives(then: Exception | None) -> None:
    async def sends() -> None:
        # Swallowed as by wait_for when what it waits for has just ended.
        with redis_errors():
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            if then:
                raise then
        pytest.fail("it went on")

    task = asyncio.create_task(sends())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
