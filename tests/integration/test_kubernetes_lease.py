"""The Lease as a lock, over HTTP: who gets it, who loses it, and the election on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hang_limit import LIMIT_S
from kube_apiserver import running_apiserver
from kubernetes_server import NAMESPACE, KubernetesServer, refused

from ssr.autoscaler import kubernetes_lease
from ssr.autoscaler.election import lead
from ssr.autoscaler.kubernetes_api import KubernetesApi, open_kubernetes
from ssr.autoscaler.kubernetes_lease import KubernetesLease
from ssr.autoscaler.kubernetes_scale import KubernetesActuator
from ssr.core.errors import CapabilityMissing, NotFound, Overloaded, SsrError, TimedOut, Unavailable
from ssr.engines.load import Pool

NAME = "leader"
LEASE = f"leases/{NAME}"
TARGET = "deployments/target-engine"


class Clock:
    """A candidate's own clock."""

    def __init__(self, at: float = 0.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@pytest.fixture
async def server() -> AsyncIterator[KubernetesServer]:
    async with KubernetesServer().running() as running:
        yield running


@pytest.fixture
async def api(server: KubernetesServer) -> AsyncIterator[KubernetesApi]:
    async with open_kubernetes(timeout_s=5, namespace=NAMESPACE, url=server.url) as opened:
        yield opened


def candidate(api: KubernetesApi, holder: str, clock: Clock | None = None, name: str = NAME) -> KubernetesLease:
    return KubernetesLease(api, name, holder, lease_s=14.5, clock=clock or Clock())


async def spec_of(api: KubernetesApi, name: str) -> dict[str, Any]:
    lease = await api.coordination.read_namespaced_lease(name, api.namespace)
    assert lease.spec is not None
    return lease.spec.to_dict()


# What holds on our server and on a real one.


async def the_first_makes_it_and_keeps_it(api: KubernetesApi, name: str) -> None:
    one, two = candidate(api, "one", name=name), candidate(api, "two", name=name)
    assert (await one.hold(), await two.hold()) == (True, False)
    first = await spec_of(api, name)
    assert (first["holder_identity"], first["lease_duration_seconds"], first["lease_transitions"]) == ("one", 15, 0)
    assert (await one.hold(), await two.hold()) == (True, False)
    second = await spec_of(api, name)
    assert second["renew_time"] > first["renew_time"]
    assert {**second, "renew_time": None} == {**first, "renew_time": None}


async def one_of_many_gets_it(api: KubernetesApi, name: str) -> None:
    clocks = {f"c{at:g}": Clock(at) for at in (0, 1e9, -1e9, 5, 7)}
    stages = {holder: candidate(api, holder, clock, name) for holder, clock in clocks.items()}
    for term in range(5):
        held = dict(zip(stages, await asyncio.gather(*(each.hold() for each in stages.values())), strict=True))
        (leader,) = (holder for holder, holds in held.items() if holds)
        del stages[leader]
        assert not any([await each.hold() for each in stages.values()])
        spec = await spec_of(api, name)
        assert (spec["holder_identity"], spec["lease_transitions"]) == (leader, term)
        for clock in clocks.values():
            clock.at += 15.1


async def it_is_given_back_and_taken_at_once(api: KubernetesApi, name: str) -> None:
    one, two = candidate(api, "one", name=name), candidate(api, "two", name=name)
    await one.hold()
    await two.release()
    assert not await two.hold()
    await one.release()
    spec = await spec_of(api, name)
    assert (spec["holder_identity"], spec["lease_duration_seconds"]) == (None, 1)
    assert await two.hold()
    await one.release()
    assert (await spec_of(api, name))["lease_transitions"] == 1
    assert (await one.hold(), await two.hold()) == (False, True)


CONTRACT: list[Callable[[KubernetesApi, str], Awaitable[None]]] = [
    the_first_makes_it_and_keeps_it,
    one_of_many_gets_it,
    it_is_given_back_and_taken_at_once,
]


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
async def test_the_lock(api: KubernetesApi, check: Callable[[KubernetesApi, str], Awaitable[None]]) -> None:
    await check(api, NAME)


# What can go wrong, on our server alone.


def held_by(holder: str, renewed: str, duration_s: int = 30) -> dict[str, Any]:
    return {"holderIdentity": holder, "renewTime": f"{renewed}.000000Z", "leaseDurationSeconds": duration_s}


async def test_a_holder_is_gone_when_it_was_not_seen_to_renew_whatever_its_clock_says(
    server: KubernetesServer, api: KubernetesApi
) -> None:
    clock = Clock(1000.0)
    lock = candidate(api, "me", clock)
    for renewed in ("1999-01-01T00:00:00", "2999-01-01T00:00:00"):
        server.put(LEASE, spec=held_by("other", renewed))
        assert not await lock.hold()
        clock.at += 29.9  # the record's duration counts, not ours
        assert not await lock.hold()
    clock.at += 0.2
    assert await lock.hold()
    assert server.spec(LEASE)["leaseTransitions"] == 1


async def test_a_label_is_no_sign_of_life(server: KubernetesServer, api: KubernetesApi) -> None:
    clock = Clock()
    lock = candidate(api, "me", clock)
    record = held_by("other", "2026-01-01T00:00:00")
    server.put(LEASE, spec=record)
    assert not await lock.hold()
    clock.at += 30.1
    server.put(LEASE, metadata={"labels": {"team": "a"}}, spec=record)
    assert await lock.hold()
    assert server.get(LEASE)["metadata"]["labels"] == {"team": "a"}


async def test_a_deleted_lease_sets_free_nobody_who_has_seen_its_holder(
    server: KubernetesServer, api: KubernetesApi
) -> None:
    clock = Clock()
    one, two = candidate(api, "one"), candidate(api, "two", clock)
    assert (await one.hold(), await two.hold()) == (True, False)
    server.take(LEASE)
    assert not await two.hold()
    clock.at += 15.1
    assert await two.hold()
    assert not await one.hold()
    server.take(LEASE)
    assert await two.hold(), "its own holder makes it anew"


@contextmanager
def just_before(server: KubernetesServer, method: str, act: Callable[[], None]) -> Iterator[None]:
    """Do something between a candidate's look and the first write of that method."""

    async def before(request: web.Request) -> None:
        if request.method == method:
            server.before = None
            act()

    server.before = before
    yield
    assert server.before is None, f"there was no {method}"


async def test_who_comes_second_with_a_new_lease_does_not_hold_it(server: KubernetesServer, api: KubernetesApi) -> None:
    other = held_by("other", "2026-01-01T00:00:00")
    with just_before(server, "POST", lambda: server.put(LEASE, spec=other)):
        assert not await candidate(api, "me").hold()
    assert server.spec(LEASE)["holderIdentity"] == "other"
    assert server.requests == [f"GET {LEASE}", "POST leases", f"GET {LEASE}"]


async def test_who_comes_second_with_an_expired_lease_does_not_hold_it(
    server: KubernetesServer, api: KubernetesApi
) -> None:
    clock = Clock()
    lock = candidate(api, "me", clock)
    server.put(LEASE, spec=held_by("gone", "2026-01-01T00:00:00"))
    await lock.hold()
    clock.at += 30.1
    other = held_by("other", "2026-01-01T00:01:00")
    with just_before(server, "PUT", lambda: server.put(LEASE, spec=other)):
        assert not await lock.hold()
    assert server.spec(LEASE) == other


async def test_a_leader_whose_lease_is_labelled_meanwhile_keeps_it(
    server: KubernetesServer, api: KubernetesApi
) -> None:
    lock = candidate(api, "me")
    await lock.hold()
    labelled = {"metadata": {"labels": {"team": "a"}}, "spec": server.spec(LEASE)}
    with just_before(server, "PUT", lambda: server.put(LEASE, **labelled)):
        assert await lock.hold()
    assert server.get(LEASE)["metadata"]["labels"] == {"team": "a"}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"status": 403}, CapabilityMissing),
        ({"status": 429, "Retry_After": "3"}, Overloaded),
        ({"status": 500}, Unavailable),
        ({"status": 409}, SsrError),
    ],
    ids=["403", "429", "500", "always 409"],
)
async def test_a_refused_write_is_reported(
    server: KubernetesServer, api: KubernetesApi, answer: dict[str, Any], kind: type[SsrError]
) -> None:
    async def refuse(request: web.Request) -> web.Response | None:
        return refused(**answer) if request.method != "GET" else None

    lock = candidate(api, "me")
    server.before = refuse
    with pytest.raises(kind, match="create leases/leader"):
        await lock.hold()
    server.before = None
    assert await lock.hold()
    server.before = refuse
    with pytest.raises(kind, match="update leases/leader"):
        await lock.hold()
    with pytest.raises(kind, match="update leases/leader"):
        await lock.release()


