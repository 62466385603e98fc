"""What SGLang's server has beside OpenAI's API, and is needed: its native /generate, /abort_request, /server_info."""

from __future__ import annotations

from collections.abc import Mapping

from ssr.core.errors import BadReply, CapabilityMissing, NotFound
from ssr.engines import plausible
from ssr.engines.base import Likelihood, NextToken, TokenLogprob
from ssr.engines.json_connection import JsonConnection, Reply
from ssr.engines.likelihood import tail_logprobs

#: Tokens of its KV pool that no prompt gets.
_RESERVED = 7
#: Tokens that a prompt's end may be made of differently once a text follows.
_MARGIN = 4


async def abort(connection: JsonConnection, request_id: str) -> None:
    """End a request at once; by itself SGLang looks only every few seconds whether its client is still there."""
    await connection.post("/abort_request", {"rid": request_id})


async def kv_capacity(connection: JsonConnection) -> int | None:
    """The most tokens that a request can hold in the KV pool, which may be less than the model's context."""
    for path in ("/server_info", "/get_server_info"):
        try:
            document = (await connection.get(path)).document()
        except (NotFound, CapabilityMissing):
            continue
        match document:
            case {"max_total_num_tokens": int(total)} if total > _RESERVED:
                return total - _RESERVED
    return None


async def likelihood(
    connection: JsonConnection, prompt: str, prompt_tokens: int, text: str, origin: Mapping[str, object]
) -> Likelihood:
    """The log probabilities of `text`'s tokens, at the price of these: the prompt's may come from the prefix cache.

    `origin` are the request's other fields. Raises: BadReply; the connection's errors.
    """
    asked = {
        "text": prompt + text,
        "sampling_params": {"max_new_tokens": 1, "temperature": 0.0},
        "return_logprob": True,
        "logprob_start_len": max(0, prompt_tokens - _MARGIN),
        "return_text_in_logprobs": True,
        **origin,
    }
    reply = await connection.post("/generate", asked)
    match reply.document():
        case {"meta_info": {"input_token_logprobs": [*entries], **meta}}:
            tokens = [_token(reply, entry) for entry in entries]
        case _:
            raise BadReply(f"{reply.url} answered without input_token_logprobs")
    counted = plausible.prompt_tokens(reply.url, _count(meta.get("prompt_tokens")), prompt + text)
    cached = plausible.cached_tokens(reply.url, _count(meta.get("cached_tokens")), counted)
    return Likelihood(tail_logprobs(tokens, prompt, text), counted, cached)


async def next_token(
    connection: JsonConnection, prompt: str, texts: Mapping[int, str], origin: Mapping[str, object]
) -> NextToken:
    """The log probabilities of the tokens with these ids, whose `texts` are known, and of the most probable one.

    `origin` are the request's other fields. Raises: BadReply; the connection's errors.
    """
    asked = {
        "text": prompt,
        "sampling_params": {"max_new_tokens": 1, "temperature": 0.0},
        "return_logprob": True,
        "token_ids_logprob": list(texts),
        "return_text_in_logprobs": True,
        **origin,
    }
    reply = await connection.post("/generate", asked)
    match reply.document():
        case {"meta_info": {"output_token_ids_logprobs": [[*entries], *_], **meta}}:
            chosen = meta.get("output_token_logprobs")
            first = chosen[:1] if isinstance(chosen, list) else []
        case _:
            raise BadReply(f"{reply.url} answered without output_token_ids_logprobs")
    found = dict(_candidate(reply, entry, texts) for entry in (*first, *entries))
    ranked = sorted(
        (TokenLogprob(text, logprob) for text, logprob in found.values() if logprob is not None),
        key=lambda candidate: candidate.logprob,
        reverse=True,
    )
    counted = plausible.prompt_tokens(reply.url, _count(meta.get("prompt_tokens")), prompt)
    return NextToken(
        tuple(ranked), counted, plausible.cached_tokens(reply.url, _count(meta.get("cached_tokens")), counted)
    )


def _candidate(reply: Reply, entry: object, texts: Mapping[int, str]) -> tuple[int, tuple[str, float | None]]:
    match entry:
        case [logprob, int(token), str() | None as text, *_]:
            known = None if logprob is None else plausible.logprob(reply.url, logprob)
            return token, (texts.get(token, text or ""), known)
        case _:
            raise BadReply(f"{reply.url} answered with a log probability that is of no token")


def _token(reply: Reply, entry: object) -> tuple[str, float | None]:
    match entry:
        case [logprob, int(), str(text), *_]:
            return text, None if logprob is None else plausible.logprob(reply.url, logprob)
        case _:
            raise BadReply(f"{reply.url} answered with an input_token_logprobs that has no text")


def _count(reported: object) -> int | None:
    return reported if type(reported) is int else None
