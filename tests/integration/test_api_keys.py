"""API keys: who may call, for which tenants, and what jobs a caller sees. Real gRPC, keys in files."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from certificates import authority, issue, mount
from conftest import Services
from grpc import StatusCode, aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hang_limit import LIMIT_S
from reasoning_server import JOB_ID, PROBLEM, ScriptedReasoning
from typer.testing import CliRunner, Result

from ssr.cli.app import app
from ssr.client import AsyncClient, Tls
from ssr.core import errors
from ssr.core.job import Job, JobStatus
from ssr.orchestrator.service import running_orchestrator
from ssr.runtime.rpc import changes
from ssr.runtime.rpc.api_keys import ApiKeyCheck, open_api_keys, read_keys
from ssr.runtime.rpc.server import Servicer, running_server
from ssr.runtime.rpc.tenant import tenant_of
from ssr.runtime.settings import TlsSettings
from ssr.v1 import reasoning_pb2, reasoning_pb2_grpc

ACME, ACME_NEXT, SCHOOL = "acme-key-0123456789", "acme-next-0123456789", "school-key-0123456789"


class Tenants(ScriptedReasoning):
    """Notes whose calls it serves, as an orchestrator would take them; a Cancel lets others in between."""

    def _note(self, method: str, request: Any, context: Any) -> None:
        super()._note(method, request, context)
        self.tenants[-1] = tenant_of(context)

    async def Cancel(self, request: reasoning_pb2.CancelRequest, context: Any) -> reasoning_pb2.Job:  # noqa: N802
        reply = await super().Cancel(request, context)
        before = tenant_of(context)
        await asyncio.sleep(0.01)
        assert tenant_of(context) == before
        return reply


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Two callers; "acme" has two keys."""
    write_keys(tmp_path / "first", acme=f"{ACME}\n{ACME_NEXT}\n", **{"school-7": f"\n  {SCHOOL}  \n"})
    mount(tmp_path / "first", tmp_path / "keys")
    return tmp_path / "keys"


def write_keys(folder: Path, **files: str) -> None:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)


@asynccontextmanager
async def serving(folder: Path, tls: TlsSettings | None = None) -> AsyncIterator[tuple[str, Tenants]]:
    script = Tenants()  # type: ignore[abstract]
    servicers = [Servicer("ssr.v1.ReasoningService", script.add_to)]
    async with (
        open_api_keys(folder) as held,
        running_server(servicers, host="127.0.0.1", port=0, grace_s=1, checks=[ApiKeyCheck(held)], tls=tls) as port,
    ):
        yield f"localhost:{port}", script


async def get(address: str, api_key: str, tenant: str = "", **options: Any) -> Job:
    async with AsyncClient(address, api_key=api_key, tenant=tenant, timeout_s=LIMIT_S, **options) as client:
        return await client.get(JOB_ID)


async def good(address: str, api_key: str) -> bool:
    """Whether the server takes the key."""
    try:
        await get(address, api_key)
    except errors.Unauthenticated:
        return False
    return True


async def test_a_good_key_is_needed(keys: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "ssr"):
        async with serving(keys) as (address, script):
            for key in (ACME, ACME_NEXT, SCHOOL):
                assert (await get(address, key)).job_id == JOB_ID
            for bad, message in (("", "with an API key"), (ACME[:-1], "not, or no longer, good")):
                with pytest.raises(errors.Unauthenticated, match=message) as caught:
                    await get(address, bad)
                assert "0123456789" not in str(caught.value)
    assert script.tenants == ["acme", "acme", "school-7"]
    assert "0123456789" not in caplog.text


@pytest.mark.parametrize(
    ("metadata", "good"),
    [
        ((("x-api-key", ACME),), True),
        ((("authorization", f"bearer {ACME}"),), True),
        ((("authorization", "Basic abc"), ("x-api-key", ACME)), True),
        ((("authorization", ACME),), False),
        ((("authorization", f"Basic {ACME}"),), False),
        ((("authorization", "Bearer"),), False),
        ((("x-api-key", ""), ("authorization", f"Bearer {ACME}")), False),
        ((("x-api-key", "wrong"), ("x-api-key", ACME)), False),
        ((), False),
    ],
)
async def test_how_a_key_is_sent(keys: Path, metadata: tuple[tuple[str, str], ...], good: bool) -> None:
    """Unary calls and streams alike."""
    async with serving(keys) as (address, script), aio.insecure_channel(address) as channel:
        call: Any = channel.unary_unary("/ssr.v1.ReasoningService/Get", reasoning_pb2.GetRequest.SerializeToString)
        stream: Any = channel.unary_stream(
            "/ssr.v1.ReasoningService/Watch", reasoning_pb2.WatchRequest.SerializeToString
        )
        request, watched = reasoning_pb2.GetRequest(job_id=JOB_ID), reasoning_pb2.WatchRequest(job_id=JOB_ID)
        if good:
            await call(request, metadata=metadata, timeout=LIMIT_S)
            assert len([event async for event in stream(watched, metadata=metadata, timeout=LIMIT_S)]) == len(
                script.events
            )
            return
        with pytest.raises(aio.AioRpcError, match="UNAUTHENTICATED"):
            await call(request, metadata=metadata, timeout=LIMIT_S)
        with pytest.raises(aio.AioRpcError, match="UNAUTHENTICATED"):
            await anext(aiter(stream(watched, metadata=metadata, timeout=LIMIT_S)))
        assert not script.calls


