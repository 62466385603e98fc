"""The page at /ui: its files and its API, and what a person does on it in a real Chromium."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import Services, System
from gateway_server import BUSY, PROBLEM, gateway, http

from ssr.client import AsyncClient
from ssr.engine_server.simulated.faults import FaultPlan
from ssr.orchestrator.service import running_orchestrator

SCRIPT = Path(__file__).with_name("page.mjs")
LIMIT_S = 60


async def test_the_page_runs_nothing_but_its_own_files(address: str) -> None:
    async with http(address) as session:
        for name in ("", "page.js", "page.css", "katex/katex.min.js", "katex/fonts/KaTeX_Main-Regular.woff2"):
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


@pytest.fixture
async def browser(tmp_path: Path) -> Path:
    """A folder with the script and what it needs."""
    if not (shutil.which("npm") and shutil.which("node") and shutil.which("chromium")):
        pytest.skip("needs node, npm and chromium")
    command = ("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "playwright-core@1")
    installing = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL)
    if await installing.wait():
        pytest.skip("npm cannot install playwright-core")
    shutil.copy(SCRIPT, tmp_path)
    return tmp_path


async def test_a_person_asks_watches_reloads_and_cancels(services: Services, browser: Path) -> None:
    patient = services.orchestrator.model_copy(update={"step_timeout_s": LIMIT_S})
    async with running_orchestrator(patient) as port, gateway(f"127.0.0.1:{port}") as address:
        async with AsyncClient(f"127.0.0.1:{port}") as client:
            await client.create_batch([f"What is {number} + 1?" for number in range(198)], mode="draft", max_tokens=1)
        facts = await done(services, address, browser)
    assert facts["columns"] == [3]
    assert facts["steps"] == facts["mathematics"] == facts["narrow"] == [True]
    assert facts["images"] == [0]
    assert facts["jobs"] == [100]  # of 200, a page
    assert "cancelled" in facts
    assert "filtered" in facts
    assert facts["wrong"] == [[], []]
    assert (browser / "job.png").stat().st_size > 1000


async def done(services: Services, address: str, browser: Path) -> dict[str, Any]:
    """What the script found; the target is busy while the script says so."""
    services.target.faults.set(BUSY)
    node = await asyncio.create_subprocess_exec(
        *("node", "page.mjs", address, str(browser)),
        cwd=browser,
        env={**os.environ, "CHROMIUM": str(shutil.which("chromium"))},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert node.stdout
    assert node.stdin
    assert node.stderr
    facts: dict[str, Any] = {}
    try:
        async with asyncio.timeout(LIMIT_S):
            async for line in node.stdout:
                name, *values = json.loads(line)
                facts[name] = values
                if name in ("watching", "hold"):
                    services.target.faults.set(FaultPlan() if name == "watching" else BUSY)
                    node.stdin.write(b"go\n")
            assert await node.wait() == 0, (await node.stderr.read()).decode()
    except TimeoutError:
        pytest.fail(f"it stopped behind {facts}")
    finally:
        if node.returncode is None:
            node.kill()
            await node.wait()
    return facts
