"""Who leads, in virtual time: one at most, whatever the lock's server does, and somebody when it is well."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes.aio.client import ApiException, V1Lease

from ssr.autoscaler.election import lead, leading
from ssr.autoscaler.kubernetes_api import KubernetesApi
from ssr.autoscaler.kubernetes_lease import KubernetesLease
from ssr.core.errors import CapabilityMissing, Overloaded, Unavailable
from ssr_bench.virtual_time import run_virtually

RENEW_S, RETRY_S = 10.0, 2.0
Answer = bool | Exception | None


def now() -> float:
    return asyncio.get_running_loop().time()


class ScriptedLock:
    """Answers as `answer(time)` says: held or not, an error, or None: not at all."""

    def __init__(self, answer: Callable[[float], Answer] = lambda at: True, takes_s: float = 0.0) -> None:
        self._answer, self._takes_s = answer, takes_s
        self.asked: list[float] = []
        self.released: list[float] = []
        self.release_takes_s = 0.0

    async def hold(self) -> bool:
        self.asked.append(now())
        await asyncio.sleep(self._takes_s)
        answer = self._answer(now())
        if answer is None:
            await asyncio.sleep(1e6)
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    async def release(self) -> None:
        await asyncio.sleep(self.release_takes_s)
        self.released.append(now())


class Term:
    """Work that goes on until it is cancelled; when it was begun and ended."""

    def __init__(self) -> None:
        self.begun: list[float] = []
        self.ended: list[float] = []
        self.changes: list[bool] = []

    async def work(self) -> None:
        self.begun.append(now())
        try:
            await asyncio.sleep(1e6)
        finally:
            self.ended.append(now())

    async def led(self, lock: ScriptedLock, seconds: float) -> Term:
        """Take part in the election for so long."""
        async with leading(lock, self.work, renew_s=RENEW_S, retry_s=RETRY_S, on_change=self.changes.append):
            await asyncio.sleep(seconds)
        return self


def led(lock: ScriptedLock, seconds: float) -> Term:
    return run_virtually(Term().led(lock, seconds))


def test_the_holder_works_from_the_first_answer_on_and_gives_the_lock_back() -> None:
    lock = ScriptedLock()
    term = led(lock, 60)
    assert (term.begun, term.ended, lock.released, term.changes) == ([0], [60], [60], [True, False])
    assert all(
        RETRY_S / 2 <= later - before <= RETRY_S for before, later in zip(lock.asked, lock.asked[1:], strict=False)
    )


def test_without_the_lock_nothing_is_done() -> None:
    lock = ScriptedLock(lambda at: False)
    term = led(lock, 60)
    assert (term.begun, term.changes) == ([], [])
    assert len(lock.asked) >= 60 / RETRY_S


def test_work_ends_as_soon_as_another_holds_the_lock_and_begins_again_with_it() -> None:
    lock = ScriptedLock(lambda at: not 20 <= at < 40)
    term = led(lock, 60)
    assert term.begun == [0, pytest.approx(40, abs=RETRY_S)]
    assert term.ended == [pytest.approx(20, abs=RETRY_S), 60]
    assert term.ended[0] in lock.asked, "at once"
    assert term.changes == [True, False, True, False]


@pytest.mark.parametrize("answer", [Unavailable("away"), CapabilityMissing("403"), None], ids=["away", "403", "hangs"])
@pytest.mark.parametrize("takes_s", [0.0, 1.5])
def test_work_ends_when_the_lock_could_not_be_renewed_in_time(answer: Answer, takes_s: float) -> None:
    lock = ScriptedLock(lambda at: True if at < 20 or at >= 50 else answer, takes_s)
    term = led(lock, 100)
    renewed = max(at for at in lock.asked if at + takes_s < 20)
    assert term.ended == [renewed + RENEW_S, 100], "counted from when the last good answer was asked for"
    assert term.begun[1] == pytest.approx(50, abs=RENEW_S + RETRY_S)


def test_a_short_outage_is_nothing() -> None:
    lock = ScriptedLock(lambda at: Unavailable("away") if 20 <= at < 26 else True)
    assert led(lock, 60).begun == [0]


def test_an_answer_that_comes_too_late_is_none() -> None:
    term = led(ScriptedLock(takes_s=RENEW_S + 1), 100)
    assert term.begun == []


def test_a_long_wait_that_is_reported_is_kept_but_not_beyond_the_term() -> None:
    lock = ScriptedLock(lambda at: Overloaded("429", 4.0) if at < 60 else True)
    led(lock, 50)
    assert all(later - before >= 4 for before, later in zip(lock.asked, lock.asked[1:], strict=False))
    lock = ScriptedLock(lambda at: Overloaded("429", 600.0) if 20 <= at < 22 else True)
    assert led(lock, 60).begun == [0]


def test_lasting_errors_are_reported_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ssr.autoscaler"):
        led(ScriptedLock(lambda at: Unavailable("away") if at < 300 else CapabilityMissing("403")), 600)
    reported = [record.message for record in caplog.records]
    assert len(reported) <= 2 * 300 / 30 + 2
    assert {"away" in message or "403" in message for message in reported} == {True}
    caplog.clear()
    with caplog.at_level(logging.INFO, "ssr.autoscaler"):
        led(ScriptedLock(lambda at: Unavailable(f"away at {at:g}") if int(at / 5) % 2 else True), 60)
    assert len(caplog.records) <= 1 + 2 * 2, "one that comes and goes is no news each time"
    caplog.clear()
    with caplog.at_level(logging.INFO, "ssr.autoscaler"):
        led(ScriptedLock(lambda at: Unavailable("away") if 20 <= at < 40 else True), 60)
    assert [record.message for record in caplog.records] == [
        "this replica leads",
        "who leads is not known: away",
        "this replica leads no more: it could not renew the lock for 10 s",
        "the lock answers again",
        "this replica leads",
    ]


def test_a_crash_gives_the_lock_back_and_is_reported() -> None:
    async def crash() -> None:
        await asyncio.sleep(5)
        raise ZeroDivisionError

    lock, changes = ScriptedLock(), list[bool]()
    with pytest.raises(ExceptionGroup) as raised:
        run_virtually(lead(lock, crash, renew_s=RENEW_S, retry_s=RETRY_S, on_change=changes.append))
    assert raised.group_contains(ZeroDivisionError)
    assert (lock.released, changes) == ([5], [True, False])


def test_a_lock_that_is_broken_is_a_crash_too() -> None:
    lock = ScriptedLock(lambda at: True if at < 5 else ZeroDivisionError())
    with pytest.raises(ExceptionGroup) as raised:
        led(lock, 60)
    assert raised.group_contains(ZeroDivisionError)
    assert len(lock.released) == 1


def test_work_that_ends_ends_the_election() -> None:
    async def work() -> None:
        await asyncio.sleep(25)

    lock = ScriptedLock()
    run_virtually(lead(lock, work, renew_s=RENEW_S, retry_s=RETRY_S))
    assert lock.released == [25]


@pytest.mark.parametrize(("takes_s", "released", "left_at"), [(1.0, [11.0], 11.0), (100.0, [], 12.0)])
def test_leaving_gives_the_lock_back_though_cancelled_again_but_not_for_long(
    takes_s: float, released: list[float], left_at: float
) -> None:
    async def leave() -> float:
        task = asyncio.create_task(lead(lock, term.work, renew_s=RENEW_S, retry_s=RETRY_S))
        await asyncio.sleep(10)
        task.cancel()
        await asyncio.sleep(0.5)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return now()

    lock, term = ScriptedLock(), Term()
    lock.release_takes_s = takes_s
    assert run_virtually(leave()) == left_at
    assert term.ended == [10]
    assert lock.released == released


# Several replicas and one Lease, in a cluster where anything is slow, lost or done though it failed.

LEASE_S, TERM_S, TRY_S, CALL_S, CLEANUP_S = 4.0, 3.0, 0.5, 1.0, 0.2


class Cluster:
    """Keeps one Lease. A request arrives late or never, and its answer too; what has been sent is done all the same."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._lease: V1Lease | None = None
        self._version = 0
        self._on_the_way = set[asyncio.Task[V1Lease]]()
        self.well = False
        self.down_until = 0.0

    async def read_namespaced_lease(self, name: str, namespace: str) -> V1Lease:
        return await self._asked(self._read)

    async def create_namespaced_lease(self, namespace: str, body: V1Lease, field_manager: str) -> V1Lease:
        return await self._asked(lambda: self._create(body))

    async def replace_namespaced_lease(self, name: str, namespace: str, body: V1Lease, field_manager: str) -> V1Lease:
        return await self._asked(lambda: self._replace(body))

    async def _asked(self, do: Callable[[], V1Lease]) -> V1Lease:
        if now() < self.down_until:
            raise ApiException(status=503)
        doing = asyncio.create_task(self._done(do))
        self._on_the_way.add(doing)
        doing.add_done_callback(self._forget)
        answer = await asyncio.shield(doing)
        await asyncio.sleep(self._delay_s())
        if not self.well and self._chance.random() < 0.05:
            raise ApiException(status=500)
        return answer

    def _forget(self, doing: asyncio.Task[V1Lease]) -> None:
        self._on_the_way.discard(doing)
        if not doing.cancelled():
            doing.exception()  # nobody may be there to hear it

    async def _done(self, do: Callable[[], V1Lease]) -> V1Lease:
        await asyncio.sleep(self._delay_s())
        return do()

    def _delay_s(self) -> float:
        if self.well or self._chance.random() < 0.8:
            return 0.01
        return self._chance.uniform(0, 6 * CALL_S)

    def _read(self) -> V1Lease:
        if self._lease is None:
            raise ApiException(status=404)
        return self._lease.model_copy(deep=True)

    def _create(self, lease: V1Lease) -> V1Lease:
        if self._lease is not None:
            raise ApiException(status=409)
        return self._store(lease)

    def _replace(self, lease: V1Lease) -> V1Lease:
        stored = self._read()
        if lease.metadata is None or stored.metadata is None:
            raise AssertionError("a Lease has metadata")
        if lease.metadata.resource_version != stored.metadata.resource_version:
            raise ApiException(status=409)
        return self._store(lease)

    def _store(self, lease: V1Lease) -> V1Lease:
        self._version += 1
        self._lease = lease.model_copy(deep=True)
        assert self._lease.metadata is not None
        self._lease.metadata.resource_version = str(self._version)
        return self._read()