async def test_health_and_reflection_need_no_key(keys: Path) -> None:
    async with serving(keys) as (address, _), aio.insecure_channel(address) as channel:
        health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=LIMIT_S)  # type: ignore[attr-defined]
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        reflecting = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(  # type: ignore[arg-type, operator]
            iter([asked]), timeout=LIMIT_S
        )
        reply = await anext(aiter(reflecting))
        assert "ssr.v1.ReasoningService" in {service.name for service in reply.list_services_response.service}


async def test_a_caller_acts_for_its_own_tenants_alone(keys: Path) -> None:
    async with serving(keys) as (address, script):
        for tenant in ("", "acme", "acme.eu", "acme.eu.lab"):
            await get(address, ACME, tenant)
        assert script.tenants == ["acme", "acme", "acme.eu", "acme.eu.lab"]
        for tenant in ("school-7", "acme-eu", "acm", "default", "ACME"):
            with pytest.raises(
                errors.PermissionDenied, match=f"acme acts for the tenants acme and acme.NAME; got '{tenant}'"
            ):
                await get(address, ACME, tenant)


async def test_concurrent_calls_are_each_their_callers_own(keys: Path) -> None:
    async with serving(keys) as (address, script), AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(AsyncClient(address, api_key=key, timeout_s=LIMIT_S))
            for key in (ACME, SCHOOL)
        ]
        async with asyncio.TaskGroup() as group:
            for number in range(40):
                group.create_task(clients[number % 2].cancel(JOB_ID))
        assert sorted({tenant or "" for tenant in script.tenants}) == ["acme", "school-7"]
        assert len(script.tenants) == 40


async def test_keys_are_read_again_when_they_change(
    keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file with a mistake in it leaves its caller's keys as they are, and is reported; the others' are taken."""
    monkeypatch.setattr(changes, "CHECK_S", 0.02)
    write_keys(tmp_path / "short", acme="hunter2", new="new-key-0123456789", **{"school-7": SCHOOL})
    write_keys(tmp_path / "second", acme=ACME_NEXT, other="other-key-0123456789")
    async with serving(keys) as (address, script):
        mount(tmp_path / "short", keys)
        async with asyncio.timeout(LIMIT_S):
            while "acme has a key of 7 characters" not in caplog.text:
                await asyncio.sleep(0.01)
            # The folder changes file by file, and may be read in between.
            while not await good(address, "new-key-0123456789"):
                pass
        assert "hunter2" not in caplog.text
        for key in (ACME, SCHOOL):
            assert await good(address, key)
        mount(tmp_path / "second", keys)
        (keys / "school-7").unlink()
        async with asyncio.timeout(LIMIT_S):
            while await good(address, ACME) or await good(address, SCHOOL):
                pass
            while not (await good(address, ACME_NEXT) and await good(address, "other-key-0123456789")):
                pass
        assert script.tenants[-2:] == ["acme", "other"]
        for key in (ACME, SCHOOL):
            assert not await good(address, key)


@pytest.mark.parametrize("method", ["Watch", "Submit"])
async def test_a_revoked_key_ends_its_open_calls(
    keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Those of other keys go on."""
    monkeypatch.setattr(changes, "CHECK_S", 0.02)
    write_keys(tmp_path / "second", acme=ACME_NEXT, **{"school-7": SCHOOL})
    async with serving(keys) as (address, script), aio.insecure_channel(address) as channel:
        stub = reasoning_pb2_grpc.ReasoningServiceStub(channel)
        script.silent_after = 2
        script.hold_submit = True

        def opened(key: str) -> Any:
            metadata = (("authorization", f"Bearer {key}"),)
            if method == "Submit":
                return asyncio.ensure_future(
                    stub.Submit(reasoning_pb2.SolveRequest(problem=PROBLEM), metadata=metadata, timeout=LIMIT_S)
                )
            return stub.Watch(reasoning_pb2.WatchRequest(job_id=JOB_ID), metadata=metadata, timeout=LIMIT_S)

        revoked = opened(ACME)
        await asyncio.to_thread(script.silent.wait, LIMIT_S)
        script.hold_submit, script.silent = True, threading.Event()
        kept = opened(ACME_NEXT)
        await asyncio.to_thread(script.silent.wait, LIMIT_S)
        mount(tmp_path / "second", keys)
        with pytest.raises(aio.AioRpcError) as caught:
            if method == "Submit":
                await revoked
            async for _ in revoked:
                pass
        assert (caught.value.code(), caught.value.details()) == (
            StatusCode.UNAUTHENTICATED,
            "the API key was revoked",
        )
        assert not kept.done()
        kept.cancel()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "keys holds no key"),
        ({"acme": "\n\n"}, "keys holds no key"),
        ({"acme": "0123456789-secre"[:15]}, "keys/acme has a key of 15 characters; at least 16 are needed"),
        ({"acme": "0123456789 secret"}, "keys/acme has a key with spaces"),
        ({"acme": "0123456789-sécrét"}, "keys/acme has a key with spaces or characters beyond ASCII"),
        ({"acme.eu": ACME}, "the name of .*keys/acme.eu is no caller's; give 1..64 of the characters"),
    ],
)
def test_keys_that_are_wrong_fail_the_start_and_are_not_shown(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    write_keys(tmp_path / "keys", **files)
    with pytest.raises(errors.InvalidRequest, match=rf"^api_keys: .*{message}") as caught:
        read_keys(tmp_path / "keys")
    assert "secr" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("short", "hunter2", "short has a key of 7 characters"),
        ("acme.eu", SCHOOL, "the name of .*acme.eu is no caller's"),
        ("zoo", ACME, "zoo and acme have the same key; give each its own"),
    ],
)
async def test_a_wrong_file_shuts_out_nobody_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, text: str, fault: str
) -> None:
    write_keys(tmp_path / "keys", acme=ACME, **{name: text})
    async with serving(tmp_path / "keys") as (address, script):
        await get(address, ACME)
    assert script.tenants == ["acme"]
    assert re.search(fault, caplog.text)