async def test_a_namespace_that_is_not_there_is_reported(server: KubernetesServer) -> None:
    async with open_kubernetes(timeout_s=5, namespace="nowhere", url=server.url) as api:
        with pytest.raises(NotFound, match="create leases/leader in namespace nowhere"):
            await candidate(api, "me").hold()


async def test_a_write_without_an_answer_was_done(server: KubernetesServer) -> None:
    async def lose_the_answer(request: web.Request) -> None:
        if request.method == "POST":
            server.put(LEASE, **await request.json())
            await asyncio.Future()

    async with open_kubernetes(timeout_s=0.2, namespace=NAMESPACE, url=server.url) as api:
        lock, other = candidate(api, "me"), candidate(api, "other")
        server.before = lose_the_answer
        with pytest.raises(TimedOut, match="create leases/leader"):
            await lock.hold()
        assert not await other.hold()
        await lock.release()
        assert await other.hold()


async def test_who_never_tried_has_nothing_to_give_back(server: KubernetesServer, api: KubernetesApi) -> None:
    await candidate(api, "me").release()
    assert server.requests == []


async def test_a_whole_second_has_a_fraction_too(
    server: KubernetesServer, api: KubernetesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client writes none for a time without microseconds, and the API refuses that: one time in a million."""

    class WholeSeconds(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(2026, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(kubernetes_lease, "datetime", WholeSeconds)
    server.put(LEASE, spec={**held_by("me", "2026-01-01T00:00:00"), "acquireTime": "2026-01-01T00:00:00.000000Z"})
    lock = candidate(api, "me")
    assert await lock.hold()
    assert await lock.hold()
    await lock.release()


# The election on it, in real time.


class Replicas:
    """Replicas that take part in one election, and what they do while they lead."""

    def __init__(self, *, lease_s: float, renew_s: float) -> None:
        self._lease_s, self._renew_s = lease_s, renew_s
        self.leaders = set[str]()
        self.at_most = 0
        self.begun = 0
        self._changed = asyncio.Condition()

    async def _work(self, name: str) -> None:
        self.leaders.add(name)
        self.begun += 1
        self.at_most = max(self.at_most, len(self.leaders))
        await self._report()
        try:
            await asyncio.Future()
        finally:
            self.leaders.discard(name)
            await self._report()

    async def _report(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, state: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S), self._changed:
            await self._changed.wait_for(state)

    async def leader(self) -> str:
        """Who leads, as soon as somebody does."""
        await self.until(lambda: bool(self.leaders))
        (leader,) = self.leaders
        return leader

    async def _replica(self, api: KubernetesApi, name: str) -> None:
        lock = KubernetesLease(api, NAME, name, lease_s=self._lease_s)
        await lead(lock, lambda: self._work(name), renew_s=self._renew_s, retry_s=0.05)

    @asynccontextmanager
    async def of(self, api: KubernetesApi, *names: str) -> AsyncIterator[dict[str, asyncio.Task[None]]]:
        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(self._replica(api, name)) for name in names}
            yield tasks
            for task in tasks.values():
                task.cancel()


#: Where the lock changes hands because it is given back, and where because it expires.
GIVEN, EXPIRING = {"lease_s": 60.0, "renew_s": 40.0}, {"lease_s": 1.0, "renew_s": 0.7}


@pytest.fixture
async def hasty(server: KubernetesServer) -> AsyncIterator[KubernetesApi]:
    """Calls that hang end soon enough for several attempts in a term."""
    async with open_kubernetes(timeout_s=0.25, namespace=NAMESPACE, url=server.url) as opened:
        yield opened


async def each_leads_in_turn(api: KubernetesApi, *names: str) -> None:
    """As one after the other leaves."""
    stages = Replicas(**GIVEN)
    async with stages.of(api, *names) as tasks:
        while tasks:
            leader = await stages.leader()
            tasks.pop(leader).cancel()
            await stages.until(lambda leader=leader: leader not in stages.leaders)  # type: ignore[misc]
    assert (stages.at_most, stages.begun) == (1, len(names))
    assert (await spec_of(api, NAME))["holder_identity"] is None


async def test_a_leader_that_leaves_is_followed_at_once(api: KubernetesApi) -> None:
    await each_leads_in_turn(api, "one", "two", "three")


async def test_a_leader_whose_renewals_hang_stops_and_another_leads(
    server: KubernetesServer, hasty: KubernetesApi
) -> None:
    stages = Replicas(**EXPIRING)
    hanging = ""

    async def hang(request: web.Request) -> None:
        if request.method == "PUT" and (await request.json())["spec"].get("holderIdentity") == hanging:
            await asyncio.Future()

    server.before = hang
    async with stages.of(hasty, "one", "two"):
        hanging = await stages.leader()
        await stages.until(lambda: bool(stages.leaders - {hanging}))
    assert stages.at_most == 1


@pytest.mark.parametrize("status", [403, 429, 500])
async def test_nobody_leads_while_the_api_refuses_and_somebody_afterwards(
    server: KubernetesServer, hasty: KubernetesApi, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return refused(status, Retry_After="0")

    stages = Replicas(**EXPIRING)
    with caplog.at_level(logging.WARNING, "ssr.autoscaler"):
        async with stages.of(hasty, "one", "two"):
            await stages.leader()
            server.before = refuse
            await stages.until(lambda: not stages.leaders)
            server.before = None
            await stages.leader()
    assert stages.at_most == 1
    reported = [record.message for record in caplog.records if str(status) in record.message]
    assert 1 <= len(reported) <= 4, "once for each replica and call, not each time"


async def test_leadership_that_is_lost_in_the_middle_of_a_patch_ends_the_patch(
    server: KubernetesServer, api: KubernetesApi
) -> None:
    patching, left = asyncio.Event(), asyncio.Event()

    async def hang(request: web.Request) -> None:
        if request.method == "PATCH":
            patching.set()
            try:
                await asyncio.Future()
            finally:
                left.set()

    changes: list[bool] = []
    server.put(TARGET, spec={"replicas": 1})
    server.before = hang
    pools = KubernetesActuator(api, {Pool.TARGET: "target-engine"})
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        leading = group.create_task(
            lead(
                candidate(api, "me"),
                lambda: pools.scale(Pool.TARGET, 5),
                renew_s=10,
                retry_s=0.05,
                on_change=changes.append,
            )
        )
        await patching.wait()
        server.put(LEASE, spec=held_by("other", "2026-01-01T00:00:00"))
        await left.wait()
        assert (server.spec(TARGET)["replicas"], changes) == (1, [True, False])
        leading.cancel()
    assert server.spec(LEASE)["holderIdentity"] == "other", "what is not ours is not given back"


async def test_a_real_cluster_with_no_more_rights_than_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_apiserver(tmp_path) as real:
        names = [NAME, *(check.__name__.replace("_", "-") for check in CONTRACT)]
        group = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
        folder = await real.account(
            [{**group, "resourceNames": names, "verbs": ["get", "update"]}, {**group, "verbs": ["create"]}]
        )
        monkeypatch.delenv("KUBECONFIG", raising=False)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(real.port))
        async with open_kubernetes(timeout_s=5, account=folder) as api:
            for check in CONTRACT:
                await check(api, check.__name__.replace("_", "-"))
            with pytest.raises(CapabilityMissing, match="cannot get resource"):
                await candidate(api, "me", name="of-others").hold()
            # One that is gone without a word comes first.
            assert await KubernetesLease(api, NAME, "silent", lease_s=1).hold()
            await each_leads_in_turn(api, "one", "two")
