"""An engine behind Text Generation Inference's HTTP API (TGI 3.3; our embedded and simulated engines speak it too).

What this client takes care of, because the API does not:

- the text comes back with the stop text in it, and a token that closes a stop text may carry more than it;
- temperature 0 and top_p 1 are refused: greedy is `do_sample` false and no temperature;
- the server's limit of top tokens (5 by default) is told only when it is exceeded;
- the prompt's token count comes in a header;
- /generate adds the beginning-of-sequence token that a rendered chat template begins with already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

from ssr.core.errors import BadReply, CapabilityMissing, InvalidRequest
from ssr.engines.base import GREEDY, ChatMessage, EngineInfo, Generation, Likelihood, NextToken, Sampling
from ssr.engines.json_connection import JsonConnection, Reply
from ssr.engines.model_name import parameters_from_name
from ssr.engines.stops import check_stops
from ssr.engines.templates import ChatTemplate
from ssr.engines.tgi_replies import generation_in, likelihood_in, next_token_in

_TOP_N_LIMIT = re.compile(r"`top_n_tokens` must be >= 0 and <= (\d+)")
#: More top tokens than any server allows by default: asking for them makes it tell its limit, without generating.
_TOP_N_PROBE = 100


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
        self._max_top_n: int | None = None
        self._doubled_bos: str | None = None
        self._info: EngineInfo | None = None

    async def generate(
        self, prompt: str, *, max_tokens: int, stop: Sequence[str] = (), sampling: Sampling = GREEDY, affinity: str = ""
    ) -> Generation:
        """See `Engine.generate`."""
        stops = check_stops(stop)
        asked = {"max_new_tokens": max_tokens, "stop": stops} | _sampling(sampling, self._seeded)
        reply = await self._ask(prompt, asked)
        return generation_in(reply, stops)

    async def next_token(self, prompt: str, *, top_n: int, affinity: str = "") -> NextToken:
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
        return top_n if self._max_top_n is None else min(top_n, self._max_top_n)

    async def _top_tokens(self, prompt: str, asked: int) -> NextToken:
        if asked < 1:
            raise CapabilityMissing(
                f"{self._connection.base_url} gives no top tokens: start it with --max-top-n-tokens"
            )
        reply = await self._ask(prompt, {"max_new_tokens": 1, "do_sample": False, "top_n_tokens": asked})
        return next_token_in(reply, asked)

    def _learnt_limit(self, refusal: InvalidRequest, asked: int) -> bool:
        """Whether the refusal told a limit below what was asked, to be kept; another call may know it already."""
        told = _TOP_N_LIMIT.search(str(refusal))
        if told is None or int(told[1]) >= asked:
            return False
        self._max_top_n = int(told[1])
        return True

    async def likelihood(self, prompt: str, text: str, *, affinity: str = "") -> Likelihood:
        """See `Engine.likelihood`. TGI 3 must have been started with --enable-prefill-logprobs."""
        asked = {"max_new_tokens": 1, "do_sample": False, "decoder_input_details": True}
        try:
            likelihood = likelihood_in(await self._ask(prompt + text, asked), prompt, text)
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

    async def _ask(self, prompt: str, parameters: Mapping[str, object]) -> Reply:
        return await self._connection.post(
            "/generate", {"inputs": prompt, "parameters": {"details": True, **parameters}}
        )

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        """See `Engine.render`. The text lacks a beginning-of-sequence token when /generate adds it."""
        if self._template is not None:
            return self._template.render(messages)
        body = {"messages": [{"role": m.role, "content": m.content} for m in messages]}
        match (await self._connection.post("/chat_tokenize", body)).document():
            case {"templated_text": str(text)}:
                return text.removeprefix(await self._bos_to_strip(text))
            case _:
                raise BadReply(f"{self._connection.base_url}/chat_tokenize answered without templated_text")

    async def _bos_to_strip(self, rendered: str) -> str:
        """The text of the token that /generate would double at the beginning of `rendered`; "" if it doubles none."""
        if self._doubled_bos is None:
            tokens = await self._tokens(rendered)
            doubled = len(tokens) > 1 and tokens[0]["id"] == tokens[1]["id"]
            # The first one, which the tokenizer added, spans nothing of the text.
            self._doubled_bos = str(tokens[1]["text"]) if doubled else ""
        return self._doubled_bos

    async def count_tokens(self, text: str) -> int:
        """See `Engine.count_tokens`; the tokens that the engine adds itself are counted."""
        return len(await self._tokens(text))

    async def _tokens(self, text: str) -> list[dict[str, Any]]:
        reply = (await self._connection.post("/tokenize", {"inputs": text})).document()
        if not isinstance(reply, list) or not all(isinstance(t, dict) and {"id", "text"} <= t.keys() for t in reply):
            raise BadReply(f"{self._connection.base_url}/tokenize answered something that is not a list of tokens")
        return reply

    async def info(self) -> EngineInfo:
        """See `Engine.info`; asked once, then remembered."""
        if self._info is None:
            self._info = self._described((await self._connection.get("/info")).document())
        if self._max_top_n is None:
            with suppress(CapabilityMissing):
                await self.next_token("1", top_n=_TOP_N_PROBE)
        if self._max_top_n is None:
            self._max_top_n = _TOP_N_PROBE
        if self._info.max_top_n != self._max_top_n:
            self._info = replace(self._info, max_top_n=self._max_top_n)
        return self._info

    def _described(self, reply: object) -> EngineInfo:
        match reply:
            case {"model_id": str(model), "max_total_tokens": int(total), **more}:
                told = more.get("parameters")  # only our own engines have it
                size = self._parameters or (told if isinstance(told, int) else None) or parameters_from_name(model)
                return EngineInfo(model=model, parameters=size, max_total_tokens=total, max_top_n=0)
            case _:
                raise BadReply(f"{self._connection.base_url}/info answered without model_id and max_total_tokens")

    async def __aenter__(self) -> Self:
        await self._connection.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._connection.__aexit__(*exc)


def _sampling(sampling: Sampling, seeded: bool) -> dict[str, object]:
    """The request's parameters; do_sample is always among them, because a request without any would be sampled."""
    if sampling.temperature <= 0:
        return {"do_sample": False}
    parameters: dict[str, object] = {"do_sample": True, "temperature": sampling.temperature}
    if sampling.top_p < 1:
        parameters["top_p"] = sampling.top_p
    if seeded and sampling.seed is not None:
        parameters["seed"] = sampling.seed
    return parameters
