"""An engine behind Text Generation Inference's HTTP API (TGI 3.3; our embedded and simulated engines speak it too).

What this client takes care of, because the API does not:

- the text comes back with the stop text in it, and a token that closes a stop text may carry more than it;
- temperature 0 and top_p 1 are refused: greedy is `do_sample` false and no temperature;
- the server's limit of top tokens (5 by default) is reported only when it is exceeded;
- the prompt's token count comes in a header;
- /generate adds the beginning-of-sequence token that a rendered chat template begins with already;
- it overshoots `max_new_tokens` above 1,024, and fetches images that a prompt's text names (`tgi_requests`).
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any, Self

from ssr.core.errors import BadReply, CapabilityMissing, InvalidRequest, SsrError, Unavailable
from ssr.core.prompts import as_written
from ssr.core.steps import well_formed
from ssr.engines import plausible
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
    total_logprob,
)
from ssr.engines.json_connection import JsonConnection, Reply
from ssr.engines.model_name import parameters_from_name
from ssr.engines.stops import check_max_tokens, check_stops
from ssr.engines.streamed_text import StreamedText
from ssr.engines.templates import ChatTemplate
from ssr.engines.tgi_rendering import TgiTokenizer
from ssr.engines.tgi_replies import ended, event_in, generation_in, likelihood_in, next_token_in, prompt_counts
from ssr.engines.tgi_requests import chunks, request, sampled, without_images

_TOP_N_LIMIT = re.compile(r"`top_n_tokens` must be >= 0 and <= (\d+)")
#: More top tokens than any server allows by default: asking for them makes it report its limit, without generating.
_TOP_N_PROBE = 100
#: What our own engines call themselves where TGI names its router.
_OWN = "ssr-engine-server"


@dataclass(slots=True)
class _Learnt:
    """What was learnt of the engine when its connection had broken `losses` times; None: not yet."""

    losses: int
    tokenizer: TgiTokenizer
    counts_early: bool = False  #: whether a stream's first event has the prompt's tokens, as ours does
    max_top_n: int | None = None
    info: EngineInfo | None = None


class TgiEngine:
    """The `Engine` at `base_url`; the constructor's arguments are those of `JsonConnection`.

    `parameters` overrides the model's size, `template` the engine's own chat template; seeds are only sent to a
    `seeded` one. Use it as a context manager.
    """

    def __init__(
        self,
        base_url: str,
        *,
        parameters: int | None = None,
        template: ChatTemplate | None = None,
        api_key: str | None = None,
        timeout_s: float = 120.0,
        connect_timeout_s: float = 5.0,
        max_connections: int = 64,
        seeded: bool = True,
    ) -> None:
        self._connection = JsonConnection(
            base_url,
            api_key=api_key,
            timeout_s=timeout_s,
            connect_timeout_s=connect_timeout_s,
            max_connections=max_connections,
        )
        self._parameters = parameters
        self._template = template
        self._seeded = seeded
        self._remembered = _Learnt(0, TgiTokenizer(self._connection))

    @property
    def _learnt(self) -> _Learnt:
        """Remembered until the connection breaks."""
        if self._remembered.losses != self._connection.losses:
            self._remembered = _Learnt(self._connection.losses, TgiTokenizer(self._connection))
        return self._remembered

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
        grown, parts = StreamedText(check_stops(stop)), list[Generation]()
        for most, seed in chunks(check_max_tokens(max_tokens), sampling.seed if self._seeded else None):
            begun = prompt + as_written(grown.resume())
            asked = request(begun, max_new_tokens=most, stop=list(stop), **sampled(sampling, seed))
            part = generation_in(await self._connection.post("/generate", asked), begun, most)
            parts.append(part)
            grown.add(part.text)
            if grown.stopped or part.finish is not Finish.LENGTH:
                break
        grown.end()
        return _joined(grown, parts)

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
        grown, parts, done = StreamedText(check_stops(stop)), list[Generation](), 0
        # Asked and counted before the stream takes a connection: two calls with one each would wait for each other.
        # Sampled tokens' log probabilities are the model's own with our servers: TGI's are those after warping.
        spoken = _Spoken(known=(await self._described()).kind == _OWN)
        counts: tuple[int | None, int | None] = (None, None)
        if not self._learnt.counts_early:
            counts = (await self.count_tokens(prompt), None)
        for most, seed in chunks(check_max_tokens(max_tokens), sampling.seed if self._seeded else None):
            begun = prompt + as_written(grown.resume())
            asked = request(begun, max_new_tokens=most, stop=list(stop), **sampled(sampling, seed))
            async with aclosing(self._part(begun, asked, most)) as together:
                async for pieces in together:
                    fresh, sums, end = list[tuple[str, int]](), list[float | None](), None
                    for piece in pieces:
                        if not done and piece.prompt_tokens is not None:
                            counts, self._learnt.counts_early = (piece.prompt_tokens, piece.cached_tokens), True
                        fresh.append((grown.add(piece.text), done + piece.tokens))
                        sums.append(spoken.add(piece.logprob))
                        if piece.end is not None or grown.stopped:
                            end = piece.end or Generation("", piece.tokens, Finish.STOP)
                            break
                    if end is not None:
                        parts.append(end)
                        break
                    yield joined(fresh, None, *counts, sums)
            done += parts[-1].tokens
            if grown.stopped or parts[-1].finish is not Finish.LENGTH or done >= max_tokens:
                rest = [*fresh[:-1], (fresh[-1][0] + grown.end(), done)]
                yield joined(rest, _joined(grown, parts), *counts, sums)
                return
            if any(text for text, _ in fresh):
                yield joined(fresh, logprobs=sums)

    async def _part(self, prompt: str, asked: Mapping[str, object], most: int) -> AsyncGenerator[list[Piece], None]:
        """The tokens of one request as TGI streams them, stop texts included; those that came together.

        Their log probabilities are each one's own.
        """
        url, said, tokens = f"{self._connection.base_url}/generate_stream", "", 0
        counts: tuple[int | None, int | None] = (None, None)
        async with aclosing(self._connection.events("/generate_stream", asked)) as events:
            async for together in events:
                pieces = list[Piece]()
                for data in together:
                    try:
                        event = event_in(url, data)
                    except SsrError:  # what came before it is as good as if it had come alone
                        if pieces:
                            yield pieces
                        raise
                    text = "" if event.token.special else event.token.text
                    said, tokens = said + text, tokens + 1
                    plausible.generated_tokens(url, tokens, len(said), most)
                    if event.prompt is not None:
                        counts = prompt_counts(url, event.prompt, prompt)
                    if event.details is not None:
                        end = ended(url, event.details, prompt, said, tokens, most)
                        yield [*pieces, Piece(text, end.tokens, end, logprob=event.token.logprob)]
                        return
                    pieces.append(Piece(text, tokens, None, *counts, logprob=event.token.logprob))
                yield pieces
        raise Unavailable(f"{url} ended before the generation did")

    async def next_token(
        self, prompt: str, *, top_n: int, answers: Sequence[str] = (), affinity: str = "", origin: Origin = ANYONE
    ) -> NextToken:
        """See `Engine.next_token`."""
        if top_n < 1:
            raise InvalidRequest("top_n", f"is {top_n}, must be at least 1")
        asked = self._allowed(top_n)
        try:
            return await self._top_tokens(prompt, asked)
        except InvalidRequest as refusal:
            if not self._learnt_limit(refusal, asked):
                raise
        return await self._top_tokens(prompt, self._allowed(top_n))

    def _allowed(self, top_n: int) -> int:
        return top_n if self._learnt.max_top_n is None else min(top_n, self._learnt.max_top_n)

    async def _top_tokens(self, prompt: str, asked: int) -> NextToken:
        if asked < 1:
            raise CapabilityMissing(
                f"{self._connection.base_url} gives no top tokens: start it with --max-top-n-tokens"
            )
        reply = await self._read(prompt, top_n_tokens=asked)
        return next_token_in(reply, prompt, asked)

    def _learnt_limit(self, refusal: InvalidRequest, asked: int) -> bool:
        """Whether the refusal reported a limit below what was asked, to be kept; another call may know it already."""
        reported = _TOP_N_LIMIT.search(str(refusal))
        if reported is None or int(reported[1]) >= asked:
            return False
        self._learnt.max_top_n = int(reported[1])
        return True

    async def likelihood(self, prompt: str, text: str, *, affinity: str = "", origin: Origin = ANYONE) -> Likelihood:
        """See `Engine.likelihood`. TGI 3 must have been started with --enable-prefill-logprobs."""
        whole = without_images(prompt + text)
        begin = len(whole) - len(without_images(text))
        try:
            reply = await self._read(whole, decoder_input_details=True)
            likelihood = likelihood_in(reply, whole[:begin], whole[begin:])
        except InvalidRequest as refusal:
            if refusal.field != "decoder_input_details":
                raise
            raise CapabilityMissing(self._no_likelihood()) from refusal
        if not likelihood.logprobs:
            raise CapabilityMissing(self._no_likelihood())
        return likelihood

    def _no_likelihood(self) -> str:
        return (
            f"{self._connection.base_url} gives no log probabilities of a prompt's tokens: start TGI with "
            "--enable-prefill-logprobs, or use another scorer than likelihood"
        )

    async def _read(self, prompt: str, **wanted: Any) -> Reply:
        """The reply to a request for one token, for what it has beside it."""
        return await self._connection.post("/generate", request(prompt, max_new_tokens=1, do_sample=False, **wanted))

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        """See `Engine.render`. The text lacks a beginning-of-sequence token when /generate adds it."""
        if self._template is not None:
            return self._template.render(messages)
        return await self._learnt.tokenizer.render(messages)

    async def count_tokens(self, text: str) -> int:
        """See `Engine.count_tokens`; the tokens that the engine adds itself are counted."""
        return await self._learnt.tokenizer.count(text)

    async def info(self) -> EngineInfo:
        """See `Engine.info`; asked once, then remembered until the connection breaks."""
        learnt, described = self._learnt, await self._described()
        if learnt.max_top_n is None:
            with suppress(CapabilityMissing):
                await self.next_token("1", top_n=_TOP_N_PROBE)
        if learnt.max_top_n is None:
            learnt.max_top_n = _TOP_N_PROBE
        learnt.info = replace(described, max_top_n=learnt.max_top_n)
        return learnt.info

    async def _described(self) -> EngineInfo:
        """`info`, perhaps without `max_top_n`."""
        learnt = self._learnt
        if learnt.info is None:
            learnt.info = self._read_info((await self._connection.get("/info")).document())
        return learnt.info

    def _read_info(self, reply: object) -> EngineInfo:
        match reply:
            case {"model_id": str(model), "max_total_tokens": limit, **more} if total := plausible.context(limit):
                reported = plausible.parameters(more.get("parameters"))  # only our own engines have it
                size = self._parameters or reported or parameters_from_name(model)
                model = plausible.model_name(f"{self._connection.base_url}/info", model)
                revision, version = (well_formed(str(more.get(name) or ""))[:200] for name in ("model_sha", "version"))
                kind = _OWN if more.get("router") == _OWN else "tgi"
                return EngineInfo(model, size, total, max_top_n=0, revision=revision, kind=kind, version=version)
            case _:
                raise BadReply(f"{self._connection.base_url}/info answered without model_id and max_total_tokens")

    async def __aenter__(self) -> Self:
        await self._connection.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._connection.__aexit__(*exc)


class _Spoken:
    """The sum of tokens' log probabilities; None as soon as one is not `known`, or was not reported."""

    def __init__(self, *, known: bool) -> None:
        self._total: float | None = 0.0 if known else None

    def add(self, logprob: float | None) -> float | None:
        """The sum up to this token."""
        self._total = None if self._total is None or logprob is None else self._total + min(0.0, logprob)
        return self._total


def _joined(grown: StreamedText, parts: Sequence[Generation]) -> Generation:
    """One generation out of those that followed one another; the first one's prompt is the caller's."""
    finish = Finish.STOP if grown.stopped else parts[-1].finish
    tokens = sum(part.tokens for part in parts)
    logprob = total_logprob(part.logprob for part in parts)
    return Generation(grown.text, tokens, finish, parts[0].prompt_tokens, parts[0].cached_tokens, logprob=logprob)
