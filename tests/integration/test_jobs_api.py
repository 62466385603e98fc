"""Lists with filters, labels, batches, deletion and what a server reports itself, over the whole system."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from conftest import System
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc import StatusCode, aio
from grpc_status import rpc_status
from hang_limit import LIMIT_S
from redis.asyncio import Redis
from typer.testing import CliRunner, Result

from ssr import __version__
from ssr.autoscaler.policy.signals import Service
from ssr.autoscaler.reports import ReportStore
from ssr.cli.app import app
from ssr.client import AsyncClient
from ssr.core.errors import InvalidRequest, NotFound
from ssr.core.job import JobStatus
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan
from ssr.engine_server.simulated.script import truth
from ssr.engines.load import Load
from ssr.engines.prompt_fingerprint import prompt_fingerprint
from ssr.orchestrator.queue.keys import LISTED, JobKeys
from ssr.orchestrator.queue.listing import EVERYTHING, JobFilter, JobListing
from ssr.runtime.redis.client import open_redis
from ssr.v1 import reasoning_pb2 as pb
from ssr.v1 import reasoning_pb2_grpc

if TYPE_CHECKING:
    Stub = reasoning_pb2_grpc.ReasoningServiceAsyncStub

HANG = FaultPlan(rates={FaultKind.HANG: 1.0})


@pytest.fixture
async def stub(system: System) -> AsyncIterator[Stub]:
    async with aio.insecure_channel(system.address) as channel:
        yield reasoning_pb2_grpc.ReasoningServiceStub(channel)


def request(number: int = 1, **more: Any) -> pb.SolveRequest:
    return pb.SolveRequest(problem=f"What is ({number} * 7) + 19?", options=pb.Options(paths=2, seed=1), **more)


async def solve(stub: Stub, tenant: str = "", **more: Any) -> pb.Job:
    metadata = (("x-ssr-tenant", tenant),) if tenant else ()
    return await stub.Solve(request(**more), metadata=metadata, timeout=LIMIT_S)


async def found(stub: Stub, **wanted: Any) -> list[str]:
    return [job.job_id for job in (await stub.List(pb.ListRequest(**wanted), timeout=LIMIT_S)).jobs]


async def refused(call: Any) -> aio.AioRpcError:
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    return caught.value


def violations(error: aio.AioRpcError) -> list[str]:
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in rpc_status.from_call(error).details)  # type: ignore[arg-type]
    return [violation.field for violation in bad.field_violations]


async def test_a_get_waits_for_the_end_where_it_is_asked_to(stub: Stub, system: System) -> None:
    system.draft.faults.set(HANG)
    job = await stub.Submit(request(), timeout=LIMIT_S)
    early = await stub.Get(pb.GetRequest(job_id=job.job_id, wait_s=0.05), timeout=LIMIT_S)
    assert early.status in (pb.JOB_STATUS_QUEUED, pb.JOB_STATUS_RUNNING)
    waiting = asyncio.ensure_future(stub.Get(pb.GetRequest(job_id=job.job_id, wait_s=60), timeout=LIMIT_S))
    await stub.Cancel(pb.CancelRequest(job_id=job.job_id), timeout=LIMIT_S)
    assert (await waiting).status == pb.JOB_STATUS_CANCELLED
    for wrong in (-1.0, 61.0, float("nan")):
        error = await refused(stub.Get(pb.GetRequest(job_id=job.job_id, wait_s=wrong), timeout=LIMIT_S))
        assert violations(error) == ["wait_s"]
    error = await refused(stub.Get(pb.GetRequest(job_id="job-none", wait_s=60), timeout=LIMIT_S))
    assert error.code() is StatusCode.NOT_FOUND


async def test_a_list_has_what_is_asked_for(stub: Stub, system: System) -> None:
    red = await solve(stub, "acme", labels={"colour": "red", "course": "algebra/1"})
    blue = await solve(stub, "acme", labels={"colour": "blue", "course": "algebra/1"})
    other = await solve(stub, "school")
    system.draft.faults.set(HANG)
    waiting = await stub.Submit(request(labels={"colour": "red"}), timeout=LIMIT_S)
    everything = [waiting.job_id, other.job_id, blue.job_id, red.job_id]
    assert dict(red.labels) == {"colour": "red", "course": "algebra/1"}
    assert await found(stub) == everything
    assert await found(stub, tenant="acme") == [blue.job_id, red.job_id]
    assert await found(stub, labels={"colour": "red"}) == [waiting.job_id, red.job_id]
    assert await found(stub, labels={"colour": "red", "course": "algebra/1"}) == [red.job_id]
    assert await found(stub, labels={"course": "algebra"}) == []
    unfinished = [pb.JOB_STATUS_QUEUED, pb.JOB_STATUS_RUNNING]
    assert await found(stub, statuses=unfinished) == [waiting.job_id]
    assert await found(stub, statuses=[pb.JOB_STATUS_ANSWERED]) == everything[1:]
    assert await found(stub, created_from=blue.created) == everything[:3]
    assert await found(stub, created_before=blue.created) == [red.job_id]
    assert await found(stub, tenant="acme", labels={"colour": "red"}, statuses=[pb.JOB_STATUS_FAILED]) == []
    page = await stub.List(pb.ListRequest(limit=1, tenant="acme"), timeout=LIMIT_S)
    assert await found(stub, limit=1, tenant="acme", page_token=page.next_page_token) == [red.job_id]
    listed = await stub.List(pb.ListRequest(labels={"colour": "blue"}), timeout=LIMIT_S)
    assert dict(listed.jobs[0].labels) == dict(blue.labels)
    await stub.Cancel(pb.CancelRequest(job_id=waiting.job_id), timeout=LIMIT_S)


async def test_a_page_takes_one_round_trip(stub: Stub, system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many jobs are on it, and whatever they are filtered by."""
    for _ in range(5):
        await solve(stub)
    async with open_redis(system.redis_url) as redis:
        calls: list[str] = []
        execute = redis.execute_command

        async def counted(*arguments: Any, **options: Any) -> Any:
            calls.append(str(arguments[0]))
            return await execute(*arguments, **options)

        monkeypatch.setattr(redis, "execute_command", counted)
        listing = JobListing(redis)
        assert len((await listing.page(50, None, EVERYTHING))[0]) == 5
        await listing.page(50, None, EVERYTHING)
        assert len((await listing.page(50, None, JobFilter(statuses=frozenset({JobStatus.ANSWERED}))))[0]) >= 4
        assert calls[-2:] == ["EVALSHA", "EVALSHA"]
        assert set(calls) <= {"EVALSHA", "EVAL"}
        assert len(calls) <= 4


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"tenant": "a b"}, "tenant"),
        ({"labels": {"ssr/mine": "x"}}, "labels"),
        ({"labels": {"": "x"}}, "labels"),
        ({"statuses": [99]}, "job_status"),
        ({"created_from": Timestamp(seconds=2**60)}, "created_from"),
        ({"created_before": Timestamp(nanos=-5)}, "created_before"),
        ({"page_token": "x" * 900}, "page_token"),
        ({"limit": 501}, "limit"),
    ],
)
async def test_a_list_that_cannot_be(stub: Stub, wanted: dict[str, Any], field: str) -> None:
    error = await refused(stub.List(pb.ListRequest(**wanted), timeout=LIMIT_S))
    assert (error.code(), violations(error)) == (StatusCode.INVALID_ARGUMENT, [field])
    assert len(error.details() or "") < 400


