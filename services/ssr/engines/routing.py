"""Which replica a request goes to: rendezvous hashing with bounded load. Pure.

Every replica gets a weight from hashing its name with the request's affinity, and the request goes to the heaviest one
that is not crowded. Equal affinities thus meet at the same replica, where their prefix is cached; when a replica comes
or goes, only the affinities it gains or loses move. A replica is crowded when it runs more than `spread` times its
fair share (Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", arXiv 1608.01350).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

#: How much more than its fair share a replica may run before requests move on.
SPREAD = 1.25
#: Up to this many running requests a replica is never crowded: a batch this small costs an engine hardly more than one
#: request, while moving a path costs processing its whole text again.
ALWAYS_ROOM = 4


@dataclass(frozen=True, slots=True)
class Load:
    """A replica that may be chosen, and the requests running on it."""

    replica: str
    running: int


def choose(loads: Sequence[Load], affinity: str, *, max_in_flight: int, spread: float = SPREAD) -> str | None:
    """The replica for a request; the least loaded when `affinity` is empty; None when all are full."""
    free = [load for load in loads if load.running < max_in_flight]
    if not free:
        return None
    if not affinity:
        return min(free, key=lambda load: (load.running, load.replica)).replica
    bound = crowded_at(loads, spread)
    roomy = [load for load in free if load.running < bound] or free
    return max(roomy, key=lambda load: _weight(load.replica, affinity)).replica


def crowded_at(loads: Sequence[Load], spread: float = SPREAD) -> int:
    """The number of running requests from which on a replica takes no more, the one to place counted in."""
    total = sum(load.running for load in loads) + 1
    return max(ALWAYS_ROOM, math.ceil(spread * total / len(loads)))


def _weight(replica: str, affinity: str) -> bytes:
    return blake2b(f"{affinity}\0{replica}".encode(), digest_size=8).digest()
