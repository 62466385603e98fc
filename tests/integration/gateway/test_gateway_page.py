"""The page at /ui: its files and its API, and what a person does on it in a real Chromium."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from conftest import Services, System
from gateway_server import BUSY, PROBLEM, gateway, http
from hang_limit import LIMIT_S
from serve_process import running_command

from ssr.autoscaler.policy.decision import decide
from ssr.autoscaler.policy.demand import Demand
from ssr.autoscaler.policy.settings import ScalingLimits
from ssr.autoscaler.policy.signals import Engines, Service
from ssr.autoscaler.policy.state import ScalingState
from ssr.autoscaler.reporter import keep_reporting
from ssr.autoscaler.reports import ReportStore
from ssr.cli.stack.ports import free_port
from ssr.client import AsyncClient
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan
from ssr.engines.load import Load, Pool
from ssr.orchestrator.service import running_orchestrator
from ssr.runtime.redis.client import open_redis

SCRIPT = Path(__file__).with_name("page.mjs")
#: What the script needs of npm: a browser's driver, and who checks pages for people that cannot see them well.
PACKAGES = ("playwright-core@1", "axe-core@4")


async def test_the_page_runs_nothing_but_its_own_files(address: str) -> None:
    async with http(address) as session:
        for name in ("", "page.js", "job.js", "page.css", "katex/katex.min.js", "katex/fonts/KaTeX_Main-Regular.woff2"):
            async with session.get(f"/ui/{name}") as reply:
                assert reply.status == 200, name
                assert "default-src 'none'; script-src 'self'" in reply.headers["content-security-policy"]
        for name in ("../settings.py", "%2e%2e/settings.py", "none"):
            async with session.get(f"/ui/{name}") as reply:
                assert reply.status == 404


async def test_a_page_can_be_left_out(system: System) -> None:
    async with gateway(system.address, ui=False) as address, http(address) as session, session.get("/ui/") as reply:
        assert reply.status == 404


async def test_a_job_is_asked_for_watched_behind_a_cursor_and_listed(address: str) -> None:
    async with http(address) as session:
        body = {"problem": PROBLEM, "options": {"paths": 2}}
        async with session.post("/ui/api/jobs", json=body) as reply:
            job_id = (await reply.json())["job_id"]
        events = await watched(session, job_id, "")
        assert [events[0]["kind"], events[-1]["kind"]] == ["queued", "finished"]
        assert await watched(session, job_id, events[3]["cursor"]) == events[4:]
        async with session.get(f"/ui/api/jobs/{job_id}") as reply:
            job = await reply.json()
        assert job["cursor"] == events[-1]["cursor"]
        async with session.get("/ui/api/jobs", params={"status": "answered"}) as reply:
            assert [one["job_id"] for one in (await reply.json())["jobs"]] == [job_id]
        async with session.get("/ui/api/info") as reply:
            assert "ssr" in (await reply.json())["modes"]
        async with session.post("/ui/api/jobs", json={"problem": " "}) as reply:
            assert (reply.status, (await reply.json())["error"]["param"]) == (400, "problem")
        async with session.get("/ui/api/jobs", params={"limit": "x"}) as reply:
            assert reply.status == 400
        async with session.get("/ui/api/jobs/job-none/events") as reply:
            assert reply.status == 404


async def watched(session: Any, job_id: str, cursor: str) -> list[Any]:
    async with session.get(f"/ui/api/jobs/{job_id}/events", params={"cursor": cursor}) as reply:
        return [json.loads(line[6:]) async for line in reply.content if line.startswith(b"data: ")]


async def test_the_pools_are_what_their_services_report(session: ClientSession, system: System) -> None:
    async with open_redis(system.redis_url) as redis:
        reports = ReportStore(redis, ttl_s=60)
        busy = Load(requests_waiting=3, requests_running=8, tokens_per_s=120.5)
        await reports.report_load(Service.VERIFIER, "a", busy, 2)
        await reports.report_load(Service.SELECTOR, "a", Load(requests_running=1), 1)
        now = (await reports.read()).now
        decided = decide(Demand(steady=40.0), ScalingState.fresh(Engines(1), now), ScalingLimits(slots=8), now)
        await reports.decide(Pool.TARGET, decided, now - 30)
    async with session.get("/ui/api/pools") as reply:
        draft, target = (await reply.json())["pools"]
    assert (draft["name"], draft["reports"], draft["decision"]) == ("draft", 0, None)
    assert (target["name"], target["reports"], target["engines_ready"]) == ("target", 2, 2)
    assert (target["calls_running"], target["calls_waiting"], target["tokens_per_s"]) == (9, 3, 120.5)
    assert target["decision"]["replicas"] == decided.replicas
    assert target["decision"]["reasons"] == list(decided.reasons)
    assert 30 <= target["decision"]["age_s"] < 30 + LIMIT_S


@pytest.fixture
async def browser(tmp_path: Path) -> Path:
    """A folder with the script and what it needs."""
    if not (shutil.which("npm") and shutil.which("node") and shutil.which("chromium")):
        pytest.skip("needs node, npm and chromium")
    command = ("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES)
    installing = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL)
    if await installing.wait():
        pytest.skip(f"npm cannot install {', '.join(PACKAGES)}")
    shutil.copy(SCRIPT, tmp_path)
    return tmp_path


async def test_a_person_asks_watches_reloads_and_cancels(services: Services, browser: Path) -> None:
    patient = services.orchestrator.model_copy(update={"step_timeout_s": LIMIT_S})
    async with running_orchestrator(patient) as port, gateway(f"127.0.0.1:{port}") as address:
        async with AsyncClient(f"127.0.0.1:{port}") as client:
            await client.create_batch([f"What is {number} + 1?" for number in range(197)], mode="draft", max_tokens=1)
        async with reported(services), on_page("person", address, browser) as facts:
            services.target.faults.set(BUSY)
            await facts.until("watching")
            services.target.faults.set(FaultPlan())
            await facts.until("hold")
            services.target.faults.set(BUSY)
            found = await facts.rest()
    assert found["wrong"] == [[], []]
    assert found["columns"] == [3]
    assert_whole(found["steps"])
    assert found["mathematics"] == found["title"] == found["evidence"] == [True]
    assert found["narrow job"] == found["narrow home"] == [True]
    assert found["images"] == [0]
    assert found["jobs"] == [100]  # of 200, a page
    assert found["skip"] == ["skip"]
    assert {"cancelled", "all jobs", "filtered", "by keyboard"} <= found.keys()
    draft, target = found["pools"][0]
    assert "no service has reported lately" in draft
    assert "8 on an engine, 3 waiting" in target
    assert "engines, decided" in target


@pytest.mark.skipif("SSR_PICTURES" not in os.environ, reason="`make pictures` draws them")
async def test_pictures_for_the_documentation(services: Services, browser: Path) -> None:
    async with running_orchestrator(services.orchestrator) as port, gateway(f"127.0.0.1:{port}") as address:
        async with AsyncClient(f"127.0.0.1:{port}") as client:
            for number in range(4):
                await client.solve(f"What is ({number} * 7) + 19?", paths=3, mode="parallel")
        async with reported(services), on_page("pictures", address, browser) as facts:
            assert (await facts.rest())["wrong"] == [[], []]
    for picture in browser.glob("page-*.png"):
        assert picture.stat().st_size < 150_000, picture.name
        shutil.copy(picture, Path(os.environ["SSR_PICTURES"]) / picture.name)


@asynccontextmanager
async def reported(services: Services) -> AsyncIterator[None]:
    """While the block runs the target's load is reported, and what was decided for it, as with an autoscaler."""
    load = Load(requests_waiting=3, requests_running=8, tokens_per_s=120.5)
    async with open_redis(services.redis_url) as redis:
        reports = ReportStore(redis, ttl_s=300)
        now = (await reports.read()).now
        demand, limits = Demand(steady=14.0, waiting=3.0), ScalingLimits(slots=8)
        await reports.decide(Pool.TARGET, decide(demand, ScalingState.fresh(Engines(2), now), limits, now), now)
        report = partial(reports.report_load, Service.VERIFIER, "ssr-verifier-0", load, 2)
        async with keep_reporting(report, partial(reports.withdraw_load, Service.VERIFIER, "ssr-verifier-0"), 1.0):
            yield


