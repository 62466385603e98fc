"""Reading the replies of TGI's /generate and /generate_stream. Pure.

Whole replies are read into huggingface_hub's types. Lists of tokens are left out of that: they would cost 20 us a
token. So would the events of a stream (125 us each), which are checked by types of our own with the same fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from huggingface_hub import TextGenerationOutput
from pydantic import TypeAdapter, ValidationError

from ssr.core.errors import BadReply
from ssr.engines import plausible
from ssr.engines.base import Finish, Generation, Likelihood, NextToken, TokenLogprob
from ssr.engines.json_connection import Reply, json_document
from ssr.engines.likelihood import tail_logprobs
from ssr.engines.reply_errors import error_in_stream

_FINISH = {"length": Finish.LENGTH, "eos_token": Finish.EOS, "stop_sequence": Finish.STOP}


@dataclass(slots=True)
class StreamToken:
    """A generated token; a special one has a text that is not part of the generated text."""

    text: str
    special: bool = False
    logprob: float | None = None


@dataclass(slots=True)
class StreamPrompt:
    """What the first event of a stream of our own engines has."""

    input_length: int | None = None
    cached_length: int | None = None


@dataclass(slots=True)
class StreamDetails:
    """What the last event of a stream has. `cached_length` is reported by our own engines alone."""

    finish_reason: Literal["length", "eos_token", "stop_sequence"]
    generated_tokens: int
    input_length: int | None = None
    cached_length: int | None = None


@dataclass(slots=True)
class StreamEvent:
    """One token of a stream."""

    token: StreamToken
    details: StreamDetails | None = None
    prompt: StreamPrompt | None = None


_EVENT = TypeAdapter(StreamEvent)


def generation_in(reply: Reply, prompt: str, most: int) -> Generation:
    """The generated text, stop texts included, of a request for `most` tokens. Raises `BadReply`."""
    output, lists = _output(reply)
    match output:
        case TextGenerationOutput(generated_text=str(text), details={"finish_reason": str(reason), **details}):
            tokens = plausible.generated_tokens(reply.url, details.get("generated_tokens"), len(text), most)
            counts = _prompt_counts(reply, prompt)
            # Only our own engines report what was cached, and only their log probabilities are the model's own.
            logprob = None if counts[1] is None else _spoken(reply.url, lists["tokens"])
            return Generation(text, tokens, _finish(reply.url, reason), *counts, logprob=logprob)
        case _:
            raise BadReply(f"{reply.url} answered without generated_text or details")


def _spoken(url: str, tokens: object) -> float | None:
    """The sum of the tokens' log probabilities; None where one is not reported. Raises `BadReply`."""
    if not isinstance(tokens, list):
        return None
    reported = [token.get("logprob") if isinstance(token, dict) else None for token in tokens]
    return None if None in reported else sum(plausible.logprob(url, one) for one in reported)


def event_in(url: str, data: bytes) -> StreamEvent:
    """The event of a stream. Raises `BadReply`, or what the engine's error event means."""
    try:
        return _EVENT.validate_json(data, strict=True)
    except ValidationError as error:
        match json_document(url, data):
            case {"error": _}:
                raise error_in_stream(url, data) from None
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the event"
        raise BadReply(f"{url} answered something that is not its API: {where}: {first['msg']}") from error


def ended(url: str, details: StreamDetails, prompt: str, text: str, came: int, most: int) -> Generation:
    """The end of a stream of `came` tokens that gave `text`, stop texts included. Raises `BadReply`."""
    tokens = plausible.generated_tokens(url, details.generated_tokens, len(text), most)
    if tokens < came:
        raise BadReply(f"{url} sent {came} tokens and claims that these are {tokens}")
    return Generation(text, tokens, _FINISH[details.finish_reason], *prompt_counts(url, details, prompt))


def prompt_counts(url: str, details: StreamDetails | StreamPrompt, prompt: str) -> tuple[int | None, int | None]:
    """The prompt's tokens, and those of them that were cached, out of a stream. Raises `BadReply`."""
    tokens = plausible.prompt_tokens(url, details.input_length, prompt)
    return tokens, plausible.cached_tokens(url, details.cached_length, tokens)


def next_token_in(reply: Reply, prompt: str, top_n: int) -> NextToken:
    """The first position's `top_n` candidates (TGI may give more: ties). Raises `BadReply`."""
    match _output(reply)[1].get("top_tokens"):
        case [[*candidates], *_] if candidates:
            found = [_candidate(reply.url, candidate) for candidate in candidates]
        case _:
            raise BadReply(f"{reply.url} answered without top_tokens")
    known = sorted((c for c in found if c is not None), key=lambda candidate: candidate.logprob, reverse=True)
    return NextToken(tuple(known[:top_n]), *_prompt_counts(reply, prompt))


def likelihood_in(reply: Reply, prompt: str, text: str) -> Likelihood:
    """Of a request with `decoder_input_details` for `prompt` + `text`; empty where the engine does not report."""
    match _output(reply)[1].get("prefill"):
        case [*tokens]:
            reported = [_prefill(reply.url, token) for token in tokens]
        case _:
            reported = []
    return Likelihood(tail_logprobs(reported, prompt, text), *_prompt_counts(reply, prompt + text))


def _output(reply: Reply) -> tuple[TextGenerationOutput, Mapping[str, Any]]:
    """The reply, and its lists of tokens. Raises `BadReply`."""
    document = reply.document()
    match document:
        case {"details": dict(details)}:
            lists = {name: details.pop(name, None) for name in ("prefill", "tokens", "top_tokens")}
        case _:
            raise BadReply(f"{reply.url} answered without generated_text or details")
    try:
        return TextGenerationOutput.parse_obj_as_instance(document), lists
    except (ValueError, RecursionError) as error:  # for NaN the type sets itself again and again
        raise BadReply(f"{reply.url} answered something that is not its API: {error}") from error


def _finish(url: str, reason: str) -> Finish:
    if reason not in _FINISH:
        raise BadReply(f"{url} ended for a reason that TGI does not have: {reason!r:.50}")
    return _FINISH[reason]


def _candidate(url: str, token: object) -> TokenLogprob | None:
    """None is one whose probability is zero: JSON has no word for its logarithm, and TGI says null."""
    match token:
        case {"text": str(), "logprob": None}:
            return None
        case {"text": str(text), "logprob": logprob}:
            return TokenLogprob(text, plausible.logprob(url, logprob))
        case _:
            raise BadReply(f"{url} answered with top_tokens that are none")


def _prefill(url: str, token: object) -> tuple[str, float | None]:
    match token:
        case {"text": str(text), "logprob": logprob} if logprob is not None:
            return text, plausible.logprob(url, logprob)
        case {"text": str(text)}:
            return text, None
        case _:
            raise BadReply(f"{url} answered with prefill that is none")


def _prompt_counts(reply: Reply, prompt: str) -> tuple[int | None, int | None]:
    """Prompt tokens, and those of them that were cached, which only our own engines report."""
    counted = plausible.prompt_tokens(reply.url, _count(reply.headers, "x-prompt-tokens"), prompt)
    return counted, plausible.cached_tokens(reply.url, _count(reply.headers, "x-cached-tokens"), counted)


def _count(headers: Mapping[str, str], name: str) -> int | None:
    reported = headers.get(name)
    if not reported:
        return None
    try:
        return int(reported)
    except ValueError as error:
        raise BadReply(f"the engine answered with the header {name}: {reported[:100]!r}, which is no number") from error
