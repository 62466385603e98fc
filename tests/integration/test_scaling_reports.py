"""Scaling reports, decisions and the lock in a real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hang_limit import LIMIT_S
from redis import Redis

from ssr.autoscaler.actuator import ReportedEngines
from ssr.autoscaler.election import RedisLock
from ssr.autoscaler.policy.decision import ScalingDecision, decide
from ssr.autoscaler.policy.demand import Demand
from ssr.autoscaler.policy.forecast import PathWork, Workload
from ssr.autoscaler.policy.settings import ScalingLimits
from ssr.autoscaler.policy.signals import Engines, Service
from ssr.autoscaler.policy.state import ScalingState
from ssr.autoscaler.reporter import reporting
from ssr.autoscaler.reports import ReportStore
from ssr.drafter.settings import DrafterSettings
from ssr.engines.load import Load, Pool
from ssr.engines.settings import EngineSettings
from ssr.runtime.redis.client import RedisClient, open_redis

LOAD = Load(requests_waiting=3, requests_running=8, tokens_running=4096, tokens_per_s=120.5)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    async with open_redis(redis_url) as client:
        yield client


@pytest.fixture
def report_store(redis: RedisClient) -> ReportStore:
    return ReportStore(redis, ttl_s=20)


def decision(replicas: int, now: float) -> ScalingDecision:
    state = ScalingState.fresh(Engines(1), now - 3600)
    return decide(Demand(steady=6.0 * replicas), state, ScalingLimits(slots=8, up_step=100, up_window_s=0), now)


async def test_what_is_reported_can_be_read(report_store: ReportStore) -> None:
    await report_store.report_load(Service.DRAFTER, "pod-1", Load(requests_running=1), 2)
    await report_store.report_load(Service.DRAFTER, "pod-1", LOAD, 3)
    await report_store.report_load(Service.VERIFIER, "pod-1", Load(), 1)
    await report_store.report_workload("orchestrator-0", Workload(4, 20, 1.5, PathWork(drafted_tokens=100), 3.0))
    await report_store.report_workload("orchestrator-1", Workload(4, 20, 0.5, PathWork(drafted_tokens=200), 1.0))
    view = await report_store.read()
    reported = {(report.service, report.replica): (report.load, report.engines) for report in view.reports}
    assert reported == {(Service.DRAFTER, "pod-1"): (LOAD, 3), (Service.VERIFIER, "pod-1"): (Load(), 1)}
    assert all(0 <= view.now - report.at < 5 for report in view.reports)
    assert view.forecast is not None
    assert (view.forecast.queued_paths, view.forecast.paths_per_s) == (20, 2.0)
    assert view.forecast.work.drafted_tokens == 125


async def test_notes_expire_and_are_taken_down(redis: RedisClient, report_store: ReportStore, redis_url: str) -> None:
    short = ReportStore(redis, ttl_s=0.001)
    await short.report_load(Service.DRAFTER, "gone", LOAD, 1)
    await report_store.report_load(Service.DRAFTER, "leaving", LOAD, 1)
    await report_store.withdraw_load(Service.DRAFTER, "leaving")
    await report_store.report_workload("leaving", Workload())
    await report_store.withdraw_workload("leaving")
    with Redis.from_url(redis_url) as client:
        while client.exists("ssr:{scaling}:note:load drafter gone"):
            pass
        view = await report_store.read()
        assert view.reports == ()
        assert view.forecast is None
        assert not client.exists("ssr:{scaling}:notes")


async def test_a_note_of_another_version_is_left_out(
    redis: RedisClient, report_store: ReportStore, caplog: pytest.LogCaptureFixture
) -> None:
    await report_store.report_load(Service.VERIFIER, "old", LOAD, 1)
    await report_store.report_load(Service.VERIFIER, "new", LOAD, 1)
    for broken in (b"12.5 {", b'12.5 {"load": {"requests_waiting": -1}, "engines": 1}'):
        await redis.set("ssr:{scaling}:note:load verifier new", broken)
        assert [report.replica for report in (await report_store.read()).reports] == ["old"]
        assert "left out" in caplog.records[-1].message
    await redis.set(
        "ssr:{scaling}:note:load verifier new", b'12.5 {"load": {"requests_waiting": 2}, "engines": 1, "more": 1}'
    )
    assert len((await report_store.read()).reports) == 2


@pytest.mark.parametrize("name", ["load", "load verifier", "load planner pod-1", "load verifier pod 1", "plan x"])
async def test_a_report_that_only_a_newer_version_knows_is_left_out(
    redis: RedisClient, report_store: ReportStore, redis_url: str, name: str
) -> None:
    await report_store.report_load(Service.VERIFIER, "old", LOAD, 1)
    await redis.set(f"ssr:{{scaling}}:note:{name}", b'12.5 {"load": {"requests_waiting": 2}, "engines": 1}')
    await redis.sadd("ssr:{scaling}:notes", name)
    await redis.hset("ssr:{scaling}:decisions", "judge", b"{}")
    view = await report_store.read()
    assert [report.replica for report in view.reports] == ["old"]
    assert view.decided == {}


async def test_a_decision_and_its_memory_come_back(report_store: ReportStore) -> None:
    assert await report_store.decision(Pool.DRAFT) is None
    now = (await report_store.read()).now
    made = decision(3, now)
    await report_store.decide(Pool.DRAFT, made, now)
    decided = await report_store.decision(Pool.DRAFT)
    assert decided is not None
    assert (decided.replicas, decided.reasons) == (made.replicas, made.reasons)
    assert (await report_store.read()).states == {Pool.DRAFT: made.state}
    await report_store.decide(Pool.DRAFT, made, now - 21)
    assert await report_store.decision(Pool.DRAFT) is None


async def test_a_decision_is_read_by_itself(
    redis: RedisClient, report_store: ReportStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Every stream of KEDA's looks once a second: what is wrong elsewhere is not reported that often."""
    now = (await report_store.read()).now
    await report_store.decide(Pool.DRAFT, decision(3, now), now)
    await redis.hset("ssr:{scaling}:decisions", Pool.TARGET, b"{")
    assert (decided := await report_store.decision(Pool.DRAFT)) is not None
    assert decided.replicas > 0
    assert not caplog.records
    assert await report_store.decision(Pool.TARGET) is None
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "cannot read the report 'target', it is left out"
    ]


