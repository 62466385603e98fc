"""Callers of a release, from this machine."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

from pod_release import RELEASE, Release

from ssr.client import AsyncClient, Tls
from ssr.core.errors import Unavailable
from ssr.core.job import Job


class Callers:
    """They call a port of this machine that leads to a ready orchestrator, as `kubectl port-forward` does."""

    def __init__(self, release: Release, folder: Path) -> None:
        self._release, self._authority = release, folder / "caller-ca.crt"
        self._authority.write_text(release.secret(f"{RELEASE}-ssr-client-tls")["ca.crt"])
        self._key = release.secret(f"{RELEASE}-ssr-api-keys")["default"]
        self._port = 0

    @asynccontextmanager
    async def reaching(self) -> AsyncIterator[Self]:
        """The port is open until the block ends."""
        server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = [pod for pod in self._release.of("orchestrator") if pod.ready]
        if not ready:
            writer.close()
            return
        there_reader, there_writer = await asyncio.open_connection(ready[0].address, 7600)
        await asyncio.gather(_pass_on(reader, there_writer), _pass_on(there_reader, writer))

    def _client(self) -> AsyncClient:
        return AsyncClient(f"localhost:{self._port}", tls=Tls(self._authority), api_key=self._key, timeout_s=120)

    async def submit(self, count: int) -> dict[str, int]:
        """So many jobs; their ids, and the right answers."""
        jobs: dict[str, int] = {}
        async with self._client() as client, asyncio.TaskGroup() as group:

            async def one(number: int) -> None:
                a, b = 3 + number % 90, 7 + number % 11
                job = await client.submit(f"What is ({a} * {b}) + {number}?", idempotency_key=f"{count}-{number}")
                jobs[job.job_id] = a * b + number

            for number in range(count):
                group.create_task(one(number))
        return jobs

    async def ended(self, jobs: Sequence[str], limit_s: float) -> list[Job]:
        """The jobs when all have ended. While Redis is rolled, nobody can be asked."""
        found: dict[str, Job] = {}
        async with asyncio.timeout(limit_s):
            while len(found) < len(jobs):
                async with self._client() as client:
                    with suppress(Unavailable):
                        await self._look(client, jobs, found)
                await asyncio.sleep(1)
        return list(found.values())

    async def _look(self, client: AsyncClient, jobs: Sequence[str], found: dict[str, Job]) -> None:
        for job_id in jobs:
            if job_id not in found and (job := await client.get(job_id)).status.final:
                found[job_id] = job


def counted(jobs: Sequence[Job]) -> Counter[str]:
    return Counter(str(job.status) for job in jobs)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
