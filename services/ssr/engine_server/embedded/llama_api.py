"""llama.cpp's own HTTP API, as far as the embedded engine needs it; its replies are read here and nowhere else."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from ssr.core.errors import BadReply, InvalidRequest, TimedOut, Unavailable
from ssr.engines.base import ChatMessage

_CALL_TIMEOUT_S = 60.0  #: for what needs no model: it can wait behind a busy computer, not for long
_SILENCE_TIMEOUT_S = 120.0  #: llama.cpp pings every 30 s while it works on a prompt
_LONGEST_LINE = 2**22  #: bytes; the closing chunk repeats the whole prompt


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token at one position. `text` is empty for special tokens, with `raw` empty as well."""

    id: int
    text: str
    raw: bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class CompletionChunk:
    """A piece of a streamed completion.

    `generated` counts the tokens so far; it grows by more than one when tokens held only part of a character, which
    llama.cpp keeps back. `chosen` is None in the closing chunk, the only one with a `stop_type`.
    """

    content: str
    generated: int
    prompt_tokens: int
    cached_tokens: int | None
    chosen: Candidate | None
    candidates: tuple[Candidate, ...]
    stop_type: str | None


class LlamaApi:
    """A client of one llama.cpp server. Enter it before use.

    Every call raises `Unavailable` when the server cannot be reached, `TimedOut` when it says nothing for too long,
    `InvalidRequest` when it refuses the request and `BadReply` when it fails or answers nonsense.
    """

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._key = key
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            base_url=self._url,
            headers={"Authorization": f"Bearer {self._key}"},
            # No bound, which would make requests wait twice. No reuse either: an idle connection holds one of the few
            # HTTP threads of llama.cpp, and a request on one that it is just closing fails.
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=_CALL_TIMEOUT_S),
            read_bufsize=_LONGEST_LINE,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def completion(self, body: dict[str, Any]) -> AsyncGenerator[CompletionChunk, None]:
        """The chunks of a streamed /completion. Closing the generator ends llama.cpp's work on it."""
        silence = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=_SILENCE_TIMEOUT_S)
        async with self._open("POST", "/completion", json=body, timeout=silence) as response:
            async for line in response.content:
                field, _, value = line.decode().partition(":")
                if field == "error":
                    raise BadReply(f"llama.cpp failed: {_message(value)}")
                if field == "data":
                    yield _chunk(value)

    async def tokenize(self, text: str, *, add_special: bool) -> list[tuple[int, bytes]]:
        """Ids and bytes of the tokens, special tokens in the text recognised."""
        body = {"content": text, "add_special": add_special, "parse_special": True, "with_pieces": True}
        reply = await self._call("POST", "/tokenize", json=body)
        return [(token["id"], _piece_bytes(token["piece"])) for token in reply["tokens"]]

    async def token_text(self, token: int) -> str:
        """The text of a token, special ones included."""
        return str((await self._call("POST", "/detokenize", json={"tokens": [token]}))["content"])

    async def render(self, messages: Sequence[ChatMessage], *, add_generation_prompt: bool) -> str:
        body = {
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "add_generation_prompt": add_generation_prompt,
        }
        return str((await self._call("POST", "/apply-template", json=body))["prompt"])

    async def model(self) -> dict[str, Any]:
        """What the file says: n_params, ftype and such."""
        meta: dict[str, Any] = (await self._call("GET", "/v1/models"))["data"][0]["meta"]
        return meta

    async def build(self) -> str:
        return str((await self._call("GET", "/props"))["build_info"])

    async def health(self) -> None:
        """Raises unless the server would take a request."""
        await self._call("GET", "/health")

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        async with self._open(method, path, **options) as response:
            return await response.json()

    @asynccontextmanager
    async def _open(self, method: str, path: str, **options: Any) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        if self._http is None:
            raise Unavailable("the embedded engine is not running")
        try:
            async with self._http.request(method, path, **options) as response:
                if response.status != 200:
                    raise _refusal(response.status, await response.text())
                yield response
        except TimeoutError as error:
            raise TimedOut(f"llama.cpp said nothing on {path} for too long") from error
        except aiohttp.ClientError as error:
            raise Unavailable(f"llama.cpp does not answer on {path}: {error}") from error


def _refusal(status: int, body: str) -> Exception:
    message = _message(body)
    if status in (400, 404, 422):
        return InvalidRequest("inputs", message)
    if status == 503:
        return Unavailable(f"llama.cpp is not ready: {message}")
    return BadReply(f"llama.cpp answered {status}: {message}")


def _message(body: str) -> str:
    try:
        reply = json.loads(body)
        return str(reply.get("error", reply)["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return body.strip()[:200]


def _chunk(data: str) -> CompletionChunk:
    try:
        reply = json.loads(data)
        if "error" in reply:
            raise BadReply(f"llama.cpp failed: {_message(data)}")
        return _completion_chunk(reply)
    except (ValueError, KeyError, TypeError) as error:
        raise BadReply(f"llama.cpp's completion is not what it used to be: {data.strip()[:200]}") from error


def _completion_chunk(reply: dict[str, Any]) -> CompletionChunk:
    position = (reply.get("completion_probabilities") or [None])[0]
    return CompletionChunk(
        content=reply["content"],
        generated=reply["tokens_predicted"],
        prompt_tokens=reply["tokens_evaluated"],
        cached_tokens=reply.get("timings", {}).get("cache_n"),
        chosen=None if position is None else _candidate(position),
        candidates=() if position is None else tuple(_candidate(c) for c in position["top_logprobs"]),
        stop_type=reply.get("stop_type"),
    )


def _candidate(reply: dict[str, Any]) -> Candidate:
    return Candidate(reply["id"], reply["token"], bytes(reply["bytes"]), reply["logprob"])


def _piece_bytes(piece: str | list[int]) -> bytes:
    return piece.encode() if isinstance(piece, str) else bytes(piece)