async def test_engines_that_keda_scales_are_those_that_services_see(report_store: ReportStore) -> None:
    engines = ReportedEngines(report_store)
    assert await engines.engines(Pool.TARGET) == Engines(0, 0)
    now = (await report_store.read()).now
    await report_store.decide(Pool.TARGET, decision(4, now), now)
    assert await engines.engines(Pool.TARGET) == Engines(0, 4)
    await report_store.report_load(Service.VERIFIER, "a", LOAD, 3)
    await report_store.report_load(Service.SELECTOR, "a", LOAD, 1)
    await report_store.report_load(Service.DRAFTER, "a", LOAD, 9)
    assert await engines.engines(Pool.TARGET) == Engines(3, 1)


async def test_one_holds_the_lock_until_it_lets_go(redis: RedisClient) -> None:
    one, other = (RedisLock(redis, name, lease_s=60) for name in ("one", "other"))
    assert [await one.hold(), await other.hold(), await one.hold()] == [True, False, True]
    await other.release()  # not theirs
    assert not await other.hold()
    await one.release()
    assert [await other.hold(), await one.hold()] == [True, False]


async def test_a_lock_that_is_not_renewed_is_free(redis: RedisClient) -> None:
    one, other = RedisLock(redis, "one", lease_s=0.01), RedisLock(redis, "other", lease_s=60)
    assert await one.hold()
    async with asyncio.timeout(LIMIT_S):
        while not await other.hold():
            pass
    assert not await one.hold()


async def test_a_replica_reports_until_it_ends(redis_url: str, report_store: ReportStore) -> None:
    settings = DrafterSettings(
        engine=EngineSettings(urls=("http://127.0.0.1:1",)), redis_url=redis_url, replica="pod-7", report_s=0.01
    )
    waiting = 0

    def measure() -> tuple[Load, int]:
        nonlocal waiting
        waiting += 1
        return Load(requests_waiting=waiting), 2

    async with reporting(settings, Service.DRAFTER, measure), asyncio.timeout(LIMIT_S):
        while not (reports := (await report_store.read()).reports) or reports[0].load.requests_waiting < 3:
            pass
        assert (reports[0].replica, reports[0].engines) == ("pod-7", 2)
    assert (await report_store.read()).reports == ()


async def test_without_a_redis_nothing_is_reported() -> None:
    settings = DrafterSettings(engine=EngineSettings(urls=("http://127.0.0.1:1",)))
    async with reporting(settings, Service.DRAFTER, lambda: pytest.fail("measured")):
        pass


async def test_a_redis_that_is_away_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    settings = DrafterSettings(
        engine=EngineSettings(urls=("http://127.0.0.1:1",)), redis_url="redis://127.0.0.1:1/0", report_s=0.01
    )
    tries = 0

    def measure() -> tuple[Load, int]:
        nonlocal tries
        tries += 1
        return Load(), 1

    async with reporting(settings, Service.DRAFTER, measure), asyncio.timeout(LIMIT_S):
        while tries < 3:
            await asyncio.sleep(0)
    assert len([record for record in caplog.records if "cannot be reported" in record.message]) == 1