class Leaders:
    """Who works now. There must never be two."""

    def __init__(self) -> None:
        self.now = set[str]()
        self.terms = 0

    def work(self, name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def work() -> None:
            assert not self.now, f"{name} leads, and so does {self.now}"
            self.now.add(name)
            self.terms += 1
            try:
                await asyncio.sleep(1e6)
            finally:
                await asyncio.sleep(CLEANUP_S)
                self.now.discard(name)

        return work


async def replica(name: str, cluster: Cluster, leaders: Leaders, chance: random.Random) -> None:
    """Takes part, and now and then leaves and comes again. Its clock is wrong by hours, and by a part in fifty."""
    began, rate = chance.uniform(-1e5, 1e5), chance.uniform(0.98, 1.02)
    api = KubernetesApi(apps=None, coordination=cluster, namespace="ssr", timeout_s=CALL_S)  # type: ignore[arg-type]
    while True:
        lease = KubernetesLease(api, "leader", name, lease_s=LEASE_S, clock=lambda: began + rate * now())
        stay_s = 1e6 if cluster.well else chance.uniform(5, 60)
        with suppress(TimeoutError):
            async with asyncio.timeout(stay_s):
                await lead(lease, leaders.work(name), renew_s=TERM_S, retry_s=TRY_S)
        await asyncio.sleep(chance.uniform(0, 3))


@asynccontextmanager
async def running(*coroutines: Coroutine[Any, Any, None]) -> Any:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in coroutines]
        yield
        for task in tasks:
            task.cancel()


@settings(max_examples=6, deadline=None)
@given(st.integers(min_value=0), st.integers(2, 4))
def test_there_are_never_two_leaders_and_always_one_when_all_is_well(seed: int, replicas: int) -> None:
    chance = random.Random(seed)

    async def election() -> None:
        cluster, leaders = Cluster(chance), Leaders()
        async with running(*(replica(f"r{each}", cluster, leaders, chance) for each in range(replicas))):
            for _ in range(4):
                await asyncio.sleep(chance.uniform(5, 30))
                cluster.down_until = now() + chance.uniform(0, 10)
            cluster.well, cluster.down_until = True, 0.0
            await asyncio.sleep(80)  # those that would still leave have left
            leader, terms = set(leaders.now), leaders.terms
            assert len(leader) == 1
            await asyncio.sleep(60)
            assert (leaders.now, leaders.terms) == (leader, terms), "and it stays"

    run_virtually(election())
