"""The scaling board, its reports and its lock in a real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis import Redis

from ssr.autoscaler.board import Board
from ssr.autoscaler.redis_lock import RedisLock
from ssr.autoscaler.reported import ReportedEngines
from ssr.autoscaler.reporter import reporting
from ssr.drafting.settings import DrafterSettings
from ssr.engines.settings import EngineSettings
from ssr.redis.client import RedisClient, open_redis
from ssr.scaling.demand import Demand
from ssr.scaling.forecast import Outlook, PathWork
from ssr.scaling.policy import Decision, decide
from ssr.scaling.settings import PoolLimits
from ssr.scaling.signals import Engines, Load, Pool, Service
from ssr.scaling.state import ScalingState

LOAD = Load(requests_waiting=3, requests_running=8, tokens_running=4096, tokens_per_s=120.5)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    async with open_redis(redis_url) as client:
        yield client


@pytest.fixture
def board(redis: RedisClient) -> Board:
    return Board(redis, ttl_s=20)


def decision(replicas: int, now: float) -> Decision:
    state = ScalingState.fresh(Engines(1), now - 3600)
    return decide(Demand(steady=6.0 * replicas), state, PoolLimits(slots=8, up_step=100, up_window_s=0), now)


async def test_what_is_told_can_be_read(board: Board) -> None:
    await board.tell_load(Service.DRAFTER, "pod-1", Load(requests_running=1), 2)
    await board.tell_load(Service.DRAFTER, "pod-1", LOAD, 3)
    await board.tell_load(Service.VERIFIER, "pod-1", Load(), 1)
    await board.tell_outlook("orchestrator-0", Outlook(4, 20, 1.5, PathWork(drafted_tokens=100), 3.0))
    await board.tell_outlook("orchestrator-1", Outlook(4, 20, 0.5, PathWork(drafted_tokens=200), 1.0))
    view = await board.read()
    told = {(report.service, report.replica): (report.load, report.engines) for report in view.reports}
    assert told == {(Service.DRAFTER, "pod-1"): (LOAD, 3), (Service.VERIFIER, "pod-1"): (Load(), 1)}
    assert all(0 <= view.now - report.at < 5 for report in view.reports)
    assert view.forecast is not None
    assert (view.forecast.queued_paths, view.forecast.paths_per_s) == (20, 2.0)
    assert view.forecast.work.drafted_tokens == 125


async def test_notes_expire_and_are_taken_down(redis: RedisClient, board: Board, redis_url: str) -> None:
    short = Board(redis, ttl_s=0.001)
    await short.tell_load(Service.DRAFTER, "gone", LOAD, 1)
    await board.tell_load(Service.DRAFTER, "leaving", LOAD, 1)
    await board.withdraw_load(Service.DRAFTER, "leaving")
    await board.tell_outlook("leaving", Outlook())
    await board.withdraw_outlook("leaving")
    with Redis.from_url(redis_url) as client:
        while client.exists("ssr:{scaling}:note:load drafter gone"):
            pass
        view = await board.read()
        assert view.reports == ()
        assert view.forecast is None
        assert not client.exists("ssr:{scaling}:notes")


async def test_a_note_of_another_version_is_left_out(
    redis: RedisClient, board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    await board.tell_load(Service.VERIFIER, "old", LOAD, 1)
    await board.tell_load(Service.VERIFIER, "new", LOAD, 1)
    for broken in (b"12.5 {", b'12.5 {"load": {"requests_waiting": -1}, "engines": 1}'):
        await redis.set("ssr:{scaling}:note:load verifier new", broken)
        assert [report.replica for report in (await board.read()).reports] == ["old"]
        assert "left out" in caplog.records[-1].message
    await redis.set(
        "ssr:{scaling}:note:load verifier new", b'12.5 {"load": {"requests_waiting": 2}, "engines": 1, "more": 1}'
    )
    assert len((await board.read()).reports) == 2


async def test_a_decision_and_its_memory_come_back(board: Board) -> None:
    assert await board.decision(Pool.DRAFT) is None
    now = (await board.read()).now
    made = decision(3, now)
    await board.decide(Pool.DRAFT, made, now)
    decided = await board.decision(Pool.DRAFT)
    assert decided is not None
    assert (decided.replicas, decided.reasons) == (made.replicas, made.reasons)
    assert (await board.read()).states == {Pool.DRAFT: made.state}
    await board.decide(Pool.DRAFT, made, now - 21)
    assert await board.decision(Pool.DRAFT) is None


async def test_a_decision_is_read_by_itself(redis: RedisClient, board: Board, caplog: pytest.LogCaptureFixture) -> None:
    """Every stream of KEDA's looks once a second: what is wrong elsewhere is not told that often."""
    now = (await board.read()).now
    await board.decide(Pool.DRAFT, decision(3, now), now)
    await redis.hset("ssr:{scaling}:decisions", Pool.TARGET, b"{")
    assert (decided := await board.decision(Pool.DRAFT)) is not None
    assert decided.replicas > 0
    assert not caplog.records
    assert await board.decision(Pool.TARGET) is None
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "cannot read 'target' on the board, it is left out"
    ]


async def test_engines_that_keda_scales_are_those_that_services_see(board: Board) -> None:
    engines = ReportedEngines(board)
    assert await engines.engines(Pool.TARGET) == Engines(0, 0)
    now = (await board.read()).now
    await board.decide(Pool.TARGET, decision(4, now), now)
    assert await engines.engines(Pool.TARGET) == Engines(0, 4)
    await board.tell_load(Service.VERIFIER, "a", LOAD, 3)
    await board.tell_load(Service.SELECTOR, "a", LOAD, 1)
    await board.tell_load(Service.DRAFTER, "a", LOAD, 9)
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
    async with asyncio.timeout(5):
        while not await other.hold():
            pass
    assert not await one.hold()


async def test_a_replica_reports_until_it_ends(redis_url: str, board: Board) -> None:
    settings = DrafterSettings(
        engine=EngineSettings(urls=("http://127.0.0.1:1",)), redis_url=redis_url, replica="pod-7", report_s=0.01
    )
    waiting = 0

    def measure() -> tuple[Load, int]:
        nonlocal waiting
        waiting += 1
        return Load(requests_waiting=waiting), 2

    async with reporting(settings, Service.DRAFTER, measure), asyncio.timeout(10):
        while not (reports := (await board.read()).reports) or reports[0].load.requests_waiting < 3:
            pass
        assert (reports[0].replica, reports[0].engines) == ("pod-7", 2)
    assert (await board.read()).reports == ()


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

    async with reporting(settings, Service.DRAFTER, measure), asyncio.timeout(10):
        while tries < 3:
            await asyncio.sleep(0)
    assert len([record for record in caplog.records if "cannot be told" in record.message]) == 1
