"""Reading the replies of /v1/completions, which vLLM, SGLang and llama-server each extend in their own way. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ssr.core.errors import BadReply, InvalidRequest, Unavailable
from ssr.engines.base import Finish, TokenLogprob

#: vLLM's words for its --max-logprobs.
_TOP_N_LIMIT = re.compile(r"max allowed: (\d+)")


def finish_of(choice: Mapping[str, Any], verbose: object, stops: Sequence[str]) -> Finish:
    """Why the choice ended, from the first of the servers' ways to tell it that is there."""
    reason = choice.get("finish_reason")
    if reason == "length":
        return Finish.LENGTH
    if reason in ("abort", "error"):
        raise Unavailable("the engine gave the request up before its end")
    if reason != "stop":
        raise BadReply(f"the engine ended for a reason it does not have: {reason!r}")
    if isinstance(verbose, dict) and "stop_type" in verbose:
        return Finish.STOP if verbose["stop_type"] == "word" else Finish.EOS
    for told in ("stop_reason", "matched_stop"):  # a stop text, or the end token's id or null
        if told in choice:
            return Finish.STOP if choice[told] in stops else Finish.EOS
    return Finish.STOP if stops and choice.get("text") else Finish.EOS


def first_candidates(logprobs: object) -> list[TokenLogprob]:
    """The first position's candidates, most probable first, from either shape of log probabilities."""
    match logprobs:
        case {"content": [{"top_logprobs": list(entries)}, *_]}:
            pairs = [(entry["token"], entry["logprob"]) for entry in entries]
        case {"top_logprobs": [dict(entries), *_]}:
            pairs = list(entries.items())
        case _:
            return []
    found = [TokenLogprob(str(text), float(logprob)) for text, logprob in pairs if logprob is not None]
    return sorted((c for c in found if not math.isnan(c.logprob)), key=lambda c: c.logprob, reverse=True)


def echoed_tokens(reply: Mapping[str, Any]) -> list[tuple[str, float | None]]:
    """The prompt's tokens and their log probabilities, of a request with `echo`; none where it was not heeded."""
    match reply["choices"][0].get("logprobs"):
        case {"tokens": list(tokens), "token_logprobs": list(logprobs)} if len(tokens) == len(logprobs):
            generated = int((reply.get("usage") or {}).get("completion_tokens") or 0)
            return list(zip(map(str, tokens), logprobs, strict=True))[: len(tokens) - generated]
        case _:
            return []


def told_top_n_limit(refusal: InvalidRequest) -> int | None:
    """How many candidates the server gives at most, when that is why it refused."""
    told = _TOP_N_LIMIT.search(str(refusal))
    return int(told[1]) if told else None


def prompt_counts(reply: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Prompt tokens, and those of them that were cached, where the server tells."""
    usage = reply.get("usage") or {}
    details = usage.get("prompt_tokens_details") or {}
    return usage.get("prompt_tokens"), details.get("cached_tokens")
