"""An engine behind an OpenAI-compatible HTTP API: vLLM, SGLang, llama-server, and others.

Prompts are rendered text and go to /v1/completions. What the servers differ in is in `openai_requests` (fields sent),
`openai_replies` (fields read), `openai_rendering` (templates and tokens) and `sglang`; docs/reference/engines.md has
the whole of it.

Where a server does not say why it stopped, "stop" is taken for a stop text when there were any and some text came,
otherwise for the end of the turn. That can mistake the end of a turn for a step's end: the next call then ends it.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Self

from ssr.core.errors import CapabilityMissing, InvalidRequest, NotFound, SsrError
from ssr.core.thinking import OPEN
from ssr.engines import plausible, sglang
from ssr.engines.base import (
    ANYONE,
    GREEDY,
    ChatMessage,
    EngineInfo,
    Finish,
    Generation,
    Likelihood,
    NextToken,
    Origin,
    Piece,
    Sampling,
    joined,
)
from ssr.engines.json_connection import JsonConnection
from ssr.engines.likelihood import tail_logprobs
from ssr.engines.openai_replies import (
    Chunk,
    ReplyUsage,
    StreamProgress,
    echoed_tokens,
    finish_of,
    first_candidates,
    reported_top_n_limit,
)
from ssr.engines.openai_requests import THINKING_BUDGET, ServerKind, sampled
from ssr.engines.openai_server import Known, OpenAiServer
from ssr.engines.stops import check_max_tokens, check_stops
from ssr.engines.streamed_text import StreamedText
from ssr.engines.templates import ChatTemplate

#: vLLM's default --max-logprobs.
_MAX_TOP_N = 20
#: Tokens of what ends a model's thinking: a tag, or what the server's --reasoning-config says before it.
_END_OF_THINKING = 32
#: Of a text whose tokens nobody counts.
_CHARS_PER_TOKEN = 3
_NO_LIKELIHOOD = "{} gives no log probabilities of a prompt's tokens (echo): use another scorer than likelihood"


class OpenAiEngine:
    """The `Engine` at `base_url` (without /v1); the other arguments are those of `JsonConnection`.

    `kind` says whose server it is; `ServerKind.OPENAI` finds that out from its list of models. `model` None means the
    first one the server lists. `parameters` overrides the model's size, `template` is used instead of asking the server
    to render dialogues, and seeds are only sent to a `seeded` one. `standard_only`, `priorities`, `logprobs`: `Fields`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        kind: ServerKind = ServerKind.OPENAI,
        model: str | None = None,
        parameters: int | None = None,
        template: ChatTemplate | None = None,
        api_key: str | None = None,
        timeout_s: float = 120.0,
        connect_timeout_s: float = 5.0,
        max_connections: int = 64,
        seeded: bool = True,
        standard_only: bool = False,
        priorities: bool = False,
        logprobs: bool = False,
    ) -> None:
        connection = JsonConnection(
            base_url.rstrip("/").removesuffix("/v1"),
            api_key=api_key,
            timeout_s=timeout_s,
            connect_timeout_s=connect_timeout_s,
            max_connections=max_connections,
        )
        self._logprobs = logprobs
        self._server = OpenAiServer(connection, Known(kind, model, parameters, standard_only, priorities, logprobs))
        self._template, self._seeded = template, seeded
        self._max_top_n = _MAX_TOP_N

    async def generate(
        self,
        prompt: str,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        sampling: Sampling = GREEDY,
        affinity: str = "",
        origin: Origin = ANYONE,
    ) -> Generation:
        """See `Engine.generate`."""
        asked = self._asked(prompt, max_tokens, stop, sampling) | await self._bounded(prompt, max_tokens, sampling)
        grown = StreamedText(stop)
        if self._logprobs:
            asked |= (await self._server.learnt()).fields.reporting()
        chunk = await self._server.complete(asked, origin)
        grown.add(chunk.text)
        tokens, spoken = chunk.usage.generated, chunk.logprobs(self._server.url)
        if tokens is None:
            tokens = await self._counted(chunk, max_tokens)
        plausible.generated_tokens(self._server.url, tokens, len(chunk.text), max_tokens)
        grown.end()
        generation = self._generation(grown, chunk, chunk.usage, tokens, asked)
        return replace(generation, logprob=sum(spoken) if spoken else None)

    async def stream(
        self,
        prompt: str,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        sampling: Sampling = GREEDY,
        affinity: str = "",
        origin: Origin = ANYONE,
    ) -> AsyncGenerator[Piece, None]:
        """See `Engine.stream`."""
        asked = self._asked(prompt, max_tokens, stop, sampling) | await self._bounded(prompt, max_tokens, sampling)
        grown, progress = StreamedText(stop), StreamProgress(self._server.url, max_tokens)
        fresh: list[tuple[str, int]] = []
        sums: list[float | None] = []
        streaming = (await self._server.learnt()).fields.streaming()
        async with aclosing(self._server.chunks(asked | streaming, origin)) as chunks:
            async for together in chunks:
                fresh, sums = [], []
                for chunk in together:
                    progress.take(chunk)
                    fresh.append((grown.add(chunk.text), progress.tokens))
                    sums.append(progress.logprob)
                    if grown.stopped:
                        break
                if grown.stopped:
                    break
                yield joined(fresh, None, progress.usage.prompt, progress.usage.cached, sums)
                fresh, sums = [], []
        last = replace(progress.last, text=grown.text)
        end = self._generation(grown, last, progress.usage, progress.tokens, asked)
        rest = (grown.end(), end.tokens)
        counts = progress.usage.prompt, progress.usage.cached
        yield joined([*fresh, rest], end, *counts, [*sums, progress.logprob])

    def _asked(self, prompt: str, max_tokens: int, stop: Sequence[str], sampling: Sampling) -> dict[str, object]:
        asked = {"prompt": prompt, "max_tokens": check_max_tokens(max_tokens)}
        stops = {"stop": check_stops(stop)} if stop else {}
        return asked | stops | sampled(sampling, seeded=self._seeded)

    async def _bounded(self, prompt: str, max_tokens: int, sampling: Sampling) -> dict[str, object]:
        """What ends the thinking that the prompt ends in, where it would be longer than it may.

        vLLM counts all tokens behind `<think>`, those in the prompt too. Its end has room within the bound, which is
        the caller's own.
        """
        left = sampling.thinking_tokens
        if left is None or not 2 * _END_OF_THINKING < left < max_tokens:
            return {}
        learnt = await self._server.learnt()
        if not learnt.fields.ends_thinking:
            return {}
        try:
            thought = await learnt.tokenizer.plain_tokens(prompt.rpartition(OPEN)[2])
        except SsrError:
            return {}
        return {THINKING_BUDGET: len(thought) + left - _END_OF_THINKING}

    def _generation(
        self, grown: StreamedText, chunk: Chunk, usage: ReplyUsage, tokens: int, asked: Mapping[str, Any]
    ) -> Generation:
        full = tokens >= asked["max_tokens"]
        finish = Finish.STOP if grown.stopped else finish_of(self._server.url, chunk, asked.get("stop", ()), full=full)
        return Generation(grown.text, tokens, finish, usage.prompt, usage.cached)

    async def _counted(self, chunk: Chunk, most: int) -> int:
        """The generated tokens, where the server does not say how many: counted anew, at worst guessed by length."""
        if (chunk.choice or {}).get("finish_reason") == "length":
            return most
        try:
            tokens = await (await self._server.learnt()).tokenizer.count(chunk.text)
        except SsrError:
            tokens = math.ceil(len(chunk.text) / _CHARS_PER_TOKEN)
        return min(tokens, most)

    async def next_token(
        self, prompt: str, *, top_n: int, answers: Sequence[str] = (), affinity: str = "", origin: Origin = ANYONE
    ) -> NextToken:
        """See `Engine.next_token`; vLLM and SGLang can report given answers."""
        if top_n < 1:
            raise InvalidRequest("top_n", f"is {top_n}, must be at least 1")
        if answers and (reported := await self._answers(prompt, top_n, answers, origin)) is not None:
            return reported
        asked = min(top_n, self._max_top_n)
        try:
            return await self._top_tokens(prompt, asked, origin)
        except InvalidRequest as refusal:
            limit = reported_top_n_limit(refusal, asked)
            if limit is None or not 0 < limit < asked:
                raise
            self._max_top_n = limit
        return await self._top_tokens(prompt, limit, origin)

    async def _answers(self, prompt: str, top_n: int, answers: Sequence[str], origin: Origin) -> NextToken | None:
        """The probabilities of the answers by the ids of their tokens; None where these cannot be asked for so."""
        learnt = await self._server.learnt()
        if not learnt.fields.reports_by_id or not (texts := await learnt.answers.ids(prompt, answers)):
            return None
        if learnt.fields.kind is ServerKind.VLLM:
            # A version that does not know this yet reports the most probable tokens.
            return await self._top_tokens(prompt, min(top_n, self._max_top_n), origin, texts)
        asked = learnt.fields.of(origin)
        try:
            return await sglang.next_token(self._server.connection, prompt, texts, asked)
        except InvalidRequest as refusal:
            doubted = learnt.fields.doubted(refusal, {"token_ids_logprob": texts, **asked})
            if not doubted:
                raise
            learnt.fields.leave_out(doubted)
        except (NotFound, CapabilityMissing):
            learnt.fields.refuse_by_id()
        return None

    async def _top_tokens(
        self, prompt: str, top_n: int, origin: Origin, texts: Mapping[int, str] = MappingProxyType({})
    ) -> NextToken:
        """The most probable tokens, or these `texts` by their tokens' ids."""
        by_id = {"logprob_token_ids": list(texts), "return_tokens_as_token_ids": True} if texts else {}
        asked = self._asked(prompt, 1, (), GREEDY) | {"logprobs": top_n} | by_id
        chunk = await self._server.complete(asked, origin)
        candidates = first_candidates(self._server.url, (chunk.choice or {}).get("logprobs"), texts)
        if not candidates:
            raise CapabilityMissing(f"{self._server.connection.base_url} gives no log probabilities of tokens")
        return NextToken(tuple(candidates[: max(top_n, len(texts) + 1)]), chunk.usage.prompt, chunk.usage.cached)

    async def likelihood(self, prompt: str, text: str, *, affinity: str = "", origin: Origin = ANYONE) -> Likelihood:
        """See `Engine.likelihood`; asked for with `echo`, and one more token than needed, which all servers allow."""
        learnt = await self._server.learnt()
        if learnt.fields.kind is ServerKind.SGLANG:
            before = await learnt.tokenizer.count(prompt)
            return await sglang.likelihood(self._server.connection, prompt, before, text, learnt.fields.of(origin))
        asked = self._asked(prompt + text, 1, (), GREEDY) | {"echo": True, "logprobs": 1}
        try:
            chunk = await self._server.complete(asked, origin)
        except SsrError as refusal:
            if "echo" not in str(refusal).partition(" answered ")[2].lower():
                raise
            raise CapabilityMissing(_NO_LIKELIHOOD.format(self._server.connection.base_url)) from refusal
        logprobs = tail_logprobs(echoed_tokens(self._server.url, chunk), prompt, text)
        if not logprobs:
            raise CapabilityMissing(_NO_LIKELIHOOD.format(self._server.connection.base_url))
        return Likelihood(logprobs, chunk.usage.prompt, chunk.usage.cached)

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        """See `Engine.render`: in the template given, else the server's."""
        if self._template is not None:
            return self._template.render(messages)
        return await (await self._server.learnt()).tokenizer.render(messages)

    async def count_tokens(self, text: str) -> int:
        """See `Engine.count_tokens`; the tokens that the engine adds itself are counted."""
        return await (await self._server.learnt()).tokenizer.count(text)

    async def info(self) -> EngineInfo:
        """See `Engine.info`; asked once, then remembered until the connection breaks."""
        return replace(await self._server.info(), max_top_n=self._max_top_n)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._server.__aexit__(*exc)
