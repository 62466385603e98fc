"""FileService: each tenant's own files, within their bounds, and gone when they are deleted or their time is over."""

from __future__ import annotations

import pytest
from conftest import Services, System
from redis.asyncio import Redis

from ssr.client import AsyncClient
from ssr.core.errors import InvalidRequest, NotFound, Overloaded
from ssr.core.retry import Backoff
from ssr.orchestrator.file_settings import FileSettings
from ssr.orchestrator.service import running_orchestrator

ONCE = Backoff(overloaded=False)
SMALL = FileSettings(max_bytes=100, tenant_bytes=150, tenant_files=3, total_bytes=250, kept_s=3600)


async def test_a_file_is_kept_listed_read_replaced_and_deleted(system: System) -> None:
    async with AsyncClient(system.address) as client:
        content = bytes(range(256)) * 8000  # over the first megabyte, and no text
        kept = await client.files.put("one", content, name="ä.jsonl", purpose="batch", kept_s=60)
        assert (kept.size, kept.name, kept.purpose, kept.content) == (len(content), "ä.jsonl", "batch", b"")
        assert (kept.expires - kept.created).total_seconds() == 60
        assert (await client.files.get("one", content=True)).content == content
        assert (await client.files.get("one")).content == b""
        await client.files.put("one", b"other")
        assert (await client.files.get("one", content=True)).content == b"other"
        for name in ("two", "three"):
            await client.files.put(name, b"x", purpose="batch")
        listed, more = await client.files.list(limit=2)
        rest, no_more = await client.files.list(limit=2, after=listed[-1].file_id)
        assert ([file.file_id for file in (*listed, *rest)], more, no_more) == (["three", "two", "one"], True, False)
        found, _ = await client.files.list(purpose="batch")
        assert {file.file_id for file in found} == {"two", "three"}
        await client.files.delete("two")
        for reading in (client.files.get("two"), client.files.delete("two"), client.files.get("a/b")):
            with pytest.raises(NotFound):
                await reading


async def test_tenants_do_not_see_each_others_files(system: System) -> None:
    async with AsyncClient(system.address, tenant="acme") as acme, AsyncClient(system.address) as other:
        await acme.files.put("mine", b"1")
        under = acme.acting_for("acme.eu")
        for stranger in (other, under):
            with pytest.raises(NotFound):
                await stranger.files.get("mine")
            assert await stranger.files.list() == ([], False)
            with pytest.raises(NotFound):
                await stranger.files.delete("mine")
        await under.files.put("mine", b"22")
        assert (await acme.files.get("mine", content=True)).content == b"1"


async def test_files_have_bounds_and_what_is_freed_can_be_used_again(services: Services) -> None:
    settings = services.orchestrator.model_copy(update={"files": SMALL})
    async with running_orchestrator(settings) as port:
        address = f"127.0.0.1:{port}"
        async with AsyncClient(address, tenant="a", backoff=ONCE) as a, AsyncClient(address, backoff=ONCE) as b:
            with pytest.raises(InvalidRequest, match="at most 100 bytes"):
                await a.files.put("big", b"x" * 101)
            with pytest.raises(InvalidRequest, match="kept_s"):
                await a.files.put("long", b"x", kept_s=3601)
            with pytest.raises(InvalidRequest, match="file_id"):
                await a.files.put("a b", b"x")
            await a.files.put("one", b"x" * 100)
            with pytest.raises(Overloaded, match="at most 150 in 3 files"):
                await a.files.put("two", b"x" * 51)
            await a.files.put("one", b"x" * 90)  # in its own place
            await a.files.put("two", b"x" * 60)
            await b.files.put("zero", b"x" * 60)
            with pytest.raises(Overloaded, match="no room for more files"):
                await b.files.put("one", b"x" * 90)
            await a.files.delete("one")
            await b.files.put("one", b"x" * 90)
            for name in ("three", "four"):
                await a.files.put(name, b"")
            with pytest.raises(Overloaded, match="in 3 files"):
                await a.files.put("five", b"")


async def test_files_whose_time_is_over_are_gone_and_leave_room(services: Services) -> None:
    settings = services.orchestrator.model_copy(update={"files": SMALL})
    async with (
        running_orchestrator(settings) as port,
        AsyncClient(f"127.0.0.1:{port}", backoff=ONCE) as client,
        Redis.from_url(services.orchestrator.redis_url) as redis,
    ):
        await client.files.put("old", b"x" * 100)
        # As if its hour had passed: the clock of Redis deletes the content, ours the entry.
        await redis.zadd("ssr:{files}:expiry", {"default old": 1})
        await redis.delete("ssr:{files}:content:default old")
        with pytest.raises(NotFound):
            await client.files.get("old", content=True)
        await client.files.put("new", b"x" * 100)
        assert [file.file_id for file in (await client.files.list())[0]] == ["new"]
        assert await redis.hgetall("ssr:{files}:used") == {b"": b"100", b"default": b"100", b"files default": b"1"}
