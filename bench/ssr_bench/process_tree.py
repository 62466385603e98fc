"""What a part's processes have used so far, read from Linux's /proc (Source: proc_pid_stat(5))."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ssr.core.errors import CapabilityMissing

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """One process: `ticks` of CPU time of its own and of children that have ended; `rss_pages` resident now."""

    pid: int
    parent: int
    ticks: int
    rss_pages: int


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """CPU seconds used so far and bytes resident now, of a process and all that it started."""

    cpu_s: float
    rss_bytes: int


def read_usage(pids: Mapping[str, int]) -> dict[str, ProcessUsage]:
    """The usage of each named process's tree. CPU time comes in clock ticks, mostly of 10 ms.

    Raises: CapabilityMissing where there is no /proc.
    """
    if not (_PROC / "self" / "stat").exists():
        raise CapabilityMissing("CPU time by part is read from /proc, which this system does not have; run it on Linux")
    stats = list(_all_stats())
    tick_s, page = 1 / os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    usages = {}
    for name, pid in pids.items():
        tree = tree_of(pid, stats)
        usages[name] = ProcessUsage(sum(one.ticks for one in tree) * tick_s, sum(one.rss_pages for one in tree) * page)
    return usages


def parse_stat(text: str) -> ProcessStat:
    """One line of /proc/PID/stat; the command's name may contain blanks and brackets."""
    pid, _, rest = text.partition(" (")
    fields = rest.rpartition(")")[2].split()
    own_and_children = (int(ticks) for ticks in fields[11:15])
    return ProcessStat(int(pid), int(fields[1]), sum(own_and_children), int(fields[21]))


def tree_of(root: int, stats: Iterable[ProcessStat]) -> list[ProcessStat]:
    """The process `root` and all its descendants; empty when it is gone."""
    children: dict[int, list[ProcessStat]] = {}
    found = []
    for one in stats:
        children.setdefault(one.parent, []).append(one)
        if one.pid == root:
            found.append(one)
    for one in found:  # grows as it is walked
        found += children.get(one.pid, ())
    return found


def _all_stats() -> Iterable[ProcessStat]:
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):  # it ended meanwhile
                yield parse_stat((folder / "stat").read_text(errors="replace"))
