"""The hub source against a hub of our own on 127.0.0.1."""

import asyncio
import hashlib
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hang_limit import LIMIT_S

from ssr.core.errors import Unavailable
from ssr.engine_server.models import HubFile, HubSource, ModelFile, ModelStore, SilentProgress
from ssr.engine_server.models.part import PartFile

CONTENT = bytes(range(256)) * 1024


class Receipts(SilentProgress):
    """Knows how much the client has."""

    def __init__(self) -> None:
        self.done = 0
        self.changed = asyncio.Event()

    def start(self, name: Any, total_bytes: Any, done_bytes: Any = 0) -> Any:
        self.done = done_bytes
        self.changed.set()

    def advance(self, count: Any) -> Any:
        self.done += count
        self.changed.set()

    async def has(self, count: Any) -> Any:
        while self.done < count:
            self.changed.clear()
            await self.changed.wait()


class LocalHub:
    """Serves CONTENT under any path. `ranges` are the Range headers seen.

    Of the next replies, one is dropped after each number of bytes in `breaks`, as soon as `client` has them.
    `stalls` replies hang after their first half.
    """

    def __init__(self) -> None:
        self.ranges: list[Any] = []
        self.paths: list[str] = []
        self.tokens: list[Any] = []
        self.breaks: list[int] = []
        self.client = Receipts()
        self.status = 200
        self.honour_range = True
        self.content = CONTENT
        self.stalls = 0

    async def serve(self, request: Any) -> Any:
        self.ranges.append(request.headers["Range"])
        self.paths.append(request.path)
        self.tokens.append(request.headers.get("Authorization"))
        if self.status >= 400:
            return web.Response(status=self.status)
        offset = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-")) if self.honour_range else 0
        body = self.content[offset:]
        response = web.StreamResponse(status=206 if offset else 200)
        response.content_length = len(body)
        await response.prepare(request)
        if self.breaks:
            length = self.breaks.pop(0)
            await response.write(body[:length])
            await self.client.has(offset + length)
            request.transport.close()
        elif self.stalls:
            self.stalls -= 1
            await response.write(body[: len(body) // 2])
            await asyncio.Event().wait()
        else:
            await response.write(body)
        return response


class RedirectingHub:
    """Sends everyone to `target`."""

    def __init__(self) -> None:
        self.target = ""
        self.tokens: list[Any] = []

    async def serve(self, request: Any) -> Any:
        self.tokens.append(request.headers.get("Authorization"))
        raise web.HTTPFound(self.target)


@asynccontextmanager
async def running(hub: Any) -> Any:
    app = web.Application()
    app.router.add_get("/{path:.*}", hub.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def hub() -> Any:
    return LocalHub()


@pytest.fixture
async def source(hub: Any) -> Any:
    async with running(hub) as url:
        yield HubSource(endpoint=url, offline=False, retries=2, backoff_s=0.0)


@pytest.fixture
def model() -> Any:
    return ModelFile(
        name="tiny",
        file_name="tiny.gguf",
        bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        parameters=1,
        licence="Apache-2.0",
        hub=HubFile("us/tiny-GGUF", "tiny.gguf"),
        pypi=(),
    )


@pytest.fixture
def part(tmp_path: Path, model: ModelFile) -> Any:
    part = PartFile(tmp_path / "tiny.gguf.part", model)
    part.open()
    return part


async def test_a_file_is_fetched(hub: Any, source: Any, model: ModelFile, part: PartFile) -> None:
    await source.fetch(model, part, SilentProgress())
    assert part.path.read_bytes() == CONTENT
    assert hub.paths == ["/us/tiny-GGUF/resolve/main/tiny.gguf"]


async def test_what_is_there_is_not_fetched_again(hub: Any, source: Any, model: ModelFile, part: PartFile) -> None:
    part.write(0, CONTENT[:5000])
    await source.fetch(model, part, SilentProgress())
    assert part.path.read_bytes() == CONTENT
    assert hub.ranges == ["bytes=5000-"]


async def test_a_connection_that_breaks_is_taken_up_again(
    hub: Any, source: Any, model: ModelFile, part: PartFile
) -> None:
    hub.breaks = [70_000, 70_000, 70_000]
    await source.fetch(model, part, hub.client)
    assert part.path.read_bytes() == CONTENT
    assert hub.ranges == ["bytes=0-", "bytes=70000-", "bytes=140000-", "bytes=210000-"]


async def test_a_hub_that_breaks_without_new_bytes_is_left_and_the_part_kept(
    hub: Any, source: Any, model: ModelFile, part: PartFile
) -> None:
    hub.breaks = [70_000, 0, 0, 0]
    with pytest.raises(Unavailable, match="cannot be reached"):
        await source.fetch(model, part, hub.client)
    assert part.path.read_bytes() == CONTENT[:70_000]
    assert hub.ranges == ["bytes=0-", "bytes=70000-", "bytes=70000-", "bytes=70000-"]


async def test_a_server_without_ranges_starts_over(hub: Any, source: Any, model: ModelFile, part: PartFile) -> None:
    hub.honour_range = False
    part.write(0, b"?" * 5000)
    await source.fetch(model, part, SilentProgress())
    assert part.path.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503])
async def test_a_refusal_is_given_up_at_once(
    hub: Any, source: Any, model: ModelFile, part: PartFile, status: Any
) -> None:
    hub.status = status
    with pytest.raises(Unavailable, match=f"HTTP {status}"):
        await source.fetch(model, part, SilentProgress())
    assert len(hub.ranges) == 1


async def test_a_file_of_another_length_is_not_fetched(hub: Any, source: Any, model: ModelFile, part: PartFile) -> None:
    hub.content = CONTENT[:-1]
    with pytest.raises(Unavailable, match="another file"):
        await source.fetch(model, part, SilentProgress())
    assert part.length == 0


async def test_an_unreachable_hub_is_left_at_once(unused_port: Any, model: ModelFile, part: PartFile) -> None:
    source = HubSource(endpoint=f"http://127.0.0.1:{unused_port}", offline=False)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await source.fetch(model, part, SilentProgress())


@pytest.fixture
async def unused_port() -> Any:
    """A port that nothing listens on any more."""
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_an_offline_hub_is_not_asked(hub: Any, model: ModelFile, part: PartFile) -> None:
    async with running(hub) as url:
        with pytest.raises(Unavailable, match="HF_HUB_OFFLINE"):
            await HubSource(endpoint=url, offline=True).fetch(model, part, SilentProgress())
    assert hub.ranges == []


async def test_a_hub_that_falls_silent_counts_as_broken(hub: Any, model: ModelFile, part: PartFile) -> None:
    hub.stalls = 1
    async with running(hub) as url:
        source = HubSource(endpoint=url, offline=False, read_timeout_s=0.5, backoff_s=0.0)
        await source.fetch(model, part, SilentProgress())
    assert part.path.read_bytes() == CONTENT
    assert hub.ranges == ["bytes=0-", f"bytes={len(CONTENT) // 2}-"]


async def test_a_cancelled_pull_keeps_its_bytes_and_goes_on(
    hub: Any, source: Any, model: ModelFile, tmp_path: Path
) -> None:
    hub.stalls = 1
    store = ModelStore(tmp_path, (source,), catalogue={"tiny": model})
    pull = asyncio.create_task(store.pull("tiny", hub.client))
    async with asyncio.timeout(LIMIT_S):
        await hub.client.has(len(CONTENT) // 2)
    pull.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pull

    assert (await store.pull("tiny")).read_bytes() == CONTENT
    assert hub.ranges == ["bytes=0-", f"bytes={len(CONTENT) // 2}-"]


async def test_the_token_goes_to_the_hub_and_not_to_where_it_redirects(
    hub: Any, model: ModelFile, part: PartFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssr.engine_server.models.hub.get_token", lambda: "a-token")
    front = RedirectingHub()
    async with running(hub) as storage, running(front) as url:
        front.target = f"{storage}/blob"
        await HubSource(endpoint=url, offline=False).fetch(model, part, SilentProgress())
    assert front.tokens == ["Bearer a-token"]
    assert hub.tokens == [None]
    assert part.path.read_bytes() == CONTENT
