"""Reading the replies of TGI's /generate. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from ssr.core.errors import BadReply
from ssr.engines.base import Finish, Generation, Likelihood, NextToken, TokenLogprob
from ssr.engines.json_connection import Reply
from ssr.engines.likelihood import tail_logprobs
from ssr.engines.stops import cut_at_stop

_FINISH = {"length": Finish.LENGTH, "eos_token": Finish.EOS, "stop_sequence": Finish.STOP}


@dataclass(slots=True)
class _PromptToken:
    text: str
    logprob: float | None = None


@dataclass(slots=True)
class _Details:
    """What is needed of them; the generated tokens one by one are not."""

    finish_reason: Literal["length", "eos_token", "stop_sequence"]
    generated_tokens: int
    top_tokens: list[list[TokenLogprob]] | None = None
    prefill: list[_PromptToken] | None = None


@dataclass(slots=True)
class _Output:
    generated_text: str
    details: _Details


_OUTPUT = TypeAdapter(_Output)


def generation_in(reply: Reply, stops: Sequence[str]) -> Generation:
    """The generated text, cut at the first of `stops`, of a request with `details`. Raises `BadReply`."""
    output = _output(reply)
    text, stopped = cut_at_stop(output.generated_text, stops)
    finish = Finish.STOP if stopped else _FINISH[output.details.finish_reason]
    return Generation(text, output.details.generated_tokens, finish, *_prompt_counts(reply))


def next_token_in(reply: Reply, top_n: int) -> NextToken:
    """The first position's `top_n` candidates (TGI may give more: ties). Raises `BadReply`."""
    top_tokens = _output(reply).details.top_tokens
    if not top_tokens or not top_tokens[0]:
        raise BadReply(f"{reply.url} answered without top_tokens")
    candidates = sorted(top_tokens[0], key=lambda candidate: candidate.logprob, reverse=True)
    return NextToken(tuple(candidates[:top_n]), *_prompt_counts(reply))


def likelihood_in(reply: Reply, prompt: str, text: str) -> Likelihood:
    """Of a request with `decoder_input_details` for `prompt` + `text`; empty where the engine does not tell."""
    tokens = [(token.text, token.logprob) for token in _output(reply).details.prefill or ()]
    return Likelihood(tail_logprobs(tokens, prompt, text), *_prompt_counts(reply))


def _output(reply: Reply) -> _Output:
    try:
        return _OUTPUT.validate_json(reply.body, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise BadReply(f"{reply.url} answered something that is not its API: {where}: {first['msg']}") from error


def _prompt_counts(reply: Reply) -> tuple[int | None, int | None]:
    """Prompt tokens, and those of them that were cached, which only our own engines tell."""
    return _count(reply.headers, "x-prompt-tokens"), _count(reply.headers, "x-cached-tokens")


def _count(headers: Mapping[str, str], name: str) -> int | None:
    told = headers.get(name)
    if not told:
        return None
    try:
        return int(told)
    except ValueError as error:
        raise BadReply(f"the engine answered with the header {name}: {told[:100]!r}, which is no number") from error
