"""TLS between the parts: real gRPC on loopback, certificates of our own authorities, and their rotation."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority, authority, encrypt_key, issue, mount
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hang_limit import LIMIT_S

from ssr.cli.stack.ports import free_port
from ssr.client import AsyncClient
from ssr.core import errors
from ssr.core.job import JobStatus
from ssr.drafter.servicer import running_drafter
from ssr.drafter.settings import DrafterSettings
from ssr.engine_server.server.serving import running_server as running_engine
from ssr.engine_server.settings import EngineKind, EngineServerSettings
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr.engines.settings import EngineSettings
from ssr.orchestrator.service import running_orchestrator
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.runtime.rpc import changes
from ssr.runtime.rpc.channel import open_channel
from ssr.runtime.rpc.errors import remote_errors
from ssr.runtime.rpc.server import Servicer, running_server
from ssr.runtime.rpc.tls import Tls, client_end, read_pem
from ssr.runtime.settings import TlsSettings
from ssr.selector.servicer import running_selector
from ssr.selector.settings import SelectorSettings
from ssr.v1 import reasoning_pb2, reasoning_pb2_grpc
from ssr.verifier.servicer import running_verifier
from ssr.verifier.settings import VerifierSettings


class Held(reasoning_pb2_grpc.ReasoningServiceServicer):
    """Answers at once, but for the job "held": it waits for `release`. `peers` are who called."""

    def __init__(self) -> None:
        self.holds, self.release = asyncio.Event(), asyncio.Event()
        self.peers: list[str] = []

    async def Get(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.peers.append(context.peer())
        if request.job_id == "held":
            self.holds.set()
            await self.release.wait()
        return reasoning_pb2.Job(job_id=request.job_id)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        yield reasoning_pb2.Event(cursor="1-0")
        self.holds.set()
        await self.release.wait()
        yield reasoning_pb2.Event(cursor="2-0")


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are looked at so often that no test waits long."""
    monkeypatch.setattr(changes, "CHECK_S", 0.02)


@pytest.fixture
def signer(tmp_path: Path) -> Authority:
    return authority(tmp_path)


def settings_of(folder: Path, *, mutual: bool = False) -> TlsSettings:
    authority_file = folder / "ca.crt"
    return TlsSettings(
        certificate=folder / "tls.crt",
        key=folder / "tls.key",
        authority=authority_file,
        clients=authority_file if mutual else None,
    )


@pytest.fixture
def mounted(signer: Authority, tmp_path: Path) -> Path:
    issue(signer, tmp_path / "first")
    mount(tmp_path / "first", tmp_path / "mounted")
    return tmp_path / "mounted"


def serving(servicer: Held, **options: Any) -> AbstractAsyncContextManager[int]:
    add = partial(reasoning_pb2_grpc.add_ReasoningServiceServicer_to_server, servicer)
    servicers = [Servicer("ssr.v1.ReasoningService", add)]
    return running_server(servicers, host="127.0.0.1", port=0, grace_s=1, **options)


@asynccontextmanager
async def calling(address: str, tls: Tls | None) -> AsyncIterator[reasoning_pb2_grpc.ReasoningServiceAsyncStub]:
    async with open_channel(address, tls=tls) as channel, remote_errors("server"):
        yield reasoning_pb2_grpc.ReasoningServiceStub(channel)


async def get(stub: reasoning_pb2_grpc.ReasoningServiceAsyncStub, job_id: str = "any") -> str:
    return (await stub.Get(reasoning_pb2.GetRequest(job_id=job_id), timeout=LIMIT_S)).job_id


async def ask(address: str, tls: Tls | None) -> str:
    """One call over a connection of its own."""
    async with calling(address, tls) as stub:
        return await get(stub)


async def refused(address: str, tls: Tls | None) -> None:
    """A call that cannot connect."""
    with pytest.raises(errors.Unavailable):
        await ask(address, tls)