async def test_an_orchestrator_is_killed_under_an_open_page(services: Services, browser: Path) -> None:
    first, second = free_port(), free_port()
    settings = services.orchestrator.model_copy(update={"port": second, "lease_s": 1.0, "step_timeout_s": LIMIT_S})
    environment = {
        "SSR_ORCHESTRATOR_REDIS_URL": services.redis_url,
        "SSR_ORCHESTRATOR_SELECTOR": settings.selector,
        "SSR_ORCHESTRATOR_DRAFTER": settings.drafter,
        "SSR_ORCHESTRATOR_VERIFIER": settings.verifier,
        "SSR_ORCHESTRATOR_LEASE_S": "1",
    }
    both = f"ipv4:127.0.0.1:{first},127.0.0.1:{second}"
    services.target.faults.set(FaultPlan(rates={FaultKind.OVERLOADED: 0.7}))
    command = ("-m", "ssr", "serve", "orchestrator", "--port", str(first))
    with running_command(*command, environment=environment) as orchestrator:
        await asyncio.to_thread(orchestrator.line, "ready:")
        async with gateway(both) as address, on_page("killed", address, browser) as facts:
            await facts.until("watching")
            async with running_orchestrator(settings):
                orchestrator.signal(signal.SIGKILL)
                services.target.faults.set(FaultPlan())
                facts.go_on()
                found = await facts.rest()
    assert found["wrong"] == [[], []]
    assert_whole(found["steps"])
    assert 0 < found["before"][0] < found["after"][0]


