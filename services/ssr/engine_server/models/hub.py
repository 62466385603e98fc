"""Model files from the Hugging Face hub, over plain HTTP with ranges."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

import aiohttp
from huggingface_hub import get_token, hf_hub_url, is_offline_mode

from ssr.core.errors import Unavailable
from ssr.core.retry import Backoff, FailuresInARow
from ssr.engine_server.models.catalogue import ModelFile
from ssr.engine_server.models.part import PartFile
from ssr.engine_server.models.progress import PullProgress
from ssr.engine_server.models.threads import in_thread

#: Bytes read ahead of the disk; also the largest piece written at once.
CHUNK_BYTES = 1024 * 1024
_MAX_BACKOFF_S = 30.0


class HubSource:
    """The hub that huggingface_hub is configured for: its endpoint, token and offline switch (HF_HUB_OFFLINE) count.

    An unreachable hub is given up after `connect_timeout_s`, one that takes the connection but says nothing after
    `reply_timeout_s`, so that another source gets its turn. A download that has begun is taken up again where it broke
    off, up to `retries` times in a row without a new byte; `read_timeout_s` without one counts as broken.
    """

    title = "the Hugging Face hub"

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        offline: bool | None = None,
        connect_timeout_s: float = 4.0,
        reply_timeout_s: float = 10.0,
        read_timeout_s: float = 30.0,
        retries: int = 4,
        backoff_s: float = 1.0,
    ) -> None:
        self._endpoint = endpoint
        self._offline = is_offline_mode() if offline is None else offline
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout_s, sock_read=read_timeout_s)
        self._reply_timeout_s = reply_timeout_s
        self._retries = retries
        self._backoff_s = backoff_s

    def offers(self, model: ModelFile) -> bool:
        return model.hub is not None

    def space_needed(self, model: ModelFile, part: PartFile) -> int:
        return model.bytes - part.length

    async def fetch(self, model: ModelFile, part: PartFile, progress: PullProgress) -> None:
        if model.hub is None:
            raise Unavailable(f"{self.title} does not have {model.name}")
        if self._offline:
            raise Unavailable(f"{self.title} is not asked: HF_HUB_OFFLINE is set")
        url = hf_hub_url(model.hub.repo, model.hub.file, endpoint=self._endpoint)
        # trust_env: the user's proxy settings, as huggingface_hub itself and pip have them.
        async with aiohttp.ClientSession(timeout=self._timeout, read_bufsize=CHUNK_BYTES, trust_env=True) as session:
            await self._fetch_all(_Download(session, url, model, part, progress, self._reply_timeout_s))

    async def _fetch_all(self, download: _Download) -> None:
        part, model = download.part, download.model
        begun = False
        backoff = Backoff(self._backoff_s, _MAX_BACKOFF_S, math.inf, attempts=self._retries + 1)
        failures = FailuresInARow(backoff)
        while part.length < model.bytes:
            before = part.length
            try:
                await download.fetch_rest()
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                got_more = part.length > before
                begun = begun or got_more or isinstance(error, aiohttp.ClientPayloadError)
                pause_s: float | None
                if got_more:
                    failures.succeeded()
                    pause_s = backoff.pause_s(0, 0.0)
                else:
                    pause_s = failures.failed(asyncio.get_running_loop().time())
                if not begun or pause_s is None:
                    raise Unavailable(f"{self.title} cannot be reached: {_reason(error)}") from error
                download.progress.note(f"{model.name}: the connection broke at byte {part.length}, going on from there")
                await asyncio.sleep(pause_s)


@dataclass(frozen=True, slots=True)
class _Download:
    """One file on its way."""

    session: aiohttp.ClientSession
    url: str
    model: ModelFile
    part: PartFile
    progress: PullProgress
    reply_timeout_s: float

    async def fetch_rest(self) -> None:
        """One request for what is missing."""
        async with await self._ask() as response:
            offset = self._first_byte(response)
            await in_thread(self.part.truncate, offset)  # a server may send the whole file, not the rest
            self.progress.start(self.model.name, self.model.bytes, offset)
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                await in_thread(self.part.write, offset, chunk)
                offset += len(chunk)
                self.progress.advance(len(chunk))
        if offset < self.model.bytes:
            raise aiohttp.ClientPayloadError(f"the reply ended after {offset} bytes")

    async def _ask(self) -> aiohttp.ClientResponse:
        headers = {"Range": f"bytes={self.part.length}-", "Accept-Encoding": "identity"}
        if token := get_token():
            headers["Authorization"] = f"Bearer {token}"
        async with asyncio.timeout(self.reply_timeout_s):
            return await self.session.get(self.url, headers=headers)

    def _first_byte(self, response: aiohttp.ClientResponse) -> int:
        """The offset at which the reply's body begins. Raises `Unavailable` if it is not the rest of the model."""
        if response.status not in (200, 206):
            raise Unavailable(f"the hub refuses {self.url}: HTTP {response.status} {response.reason}")
        offset = self.part.length if response.status == 206 else 0
        length, expected = response.content_length, self.model.bytes - offset
        if length is not None and length != expected:
            raise Unavailable(f"the hub has another file at {self.url}: {length} bytes from {offset}, not {expected}")
        return offset


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
