"""`make fuzz`: the simulated stack under inputs that nobody should send, and the counts of what came of it.

Usage: python tests/fuzz [INPUTS] [SEED]. Exit status 0 where no process died, no call was answered INTERNAL or UNKNOWN,
no log has a traceback, and the memory stays level.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "integration")]

import os

from fuzzing import Findings, Method, fuzz, methods_of
from grpc import aio

from ssr.cli.stack import Preset, Stack, running_stack
from ssr.v1 import admin_pb2, admin_pb2_grpc, reasoning_pb2, reasoning_pb2_grpc

INPUTS = 30_000
#: So many parts of the inputs are sent before memory is looked at for the first time: caches fill, pools grow.
_WARM_UP = 0.3
#: Of a service's memory: what it may grow from then to the end.
_GROWTH = 0.25
_GROWTH_MIB = 24
_SERVICES = ("orchestrator", "selector", "drafter", "verifier")
_SETTINGS = {"SSR_ENGINE_SIMULATED__LATENCY__TIME_SCALE": "0", "SSR_ORCHESTRATOR_RETENTION_S": "30"}


async def main(inputs: int, seed: int) -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ssr-fuzz-") as folder:
        logs, events = Path(folder), list[str]()
        async with running_stack(
            Preset.SIMULATED, log_dir=logs, environment={**os.environ, **_SETTINGS}, on_event=events.append
        ) as stack:
            pids = _pids(stack)
            methods = await methods_of([stack.part(name).address for name in _SERVICES])
            warm = round(inputs * _WARM_UP)
            first = await fuzz(methods, warm, seed)
            before = {name: _rss_mib(pid) for name, pid in _pids(stack).items()}
            second = await fuzz(methods, inputs - warm, seed + 1)
            after = {name: _rss_mib(pid) for name, pid in _pids(stack).items()}
            died = [name for name, pid in pids.items() if _pids(stack).get(name) != pid]
            answers = await _still_answers(stack.address)
        tracebacks = [found for log in sorted(logs.glob("*.log")) for found in _tracebacks(log)]
    grown = [
        name
        for name in _SERVICES
        if after[name] > before[name] * (1 + _GROWTH) and after[name] > before[name] + _GROWTH_MIB
    ]
    _print(first, second, time.monotonic() - began, methods)
    print(f"processes that died: {', '.join(died) or 'none'}")
    print(f"tracebacks in the logs: {len(tracebacks)}")
    print("memory, MiB: " + ", ".join(f"{name} {before[name]:.0f} -> {after[name]:.0f}" for name in _SERVICES))
    print(f"a job behind all that: {answers}")
    bad = [*first.bad, *second.bad]
    for one in (*bad[:20], *tracebacks[:5]):
        print(f"BAD {one}")
    good = not (bad or died or tracebacks or grown) and answers == "JOB_STATUS_ANSWERED"
    print("good" if good else f"NOT GOOD (seed {seed})" + (f"; memory grew: {', '.join(grown)}" if grown else ""))
    return 0 if good else 1


def _print(first: Findings, second: Findings, seconds: float, methods: list[Method]) -> None:
    codes = Counter(first.codes) + Counter(second.codes)
    total, raw = first.inputs + second.inputs, first.raw + second.raw
    by_hand = f"{raw} as HTTP/2 frames by hand"
    services = len({method.path.rpartition("/")[0] for method in methods})
    found = f"{len(methods)} methods of {services} services that reflection shows"
    print(f"{total} inputs ({by_hand}) to {found}, in {seconds:.0f} s, seed {first.seed}")
    by_code: Counter[str] = Counter()
    for name, count in codes.items():
        by_code[name.split(" ", 1)[1]] += count
    print("statuses: " + ", ".join(f"{code} {count}" for code, count in by_code.most_common()))


def _tracebacks(log: Path) -> list[str]:
    """Each with what is around it."""
    text = log.read_text(errors="replace")
    at = [found.start() for found in re.finditer("Traceback", text)]
    return [f"{log.stem}: {text[max(0, begin - 300) : begin + 2500]}" for begin in at]


def _pids(stack: Stack) -> dict[str, int]:
    return {part.name: part.pid for part in stack.parts}


def _rss_mib(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


async def _still_answers(address: str) -> str:
    async with aio.insecure_channel(address) as channel:
        # Some inputs have paused the queue or drained a replica: that is what they are for.
        await admin_pb2_grpc.AdminServiceStub(channel).ResumeQueue(admin_pb2.ResumeQueueRequest(), timeout=10)
        stub = reasoning_pb2_grpc.ReasoningServiceStub(channel)
        request = reasoning_pb2.SolveRequest(problem="What is (2 + 5) * 3?", options=reasoning_pb2.Options(seed=1))
        return reasoning_pb2.JobStatus.Name((await stub.Solve(request, timeout=60)).status)


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    sys.exit(asyncio.run(main(*(arguments + [INPUTS, secrets.randbits(31)][len(arguments) :]))))
