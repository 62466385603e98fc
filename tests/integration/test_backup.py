"""docs/operate/backup.md does what it says: jobs go on from a copy of Redis' files, taken while it runs."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Services
from hang_limit import LIMIT_S
from valkey_servers import Server, server, until

from ssr.cli.stack.ports import free_port
from ssr.client import AsyncClient
from ssr.core.job import Finished, Job, JobStatus
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan
from ssr.orchestrator.service import running_orchestrator

PROBLEM = "What is (12 * 7) + 19?"


def snapshot(before: Server, home: Path, copy: Path) -> None:
    """The append-only files, as a snapshot of the volume has them."""
    shutil.copytree(home / "appendonlydir", copy / "appendonlydir")


def dump(before: Server, home: Path, copy: Path) -> None:
    """A dump, such as `valkey-cli --rdb` fetches."""
    before.ask("SAVE")
    copy.mkdir()
    shutil.copy(home / "dump.rdb", copy)


def switch_append_only_on(after: Server) -> None:
    after.ask("CONFIG", "SET", "appendonly", "yes")
    until(lambda: after.says("aof_rewrite_in_progress:0", "INFO", "persistence"), "the rewrite has ended")
    assert after.says("aof_enabled:1", "INFO", "persistence")


async def job_at_work(client: AsyncClient, services: Services) -> Job:
    """A job whose first step no engine writes."""
    services.target.faults.set(FaultPlan(rates={FaultKind.HANG: 1.0}))
    job = await client.submit(PROBLEM, mode="baseline", seed=1)
    async with asyncio.timeout(LIMIT_S):
        while not services.target.activity.in_flight:
            await asyncio.sleep(0.005)
    return job


@pytest.mark.parametrize(
    ("back_up", "options", "then"), [(snapshot, ("yes",), None), (dump, ("no",), switch_append_only_on)]
)
async def test_jobs_go_on_from_a_backup(
    services: Services,
    tmp_path: Path,
    back_up: Callable[[Server, Path, Path], None],
    options: tuple[str],
    then: Callable[[Server], None] | None,
) -> None:
    port = free_port()
    with server(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as before:
        settings = services.orchestrator.model_copy(update={"redis_url": f"redis://{before.address}/0"})
        async with running_orchestrator(settings) as api, AsyncClient(f"127.0.0.1:{api}") as client:
            answered = await client.solve(PROBLEM, seed=2, timeout_s=LIMIT_S)
            running = await job_at_work(client, services)
            back_up(before, tmp_path / str(before.port), tmp_path / str(port))
    services.target.faults.set(FaultPlan())
    with server(tmp_path, "--appendonly", *options, port=port) as after:
        if then is not None:
            then(after)
        settings = services.orchestrator.model_copy(update={"redis_url": f"redis://{after.address}/0", "lease_s": 0.2})
        async with running_orchestrator(settings) as api, AsyncClient(f"127.0.0.1:{api}") as client:
            assert (await client.get(answered.job_id)).answer == answered.answer == "103"
            async with asyncio.timeout(LIMIT_S):
                last = [event.happening async for event in client.watch(running.job_id)][-1]
            assert isinstance(last, Finished)
            assert last.job.status is JobStatus.ANSWERED