def test_a_folder_that_is_none_fails_the_start(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"api_keys: .*/none cannot be read: No such file"):
        read_keys(tmp_path / "none")
    (tmp_path / "keys" / "nested").mkdir(parents=True)
    with pytest.raises(errors.InvalidRequest, match=r"api_keys: .*/nested cannot be read: Is a directory"):
        read_keys(tmp_path / "keys")


async def test_a_client_warns_of_a_key_in_plaintext(caplog: pytest.LogCaptureFixture) -> None:
    for address in ("localhost:1", "127.0.0.1:7600", "dns:///localhost:1", "[::1]:1", "unix:/run/ssr"):
        AsyncClient(address, api_key=ACME)
    AsyncClient("ssr.example.com:443", api_key=ACME, tls=Tls())
    AsyncClient("ssr.example.com:443")
    assert not caplog.text
    AsyncClient("ssr.example.com:443", api_key=ACME)
    assert "the API key goes to ssr.example.com:443 in plaintext" in caplog.text
    assert ACME not in caplog.text
    with pytest.raises(errors.InvalidRequest, match=r"^api_key: has spaces or characters beyond ASCII$"):
        AsyncClient("localhost:1", api_key="a b")


async def test_keys_over_tls(keys: Path, tmp_path: Path) -> None:
    issue(authority(tmp_path), tmp_path / "tls")
    folder = tmp_path / "tls"
    settings = TlsSettings(certificate=folder / "tls.crt", key=folder / "tls.key")
    async with serving(keys, settings) as (address, _):
        assert (await get(address, ACME, tls=Tls(folder / "ca.crt"))).job_id == JOB_ID
        with pytest.raises(errors.Unauthenticated):
            await get(address, "wrong", tls=Tls(folder / "ca.crt"))


