import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest

from ssr.core.errors import BadReply, InvalidRequest, NotFound, TimedOut, Unavailable
from ssr.engine_server.models import ModelFile, ModelStore, Presence, PypiSource, lock


@pytest.fixture
def store_of(tmp_path: Path, model: ModelFile) -> Any:
    """Makes a store of the tiny model over the given sources; all stores share one folder."""

    def make(*sources: Any, **options: Any) -> Any:
        options.setdefault("disk_free", lambda folder: 10**12)
        return ModelStore(tmp_path / "models", sources, catalogue={model.name: model}, **options)

    return make


async def test_pull_makes_the_file_once(store_of: Any, fake_source: Any, content: bytes, progress: Any) -> None:
    source = fake_source()
    store = store_of(source)
    path = await store.pull("tiny", progress)
    assert path == store.path("tiny")
    assert path.read_bytes() == content
    assert await store.pull("tiny") == path
    assert source.fetches == 1
    assert progress.finished == 1


async def test_nothing_but_the_file_its_fingerprint_and_lock_stay(
    store_of: Any, fake_source: Any, tmp_path: Path
) -> None:
    await store_of(fake_source()).pull("tiny")
    names = sorted(path.name for path in (tmp_path / "models").iterdir())
    assert names == ["tiny.gguf", "tiny.gguf.lock", "tiny.gguf.sha256.json"]


async def test_the_first_source_that_can_is_used(store_of: Any, fake_source: Any, progress: Any) -> None:
    hub = fake_source(error=Unavailable("the hub is down"), title="the hub")
    pypi = fake_source(title="PyPI")
    never = fake_source()
    store = store_of(hub, pypi, never)
    await store.pull("tiny", progress)
    assert (hub.fetches, pypi.fetches, never.fetches) == (1, 1, 0)
    assert "tiny: the hub is down" in progress.notes
    assert await store.has("tiny")


async def test_no_source_left_names_all_failures(store_of: Any, fake_source: Any, progress: Any) -> None:
    store = store_of(fake_source(error=Unavailable("hub down")), fake_source(error=Unavailable("index down")))
    with pytest.raises(Unavailable, match=r"tiny cannot be had.*hub down; index down.*tiny\.gguf"):
        await store.pull("tiny", progress)
    assert progress.finished == 1


async def test_a_source_that_does_not_offer_the_model_is_not_asked(store_of: Any, fake_source: Any) -> None:
    source = fake_source()
    source.offers = lambda model: False
    with pytest.raises(Unavailable, match="none offers it"):
        await store_of(source).pull("tiny")
    assert source.fetches == 0


async def test_a_wrong_hash_is_refused_and_deleted(
    store_of: Any, fake_source: Any, model: ModelFile, content: bytes
) -> None:
    store = store_of(fake_source(bytes(len(content))))
    with pytest.raises(BadReply) as caught:
        await store.pull("tiny")
    message = str(caught.value)
    assert "model tiny" in message
    assert f"expected SHA-256 {model.sha256}" in message
    assert "got 5f70bf18" in message
    assert "Pull again" in message
    assert not store.path("tiny").exists()
    assert not store.path("tiny").with_name("tiny.gguf.part").exists()


async def test_a_file_that_is_too_short_is_refused(store_of: Any, fake_source: Any, content: bytes) -> None:
    with pytest.raises(BadReply, match="1000 bytes"):
        await store_of(fake_source(content[:1000])).pull("tiny")


async def test_no_space_is_said_before_anything_is_fetched(store_of: Any, fake_source: Any, tmp_path: Path) -> None:
    source = fake_source()
    store = store_of(source, disk_free=lambda folder: 3 * 2**20)
    with pytest.raises(InvalidRequest) as caught:
        await store.pull("tiny")
    assert caught.value.field == "SSR_MODELS_DIR"
    assert f"{tmp_path / 'models'} has 3 MiB free and 64 MiB are needed" in str(caught.value)
    assert source.fetches == 0


async def test_a_disk_that_fills_up_meanwhile_is_said(store_of: Any, fake_source: Any) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(InvalidRequest, match=r"No space left on device; free some space.*SSR_MODELS_DIR"):
        await store_of(fake_source(error=full)).pull("tiny")


