"""Which replica a request goes to: rendezvous hashing with bounded load. Pure.

Every replica gets a weight from hashing its name with the request's affinity, and the request goes to the heaviest one
that is not crowded. Equal affinities thus meet at the same replica, where their prefix is cached; when a replica comes
or goes, only the affinities it gains or loses move. A replica is crowded when it runs more than `spread` times its
fair share (Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", arXiv 1608.01350).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol, TypeVar

#: How much more than its fair share a replica may run before requests move on.
SPREAD = 1.25
#: Up to this many running requests a replica is never crowded: a batch this small costs an engine hardly more than one
#: request, while moving a path costs processing its whole text again.
ALWAYS_ROOM = 4


class Loaded(Protocol):
    """A replica that may be chosen: its URL, and the requests running on it."""

    @property
    def url(self) -> str: ...

    @property
    def running(self) -> int: ...


Replica = TypeVar("Replica", bound=Loaded)


def choose(
    replicas: Sequence[Replica], affinity: str, *, max_in_flight: int, spread: float = SPREAD, gathered: bool = False
) -> Replica | None:
    """The replica for a request; the least loaded when `affinity` is empty; None when all are full.

    An affinity is "job/path", or "job" of what is asked for all its paths. With `gathered` the paths of a job meet at
    one replica as long as it is not crowded, and go where each of them belongs otherwise.
    """
    free = [replica for replica in replicas if replica.running < max_in_flight]
    if len(free) < 2:
        return free[0] if free else None
    if not affinity:
        return min(free, key=lambda replica: (replica.running, replica.url))
    bound = crowded_at(replicas, spread)
    roomy = [replica for replica in free if replica.running < bound] or free
    if gathered:
        home = max(free, key=lambda replica: _weight(replica.url, affinity.partition("/")[0]))
        if home in roomy:
            return home
    return max(roomy, key=lambda replica: _weight(replica.url, affinity))


def crowded_at(replicas: Sequence[Loaded], spread: float = SPREAD) -> int:
    """The number of running requests from which on a replica takes no more, the one to place counted in."""
    total = sum(replica.running for replica in replicas) + 1
    return max(ALWAYS_ROOM, math.ceil(spread * total / len(replicas)))


def _weight(url: str, affinity: str) -> bytes:
    return blake2b(f"{affinity}\0{url}".encode(), digest_size=8).digest()