async def test_labels_have_limits(stub: Stub) -> None:
    for labels in ({"a b": "x"}, {"a": "x" * 257}, {"ssr/batch": "x"}, {str(n): "" for n in range(17)}, {"a": "\0"}):
        error = await refused(stub.Submit(request(labels=labels), timeout=LIMIT_S))
        assert set(violations(error)) == {"labels"}


async def test_all_that_is_wrong_is_said_at_once(stub: Stub) -> None:
    wrong = pb.SolveRequest(
        problem="\u200b",
        idempotency_key="k" * 129,
        priority=9,  # type: ignore[arg-type]
        options=pb.Options(paths=99, top_p=3),
        labels={"": ""},
    )
    error = await refused(stub.Submit(wrong, timeout=LIMIT_S))
    assert violations(error) == ["problem", "idempotency_key", "priority", "labels", "paths", "top_p"]


async def test_a_batch_is_one_object(stub: Stub) -> None:
    asked = pb.CreateBatchRequest(
        requests=[request(number, labels={"number": str(number)}) for number in range(5)],
        idempotency_key="homework",
        labels={"course": "algebra"},
    )
    batch = await stub.CreateBatch(asked, timeout=LIMIT_S)
    assert (batch.total, len(batch.jobs)) == (5, 5)
    for job in batch.jobs:
        async for _ in stub.Watch(pb.WatchRequest(job_id=job.job_id), timeout=LIMIT_S):
            pass
    done = await stub.GetBatch(pb.GetBatchRequest(batch_id=batch.batch_id), timeout=LIMIT_S)
    assert (done.total, done.finished, done.gone) == (5, 5, 0)
    assert [(count.status, count.jobs) for count in done.counts] == [(pb.JOB_STATUS_ANSWERED, 5)]
    right = [job.answer == truth(one.problem) for job, one in zip(done.jobs, asked.requests, strict=True)]
    assert sum(right) >= 4, "in the order of the requests"
    assert {job.priority for job in done.jobs} == {pb.PRIORITY_BATCH}
    assert dict(done.jobs[3].labels) == {"number": "3", "course": "algebra", "ssr/batch": batch.batch_id}
    assert len(await found(stub, labels={"ssr/batch": batch.batch_id})) == 5
    again = await stub.CreateBatch(asked, timeout=LIMIT_S)
    assert [job.job_id for job in again.jobs] == [job.job_id for job in batch.jobs]
    page = await stub.GetBatch(pb.GetBatchRequest(batch_id=batch.batch_id, limit=2), timeout=LIMIT_S)
    assert [job.job_id for job in page.jobs] == [job.job_id for job in done.jobs[:2]]
    rest = pb.GetBatchRequest(batch_id=batch.batch_id, page_token=page.next_page_token)
    assert [job.job_id for job in (await stub.GetBatch(rest, timeout=LIMIT_S)).jobs] == [
        job.job_id for job in done.jobs[2:]
    ]
    await stub.DeleteJob(pb.DeleteJobRequest(job_id=done.jobs[0].job_id), timeout=LIMIT_S)
    left = await stub.GetBatch(pb.GetBatchRequest(batch_id=batch.batch_id), timeout=LIMIT_S)
    assert (left.finished, left.gone) == (4, 1)
    other = pb.CreateBatchRequest(requests=[request()], idempotency_key="homework")
    assert (await refused(stub.CreateBatch(other, timeout=LIMIT_S))).code() is StatusCode.ALREADY_EXISTS