async def test_the_command_line_with_tls_and_a_key(keys: Path, tmp_path: Path) -> None:
    folder, key_file = tmp_path / "tls", tmp_path / "key"
    signer = authority(tmp_path)
    issue(signer, folder)
    key_file.write_text(f"{ACME}\n")
    settings = TlsSettings(certificate=folder / "tls.crt", key=folder / "tls.key", clients=signer.certificate)
    ours = ("--tls-cert", str(folder / "tls.crt"), "--tls-key", str(folder / "tls.key"))
    async with serving(keys, settings) as (address, script):

        async def ssr(*arguments: str, **environment: str) -> Result:
            runner = CliRunner(env={"SSR_SERVER": address, "COLUMNS": "100", **environment})
            return await asyncio.to_thread(runner.invoke, app, list(arguments))

        trusted = ("--tls-ca", str(folder / "ca.crt"))
        by_file = (*trusted, *ours, "--api-key-file", str(key_file))
        for command in (("solve", PROBLEM), ("watch", JOB_ID), ("cancel", JOB_ID), ("jobs",)):
            result = await ssr(*command, *by_file, "--tenant", "acme.eu")
            assert (result.exit_code, result.stderr) == (0, ""), result.output
        assert set(script.tenants) == {"acme.eu"}
        by_variables = {
            "SSR_TLS_CA": str(folder / "ca.crt"),
            "SSR_TLS_CERT": str(folder / "tls.crt"),
            "SSR_TLS_KEY": str(folder / "tls.key"),
            "SSR_API_KEY": SCHOOL,
        }
        assert (await ssr("jobs", **by_variables)).exit_code == 0
        assert script.tenants[-1] == "school-7"
        result = await ssr("jobs", **by_variables, SSR_API_KEY_FILE=str(key_file))  # the file goes first
        assert (result.exit_code, script.tenants[-1]) == (0, "acme")

        refused = await ssr("jobs", **{**by_variables, "SSR_API_KEY": "wrong"})
        assert refused.exit_code == 2
        assert refused.stderr == "error: the API key is not, or no longer, good\n"
        refused = await ssr("jobs", **by_variables, SSR_TENANT="other")
        assert refused.exit_code == 2
        assert refused.stderr.startswith(
            "error: x-ssr-tenant: school-7 acts for the tenants school-7 and school-7.NAME"
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tls-cert", "tls.crt"), "error: tls-cert: goes together with --tls-key; give both"),
        (("--tls-ca", "/none"), "error: tls.authority: /none cannot be read: No such file or directory"),
        (("--api-key-file", "/none"), "error: api-key-file: /none cannot be read: No such file or directory"),
        (("--api-key-file", "/dev/null"), "error: api-key-file: the first line of /dev/null is empty"),
    ],
)
@pytest.mark.parametrize("command", [("solve", PROBLEM), ("watch", JOB_ID), ("cancel", JOB_ID), ("jobs",)])
def test_the_command_line_without_what_it_needs(
    command: tuple[str, ...], arguments: tuple[str, ...], message: str
) -> None:
    result = CliRunner(env={"SSR_SERVER": "127.0.0.1:1", "COLUMNS": "100"}).invoke(app, [*command, *arguments])
    assert (result.exit_code, result.stderr) == (2, f"{message}\n")


async def test_callers_see_the_jobs_of_their_own_tenants_alone(services: Services, keys: Path) -> None:
    settings = services.orchestrator.model_copy(update={"api_keys": keys})
    async with running_orchestrator(settings) as port, AsyncExitStack() as stack:

        async def client(key: str, tenant: str = "") -> AsyncClient:
            made = AsyncClient(f"127.0.0.1:{port}", api_key=key, tenant=tenant, timeout_s=LIMIT_S)
            return await stack.enter_async_context(made)

        acme, branch, school = await client(ACME), await client(ACME_NEXT, "acme.eu"), await client(SCHOOL)
        mine = [await asked.solve(PROBLEM, paths=1, timeout_s=LIMIT_S) for asked in (acme, branch)]
        theirs = await school.solve(PROBLEM, paths=1, timeout_s=LIMIT_S)
        assert [job.tenant for job in (*mine, theirs)] == ["acme", "acme.eu", "school-7"]
        assert all(job.status is JobStatus.ANSWERED for job in (*mine, theirs))

        for job in mine:
            assert (await acme.get(job.job_id)).tenant == job.tenant
            assert [event async for event in acme.watch(job.job_id)]
            for call in (school.get(job.job_id), school.cancel(job.job_id), anext(school.watch(job.job_id))):
                with pytest.raises(errors.NotFound, match=f"there is no job '{job.job_id}', or it has expired"):
                    await call
        with pytest.raises(errors.NotFound):
            await school.get("job-none")

        assert [job.job_id for job in (await acme.list()).jobs] == [mine[1].job_id, mine[0].job_id]
        page = await acme.list(limit=1)
        assert [job.job_id for job in page.jobs] == [mine[1].job_id]
        page = await acme.list(limit=1, page_token=page.next_page_token)
        assert [job.job_id for job in page.jobs] == [mine[0].job_id]
        assert [job.job_id for job in (await school.list()).jobs] == [theirs.job_id]
        for job in mine:  # the key of a tenant's request makes no other tenant's job known
            again = await school.submit(PROBLEM, paths=1, idempotency_key=job.job_id)
            assert again.job_id != job.job_id