def shown_by(port: int) -> bytes:
    """The certificate that a server shows to a new connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", port)) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as secure,
    ):
        shown = secure.getpeercert(binary_form=True)
    assert shown is not None
    return shown


def certificate_in(folder: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert((folder / "tls.crt").read_text())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


async def test_a_call_is_encrypted_and_the_server_is_known_by_its_name(mounted: Path, tmp_path: Path) -> None:
    settings = settings_of(mounted)
    async with serving(Held(), tls=settings) as port:  # type: ignore[abstract]
        assert await ask(f"localhost:{port}", Tls(settings.authority)) == "any"
        assert await ask(f"dns:///localhost:{port}", Tls(settings.authority)) == "any"
        assert await ask(f"127.0.0.1:{port}", client_end(settings)) == "any"
        await refused(f"localhost:{port}", None)
        await refused(f"localhost:{port}", Tls(authority(tmp_path, "other").certificate))


async def test_a_certificate_for_another_name_is_refused(signer: Authority, tmp_path: Path) -> None:
    issue(signer, tmp_path / "elsewhere", "DNS:ssr-drafter-headless.ns.svc")
    settings = settings_of(tmp_path / "elsewhere")
    async with serving(Held(), tls=settings) as port:  # type: ignore[abstract]
        await refused(f"localhost:{port}", client_end(settings))


async def test_mutual_tls_takes_only_callers_of_its_authority(mounted: Path, tmp_path: Path) -> None:
    settings = settings_of(mounted, mutual=True)
    stranger = tmp_path / "stranger"
    issue(authority(tmp_path, "other"), stranger)
    async with serving(Held(), tls=settings) as port:  # type: ignore[abstract]
        assert await ask(f"localhost:{port}", client_end(settings)) == "any"
        await refused(f"localhost:{port}", Tls(settings.authority))
        await refused(f"localhost:{port}", Tls(settings.authority, stranger / "tls.crt", stranger / "tls.key"))


async def test_a_new_certificate_is_shown_while_calls_go_on(
    often: None, mounted: Path, signer: Authority, tmp_path: Path
) -> None:
    issue(signer, tmp_path / "second")
    settings, held, answered = settings_of(mounted), Held(), [0]  # type: ignore[abstract]
    async with serving(held, tls=settings) as port, calling(f"localhost:{port}", client_end(settings)) as stub:
        ending = asyncio.Event()

        async def load() -> None:
            while not ending.is_set():
                await get(stub)
                answered[0] += 1

        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(get(stub, "held"))
            await held.holds.wait()
            for _ in range(8):
                group.create_task(load())
            assert await asyncio.to_thread(shown_by, port) == certificate_in(tmp_path / "first")
            mount(tmp_path / "second", mounted)
            new = certificate_in(tmp_path / "second")
            await until(lambda: shown_by(port) == new)
            for _ in range(20):  # new connections beside the load
                assert await ask(f"localhost:{port}", client_end(settings)) == "any"
            more = answered[0] + 100
            await until(lambda: answered[0] > more)
            ending.set()
            held.release.set()
        assert waiting.result() == "held"


async def test_callers_of_a_new_authority_come_in_and_calls_in_flight_end_where_they_began(
    often: None, mounted: Path, tmp_path: Path
) -> None:
    """Both ends rotate to another authority; what was issued by the former one is not good any more."""
    new_signer, old = authority(tmp_path, "new"), tmp_path / "first"
    issue(new_signer, tmp_path / "second")
    settings, held = settings_of(mounted, mutual=True), Held()  # type: ignore[abstract]
    async with serving(held, tls=settings) as port, calling(f"localhost:{port}", client_end(settings)) as stub:
        address = f"localhost:{port}"
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(get(stub, "held"))
            await held.holds.wait()
            watching = stub.Watch(reasoning_pb2.WatchRequest(), timeout=LIMIT_S)
            events = aiter(watching)
            assert (await anext(events)).cursor == "1-0"
            mount(tmp_path / "second", mounted)
            await until(lambda: shown_by(port) == certificate_in(tmp_path / "second"))
            await refused(address, Tls(mounted / "ca.crt", old / "tls.crt", old / "tls.key"))
            assert await ask(address, client_end(settings)) == "any"
            while held.peers[-1] == held.peers[0]:  # until the channel has connected anew
                assert await get(stub) == "any"
            held.release.set()
            assert [event.cursor async for event in events] == ["2-0"]
        assert waiting.result() == "held"


async def test_a_bad_rotation_is_reported_and_the_old_certificate_stays(
    often: None, mounted: Path, signer: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    issue(signer, tmp_path / "second")
    issue(signer, tmp_path / "mixed")
    (tmp_path / "mixed" / "tls.crt").write_bytes((tmp_path / "second" / "tls.crt").read_bytes())
    settings = settings_of(mounted)
    async with serving(Held(), tls=settings) as port, calling(f"localhost:{port}", client_end(settings)) as stub:  # type: ignore[abstract]
        with caplog.at_level(logging.ERROR):
            mount(tmp_path / "mixed", mounted)
            await until(lambda: "is not the key of" in caplog.text)
        assert await ask(f"localhost:{port}", Tls(signer.certificate)) == "any"
        assert await get(stub) == "any"
        assert await asyncio.to_thread(shown_by, port) == certificate_in(tmp_path / "first")
        reported = caplog.text.count("is not the key of")
        mount(tmp_path / "second", mounted)  # mended
        await until(lambda: shown_by(port) == certificate_in(tmp_path / "second"))
        assert caplog.text.count("is not the key of") == reported == 2  # once by the server, once by the channel


@pytest.mark.parametrize(
    ("name", "content", "reported"),
    [
        ("tls.crt", None, r"tls\.certificate: .*tls\.crt cannot be read: No such file"),
        ("tls.key", None, r"tls\.key: .*tls\.key cannot be read: No such file"),
        ("ca.crt", None, r"tls\.clients: .*ca\.crt cannot be read: No such file"),
        ("tls.crt", "", r"tls\.certificate: .*tls\.crt holds no certificates in PEM form"),
        ("tls.crt", "gibberish ü", r"tls\.certificate: .*tls\.crt holds no certificates in PEM form"),
        ("tls.key", "gibberish", r"tls\.key: .*tls\.key holds no private key in PEM form"),
        ("ca.crt", "gibberish", r"tls\.clients: .*ca\.crt holds no certificates in PEM form"),
    ],
)
async def test_a_file_that_cannot_be_used_fails_the_start(
    signer: Authority, tmp_path: Path, name: str, content: str | None, reported: str
) -> None:
    issue(signer, tmp_path / "certificates")
    settings = settings_of(tmp_path / "certificates", mutual=True)
    if content is None:
        (tmp_path / "certificates" / name).unlink()
    else:
        (tmp_path / "certificates" / name).write_text(content)
    with pytest.raises(errors.InvalidRequest, match=reported):
        async with serving(Held(), tls=settings):  # type: ignore[abstract]
            pass


async def test_a_key_that_does_not_fit_fails_the_start(signer: Authority, tmp_path: Path) -> None:
    for name in ("one", "two"):
        issue(signer, tmp_path / name)
    mixed = TlsSettings(certificate=tmp_path / "one/tls.crt", key=tmp_path / "two/tls.key")
    with pytest.raises(errors.InvalidRequest, match=r"tls\.key: .*two/tls\.key is not the key of .*one/tls\.crt"):
        async with serving(Held(), tls=mixed):  # type: ignore[abstract]
            pass
    with pytest.raises(errors.InvalidRequest, match=r"tls\.key: is needed beside tls\.certificate"):
        async with open_channel("localhost:1", tls=Tls(certificate=tmp_path / "one/tls.crt")):
            pass


def test_an_encrypted_key_is_refused_without_asking_for_its_password(signer: Authority, tmp_path: Path) -> None:
    issue(signer, tmp_path / "locked")
    encrypt_key(tmp_path / "locked" / "tls.key")
    with pytest.raises(errors.InvalidRequest, match=r"tls\.key: .*tls\.key is encrypted"):
        read_pem(Tls(None, tmp_path / "locked/tls.crt", tmp_path / "locked/tls.key"))


async def test_probes_read_the_health_without_tls_on_a_port_of_its_own(mounted: Path) -> None:
    health_port = free_port()
    async with (
        serving(Held(), tls=settings_of(mounted, mutual=True), health_port=health_port),  # type: ignore[abstract]
        aio.insecure_channel(f"127.0.0.1:{health_port}") as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", "ssr.v1.ReasoningService"):
            reply = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=LIMIT_S)  # type: ignore[attr-defined]
            assert reply.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(aio.AioRpcError, match="UNIMPLEMENTED"):
            await get(reasoning_pb2_grpc.ReasoningServiceStub(channel))


async def test_the_health_of_a_server_that_drains_turns_on_the_port_of_probes_too(mounted: Path) -> None:
    health_port, seen = free_port(), []

    async def drain() -> None:
        async with aio.insecure_channel(f"127.0.0.1:{health_port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            seen.append((await stub.Check(health_pb2.HealthCheckRequest(), timeout=LIMIT_S)).status)  # type: ignore[attr-defined]

    async with serving(Held(), tls=settings_of(mounted), health_port=health_port, drain=drain):  # type: ignore[abstract]
        pass
    assert seen == [health_pb2.HealthCheckResponse.NOT_SERVING]


async def test_a_taken_port_for_health_is_reported(mounted: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(errors.Unavailable, match=f"cannot listen on 127.0.0.1:{port}"):
            async with serving(Held(), health_port=port):  # type: ignore[abstract]
                pass


async def test_a_container_with_tls_is_checked_on_the_port_of_its_health(mounted: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        "healthcheck", Path(__file__).parents[2] / "deploy" / "healthcheck.py"
    )
    assert spec is not None
    assert spec.loader is not None
    healthcheck = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(healthcheck)
    health_port = free_port()
    async with serving(Held(), tls=settings_of(mounted), health_port=health_port) as port:  # type: ignore[abstract]
        environment = {"SSR_DRAFTER_PORT": str(port), "SSR_DRAFTER_TLS__KEY": "tls.key"}
        with pytest.raises(LookupError, match="SSR_DRAFTER_HEALTH_PORT, which must be set"):
            healthcheck.healthy(environment)
        environment["SSR_DRAFTER_HEALTH_PORT"] = str(health_port)
        assert await asyncio.to_thread(healthcheck.healthy, environment)


async def test_a_job_is_solved_with_mutual_tls_between_all_parts(redis_url: str, mounted: Path) -> None:
    tls = settings_of(mounted, mutual=True)
    no_time = Latency(time_scale=0)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        engines = [
            EngineSettings(
                urls=(await enter(running_engine(SimulatedBackend(kind.model_copy(update={"latency": no_time})))),)
            )
            for kind in (SimulatedSettings.draft(), SimulatedSettings.target())
        ]
        selector = await enter(running_selector(SelectorSettings(engine=engines[1], grace_s=1, tls=tls)))
        drafter = await enter(running_drafter(DrafterSettings(engine=engines[0], grace_s=1, tls=tls)))
        verifier = await enter(running_verifier(VerifierSettings(engine=engines[1], grace_s=1, tls=tls)))
        settings = OrchestratorSettings(
            redis_url=redis_url,
            selector=f"dns:///localhost:{selector}",
            drafter=f"dns:///localhost:{drafter}",
            verifier=f"dns:///localhost:{verifier}",
            grace_s=1,
            tls=tls,
        )
        port = await enter(running_orchestrator(settings))
        client = await enter(AsyncClient(f"localhost:{port}", tls=client_end(tls), timeout_s=20))
        job = await client.solve("What is (12 * 7) + 19 - 3?", seed=1, timeout_s=60)
        assert job.status is JobStatus.ANSWERED
        await refused(f"localhost:{drafter}", Tls(tls.authority))  # who has no certificate
        await refused(f"localhost:{drafter}", None)


def test_the_settings_of_tls_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSR_DRAFTER_ENGINE__URLS", "http://engine")
    monkeypatch.setenv("SSR_DRAFTER_TLS__CERTIFICATE", "/tls/tls.crt")
    monkeypatch.setenv("SSR_DRAFTER_HEALTH_PORT", "50052")
    with pytest.raises(errors.InvalidRequest, match="SSR_DRAFTER_TLS__KEY: Field required"):
        DrafterSettings.from_environment()
    monkeypatch.setenv("SSR_DRAFTER_TLS__KEY", "/tls/tls.key")
    settings = DrafterSettings.from_environment()
    assert settings.tls == TlsSettings(certificate=Path("/tls/tls.crt"), key=Path("/tls/tls.key"))
    assert settings.health_port == 50_052


@pytest.mark.parametrize("given", [{"tls": {"certificate": "c", "key": "k"}}, {"health_port": 1}])
def test_an_engine_that_could_not_have_tls_says_so(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="an engine speaks HTTP, without TLS"):
        EngineServerSettings(kind=EngineKind.SIMULATED, **given)
    assert EngineServerSettings(kind=EngineKind.SIMULATED, tls=None).tls is None