async def test_a_batch_is_checked_as_a_whole(stub: Stub) -> None:
    good = request()
    bad = pb.SolveRequest(problem=" ", options=pb.Options(paths=40))
    keyed = request(idempotency_key="k")
    error = await refused(stub.CreateBatch(pb.CreateBatchRequest(requests=[good, bad, keyed]), timeout=LIMIT_S))
    assert violations(error) == ["requests[1].paths", "requests[1].problem", "requests[2].idempotency_key"]
    assert await found(stub) == []
    for empty in (pb.CreateBatchRequest(), pb.CreateBatchRequest(requests=[good] * 1001)):
        assert violations(await refused(stub.CreateBatch(empty, timeout=LIMIT_S))) == ["requests"]
    for missing in ("batch-none", "{}", "x" * 9_000):
        error = await refused(stub.GetBatch(pb.GetBatchRequest(batch_id=missing), timeout=LIMIT_S))
        assert error.code() is StatusCode.NOT_FOUND


async def test_nothing_is_left_of_a_deleted_job(stub: Stub, system: System) -> None:
    finished = await solve(stub, labels={"a": "b"}, idempotency_key="key")
    system.draft.faults.set(HANG)
    running = await stub.Submit(request(), timeout=LIMIT_S)
    async with Redis.from_url(system.redis_url) as redis:
        for job_id in (finished.job_id, running.job_id):
            await stub.DeleteJob(pb.DeleteJobRequest(job_id=job_id), timeout=LIMIT_S)
            assert (await refused(stub.Get(pb.GetRequest(job_id=job_id)))).code() is StatusCode.NOT_FOUND
            assert await redis.exists(*JobKeys(job_id).all) == 0
        assert await redis.hlen(LISTED) == 0
    assert await found(stub) == []
    system.draft.faults.set(FaultPlan())
    assert (await solve(stub, idempotency_key="key")).status == pb.JOB_STATUS_ANSWERED
    for missing in ("job-none", "{}", "}{"):
        error = await refused(stub.DeleteJob(pb.DeleteJobRequest(job_id=missing), timeout=LIMIT_S))
        assert error.code() is StatusCode.NOT_FOUND


