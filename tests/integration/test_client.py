"""The client against a scripted server, over real gRPC."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import grpc
import pytest
from reasoning_server import JOB_ID, PROBLEM, ScriptedReasoning, away, serving, serving_in_thread

from ssr.client import AsyncClient, Backoff, Client, Priority
from ssr.core import errors
from ssr.core.job import JobStatus, Started
from ssr.core.types import Mode, StopRule
from ssr.v1 import reasoning_pb2

QUICK = Backoff(first_s=0.001, max_s=0.01, patience_s=5)


@pytest.fixture
def script() -> ScriptedReasoning:
    return ScriptedReasoning()  # type: ignore[abstract]


@pytest.fixture
async def client(script: ScriptedReasoning) -> AsyncIterator[AsyncClient]:
    async with serving(script) as address, AsyncClient(address, timeout_s=10, backoff=QUICK) as client:
        yield client


@pytest.fixture
def threaded(script: ScriptedReasoning) -> Iterator[Client]:
    with serving_in_thread(script) as address, Client(address, timeout_s=10, backoff=QUICK) as client:
        yield client


async def test_submit_sends_only_what_is_given(client: AsyncClient, script: ScriptedReasoning) -> None:
    job = await client.submit(PROBLEM, mode="parallel-spm", paths=3, stop_rule=StopRule.FAST_2, threshold=0.0)
    [request] = script.requests("Submit")
    assert job.job_id == JOB_ID
    assert [field.name for field, _ in request.options.ListFields()] == ["mode", "paths", "stop_rule", "threshold"]
    assert request.options.paths == 3


async def test_priority_and_what_bounds_a_job_are_sent(client: AsyncClient, script: ScriptedReasoning) -> None:
    await client.submit(PROBLEM)
    await client.submit(PROBLEM, priority="batch", max_steps=40, lookahead=2)
    await client.solve(PROBLEM, priority=Priority.BATCH)
    async with aclosing(client.stream(PROBLEM, priority="batch")) as events:
        await anext(events)
    requests = script.requests("Submit")
    batch = reasoning_pb2.PRIORITY_BATCH
    assert [request.priority for request in requests] == [reasoning_pb2.PRIORITY_INTERACTIVE, batch, batch, batch]
    assert (requests[1].options.max_steps, requests[1].options.lookahead) == (40, 2)


async def test_a_tenant_is_reported_with_every_call(script: ScriptedReasoning) -> None:
    async with serving(script) as address, AsyncClient(address, tenant="shop-1", backoff=QUICK) as client:
        script.breaks = [(1, away())]
        await client.solve(PROBLEM)
        await client.submit(PROBLEM)
        await client.list()
        await client.cancel(JOB_ID)
    assert [method for method, _ in script.calls] == ["Submit", "Get", "Get", "Submit", "List", "Cancel"]
    assert set(script.tenants) == {"shop-1"}


async def test_without_a_tenant_none_is_reported(client: AsyncClient, script: ScriptedReasoning) -> None:
    await client.solve(PROBLEM)
    assert set(script.tenants) == {None}


def test_a_tenant_out_of_limits_makes_no_client() -> None:
    for make in (AsyncClient, Client):
        with pytest.raises(errors.InvalidRequest, match="^tenant: 'a b' is none"):
            make("127.0.0.1:1", tenant="a b")


@pytest.mark.parametrize("fault", [away(), errors.Overloaded("full", 0.001)])
async def test_retries_carry_the_same_key(
    client: AsyncClient, script: ScriptedReasoning, fault: errors.SsrError
) -> None:
    script.faults["Submit"] = [fault, fault]
    await client.submit(PROBLEM)
    keys = [request.idempotency_key for request in script.requests("Submit")]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0]


async def test_two_submissions_are_two_jobs(client: AsyncClient, script: ScriptedReasoning) -> None:
    await client.submit(PROBLEM)
    await client.submit(PROBLEM)
    await client.submit(PROBLEM, idempotency_key="mine")
    keys = [request.idempotency_key for request in script.requests("Submit")]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


async def test_no_attempt_when_the_server_asks_to_wait_past_the_deadline(
    client: AsyncClient, script: ScriptedReasoning
) -> None:
    script.faults["Get"] = [errors.Overloaded("come back later", 60)]
    with pytest.raises(errors.Overloaded, match="come back later") as caught:
        await client.get(JOB_ID)
    assert caught.value.delay_s == 60
    assert len(script.requests("Get")) == 1


async def test_patience_ends_before_the_deadline(script: ScriptedReasoning) -> None:
    script.faults["Get"] = [away() for _ in range(100_000)]
    backoff = Backoff(first_s=0.001, max_s=0.001, patience_s=0.05)
    async with serving(script) as address, AsyncClient(address, timeout_s=None, backoff=backoff) as client:
        with pytest.raises(errors.Unavailable):
            await client.get(JOB_ID)
    assert len(script.requests("Get")) > 1


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidRequest("paths", "must be within 1..16"),
        errors.NotFound("no such job"),
        errors.Conflict("key in use"),
        errors.ContextFull("too long"),
        errors.CapabilityMissing("cannot"),
        errors.StaleOwner("somebody else's"),
        errors.BadReply("nonsense"),
        errors.TimedOut("Redis is slow"),
    ],
)
async def test_other_errors_come_back_at_once_as_what_they_are(
    client: AsyncClient, script: ScriptedReasoning, error: errors.SsrError
) -> None:
    script.faults["Get"] = [error]
    with pytest.raises(type(error), match=str(error)):
        await client.get(JOB_ID)
    assert len(script.requests("Get")) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"paths": 17},
        {"threshold": float("nan")},
        {"mode": "magic"},
        {"stop_rule": "never"},
        {"pathz": 3},
        {"priority": "now"},
        {"max_steps": 0},
        {"lookahead": 5},
    ],
)
async def test_what_is_out_of_limits_is_not_sent(
    client: AsyncClient, script: ScriptedReasoning, options: dict[str, object]
) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        await client.submit(PROBLEM, **options)  # type: ignore[arg-type]
    assert caught.value.field in options
    assert not script.calls


async def test_watch_goes_on_behind_its_last_event(client: AsyncClient, script: ScriptedReasoning) -> None:
    script.breaks = [(2, away()), (0, away()), (3, grpc.StatusCode.CANCELLED)]
    cursors = [event.cursor async for event in client.watch(JOB_ID)]
    assert cursors == [event.cursor for event in script.events]
    assert [request.cursor for request in script.requests("Watch")] == ["", "2", "2", "5"]


async def test_watch_from_a_cursor(client: AsyncClient, script: ScriptedReasoning) -> None:
    assert [event.cursor async for event in client.watch(JOB_ID, "6")] == ["7", "8"]


async def test_leaving_a_watch_does_not_cancel(client: AsyncClient, script: ScriptedReasoning) -> None:
    async with aclosing(client.watch(JOB_ID)) as events:
        await anext(events)
    assert not script.requests("Cancel")


async def test_solve_survives_a_lost_connection(client: AsyncClient, script: ScriptedReasoning) -> None:
    script.breaks = [(3, away())]
    job = await client.solve(PROBLEM, mode=Mode.SSR)
    assert (job.status, job.answer) == (JobStatus.ANSWERED, "42")
    assert [len(path.steps) for path in job.paths] == [1, 1]
    assert not script.requests("Cancel")


async def test_where_a_server_does_not_wait_solve_watches(client: AsyncClient, script: ScriptedReasoning) -> None:
    script.knows_wait = False
    script.breaks = [(3, away())]
    job = await client.solve(PROBLEM)
    assert (job.status, job.answer) == (JobStatus.ANSWERED, "42")
    assert [method for method, _ in script.calls] == ["Submit", "Get", "Watch", "Watch", "Get"]


async def test_a_job_is_waited_for_and_not_owned(client: AsyncClient, script: ScriptedReasoning) -> None:
    assert (await client.wait(JOB_ID)).answer == "42"
    script.silent_after = 0
    with pytest.raises(errors.TimedOut):
        await client.wait(JOB_ID, timeout_s=0.1)
    assert not script.requests("Cancel")


async def test_a_cancelled_caller_cancels_the_job(client: AsyncClient, script: ScriptedReasoning) -> None:
    script.silent_after = 2
    solving = asyncio.create_task(client.solve(PROBLEM))
    await asyncio.to_thread(script.silent.wait, 10)
    solving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await solving
    assert [request.job_id for request in script.requests("Cancel")] == [JOB_ID]


async def test_a_caller_cancelled_while_submitting_leaves_no_job(
    client: AsyncClient, script: ScriptedReasoning
) -> None:
    script.hold_submit = True
    solving = asyncio.create_task(client.solve(PROBLEM))
    await asyncio.to_thread(script.silent.wait, 10)
    solving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await solving
    first, second = script.requests("Submit")
    assert first == second
    assert [request.job_id for request in script.requests("Cancel")] == [JOB_ID]


async def test_a_passed_deadline_cancels_the_job(client: AsyncClient, script: ScriptedReasoning) -> None:
    script.silent_after = 2
    with pytest.raises(errors.TimedOut, match=r"no answer within 0\.2 s.*job-a"):
        await client.solve(PROBLEM, timeout_s=0.2)
    assert [request.job_id for request in script.requests("Cancel")] == [JOB_ID]


async def test_leaving_a_stream_cancels_the_job(client: AsyncClient, script: ScriptedReasoning) -> None:
    script.silent_after = 3
    async with aclosing(client.stream(PROBLEM)) as events:
        async for event in events:
            if isinstance(event.happening, Started):
                break
    assert [request.job_id for request in script.requests("Cancel")] == [JOB_ID]


async def test_closing_the_client_cancels_what_its_streams_left(script: ScriptedReasoning) -> None:
    script.silent_after = 3
    async with serving(script) as address:
        async with AsyncClient(address, backoff=QUICK) as client:
            events = client.stream(PROBLEM)
            await anext(events)
        assert script.cancelled.is_set()
        await events.aclose()


async def test_cancel_and_list(client: AsyncClient, script: ScriptedReasoning) -> None:
    assert (await client.cancel(JOB_ID)).job_id == JOB_ID
    page = await client.list(limit=5, page_token="7")
    assert ([job.job_id for job in page.jobs], page.next_page_token) == ([JOB_ID], "9")
    [request] = script.requests("List")
    assert (request.limit, request.page_token) == (5, "7")


async def test_nobody_listens(unused_tcp_port: int) -> None:
    async with AsyncClient(f"127.0.0.1:{unused_tcp_port}", timeout_s=0.1) as client:
        with pytest.raises(errors.Unavailable, match="cannot be reached within 0.1 s"):
            await client.ready(0.1)
        with pytest.raises(errors.Unavailable):
            await client.get(JOB_ID)


async def test_a_client_that_is_not_open_says_so() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        await AsyncClient("127.0.0.1:1").get(JOB_ID)
    with pytest.raises(RuntimeError, match="not open"):
        Client("127.0.0.1:1").get(JOB_ID)


def test_sync_client(threaded: Client, script: ScriptedReasoning) -> None:
    threaded.ready(10)
    assert threaded.solve(PROBLEM).answer == "42"
    assert [event.cursor for event in threaded.stream(PROBLEM)] == [event.cursor for event in script.events]
    assert [event.cursor for event in threaded.watch(JOB_ID, "6")] == ["7", "8"]
    assert threaded.submit(PROBLEM).job_id == threaded.get(JOB_ID).job_id == threaded.cancel(JOB_ID).job_id
    assert threaded.list().next_page_token == "9"
    with pytest.raises(errors.NotFound):
        threaded.get("other")


def test_sync_client_reports_tenant_and_priority(script: ScriptedReasoning) -> None:
    with serving_in_thread(script) as address, Client(address, tenant="shop", backoff=QUICK) as client:
        client.submit(PROBLEM, priority="batch")
        client.solve(PROBLEM, priority="batch", lookahead=1)
        assert len(list(client.stream(PROBLEM, priority="batch"))) == len(script.events)
    assert {request.priority for request in script.requests("Submit")} == {reasoning_pb2.PRIORITY_BATCH}
    assert set(script.tenants) == {"shop"}


async def test_sync_client_beside_a_running_loop(threaded: Client) -> None:
    assert threaded.solve(PROBLEM).answer == "42"  # blocks this loop, as a notebook's cell does


def test_sync_stream_left_early_cancels_the_job(threaded: Client, script: ScriptedReasoning) -> None:
    script.silent_after = 3
    events = threaded.stream(PROBLEM)
    next(events)
    events.close()
    assert script.cancelled.is_set()


def test_interrupting_a_sync_solve_cancels_the_job(threaded: Client, script: ScriptedReasoning) -> None:
    script.silent_after = 2
    script.on_silent = lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        threaded.solve(PROBLEM)
    assert script.cancelled.is_set()
