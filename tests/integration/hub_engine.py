"""A TGI engine through huggingface_hub's own client: what TgiEngine, which asks TGI itself, must agree with."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, cast

import httpx2
from huggingface_hub import AsyncInferenceClient, TextGenerationOutput

from ssr.core.errors import BadReply
from ssr.engines.base import GREEDY, Finish, Generation, NextToken, Sampling, TokenLogprob
from ssr.engines.connection import EngineConnection
from ssr.engines.stops import check_stops, cut_at_stop
from ssr.engines.tgi import TgiEngine

_FINISH = {"length": Finish.LENGTH, "eos_token": Finish.EOS, "stop_sequence": Finish.STOP}
#: Where the call in this context wants its reply's headers, which the client does not hand on.
_reply_headers: ContextVar[httpx2.Headers] = ContextVar("reply_headers")


class _Client(AsyncInferenceClient):
    def __init__(self, connection: EngineConnection) -> None:
        super().__init__(model=f"{connection.base_url}/generate")
        self._connection = connection
        self.timeout = cast("float", connection.phases)
        connection.client.event_hooks = {**connection.client.event_hooks, "response": [_keep_headers]}

    async def _get_async_client(self) -> httpx2.AsyncClient:
        return self._connection.client


async def _keep_headers(response: httpx2.Response) -> None:
    _reply_headers.get().update(response.headers)


class HubEngine(TgiEngine):
    """Generates through huggingface_hub; what the hub's client does not have is TgiEngine's."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 120.0,
        connect_timeout_s: float = 5.0,
        max_connections: int = 64,
    ) -> None:
        options: dict[str, Any] = {
            "api_key": api_key,
            "timeout_s": timeout_s,
            "connect_timeout_s": connect_timeout_s,
            "max_connections": max_connections,
        }
        super().__init__(base_url, **options)
        self._hub = EngineConnection(base_url, **options)
        self._client = _Client(self._hub)

    async def generate(
        self, prompt: str, *, max_tokens: int, stop: Sequence[str] = (), sampling: Sampling = GREEDY, affinity: str = ""
    ) -> Generation:
        stops = check_stops(stop)
        async with self._hub.call():
            warped = sampling.temperature > 0
            output, counts = await self._text(
                prompt,
                max_new_tokens=max_tokens,
                stop=stops,
                do_sample=warped,
                temperature=sampling.temperature if warped else None,
                top_p=sampling.top_p if warped and sampling.top_p < 1 else None,
                seed=sampling.seed if warped else None,
            )
            if output.details is None or not isinstance(output.generated_text, str):
                raise BadReply("no generated_text or no details")
            text, stopped = cut_at_stop(output.generated_text, stops)
            finish = Finish.STOP if stopped else _FINISH[output.details.finish_reason]
            return Generation(text, output.details.generated_tokens, finish, *counts)

    async def _top_tokens(self, prompt: str, asked: int) -> NextToken:
        async with self._hub.call():
            output, counts = await self._text(prompt, max_new_tokens=1, do_sample=False, top_n_tokens=asked)
            top_tokens = output.details.top_tokens if output.details else None
            if not top_tokens or not top_tokens[0]:
                raise BadReply("no top_tokens")
            # The client's types promise objects here, but it leaves these as the JSON has them.
            candidates = [TokenLogprob(token["text"], token["logprob"]) for token in top_tokens[0]]
            candidates.sort(key=lambda candidate: candidate.logprob, reverse=True)
            return NextToken(tuple(candidates[:asked]), *counts)

    async def _text(self, prompt: str, **parameters: Any) -> tuple[TextGenerationOutput, tuple[int | None, int | None]]:
        headers = httpx2.Headers()
        token = _reply_headers.set(headers)
        try:
            output = await self._client.text_generation(prompt, details=True, **parameters)
        finally:
            _reply_headers.reset(token)
        prompt_tokens, cached = headers.get("x-prompt-tokens"), headers.get("x-cached-tokens")
        return output, (int(prompt_tokens) if prompt_tokens else None, int(cached) if cached else None)

    async def __aexit__(self, *exc: object) -> None:
        await self._hub.__aexit__(*exc)
        await super().__aexit__(*exc)
