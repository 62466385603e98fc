"""Failures of Redis as ours: what passes with time, what somebody must set right, and what is a fault of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions

from ssr.core.errors import Permanent, Unavailable

#: When to come back to a Redis whose memory is full, in seconds: somebody has to make room first.
_FULL_S = 5.0

#: A Redis that is away, starts, fails over or moves its data.
_AWAY = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.ClusterError,
    exceptions.TryAgainError,
    exceptions.AskError,
    exceptions.SlotNotCoveredError,
    OSError,
)
#: Codes of replies that mean "not now" and that redis-py has no class for.
_NOT_NOW = frozenset({"BUSY", "MISCONF", "NOREPLICAS", "UNBLOCKED"})


class RedisRefused(Permanent):
    """Redis will not have us: the user, the password or a right is missing."""

    @property
    def public(self) -> str:
        return "the server's store refuses it; its operator finds the reason in its log"


class RedisAway(Unavailable):
    """Redis cannot be reached, or cannot do it now."""

    @property
    def public(self) -> str:
        return "the server's store cannot be reached now; try again"


class RedisSilent(RedisAway):
    """Redis has not answered in time: it hangs or is cut off, or this process came too late to read the answer."""


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turns a failure of Redis raised inside into ours, and keeps cancellations.

    Raises: Unavailable for what passes; RedisRefused for what somebody must set right. An error reply to what we
    asked, such as a script's, is a fault of our own and goes on as it is.
    """
    with cancellation_kept():
        try:
            yield
        except (exceptions.RedisError, exceptions.RedisClusterException, OSError) as error:
            ours = _ours(error)
            if ours is error:
                raise
            raise ours from error


@contextmanager
def cancellation_kept() -> Iterator[None]:
    """Ends as cancelled what was cancelled inside, though it returned or failed.

    redis-py sends with asyncio.wait_for, and that of Python 3.11 forgets a cancellation which comes when the command
    has just been sent: a loop of calls would go on, and whoever cancelled it wait for ever.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    finally:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError


def _ours(error: Exception) -> Exception:
    match error:
        case exceptions.AuthenticationError() | exceptions.AuthorizationError() | exceptions.NoPermissionError():
            return RedisRefused(f"redis_url: Redis refuses its user or password, or denies a right: {error}")
        case exceptions.OutOfMemoryError():
            return RedisAway("Redis: its memory is full; give it more (maxmemory), or wait", _FULL_S)
        case exceptions.ResponseError() if str(error).partition(" ")[0] in _NOT_NOW:
            return RedisAway(f"Redis: {error}")
    if isinstance(error, exceptions.TimeoutError):
        return RedisSilent(f"Redis: {str(error) or 'no answer in time'}")
    if isinstance(error, _AWAY):
        return RedisAway(f"Redis: {str(error) or type(error).__name__}")
    return error
