"""Two versions at a time, as during a rollout: the previous one's client and services with this one's, both ways.

The previous version is a commit of this repository (a release sets PREVIOUS to the one before it), taken out of git's
history and run beside this one. A clone without the history skips these tests and says so.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import Services
from hang_limit import LIMIT_S
from serve_process import running_command

from ssr.autoscaler.policy.signals import Service
from ssr.autoscaler.reports import ReportStore
from ssr.client import AsyncClient
from ssr.core.job import Job, JobStatus
from ssr.engine_server.simulated.script import truth
from ssr.orchestrator.service import running_orchestrator
from ssr.runtime.redis.client import open_redis

#: The first commit of 0.2.0's API; the one of the last release, once there is one behind 0.2.0.
PREVIOUS = "5dd12ca3acc6627dd7afb995f60b2cdc574a1877"
ROOT = Path(__file__).parents[2]
PROBLEM = "A shop sells 12 boxes of 7 pens, then 19 more pens. What is (12 * 7) + 19 - 3?"
CLIENT = """
import sys
from ssr.client import Client, job_to_json
import json, ssr
with Client(sys.argv[1]) as client:
    events = [type(event.happening).__name__ for event in client.stream(sys.argv[2], paths=2, seed=1)]
    job = client.solve(sys.argv[2], paths=2, seed=1, idempotency_key="skew")
    again = client.solve(sys.argv[2], paths=2, seed=1, idempotency_key="skew")
    listed = [one.job_id for one in client.list().jobs]
    assert again.job_id == job.job_id and job.job_id in listed
    print(json.dumps({"file": ssr.__file__, "events": events, "job": job_to_json(job)}))
"""


@dataclass(frozen=True)
class Previous:
    """The previous version's code, built."""

    services: Path

    @property
    def environment(self) -> dict[str, str]:
        # With its own bench: the installed one, which its command would load, is written for this version.
        path = os.pathsep.join((str(self.services), str(self.services.parent / "bench")))
        return {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}

    async def run(self, script: str, *arguments: str) -> str:
        """What a script of that version prints."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script, *arguments),
            env={**os.environ, **self.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(LIMIT_S):
            output, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return output.decode()

    @asynccontextmanager
    async def serving(self, name: str, settings: dict[str, str]) -> AsyncIterator[str]:
        """One of its services as a process, on a free port; yields its address."""
        prefix = f"SSR_{name.upper()}_"
        environment = {**self.environment, **{f"{prefix}{key}": value for key, value in settings.items()}}
        with running_command("-m", "ssr", "serve", name, environment=environment) as command:
            yield await asyncio.to_thread(command.line, f"ready: {name} on ")


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Previous:
    folder = tmp_path_factory.mktemp("previous")
    wanted = ["services", "bench", "proto", "hatch_build.py"]
    found = subprocess.run(["git", "archive", PREVIOUS, *wanted], cwd=ROOT, capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"needs the repository's history, with {PREVIOUS}: {found.stderr.decode().strip()[:200]}")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder, filter="data")
    subprocess.run([sys.executable, "hatch_build.py"], cwd=folder, check=True, capture_output=True)
    return Previous(folder / "services")


def right(job: Job) -> bool:
    return job.status is JobStatus.ANSWERED and job.answer == truth(PROBLEM)


async def test_the_previous_client_with_this_server(services: Services, previous: Previous) -> None:
    async with running_orchestrator(services.orchestrator) as port:
        seen = json.loads(await previous.run(CLIENT, f"127.0.0.1:{port}", PROBLEM))
    assert seen["file"].startswith(str(previous.services))
    assert seen["events"][0] == "Queued"
    assert seen["events"][-1] == "Finished"
    assert (seen["job"]["status"], seen["job"]["answer"]) == ("answered", truth(PROBLEM))


async def test_this_orchestrator_with_the_previous_services(services: Services, previous: Previous) -> None:
    engines = {"drafter": services.draft_url, "selector": services.target_url, "verifier": services.target_url}
    async with AsyncExitStack() as stack:
        addresses = {
            name: await stack.enter_async_context(previous.serving(name, {"ENGINE__URLS": url}))
            for name, url in engines.items()
        }
        settings = services.orchestrator.model_copy(update=addresses)
        port = await stack.enter_async_context(running_orchestrator(settings))
        client = await stack.enter_async_context(AsyncClient(f"127.0.0.1:{port}", timeout_s=LIMIT_S))
        for priority in ("interactive", "batch"):
            assert right(await client.solve(PROBLEM, seed=1, priority=priority, timeout_s=LIMIT_S))


async def test_orchestrators_of_both_versions_share_one_redis(services: Services, previous: Previous) -> None:
    """Each runs, shows, lists and cancels what the other has taken in; the previous one with these services."""
    settings = services.orchestrator
    environment = {name.upper(): getattr(settings, name) for name in ("redis_url", "selector", "drafter", "verifier")}
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(previous.serving("orchestrator", environment))
        before = await stack.enter_async_context(AsyncClient(old, timeout_s=LIMIT_S))
        # Only the previous one is there to run these.
        assert right(await before.solve(PROBLEM, seed=1, timeout_s=LIMIT_S))
        held = [await before.submit(PROBLEM, seed=seed, idempotency_key=f"old-{seed}") for seed in range(4)]
        port = await stack.enter_async_context(running_orchestrator(settings))
        now = await stack.enter_async_context(AsyncClient(f"127.0.0.1:{port}", timeout_s=LIMIT_S))
        held += [await now.submit(PROBLEM, seed=seed, idempotency_key=f"new-{seed}") for seed in range(4)]
        for job in held:
            for asked in (before, now):
                async for _ in asked.watch(job.job_id, timeout_s=LIMIT_S):
                    pass
                assert (await asked.get(job.job_id)).status is JobStatus.ANSWERED
        for asked in (before, now):
            assert {job.job_id for job in held} <= {job.job_id for job in (await asked.list()).jobs}
        for key, asked in (("old-1", now), ("new-1", before)):  # a retry that reaches the other version
            assert (await asked.submit(PROBLEM, seed=1, idempotency_key=key)).job_id in {job.job_id for job in held}


REPORTS = """
import asyncio, json, sys
from ssr.autoscaler.policy import decision
from ssr.autoscaler.policy.state import ScalingState
from ssr.autoscaler.policy.signals import Service
from ssr.autoscaler.reports import ReportStore
from ssr.engines.load import Load, Pool
from ssr.runtime.redis.client import open_redis

