"""An engine behind an OpenAI-compatible HTTP API: vLLM, SGLang, llama-server.

Prompts are rendered text and go to /v1/completions. What the servers differ in:

| | vLLM | SGLang | llama-server |
|---|---|---|---|
| why a "stop" ended | choice.stop_reason | choice.matched_stop | __verbose.stop_type, when asked for |
| log probabilities | top_logprobs: text -> number | same | content[].top_logprobs: list |
| of the prompt | echo, past the prefix cache | echo | - |
| chat template | /tokenize + /detokenize | - (templates.py) | /apply-template |
| prompt length | max_model_len | max_model_len | meta.n_ctx |

Where none of the three tells why, "stop" is taken for a stop text when there were any and some text came, otherwise
for the end of the turn. That can mistake the end of a turn for a step's end: the next call then ends it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from openai import APIStatusError, AsyncOpenAI

from ssr.core.errors import BadReply, CapabilityMissing, InvalidRequest, NotFound, Permanent
from ssr.engines.base import GREEDY, ChatMessage, EngineInfo, Generation, Likelihood, NextToken, Sampling
from ssr.engines.connection import EngineConnection
from ssr.engines.likelihood import tail_logprobs
from ssr.engines.model_name import parameters_from_name
from ssr.engines.openai_replies import echoed_tokens, finish_of, first_candidates, prompt_counts, told_top_n_limit
from ssr.engines.stops import check_stops
from ssr.engines.templates import ChatTemplate

#: vLLM's default --max-logprobs.
_MAX_TOP_N = 20
#: The whole distribution, unpenalised, whatever the server's or the model's own defaults are; and llama-server's way
#: to be asked for the reason of an end. Servers ignore the fields they do not know.
_PLAIN = {
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "verbose": True,
    "response_fields": ["stop_type", "stopping_word"],
}

_NO_LIKELIHOOD = "{} gives no log probabilities of a prompt's tokens (echo): use another scorer than likelihood"

_Renderer = Callable[[Sequence[ChatMessage]], Awaitable[str]]


class OpenAiEngine:
    """The `Engine` at `base_url` (without /v1); the other arguments are those of `EngineConnection`.

    `model` None means the first one the server lists. `parameters` overrides the model's size, `template` is used
    instead of asking the server to render dialogues, and seeds are only sent to a `seeded` one.
    """

    def __init__(
        self,
        base_url: str,
        *,
        model: str | None = None,
        parameters: int | None = None,
        template: ChatTemplate | None = None,
        api_key: str | None = None,
        timeout_s: float = 120.0,
        connect_timeout_s: float = 5.0,
        max_connections: int = 64,
        seeded: bool = True,
    ) -> None:
        self._connection = EngineConnection(
            base_url.rstrip("/").removesuffix("/v1"),
            api_key=api_key,
            timeout_s=timeout_s,
            connect_timeout_s=connect_timeout_s,
            max_connections=max_connections,
        )
        self._client = AsyncOpenAI(
            base_url=f"{self._connection.base_url}/v1",
            api_key="none",  # the connection sends the real one, or none
            max_retries=0,
            timeout=self._connection.phases,
            http_client=self._connection.client,
        )
        self._model = model
        self._parameters = parameters
        self._template = template
        self._seeded = seeded
        self._max_top_n = _MAX_TOP_N
        self._info: EngineInfo | None = None
        self._renderer: _Renderer | None = None

    async def generate(
        self, prompt: str, *, max_tokens: int, stop: Sequence[str] = (), sampling: Sampling = GREEDY, affinity: str = ""
    ) -> Generation:
        """See `Engine.generate`."""
        stops = check_stops(stop)
        model = await self._model_name()
        async with self._connection.call():
            reply = await self._complete(
                model=model,
                prompt=prompt,
                max_tokens=max_tokens,
                stop=stops or None,
                temperature=max(0.0, sampling.temperature),
                top_p=min(1.0, sampling.top_p) if sampling.temperature > 0 else 1.0,
                seed=sampling.seed if self._seeded and sampling.temperature > 0 else None,
            )
            choice = reply["choices"][0]
            finish = finish_of(choice, reply.get("__verbose"), stops)
            return Generation(
                str(choice["text"]), int(reply["usage"]["completion_tokens"]), finish, *prompt_counts(reply)
            )

    async def next_token(self, prompt: str, *, top_n: int, affinity: str = "") -> NextToken:
        """See `Engine.next_token`."""
        if top_n < 1:
            raise InvalidRequest("top_n", f"is {top_n}, must be at least 1")
        asked = min(top_n, self._max_top_n)
        try:
            return await self._top_tokens(prompt, asked)
        except InvalidRequest as refusal:
            limit = told_top_n_limit(refusal)
            if limit is None or not 0 < limit < asked:
                raise
            self._max_top_n = limit
        return await self._top_tokens(prompt, limit)

    async def _top_tokens(self, prompt: str, top_n: int) -> NextToken:
        model = await self._model_name()
        async with self._connection.call():
            reply = await self._complete(
                model=model, prompt=prompt, max_tokens=1, temperature=0.0, top_p=1.0, logprobs=top_n
            )
            candidates = first_candidates(reply["choices"][0].get("logprobs"))
            if not candidates:
                raise CapabilityMissing(f"{self._connection.base_url} gives no log probabilities of tokens")
            return NextToken(tuple(candidates[:top_n]), *prompt_counts(reply))

    async def likelihood(self, prompt: str, text: str, *, affinity: str = "") -> Likelihood:
        """See `Engine.likelihood`; asked for with `echo`, and one more token than needed, which all servers allow."""
        model = await self._model_name()
        async with self._connection.call():
            try:
                reply = await self._complete(
                    model=model, prompt=prompt + text, max_tokens=1, temperature=0.0, top_p=1.0, echo=True, logprobs=1
                )
            except APIStatusError as refusal:
                if "echo" not in refusal.message.lower():
                    raise
                raise CapabilityMissing(_NO_LIKELIHOOD.format(self._connection.base_url)) from refusal
            logprobs = tail_logprobs(echoed_tokens(reply), prompt, text)
            if not logprobs:
                raise CapabilityMissing(_NO_LIKELIHOOD.format(self._connection.base_url))
            return Likelihood(logprobs, *prompt_counts(reply))

    async def _complete(self, **request: Any) -> dict[str, Any]:
        """The reply as it came: the package's own type has no room for what the servers add to it."""
        given = {name: value for name, value in request.items() if value is not None}
        reply = await self._client.completions.with_raw_response.create(**given, extra_body=_PLAIN)
        document = json.loads(reply.text)
        if not isinstance(document, dict) or not document.get("choices"):
            raise BadReply(f"{self._connection.base_url}/v1/completions answered without choices")
        return document

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        """See `Engine.render`.

        The first way that works is remembered: the template given, llama-server's, vLLM's, the hub's by model name.
        Raises `CapabilityMissing` when there is none.
        """
        if self._template is not None:
            return self._template.render(messages)
        if self._renderer is not None:
            return await self._renderer(messages)
        failures: list[Permanent] = []
        for renderer in (self._apply_template, self._detokenized_chat, self._hub_template):
            try:
                text = await renderer(messages)
            except (NotFound, CapabilityMissing, BadReply, InvalidRequest) as error:
                failures.append(error)
                continue
            self._renderer = renderer
            return text
        raise _no_renderer(self._connection.base_url, failures)

    async def _apply_template(self, messages: Sequence[ChatMessage]) -> str:
        """llama-server's way; it leaves out the token that its completions add."""
        reply = await self._connection.post("/apply-template", {"messages": _dialogue(messages)})
        match reply:
            case {"prompt": str(text)}:
                return text
            case _:
                raise BadReply(f"{self._connection.base_url}/apply-template answered without a prompt")

    async def _detokenized_chat(self, messages: Sequence[ChatMessage]) -> str:
        """vLLM's way: it gives the tokens of a rendered dialogue, and the text of tokens."""
        model = await self._model_name()
        request = {"model": model, "messages": _dialogue(messages), "add_generation_prompt": True}
        text = await self._detokenize(await self._tokenize(request))
        tokens = await self._tokenize({"model": model, "prompt": text})
        if len(tokens) > 1 and tokens[0] == tokens[1]:  # completions would begin with two of them
            return text.removeprefix(await self._detokenize(tokens[:1]))
        return text

    async def _hub_template(self, messages: Sequence[ChatMessage]) -> str:
        self._template = await ChatTemplate.from_hub(await self._model_name())
        return self._template.render(messages)

    async def count_tokens(self, text: str) -> int:
        """See `Engine.count_tokens`; the tokens that the engine adds itself are counted."""
        request: dict[str, object] = {"model": await self._model_name(), "prompt": text}  # vLLM, SGLang
        request |= {"content": text, "add_special": True, "parse_special": True}  # llama-server
        try:
            return len(await self._tokenize(request, empty=not text))
        except NotFound as error:
            raise CapabilityMissing(f"{self._connection.base_url} has no /tokenize to count tokens with") from error

    async def _tokenize(self, request: Mapping[str, object], *, empty: bool = False) -> list[int]:
        match await self._connection.post("/tokenize", request):
            case {"tokens": list(tokens)} if tokens or empty:
                return tokens
            case _:
                raise BadReply(f"{self._connection.base_url}/tokenize answered without tokens")

    async def _detokenize(self, tokens: list[int]) -> str:
        reply = await self._connection.post("/detokenize", {"model": await self._model_name(), "tokens": tokens})
        match reply:
            case {"prompt": str(text)}:
                return text
            case _:
                raise BadReply(f"{self._connection.base_url}/detokenize answered without a prompt")

    async def _model_name(self) -> str:
        return self._model or (await self.info()).model

    async def info(self) -> EngineInfo:
        """See `Engine.info`; asked once, then remembered."""
        if self._info is None:
            card = await self._model_card()
            meta = card.get("meta") or {}
            self._info = EngineInfo(
                model=str(card["id"]),
                parameters=self._parameters or meta.get("n_params") or parameters_from_name(str(card["id"])),
                max_total_tokens=_context_length(card),
                max_top_n=self._max_top_n,
            )
        return replace(self._info, max_top_n=self._max_top_n)

    async def _model_card(self) -> dict[str, Any]:
        reply = await self._connection.get("/v1/models")
        cards = reply.get("data") if isinstance(reply, dict) else None
        if not isinstance(cards, list) or not all(isinstance(card, dict) and "id" in card for card in cards):
            raise BadReply(f"{self._connection.base_url}/v1/models answered without a list of models")
        for card in cards:
            if self._model in (None, card["id"]):
                return dict(card)
        served = ", ".join(str(card["id"]) for card in cards) or "none"
        raise NotFound(f"{self._connection.base_url} does not serve the model {self._model!r}, but: {served}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._connection.__aexit__(*exc)


def _dialogue(messages: Sequence[ChatMessage]) -> list[dict[str, str]]:
    return [{"role": m.role, "content": m.content} for m in messages]


def _no_renderer(url: str, failures: Sequence[Permanent]) -> Permanent:
    """The dialogue's own fault if a template refused it, otherwise the lack of any template."""
    for failure in failures:
        if isinstance(failure, InvalidRequest):
            return failure
    return CapabilityMissing(
        f"{url} cannot render dialogues: set chat_template to the model's tokenizer_config.json or chat_template.jinja "
        f"({'; '.join(map(str, failures))})"
    )


def _context_length(card: Mapping[str, Any]) -> int:
    """vLLM's and SGLang's or llama-server's; without either, no bound that we know of."""
    length = card.get("max_model_len") or (card.get("meta") or {}).get("n_ctx")
    return int(length) if length else 2**31 - 1
