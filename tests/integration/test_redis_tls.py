"""Redis over TLS: a real Valkey behind an end of TLS of ours, since the server that tests bring is built without."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from certificates import authority, issue
from conftest import Services

from ssr.client import AsyncClient
from ssr.core.errors import Unavailable
from ssr.core.job import JobStatus
from ssr.orchestrator.service import running_orchestrator
from ssr.runtime.redis.client import open_redis
from ssr.runtime.redis.failures import redis_errors


@asynccontextmanager
async def behind_tls(redis_url: str, folder: Path, *, mutual: bool = False) -> AsyncIterator[int]:
    """A port with TLS of the folder's certificate, in front of the Valkey."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "ca.crt")

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:  # the other end is gone
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_unix_connection(redis_url.removeprefix("unix://"))
        await asyncio.gather(pipe(reader, behind[1]), pipe(behind[0], writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    issue(authority(tmp_path), tmp_path / "tls")
    return tmp_path / "tls"


async def answers(url: str) -> bool:
    async with open_redis(url) as redis:
        with redis_errors():
            return bool(await redis.ping())


async def test_the_server_is_known_by_its_authority_and_name(redis_url: str, folder: Path, tmp_path: Path) -> None:
    other = authority(tmp_path, "other").certificate
    async with behind_tls(redis_url, folder) as port:
        assert await answers(f"rediss://localhost:{port}/0?ssl_ca_certs={folder}/ca.crt")
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await answers(f"rediss://localhost:{port}/0?ssl_ca_certs={other}")
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await answers(f"rediss://localhost:{port}/0")
    issue(authority(tmp_path), folder, "DNS:elsewhere")
    async with behind_tls(redis_url, folder) as port:
        with pytest.raises(Unavailable, match="Hostname mismatch"):
            await answers(f"rediss://localhost:{port}/0?ssl_ca_certs={folder}/ca.crt")


async def test_redis_may_ask_for_our_certificate(redis_url: str, folder: Path) -> None:
    async with behind_tls(redis_url, folder, mutual=True) as port:
        url = f"rediss://localhost:{port}/0?ssl_ca_certs={folder}/ca.crt"
        assert await answers(f"{url}&ssl_certfile={folder}/tls.crt&ssl_keyfile={folder}/tls.key")
        with pytest.raises(Unavailable):
            await answers(url)


async def test_a_job_is_solved_over_tls(services: Services, redis_url: str, folder: Path) -> None:
    async with behind_tls(redis_url, folder) as port:
        url = f"rediss://localhost:{port}/0?ssl_ca_certs={folder}/ca.crt"
        settings = services.orchestrator.model_copy(update={"redis_url": url})
        async with (
            running_orchestrator(settings) as serving,
            AsyncClient(f"127.0.0.1:{serving}", timeout_s=20) as client,
        ):
            job = await client.solve("What is (12 * 7) + 19 - 3?", seed=1, timeout_s=60)
    assert job.status is JobStatus.ANSWERED
