"""Who is next: jobs that have used little go first, and those that have used as little take turns."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from typing import Generic, TypeVar

Item = TypeVar("Item")

#: Jobs whose use is remembered.
_REMEMBERED = 4096
#: What a second that brought an answer counts, beside one that brought none.
_ANSWERED_WEIGHT = 0.125


class FairQueue(Generic[Item]):
    """Items of many jobs; one job's cannot keep another's waiting for more than its turn.

    The level of an item is the doublings of `unit_s` seconds that its job has been served in vain (seconds that brought
    an answer count an eighth), and what `put` adds. Lower levels go first; on one level the jobs take turns, each with
    its items in order.
    """

    def __init__(self, unit_s: float) -> None:
        self._unit_s = unit_s
        self._levels: dict[int, OrderedDict[str, deque[Item]]] = {}
        self._served: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(items) for jobs in self._levels.values() for items in jobs.values())

    @property
    def lowest(self) -> int | None:
        """The level of the next item."""
        return min(self._levels, default=None)

    def put(self, job: str, item: Item, *, above: int = 0) -> int:
        """Add an item, `above` levels over those that its job has come to; its level."""
        level = self.level(job, above=above)
        self._levels.setdefault(level, OrderedDict()).setdefault(job, deque()).append(item)
        return level

    def take(self, up_to: int | None = None) -> Item | None:
        """The next item, of a level `up_to` at most; None when there is none."""
        if not self._levels:
            return None
        level = min(self._levels)
        if up_to is not None and level > up_to:
            return None
        jobs = self._levels[level]
        job, items = jobs.popitem(last=False)
        item = items.popleft()
        if items:
            jobs[job] = items  # behind the others
        elif not jobs:
            del self._levels[level]
        return item

    def served(self, job: str, seconds: float, *, in_vain: bool) -> None:
        """A job has been served for so long; it counts for what is put from now on."""
        self._served[job] = self._served.pop(job, 0.0) + seconds * (1 if in_vain else _ANSWERED_WEIGHT)
        if len(self._served) > _REMEMBERED:
            self._served.popitem(last=False)

    def level(self, job: str, *, above: int = 0) -> int:
        """The level of what a job would put now."""
        return int(math.log2(1 + self._served.get(job, 0.0) / self._unit_s)) + above