async def test_a_folder_that_cannot_be_made_is_said(store_of: Any, fake_source: Any, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(InvalidRequest, match=r"SSR_MODELS_DIR.*models.*make it readable and writable"):
        await store_of(fake_source()).pull("tiny")


async def test_an_unknown_name_is_not_found(store_of: Any) -> None:
    store = store_of()
    for ask in (store.pull, store.has, store.require):
        with pytest.raises(NotFound, match="known are: tiny"):
            await ask("huge")
    with pytest.raises(NotFound, match="known are: tiny"):
        store.path("huge")


async def test_require_gives_the_path_or_says_how_to_get_it(store_of: Any, fake_source: Any) -> None:
    store = store_of(fake_source())
    with pytest.raises(NotFound, match="ssr models pull tiny"):
        await store.require("tiny")
    await store.pull("tiny")
    assert await store.require("tiny") == store.path("tiny")


async def test_a_wrong_file_in_its_place_is_replaced(
    store_of: Any, fake_source: Any, content: bytes, progress: Any
) -> None:
    store = store_of(fake_source())
    store.folder.mkdir()
    store.path("tiny").write_bytes(bytes(len(content)))
    await store.pull("tiny", progress)
    assert store.path("tiny").read_bytes() == content
    assert any("will be replaced" in note for note in progress.notes)


async def test_list_reports_how_much_of_each_model_is_here(store_of: Any, fake_source: Any, index: Any) -> None:
    async def seen(store: Any) -> Any:
        [stored] = await store.list()
        return stored.presence, stored.bytes_here

    index.fail_at = "tiny-part2"
    store = store_of(PypiSource(index))
    assert await seen(store) == (Presence.ABSENT, 0)
    with pytest.raises(Unavailable):
        await store.pull("tiny")
    assert await seen(store) == (Presence.PARTIAL, 400)
    index.fail_at = ""
    await store.pull("tiny")
    assert await seen(store) == (Presence.VERIFIED, 1024)
    store.path("tiny").write_bytes(b"x")
    assert await seen(store) == (Presence.WRONG, 1)


async def test_of_two_pulls_at_once_one_fetches_and_the_other_finds_it(
    store_of: Any, fake_source: Any, progress: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "POLL_S", 0.001)
    first, second = fake_source(), fake_source()
    first.hold = asyncio.Event()
    async with asyncio.TaskGroup() as pulls, asyncio.timeout(10):
        pulls.create_task(store_of(first).pull("tiny"))
        await first.reached.wait()
        waiting = pulls.create_task(store_of(second).pull("tiny", progress))
        await progress.noted.wait()
        first.hold.set()
        await waiting
    assert (first.fetches, second.fetches) == (1, 0)
    assert progress.notes == ["another process is pulling tiny; waiting for it"]


async def test_waiting_for_another_pull_has_a_limit(store_of: Any, fake_source: Any) -> None:
    slow = fake_source()
    slow.hold = asyncio.Event()
    pull = asyncio.create_task(store_of(slow).pull("tiny"))
    await slow.reached.wait()
    with pytest.raises(TimedOut, match=r"tiny\.gguf\.lock"):
        await store_of(fake_source(), lock_timeout_s=0.0).pull("tiny")
    slow.hold.set()
    await pull


async def test_cancelling_frees_the_lock_and_the_next_pull_goes_on(
    store_of: Any, index: Any, content: bytes, progress: Any
) -> None:
    index.hold_at = "tiny-part3"
    pull = asyncio.create_task(store_of(PypiSource(index)).pull("tiny", progress))
    await index.reached.wait()
    pull.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pull
    assert progress.finished == 1

    index.hold_at = ""
    index.downloads.clear()
    path = await store_of(PypiSource(index)).pull("tiny")
    assert index.downloads == ["tiny-part3"]
    assert path.read_bytes() == content


async def test_a_part_that_is_complete_is_not_fetched_again(
    store_of: Any, fake_source: Any, model: ModelFile, content: bytes
) -> None:
    store = store_of(fake_source(error=ValueError("the hashing never began")))
    with pytest.raises(ValueError, match="never began"):
        await store.pull("tiny")
    store.path("tiny").with_name("tiny.gguf.part").write_bytes(content)
    assert (await store.pull("tiny")).read_bytes() == content
