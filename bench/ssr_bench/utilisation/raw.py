"""Raw generation: an engine's own streaming API, asked and read with as little as can be."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from ssr.core.errors import BadReply, Unavailable
from ssr.engines.base import Sampling
from ssr.engines.event_stream import EventParser
from ssr.engines.openai_requests import kind_of
from ssr.engines.settings import EngineSettings
from ssr.engines.tgi_requests import request, sampled

#: What a server takes that is to go on to `max_tokens` whatever it says.
_IGNORES_EOS = ("vllm", "sglang")
_LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class RawGeneration:
    """What came of a request: its tokens, and seconds until the first bytes of them and until the end."""

    tokens: int
    first_s: float
    whole_s: float


class RawServer:
    """The first URL of an engine's settings. Events are taken as they come; only the end of a stream is looked into."""

    def __init__(self, session: ClientSession, engine: EngineSettings, extras: dict[str, Any]) -> None:
        self._session, self._url, self._tgi, self._extras = session, engine.urls[0], engine.kind == "tgi", extras

    @classmethod
    @asynccontextmanager
    async def at(cls, engine: EngineSettings) -> AsyncIterator[RawServer]:
        """Raises: BadReply where an OpenAI server lists no model."""
        limit = ClientTimeout(total=_LIMIT_S)
        async with ClientSession(connector=TCPConnector(limit=0), timeout=limit) as session:
            extras: dict[str, Any] = {}
            if engine.kind != "tgi":
                async with session.get(f"{engine.urls[0]}/v1/models") as response:
                    listed = (await response.json()).get("data") or []
                if not listed:
                    raise BadReply(f"{engine.urls[0]}/v1/models lists no model")
                kind = engine.kind if engine.kind != "openai" else kind_of(listed[0])
                extras = {"model": listed[0]["id"], "stream_options": {"include_usage": True}}
                extras |= {"ignore_eos": True} if kind in _IGNORES_EOS else {}
            yield cls(session, engine, extras)

    async def generate(self, prompt: str, tokens: int, sampling: Sampling) -> RawGeneration:
        """So many tokens behind the prompt, or fewer where the model ends its turn and the server heeds it.

        Raises: Unavailable when the server refuses or breaks off.
        """
        began, first_s, tail = time.perf_counter(), 0.0, b""
        path, body = self._request(prompt, tokens, sampling)
        async with self._session.post(f"{self._url}{path}", json=body) as response:
            if response.status != 200:
                raise Unavailable(f"{self._url}{path} answered {response.status}: {(await response.text())[:200]}")
            async for chunk in response.content.iter_any():
                first_s = first_s or time.perf_counter() - began
                tail = (tail + chunk)[-max(4096, len(chunk)) :]
        return RawGeneration(self._tokens(tail), first_s, time.perf_counter() - began)

    def _request(self, prompt: str, tokens: int, sampling: Sampling) -> tuple[str, dict[str, object]]:
        if self._tgi:
            return "/generate_stream", request(prompt, max_new_tokens=tokens, **sampled(sampling, sampling.seed))
        chosen = {"temperature": sampling.temperature, "top_p": sampling.top_p}
        return "/v1/completions", {"prompt": prompt, "max_tokens": tokens, "stream": True, **chosen, **self._extras}

    def _tokens(self, tail: bytes) -> int:
        """The count in the last event that has one; `tail` may begin in the middle of an event."""
        for data in reversed([*(parser := EventParser(self._url)).feed(tail), *parser.end()]):
            try:
                event = json.loads(data)
            except ValueError:
                continue
            match event:
                case {"details": {"generated_tokens": int(count)}} | {"usage": {"completion_tokens": int(count)}}:
                    return count
        raise Unavailable(f"{self._url} ended a stream without a count of its tokens: {tail[-200:]!r}")
