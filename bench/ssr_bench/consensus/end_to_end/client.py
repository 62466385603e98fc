"""A vLLM server, asked: samples, and what it has counted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from ssr.consensus.replay import ARGUMENT
from ssr.core.errors import BadReply, TimedOut, Unavailable
from ssr.core.prompts import ChatMessage
from ssr_bench.consensus.end_to_end.counters import TOKENS, Counts, read_counts
from ssr_bench.consensus.end_to_end.plan import EndToEndPlan, Patience

#: For a question that is not for a sample, in seconds.
_LIMIT_S = 30.0
_HEALTH_LIMIT_S = 2.0
#: Between two looks at the counters, in seconds.
_LOOK_S = 0.05
_QUOTED = 500

#: Has the API key: a vLLM that is started with it asks for the key that it holds.
_API_KEY_VARIABLE = "VLLM_API_KEY"


@dataclass(frozen=True, slots=True)
class Answer:
    """One sample. `tokens` and `prompt` are ids, None where the server does not give them; `count` is of its usage.

    `logprobs` are natural, one for each token; None where they were not asked for.
    """

    text: str
    tokens: tuple[int, ...] | None
    prompt: tuple[int, ...] | None
    count: int
    latency_s: float
    logprobs: tuple[float, ...] | None = None


class VllmClient:
    """`name` and `hint` are for messages. All calls raise Unavailable, TimedOut or BadReply, naming the server."""

    def __init__(self, session: ClientSession, name: str, url: str, patience: Patience, hint: str) -> None:
        self._session, self._patience, self._hint = session, patience, hint
        self.name, self.url = name, url

    async def serves(self) -> bool:
        """Whether it is healthy now. Never raises."""
        try:
            async with asyncio.timeout(_HEALTH_LIMIT_S), self._session.get(f"{self.url}/health") as response:
                return response.status == 200
        except (ClientError, OSError):  # TimeoutError is one
            return False

    async def model(self) -> str:
        """The first model that it serves."""
        try:
            return str(json.loads(await self._asked("GET", "/v1/models", _LIMIT_S))["data"][0]["id"])
        except (ValueError, LookupError, TypeError) as error:
            raise BadReply(f"{self._who}: /v1/models names no model: {error!r}") from error

    async def sample(
        self,
        model: str,
        messages: Sequence[ChatMessage],
        plan: EndToEndPlan,
        max_tokens: int,
        seed: int | None,
        recorded: Sequence[int] = (),
    ) -> Answer:
        """One answer, sampled as planned, or the `recorded` tokens. Raises: BadReply where it has others."""
        request = {
            "model": model,
            "messages": [{"role": one.role, "content": one.content} for one in messages],
            "temperature": plan.temperature,
            "top_p": plan.top_p,
            "max_tokens": max_tokens,
            "return_token_ids": True,
            **({} if seed is None else {"seed": seed}),
            **({"logprobs": True, "top_logprobs": 0} if plan.logprobs else {}),
            **({"vllm_xargs": {ARGUMENT: list(recorded)}, "ignore_eos": True} if recorded else {}),
        }
        begun = perf_counter()
        body = await self._asked("POST", "/v1/chat/completions", self._patience.request_s, request)
        try:
            answer = _answer(json.loads(body), perf_counter() - begun)
        except (ValueError, LookupError, TypeError) as error:
            raise BadReply(f"{self._who}: {body[:_QUOTED]!r} is no chat completion: {error!r}") from error
        if recorded and answer.tokens != tuple(recorded):
            raise BadReply(f"{self._who}: an answer is not what was recorded: {_parting(answer.tokens, recorded)}")
        return answer

    async def counts(self) -> Counts:
        try:
            return read_counts(await self._asked("GET", "/metrics", _LIMIT_S))
        except BadReply as error:
            raise BadReply(f"{self._who}: {error}") from error

    async def counts_after(self, before: Counts, tokens: int) -> Counts:
        """When `tokens` more are counted than `before`, or as they are after some seconds.

        Counters follow answers with a delay.
        """
        now = await self.counts()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience.counters_s):
                while now[TOKENS, ""] < before[TOKENS, ""] + tokens:
                    await asyncio.sleep(_LOOK_S)
                    now = await self.counts()
        return now

    @property
    def _who(self) -> str:
        return f"the server of {self.name} ({self.url}{self._hint})"

    async def _asked(self, verb: str, path: str, limit_s: float, body: Any = None) -> str:
        try:
            async with (
                asyncio.timeout(limit_s),
                self._session.request(verb, f"{self.url}{path}", json=body) as response,
            ):
                text = await response.text()
        except TimeoutError:
            raise TimedOut(f"{self._who} did not answer {path} within {limit_s:g} s") from None
        except (ClientError, OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"{self._who} does not answer {path}: {error or type(error).__name__}") from error
        if response.status != 200:
            raise BadReply(f"{self._who} answered {path} with HTTP {response.status}: {text[:_QUOTED].strip()}")
        return text


@asynccontextmanager
async def open_client(
    name: str, url: str, patience: Patience, environment: Mapping[str, str], hint: str = ""
) -> AsyncIterator[VllmClient]:
    """A client with as many connections as there are requests: none waits for another.

    It shows the API key that `environment` holds.
    """
    key = environment.get(_API_KEY_VARIABLE, "").strip()
    headers = {"Authorization": f"Bearer {key}"} if key else None
    async with ClientSession(
        connector=TCPConnector(limit=0), timeout=ClientTimeout(total=None), headers=headers
    ) as session:
        yield VllmClient(session, name, url.rstrip("/"), patience, hint)


def _answer(reply: dict[str, Any], latency_s: float) -> Answer:
    choice = reply["choices"][0]
    tokens, prompt, reported = choice.get("token_ids"), reply.get("prompt_token_ids"), choice.get("logprobs")
    return Answer(
        text=choice["message"].get("content") or "",
        tokens=None if tokens is None else tuple(tokens),
        prompt=None if prompt is None else tuple(prompt),
        count=int(reply["usage"]["completion_tokens"]),
        latency_s=latency_s,
        logprobs=None if reported is None else tuple(float(one["logprob"]) for one in reported["content"]),
    )


def _parting(tokens: Sequence[int] | None, recorded: Sequence[int]) -> str:
    """Where they part, for people."""
    if tokens is None:
        return "the server gives no token ids"
    place = next((n for n, (one, other) in enumerate(zip(tokens, recorded, strict=False)) if one != other), None)
    if place is None:
        return f"it has {len(tokens)} tokens, and the recording {len(recorded)}"
    return f"token {place} is {tokens[place]}, and was {recorded[place]}"
