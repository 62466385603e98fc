"""The chart's kind preset as containers of the image that is built: started, rolled under load, scaled, ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chart_manifests import all_of, preset, values_of
from pod import Pod
from pod_images import SERVICES, wanted_images
from pod_load import Callers, counted
from pod_release import RELEASE, Release, installed, shown
from podman import Network, network

#: Two of each service, so that a rollout leaves one that serves; the image is the one built here.
VALUES: dict[str, Any] = all_of(
    preset("kind"),
    {"image": {"repository": SERVICES.partition(":")[0], "pullPolicy": "Never"}},
    {"services": {name: {"replicas": 2} for name in ("orchestrator", "drafter", "verifier")}},
    values_of(**{"metrics.enabled": True, "logs.format": "json", "preStopSeconds": 3, "shell.enabled": True}),
    {"engines": {role: {"preStopSeconds": 6} for role in ("draft", "target")}},
    # One call at a time is what an engine is said to serve, so that a small load wants a second one.
    values_of(**{"autoscaling.settings.target.slots": 1}),
)
START_S, ROLL_S, JOBS_S = 240, 400, 400


@pytest.fixture(scope="session")
def pods_network() -> Iterator[Network]:
    """A network whose images are built."""
    wanted_images()
    with network("ssr-pods") as made:
        yield made


async def run_to_its_end(release: Release, pod: Pod) -> int | None:
    await pod.runs.start()
    try:
        return await pod.runs.ended(120)
    finally:
        await pod.runs.remove()


@pytest.mark.timeout(1200)
async def test_a_release_starts_is_rolled_under_load_scales_and_ends(pods_network: Network, tmp_path: Path) -> None:
    async with installed(pods_network, tmp_path, VALUES) as release:
        callers = Callers(release, tmp_path)
        async with callers.reaching():
            await _all_start(release)
            await _helm_test_passes(release)
            await _a_shell_administers(release)
            await _nothing_is_lost_in_a_rollout(release, callers)
            await _a_pool_grows(release, callers)
        await release.uninstall()
        ended = [pod for pod in release.pods if not pod.restarts]
        assert all(pod.exit_status == 0 for pod in ended), shown(ended)


async def _all_start(release: Release) -> None:
    try:
        await release.until_ready(START_S)
    except TimeoutError:
        pytest.fail(f"not all are ready: {shown(release.pods)}")
    assert {pod.component for pod in release.pods} == {component for component, _ in release.manifests.pods()} - {
        "test"
    }


async def _helm_test_passes(release: Release) -> None:
    (test,) = release.manifests.of("Pod")
    pod = Pod(release, f"{RELEASE}-ssr-test", test)
    assert await run_to_its_end(release, pod) == 0, await pod.runs.log()


async def _a_shell_administers(release: Release) -> None:
    """With nothing but what the pod has: the address, the certificates, the administrator's key."""
    (shell,) = release.of("shell")
    for command in (("queue",), ("pause",), ("resume",), ("jobs", "--json")):
        assert await shell.runs.execute("ssr", *command) == 0, command


async def _nothing_is_lost_in_a_rollout(release: Release, callers: Callers) -> None:
    jobs = await callers.submit(60)
    before = list(release.pods)
    release.upgrade(all_of(VALUES, {"labels": {"revision": "2"}}))
    ended = await callers.ended(list(jobs), JOBS_S)
    await release.until_ready(ROLL_S)
    assert counted(ended) == {"answered": 60}, [job.error for job in ended if job.error]
    assert {job.job_id for job in ended if job.answer == str(jobs[job.job_id])} == set(jobs)
    assert all(pod.ending for pod in before), "every pod was replaced"
    assert not any(pod.restarts for pod in release.pods), shown(release.pods)


async def _a_pool_grows(release: Release, callers: Callers) -> None:
    """Under this load or the one before: who looks later sees it shrink again."""
    jobs = await callers.submit(120)
    ended = await callers.ended(list(jobs), JOBS_S)
    assert counted(ended) == {"answered": 120}
    assert any(request.endswith("engine-target/scale") for request in release.api.requests)
    assert release.most[f"{RELEASE}-ssr-engine-target"] > 1, release.most
