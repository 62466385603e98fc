"""How much of the machine's CPU a measurement uses: when it is short of it, latencies are the machine's own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ssr_bench.process_tree import read_usage

_STAT = Path("/proc/stat")
_SAMPLE_S = 1.0


@dataclass(frozen=True, slots=True)
class CpuSample:
    """Shares of all cores, 0..1, over the second (real) that ended at `at_s` of the day: `ours` is what the measurement
    used, `machine` what everybody did."""

    at_s: float
    ours: float
    machine: float


class CpuWatch:
    """Samples while `run` runs. `pids` are the parts' processes of the moment, `day_s` gives the time of the day.

    Raises: CapabilityMissing where there is no /proc.
    """

    def __init__(self, pids: Callable[[], Mapping[str, int]], day_s: Callable[[], float]) -> None:
        self._pids, self._day_s = pids, day_s
        self.samples: list[CpuSample] = []

    async def run(self) -> NoReturn:
        before = self._read()
        while True:
            await asyncio.sleep(_SAMPLE_S)
            after = self._read()
            seconds = (after[0] - before[0]) * (os.cpu_count() or 1)
            ours, machine = ((new - old) / seconds for new, old in zip(after[1:], before[1:], strict=True))
            self.samples.append(CpuSample(self._day_s(), max(ours, 0.0), machine))
            before = after

    def _read(self) -> tuple[float, float, float]:
        """The time, and the CPU seconds used by us and by everybody."""
        ours = sum(usage.cpu_s for usage in read_usage(self._pids()).values()) + time.process_time()
        return time.perf_counter(), ours, machine_cpu_s(_STAT.read_text())


def machine_cpu_s(stat: str) -> float:
    """The CPU seconds that all processes have used, from the text of /proc/stat (Source: proc_stat(5))."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, stat.partition("\n")[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