def assert_whole(paths: list[Any]) -> None:
    """Every path's steps are shown, each once and in order."""
    for path in paths:
        assert path["shown"] == path["had"]
    assert sum(len(path["shown"]) for path in paths) > 0


@dataclass
class Facts:
    """What a script says, line by line."""

    node: Process
    found: dict[str, Any] = field(default_factory=dict)
    waits: bool = False

    async def until(self, name: str) -> None:
        """Until the script waits for us with this word; what it waited for before is told to go on."""
        self.go_on()
        async for said, values in self._lines():
            self.found[said] = values
            if said == name:
                self.waits = True
                return
        pytest.fail(f"it ended behind {self.found}: {await self._errors()}")

    def go_on(self) -> None:
        if self.waits:
            assert self.node.stdin
            self.node.stdin.write(b"go\n")
        self.waits = False

    async def rest(self) -> dict[str, Any]:
        """All that it has said at its end."""
        self.go_on()
        async for said, values in self._lines():
            self.found[said] = values
        assert await self.node.wait() == 0, await self._errors()
        return self.found

    async def _lines(self) -> AsyncIterator[tuple[str, list[Any]]]:
        assert self.node.stdout
        try:
            async with asyncio.timeout(LIMIT_S):
                async for line in self.node.stdout:
                    said, *values = json.loads(line)
                    yield said, values
        except TimeoutError:
            pytest.fail(f"it stopped behind {self.found}")

    async def _errors(self) -> str:
        assert self.node.stderr
        return (await self.node.stderr.read()).decode()


@asynccontextmanager
async def on_page(scenario: str, address: str, browser: Path) -> AsyncIterator[Facts]:
    """A scenario of the script, as it goes on."""
    node = await asyncio.create_subprocess_exec(
        *("node", "page.mjs", scenario, address, str(browser)),
        cwd=browser,
        env={**os.environ, "CHROMIUM": str(shutil.which("chromium"))},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Facts(node)
    finally:
        if node.returncode is None:
            node.kill()
            await node.wait()