Decision = getattr(decision, "ScalingDecision", None) or decision.Decision  # its name before

async def main(url, mine):
    async with open_redis(url) as redis:
        store = ReportStore(redis, ttl_s=60)
        view = await store.read()
        seen = [(str(one.service), one.replica, one.load.requests_waiting, one.engines) for one in view.reports]
        decided = {str(pool): one.replicas for pool, one in view.decided.items()}
        await store.report_load(Service.DRAFTER, mine, Load(requests_waiting=3), 2)
        await store.decide(Pool.TARGET, Decision(5, ("demand",), ScalingState(5, 5, view.now, view.now)), view.now)
        print(json.dumps({"seen": seen, "decided": decided}))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_autoscalers_of_both_versions_read_each_others_reports_and_decisions(
    redis_url: str, previous: Previous
) -> None:
    this = Previous(ROOT / "services")
    first = json.loads(await this.run(REPORTS, redis_url, "new"))
    assert first == {"seen": [], "decided": {}}
    before = json.loads(await previous.run(REPORTS, redis_url, "old"))
    assert before == {"seen": [["drafter", "new", 3, 2]], "decided": {"target": 5}}
    now = json.loads(await this.run(REPORTS, redis_url, "new"))
    assert sorted(now["seen"]) == [["drafter", "new", 3, 2], ["drafter", "old", 3, 2]]
    assert now["decided"] == {"target": 5}


@pytest.mark.parametrize("service", Service)
async def test_services_of_the_previous_version_report_to_this_autoscaler(
    service: Service, services: Services, previous: Previous
) -> None:
    environment = {
        "ENGINE__URLS": services.draft_url if service is Service.DRAFTER else services.target_url,
        "REDIS_URL": services.redis_url,
        "REPLICA": "old",
        "REPORT_S": "0.2",
    }
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(previous.serving(service, environment))
        redis = await stack.enter_async_context(open_redis(services.redis_url))
        store = ReportStore(redis, ttl_s=60)
        async with asyncio.timeout(LIMIT_S):
            while not (reports := (await store.read()).reports):
                await asyncio.sleep(0.05)
    assert [(one.service, one.replica, one.engines) for one in reports] == [(service, "old", 1)]
