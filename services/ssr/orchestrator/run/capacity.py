"""How many paths a replica has in flight, and whose turn it is. Pure: no I/O, no clock."""

from __future__ import annotations

from ssr.core.job import Priority
from ssr.core.limits import MAX_PATHS

#: So many interactive jobs in a row let one batch job go first.
_IN_A_ROW = 4


class Capacity:
    """Room for `max_paths` paths, of which batch jobs may have `batch_paths`; the rest is kept for interactive ones.

    A job is taken only while there is room for the largest (16 paths), so that nobody takes a job and lets it wait
    while another replica is idle.
    """

    def __init__(self, max_paths: int, batch_paths: int) -> None:
        self._max_paths, self._batch_paths = max_paths, batch_paths
        self._in_use = dict.fromkeys(Priority, 0)
        self._in_a_row = 0

    @property
    def in_use(self) -> int:
        """Paths in flight."""
        return sum(self._in_use.values())

    def turn(self) -> tuple[Priority, ...]:
        """The priorities a job of which may be taken now, the one to prefer first; none when there is no room.

        Interactive jobs go first; batch jobs are not starved: after four interactive jobs in a row one of them is
        preferred.
        """
        if self.in_use + MAX_PATHS > self._max_paths:
            return ()
        if self._in_use[Priority.BATCH] + MAX_PATHS > self._batch_paths:
            return (Priority.INTERACTIVE,)
        if self._in_a_row >= _IN_A_ROW:
            return (Priority.BATCH, Priority.INTERACTIVE)
        return (Priority.INTERACTIVE, Priority.BATCH)

    def enter(self, priority: Priority, paths: int) -> None:
        """A job was taken."""
        self._in_use[priority] += paths
        self._in_a_row = self._in_a_row + 1 if priority is Priority.INTERACTIVE else 0

    def leave(self, priority: Priority, paths: int) -> None:
        """It has ended, or gone elsewhere."""
        self._in_use[priority] -= paths
