"""`ssr bench autoscale`: a fleet of real engines, and a day of some seconds. What it comes to is not judged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from aiohttp import ClientSession
from hang_limit import LIMIT_S
from typer.testing import CliRunner

from ssr.autoscaler.policy.signals import Engines
from ssr.cli.stack.ports import LOOPBACK, free_port
from ssr.core.errors import Unavailable
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr.engines.load import Pool
from ssr_bench.autoscale.day import BURST, ArrivalKind, DayOfLoad, Phase
from ssr_bench.autoscale.figures import WHOLE_DAY, figures_of
from ssr_bench.autoscale.fleet import Fleet
from ssr_bench.autoscale.fleet_client import FleetClient
from ssr_bench.autoscale.fleet_host import HostSettings, serve, write_urls
from ssr_bench.autoscale.measure import measure_autoscale
from ssr_bench.autoscale.pace import Pace
from ssr_bench.autoscale.plan import AutoscalePlan
from ssr_bench.autoscale.policy import Policy
from ssr_bench.autoscale.table import autoscale_markdown
from ssr_bench.cli.app import bench_app

NEVER_S = 3600.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0)


@asynccontextmanager
async def fleet(publish: Path, *, startup_s: float = 0.0, latency: Latency | None = None) -> AsyncIterator[Fleet]:
    settings = SimulatedSettings(latency=latency or Latency(time_scale=0))
    serve_one = lambda: running_server(SimulatedBackend(settings), grace_s=20)  # noqa: E731
    async with Fleet.running(
        serve_one, partial(write_urls, publish), replicas=1, startup_s=startup_s, linger_s=0.0
    ) as running:
        yield running


def published(publish: Path) -> list[str]:
    return publish.read_text().split()


async def test_replicas_are_published_when_they_serve_and_withdrawn_when_they_go(tmp_path: Path) -> None:
    publish = tmp_path / "replicas"
    async with fleet(publish) as running, ClientSession() as session:
        first = published(publish)
        assert len(first) == 1
        running.scale(3)
        assert running.engines == Engines(ready=1, starting=2)
        await until(lambda: running.engines.ready == 3)
        for url in published(publish):
            async with session.get(f"{url}/health") as reply:
                assert reply.status == 200
        running.scale(1)
        assert running.engines == Engines(ready=1)
        await until(lambda: sum(life.ended_s is not None for life in running.lives) == 2)
        assert published(publish) == first
    assert published(publish) == []
    for life in running.lives:
        assert life.ready_s is not None
        assert life.stopped_s is not None
        assert life.ended_s is not None
        assert life.asked_s <= life.ready_s <= life.stopped_s <= life.ended_s


async def test_replicas_that_are_still_starting_go_first(tmp_path: Path) -> None:
    async with fleet(tmp_path / "replicas", startup_s=NEVER_S) as running:
        running.scale(3)
        assert running.engines == Engines(ready=1, starting=2)
        running.scale(1)
        assert running.engines == Engines(ready=1)
        await until(lambda: sum(life.ended_s is not None for life in running.lives) == 2)
        assert [life.ready_s is None for life in running.lives] == [False, True, True]


async def test_a_replica_that_goes_finishes_what_it_has(tmp_path: Path) -> None:
    slow = Latency(decode_base_s=0.02)
    async with fleet(tmp_path / "replicas", latency=slow) as running, ClientSession() as session:
        url, body = published(tmp_path / "replicas")[0], {"inputs": "What is 3 + 4?", "parameters": {}}
        asking = asyncio.ensure_future(session.post(f"{url}/generate", json=body))
        await _in_hand(session, url)
        running.scale(0)
        async with await asking as reply:
            assert reply.status == 200
            assert (await reply.json())["generated_text"]
        assert published(tmp_path / "replicas") == []


async def _in_hand(session: ClientSession, url: str) -> None:
    """Until the engine has a request at work."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            async with session.get(f"{url}/metrics") as reply:
                lines = (await reply.text()).splitlines()
            if any(line.startswith("tgi_batch_current_size") and float(line.split()[-1]) > 0 for line in lines):
                return


async def test_the_actuator_counts_and_scales_a_fleet_by_http(tmp_path: Path) -> None:
    port = free_port()
    settings = HostSettings(
        pool=Pool.DRAFT,
        port=port,
        factor=20,
        publish=tmp_path / "replicas",
        replicas=1,
        startup_s=NEVER_S,
        linger_s=0.0,
        grace_s=1.0,
    )
    host = asyncio.ensure_future(serve(settings))
    async with FleetClient.to({Pool.DRAFT: f"{LOOPBACK}:{port}", Pool.TARGET: f"{LOOPBACK}:{free_port()}"}) as actuator:
        async with asyncio.timeout(LIMIT_S):
            while not await _counts(actuator):
                await asyncio.sleep(0.01)
        await actuator.scale(Pool.DRAFT, 3)
        await actuator.scale(Pool.DRAFT, 3)
        assert await actuator.engines(Pool.DRAFT) == Engines(ready=1, starting=2)
        assert [life.ready_s is not None for life in await actuator.lives(Pool.DRAFT)] == [True, False, False]
        with pytest.raises(Unavailable, match="the fleet of target does not answer"):
            await actuator.engines(Pool.TARGET)
    host.cancel()
    await asyncio.wait([host])


async def _counts(actuator: FleetClient) -> bool:
    try:
        await actuator.engines(Pool.DRAFT)
    except Unavailable:
        return False
    return True


async def test_a_day_is_lived_through() -> None:
    phases = (Phase("calm", 30, load=1), Phase(BURST, 150, load=20, ramp_s=10, kind=ArrivalKind.STRICT))
    day = DayOfLoad(phases, calm_jobs_per_s=0.03, operations=1)
    plan = AutoscalePlan(day, Pace(60), (Policy.OURS, Policy.FIXED_MEAN), startup_s=20.0, warm_up_jobs=8)
    first, report = [report async for report in measure_autoscale(plan)]
    assert first.runs == report.runs[:1]
    for run, figures in zip(report.runs, figures_of(report), strict=True):
        assert [job.at_s for job in run.jobs] == [arrival.at_s for arrival in day.arrivals(plan.seed)]
        assert figures.lost_jobs == 0
        assert figures.phases[WHOLE_DAY].p95_s is not None
        assert run.died == ()
    ours, fixed = report.runs
    # Twenty times the load, and twice the work: one replica is not enough.
    came = [life for life in ours.lives[Pool.TARGET] if life.asked_s > 0 and life.ready_s is not None]
    assert came
    assert all((life.ready_s or 0.0) - life.asked_s >= 20.0 for life in came)
    assert all(decided.reasons for decided in ours.decisions)
    assert {decided.pool for decided in ours.decisions} == set(Pool)
    for pool in Pool:
        assert len(fixed.lives[pool]) > 1
        assert all(life.asked_s < 0 for life in fixed.lives[pool])
    assert all(policy.label in autoscale_markdown([report]) for policy in plan.policies)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policies", "keda"], "policies: 'keda' is none"),
        (["--policies", "queue"], "policies: must name ours"),
        (["--factor", "0"], "factor: must be within 1..100"),
        (["--virtual", "--factor", "20"], "factor: is of real time"),
        (["--seed", "1,2"], "seed: must be one without --virtual"),
        (["--virtual", "--seed", "x"], "seed: 'x' is no list of numbers"),
    ],
)
def test_bad_input_names_the_field(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(bench_app, ["autoscale", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