async def test_a_server_reports_what_it_is(stub: Stub) -> None:
    info = await stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=LIMIT_S)
    assert info.version == __version__
    assert {"ssr", "baseline"} <= set(info.modes)
    assert "unknown" not in (*info.modes, *info.stop_rules)
    assert "competition" in info.strategy_sets
    assert "judge" in info.scorers
    assert "paper" in info.presets
    assert [(model.role, model.max_total_tokens) for model in info.models] == [("draft", 4096), ("target", 4096)]
    assert (info.limits.max_paths, info.limits.max_batch_requests, info.limits.max_list_limit) == (16, 1000, 500)
    assert info.defaults.paths == 5
    assert not info.defaults.HasField("seed")


async def test_pools_are_those_of_the_reports(stub: Stub, system: System) -> None:
    nothing = await stub.GetPools(pb.GetPoolsRequest(), timeout=LIMIT_S)
    assert [(pool.name, pool.reports, pool.HasField("decision")) for pool in nothing.pools] == [
        ("draft", 0, False),
        ("target", 0, False),
    ]
    async with open_redis(system.redis_url) as redis:
        await ReportStore(redis, ttl_s=60).report_load(Service.DRAFTER, "a", Load(requests_waiting=2), 3)
        await ReportStore(redis, ttl_s=60).report_load(Service.DRAFTER, "b", Load(requests_running=1), 2)
    async with AsyncClient(system.address) as client:
        draft, target = await client.pools()
    assert (draft.reports, draft.engines_ready, draft.calls_waiting, draft.calls_running) == (2, 3, 2, 1)
    assert (target.reports, target.decision) == (0, None)


async def test_the_client_has_it_all(system: System) -> None:
    async with AsyncClient(system.address, tenant="acme", timeout_s=LIMIT_S) as client:
        job = await client.solve("1 + 1", paths=1, labels={"a": "b"}, timeout_s=LIMIT_S)
        assert job.labels == (("a", "b"),)
        page = await client.list(tenant="acme", statuses=["answered"], labels={"a": "b"}, created_from=job.created)
        assert [one.job_id for one in page.jobs] == [job.job_id]
        assert (await client.list(created_before=job.created)).jobs == ()
        batch = await client.create_batch(["1 + 1", "2 + 2"], paths=1, idempotency_key="k", labels={"c": "d"})
        for one in batch.jobs:
            async for _ in client.watch(one.job_id, timeout_s=LIMIT_S):
                pass
        batch = await client.get_batch(batch.batch_id)
        assert (batch.total, batch.done, batch.tenant) == (2, True, "acme")
        assert sum(batch.counts.values()) == 2
        await client.delete(job.job_id)
        with pytest.raises(NotFound):
            await client.get(job.job_id)
        info = await client.server_info()
        assert (info.version, info.limits["max_paths"], set(info.models)) == (__version__, 16, {"draft", "target"})
        behind = info.provenance["target"]
        assert (behind["engine"], behind["scorer"]) == ("ssr-engine-server", "expected")
        assert behind["prompts"] == prompt_fingerprint() == info.provenance["draft"]["prompts"]
        assert behind["version"] == __version__
        with pytest.raises(InvalidRequest, match="^status: 'unknown' is unknown"):
            await client.list(statuses=["unknown"])


async def test_the_command_line_lists_by_label_and_deletes(system: System) -> None:
    async with AsyncClient(system.address, timeout_s=LIMIT_S) as client:
        job = await client.solve("1 + 1", paths=1, labels={"a": "b"}, timeout_s=LIMIT_S)
        other = await client.solve("2 + 2", paths=1, timeout_s=LIMIT_S)

        async def ssr(*arguments: str) -> Result:
            runner = CliRunner(env={"SSR_SERVER": system.address, "COLUMNS": "120"})
            return await asyncio.to_thread(runner.invoke, app, list(arguments))

        listed = await ssr("jobs", "--label", "a=b", "--status", "answered")
        assert job.job_id in listed.output
        assert other.job_id not in listed.output
        assert (await ssr("delete", job.job_id)).output == f"{job.job_id}: deleted\n"
        assert job.job_id not in (await ssr("jobs")).output
        assert (await ssr("jobs", "--label", "a")).exit_code == 2
