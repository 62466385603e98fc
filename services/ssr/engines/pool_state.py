"""What can be seen of an engine pool."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """One replica: the calls on it, and whether it takes new ones (False after a failure or a refusal, for a while).

    `failing` from a failed call until the next good one; a replica that is merely full is not.
    """

    url: str
    running: int
    healthy: bool
    failing: bool = False


@dataclass(frozen=True, slots=True)
class PoolState:
    """The calls that wait for a replica, those that run on one, and the replicas that may be called."""

    waiting: int
    running: int
    replicas: tuple[ReplicaState, ...]


@dataclass(frozen=True, slots=True)
class PoolLoad:
    """The calls of `PoolState` in tokens, and the work that is done.

    `tokens_waiting` and `tokens_running` are what these calls may come to hold in an engine's cache: prompt and
    generation. A prompt's are estimated from its length. Since the pool was opened, `generated_tokens` came from calls
    that were at work on a replica for `busy_s` seconds altogether.
    """

    tokens_waiting: int
    tokens_running: int
    generated_tokens: int
    busy_s: float
