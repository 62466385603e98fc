"""A server with OpenAI's HTTP API: what is learnt of it, and how its completions are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

from ssr.core.errors import BadReply, CapabilityMissing, InvalidRequest, NotFound, SsrError, TimedOut, Unavailable
from ssr.core.steps import well_formed
from ssr.engines import plausible, sglang
from ssr.engines.answer_tokens import AnswerTokens
from ssr.engines.base import EngineInfo, Origin
from ssr.engines.json_connection import JsonConnection
from ssr.engines.model_name import parameters_from_name
from ssr.engines.openai_rendering import ServerTokenizer
from ssr.engines.openai_replies import Chunk, chunk_in
from ssr.engines.openai_requests import Fields, ServerKind, kind_of

_PATH = "/v1/completions"
_ABORT_S = 2.0
#: Tokens of a context whose server does not report them.
_NO_BOUND = 2**31 - 1
#: Where a server of each kind reports its version, for at most so long and so many characters of it.
_VERSION = {
    ServerKind.VLLM: ("/version", "version"),
    ServerKind.SGLANG: ("/server_info", "version"),
    ServerKind.LLAMACPP: ("/props", "build_info"),
}
_VERSION_S = 2.0
_VERSION_CHARS = 100


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt of a server; `info` (its max_top_n is 0) is None where it lists no models."""

    model: str
    fields: Fields
    tokenizer: ServerTokenizer
    answers: AnswerTokens
    info: EngineInfo | None
    losses: int  #: of the connection, when it was learnt


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a server from the settings. `kind` OPENAI and `model` None are found out."""

    kind: ServerKind = ServerKind.OPENAI
    model: str | None = None
    parameters: int | None = None
    standard_only: bool = False
    priorities: bool = False
    logprobs: bool = False


class OpenAiServer:
    """The server that `connection` leads to; use it as a context manager."""

    def __init__(self, connection: JsonConnection, known: Known) -> None:
        self.connection = connection
        self.url = connection.base_url + _PATH
        self._known = known
        self._learnt: Learnt | None = None
        self._aborts: set[asyncio.Task[None]] = set()

    async def complete(self, asked: Mapping[str, Any], origin: Origin) -> Chunk:
        """The reply, at the second attempt where the server refuses a field that it need not know."""
        learnt, without = await self.learnt(), frozenset[str]()
        while True:
            body = learnt.fields.body({"model": learnt.model, **asked}, origin, without)
            try:
                with self._aborting(learnt, body):
                    reply = await self.connection.post(_PATH, body)
            except (InvalidRequest, CapabilityMissing, Unavailable) as refusal:
                doubted = learnt.fields.doubted(refusal, body)
                if not doubted:
                    raise
                without |= doubted
                continue
            learnt.fields.served(body, without)
            chunk = chunk_in(reply.url, reply.body, asked["prompt"])
            if chunk.choice is None:
                raise BadReply(f"{self.url} answered without choices")
            if chunk.usage.generated is None and "finish_reason" not in (chunk.choice or {}):
                raise BadReply(f"{self.url} answered without a finish_reason and a usage")
            return chunk

    async def chunks(self, asked: Mapping[str, Any], origin: Origin) -> AsyncGenerator[list[Chunk], None]:
        """As `complete`, the events of a stream up to the last, those that came together.

        Raises: as `complete`, behind the events before; `Unavailable` when it breaks off.
        """
        learnt, without = await self.learnt(), frozenset[str]()
        while True:
            body, begun, ended = learnt.fields.body({"model": learnt.model, **asked}, origin, without), False, False
            chosen = False
            try:
                with self._aborting(learnt, body):
                    async with aclosing(self.connection.events(_PATH, body)) as events:
                        async for together in events:
                            chunks, done, failure = self._read(together, asked["prompt"], chosen)
                            if chunks:
                                if not begun:
                                    learnt.fields.served(body, without)
                                begun, ended = True, ended or any(chunk.ends for chunk in chunks)
                                chosen = chosen or any(chunk.choice is not None for chunk in chunks)
                                yield chunks
                            if failure is not None:
                                raise failure
                            if done:
                                return
            except (InvalidRequest, CapabilityMissing, Unavailable) as refusal:
                doubted = frozenset() if begun else learnt.fields.doubted(refusal, body)
                if not doubted:
                    raise
                without |= doubted
                continue
            if not ended:
                raise Unavailable(f"{self.url} ended before the generation did")
            return

    def _read(self, events: Sequence[bytes], prompt: str, chosen: bool) -> tuple[list[Chunk], bool, SsrError | None]:
        """The events up to the end of the stream, whether that came, or up to one that is an error.

        `chosen`: an event before them had a choice; a stream without any is none.
        """
        chunks: list[Chunk] = []
        try:
            for data in events:
                if data == b"[DONE]":
                    if not chosen and all(chunk.choice is None for chunk in chunks):
                        raise BadReply(f"{self.url} answered without choices")
                    return chunks, True, None
                chunks.append(chunk_in(self.url, data, prompt))
        except SsrError as failure:
            return chunks, False, failure
        return chunks, False, None

    async def info(self) -> EngineInfo:
        """The model, with a `max_top_n` of 0. Raises: the connection's errors; NotFound for a model not served."""
        return (await self.learnt()).info or await self._described(await self._model_card(), self._known.kind)

    async def learnt(self) -> Learnt:
        """Asked for once, then remembered until the connection breaks. Raises: the connection's errors."""
        if self._learnt is None or self._learnt.losses != self.connection.losses:
            losses = self.connection.losses
            kind, info = self._known.kind, None
            try:
                card = await self._model_card()
            except (NotFound, CapabilityMissing, InvalidRequest, BadReply):
                if self._known.model is None:
                    raise
            else:
                kind = kind_of(card) if kind is ServerKind.OPENAI else kind
                info = await self._described(card, kind)
            model = self._known.model or (info.model if info else "")
            known = self._known
            fields = Fields(
                self.connection.base_url,
                kind,
                standard_only=known.standard_only,
                priorities=known.priorities,
                logprobs=known.logprobs,
            )
            tokenizer = ServerTokenizer(self.connection, kind, model)
            self._learnt = Learnt(model, fields, tokenizer, AnswerTokens(tokenizer.plain_tokens), info, losses)
        return self._learnt

    async def _described(self, card: Mapping[str, Any], kind: ServerKind) -> EngineInfo:
        meta = card["meta"] if isinstance(card.get("meta"), dict) else {}
        name = plausible.model_name(f"{self.connection.base_url}/v1/models", card["id"])
        root = card.get("root")
        size = self._known.parameters or plausible.parameters(meta.get("n_params")) or parameters_from_name(name)
        context = plausible.context(card.get("max_model_len") or meta.get("n_ctx"))
        if context is None and kind is ServerKind.LLAMACPP:
            context = plausible.context(_slot_context(await self._own_report("/props")))
        context = context or _NO_BOUND
        if kind is ServerKind.SGLANG:
            context = min(context, await sglang.kv_capacity(self.connection) or context)
        revision = well_formed(root)[:200] if isinstance(root, str) and root != name else ""
        return EngineInfo(name, size, context, 0, revision, kind.value, await self._version(kind))

    async def _version(self, kind: ServerKind) -> str:
        """The server's version; "" where its kind reports none, or it does not."""
        path, field = _VERSION.get(kind, ("", ""))
        return well_formed(str((await self._own_report(path)).get(field) or ""))[:_VERSION_CHARS] if path else ""

    async def _own_report(self, path: str) -> Mapping[str, Any]:
        """What the server says of itself at `path`; nothing where it does not."""
        try:
            async with asyncio.timeout(_VERSION_S):
                reply = (await self.connection.get(path)).document()
        except (SsrError, TimeoutError):
            return {}
        return reply if isinstance(reply, dict) else {}

    async def _model_card(self) -> dict[str, Any]:
        reply = (await self.connection.get("/v1/models")).document()
        cards = reply.get("data") if isinstance(reply, dict) else None
        if not isinstance(cards, list) or not all(isinstance(card, dict) and "id" in card for card in cards):
            raise BadReply(f"{self.connection.base_url}/v1/models answered without a list of models")
        for card in cards:
            if self._known.model in (None, card["id"]):
                return dict(card)
        served = ", ".join(str(card["id"]) for card in cards) or "none"
        raise NotFound(
            f"{self.connection.base_url} does not serve the model {self._known.model!r}, but: {served[:500]}"
        )

    @contextmanager
    def _aborting(self, learnt: Learnt, body: dict[str, object]) -> Iterator[None]:
        """SGLang is sent an abort for a request that is left before its end; the others see the connection close."""
        if learnt.fields.kind is not ServerKind.SGLANG:
            yield
            return
        body["rid"] = request_id = uuid4().hex
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit, TimedOut):
            task = asyncio.create_task(self._abort(request_id), name="abort an engine request")
            self._aborts.add(task)
            task.add_done_callback(self._aborts.discard)
            raise

    async def _abort(self, request_id: str) -> None:
        with suppress(SsrError, TimeoutError):
            async with asyncio.timeout(_ABORT_S):
                await sglang.abort(self.connection, request_id)

    async def __aenter__(self) -> Self:
        await self.connection.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._aborts:
            await asyncio.wait(self._aborts)
        await self.connection.__aexit__(*exc)


def _slot_context(props: Mapping[str, Any]) -> object:
    """The context of a request in llama-server's /props: older versions do not say it with the model."""
    settings = props.get("default_generation_settings")
    return settings.get("n_ctx") if isinstance(settings, dict) else None
