"""A killed process and what becomes of a job: the whole stack in processes of its own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssr.cli.stack import Preset, running_stack
from ssr.client import AsyncClient
from ssr.core.job import JobStatus, Started
from ssr.core.run import StepCommitted

PROBLEM = "What is (12 * 7) + 19 - 3 * 4?"
#: Slow enough to be hit in the middle, and leases short enough not to wait for.
ENVIRONMENT = {"SSR_ENGINE_SIMULATED__LATENCY__TIME_SCALE": "3", "SSR_ORCHESTRATOR_LEASE_S": "1"}

#: How many lines of each log are reported a test that failed.
LAST_LINES = 60


@pytest.fixture
def log_dir(tmp_path: Path) -> Iterator[Path]:
    """Where the parts write their logs. pytest shows the ends, which are written here, if the test fails."""
    yield tmp_path
    for log in sorted(tmp_path.glob("*.log")):
        lines = log.read_text("utf-8", "replace").splitlines(keepends=True)
        sys.stdout.writelines([f"--- {log.name}\n", *lines[-LAST_LINES:]])


@pytest.mark.parametrize("victim", ["orchestrator", "verifier", "draft-engine", "redis"])
async def test_a_job_survives_the_death_of_a_part(victim: str, log_dir: Path) -> None:
    """SIGKILL in the middle of a job: the same answer, votes and steps, no step twice, and a watcher sees all of it."""
    async with (
        running_stack(Preset.SIMULATED, log_dir=log_dir, environment={**os.environ, **ENVIRONMENT}) as stack,
        AsyncClient(stack.address) as client,
    ):
        calm = await client.solve(PROBLEM, seed=4, paths=3)
        submitted = await client.submit(PROBLEM, seed=4, paths=3)
        steps: list[tuple[int, int]] = []
        epochs: list[int] = []
        async for event in client.watch(submitted.job_id):
            if isinstance(event.happening, Started):
                epochs.append(event.happening.epoch)
            if isinstance(event.happening, StepCommitted):
                steps.append((event.happening.path, event.happening.step.index))
                if len(steps) == 2:
                    os.kill(stack.part(victim).pid, signal.SIGKILL)
        job = await client.get(submitted.job_id)
    assert job.status is JobStatus.ANSWERED
    assert (job.answer, job.votes, job.paths) == (calm.answer, calm.votes, calm.paths)
    assert len(steps) == len(set(steps)) == sum(len(path.steps) for path in job.paths)
    assert epochs == ([1, 2] if victim == "orchestrator" else [1])
