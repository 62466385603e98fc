"""deploy/compose.yaml over simulated engines, as podman-compose runs it: a job by gRPC, and one through the gateway."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from chart_manifests import ROOT
from pod_images import SERVICES, wanted_images
from podman import AS_HERE, podman

from ssr.cli.stack.ports import free_port
from ssr.client import Client
from ssr.core.errors import Unavailable

COMPOSE = (
    *(sys.executable, "-m", "podman_compose"),
    *(f"--podman-args={' '.join(AS_HERE[:2])}", f"--podman-run-args={' '.join(AS_HERE[2:])}"),
)
FILES = (ROOT / "deploy" / "compose.yaml", ROOT / "deploy" / "compose.simulated.yaml")
PROJECT = "ssr-compose"
START_S, JOB_S = 180, 60
PROBLEM, ANSWER = "What is (12 * 7) + 19 - 3?", "100"


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Where the orchestrator and the gateway are; all containers, volumes and the network are removed at the end."""
    wanted_images()
    api, gateway = free_port(), free_port()
    own = tmp_path / "ports.yaml"
    own.write_text(
        f'services: {{orchestrator: {{ports: !override ["127.0.0.1:{api}:7600"]}}, '
        f'gateway: {{ports: !override ["127.0.0.1:{gateway}:7680"]}}}}\n'
    )
    files = (*FILES, own)
    compose = [*COMPOSE, "-p", PROJECT, *(part for file in files for part in ("-f", str(file)))]

    def run(*arguments: str) -> None:
        environment = {**os.environ, "SSR_IMAGE": SERVICES}
        done = subprocess.run([*compose, *arguments], env=environment, capture_output=True, text=True, timeout=START_S)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    try:
        run("up", "--detach")
        yield api, gateway
    finally:
        run("down", "--volumes", "--timeout", "5")


def until_it_serves(client: Client) -> None:
    """Containers may be there before what they need, where podman is too old to wait for its health."""
    until = time.monotonic() + START_S
    while True:
        try:
            client.list(limit=1)
        except Unavailable:
            assert time.monotonic() < until
            time.sleep(0.5)
        else:
            return


@pytest.mark.timeout(600)
def test_compose_solves_problems(ports: tuple[int, int]) -> None:
    api, gateway = ports
    with Client(f"127.0.0.1:{api}", timeout_s=START_S) as client:
        until_it_serves(client)
        assert client.solve(PROBLEM, seed=1, timeout_s=JOB_S).answer == ANSWER
    with openai.OpenAI(base_url=f"http://127.0.0.1:{gateway}/v1", api_key="any", timeout=JOB_S) as asked:
        reply = asked.chat.completions.create(model="ssr", messages=[{"role": "user", "content": PROBLEM}], seed=1)
    assert ANSWER in (reply.choices[0].message.content or "")
    shown = podman("ps", "--all", "--filter", f"label=io.podman.compose.project={PROJECT}", "--format", "{{.Status}}")
    assert len(shown.splitlines()) == 8
    assert all(status.startswith("Up") for status in shown.splitlines()), shown
