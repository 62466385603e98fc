"""Reading the replies of /v1/completions, which vLLM, SGLang and llama-server each extend in their own way. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ssr.core.errors import BadReply, InvalidRequest, Unavailable
from ssr.engines import plausible
from ssr.engines.base import Finish, TokenLogprob
from ssr.engines.json_connection import json_document
from ssr.engines.reply_errors import error_in_stream

#: vLLM's words for its --max-logprobs, and any number in what others say.
_TOP_N_LIMIT = re.compile(r"max allowed: (\d+)")
_NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?![\w]|\.\d)")
#: OpenAI's own limit.
_LEAST_TOP_N = 5
_FULL = ("length", "max_tokens", "max_length", "model_length")
_ENDED = ("eos", "eos_token", "end_turn")
_GIVEN_UP = ("abort", "aborted", "cancelled", "error", "timeout")
#: Where a choice has its text, in any of OpenAI's APIs.
_TEXTS = frozenset({"text", "delta", "message"})
#: What SGLang gives as the stop text when the model's numbers are broken.
_NOT_A_NUMBER = "NaN happened"
#: What vLLM calls a token where its text is not asked for.
_TOKEN_ID = re.compile(r"token_id:(\d+)")
#: Events of a stream without a token: the usage, say.
_MORE_EVENTS = 64


@dataclass(frozen=True, slots=True)
class ReplyUsage:
    """What a generation cost, as far as the server says: None is what it does not."""

    generated: int | None = None
    prompt: int | None = None
    cached: int | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A whole reply, or an event of a stream: the text it adds, its choice (None: no choice in it), and its usage."""

    text: str
    choice: Mapping[Any, Any] | None
    usage: ReplyUsage
    verbose: Mapping[Any, Any]

    @property
    def ends(self) -> bool:
        return self.choice is not None and self.choice.get("finish_reason") is not None

    def logprobs(self, url: str) -> Sequence[float] | None:
        """Of the tokens of an event of a stream; None where they were not reported. Raises: BadReply."""
        match self.choice:
            case {"logprobs": {"token_logprobs": [*found]}} if None not in found:
                return [plausible.logprob(url, one) for one in found]
        return None if self.tokens else ()

    @property
    def tokens(self) -> int:
        """How many tokens an event of a stream stands for, where no usage says it."""
        ids = self.choice.get("token_ids") if self.choice else None
        return len(ids) if isinstance(ids, list) else 1 if self.text else 0


class StreamProgress:
    """How far a stream is, of which `most` tokens were asked for."""

    def __init__(self, url: str, most: int) -> None:
        self._url, self._most = url, most
        self._blank = self._characters = 0  # events without text, and the characters of the others
        self.tokens = 0
        self.logprob: float | None = 0.0  #: the sum of all tokens', None where one was not reported
        self.usage = ReplyUsage()
        self.last = Chunk("", None, ReplyUsage(), {})  #: with what the events say of the end

    def take(self, chunk: Chunk) -> None:
        """Raises `BadReply` when there is more than can be."""
        self._blank += not chunk.text
        told = chunk.logprobs(self._url)
        self.logprob = None if told is None or self.logprob is None else self.logprob + sum(told)
        self._characters += len(chunk.text)
        reported = chunk.usage.generated
        # Without usage an event may hold more tokens than one: then only what was asked for is a bound. It may hold
        # less than one, too, so that the usage at the end is less: what was counted stays counted.
        counted = min(self.tokens + chunk.tokens, self._most) if reported is None else reported
        self.tokens = max(self.tokens, counted)
        known = self._most if reported is None else reported
        plausible.generated_tokens(self._url, known, self._characters, self._most)
        if self._blank > self._most + _MORE_EVENTS:
            raise BadReply(f"{self._url} sent {self._blank} blank events in a stream of at most {self._most} tokens")
        if reported is not None:
            self.usage = chunk.usage
        if chunk.ends or chunk.verbose:
            choice = chunk.choice if chunk.ends else self.last.choice
            self.last = Chunk("", choice, ReplyUsage(), {**self.last.verbose, **chunk.verbose})


def chunk_in(url: str, data: bytes, prompt: str) -> Chunk:
    """The whole reply or the event, which may have no choice. Raises `BadReply`, or what an error in it means."""
    match json_document(url, data):
        case {"error": error} if error is not None:
            raise error_in_stream(url, data)
        case {"object": "error"}:
            raise error_in_stream(url, b'{"error": %s}' % data)
        case {"choices": [{"text": str() | None as text, **choice}, *_], **more}:
            return Chunk(text or "", choice, _usage(url, more, prompt), _verbose(more))
        case {"choices": [{"finish_reason": str(), **choice} as whole, *_], **more} if not choice.keys() & _TEXTS:
            return Chunk("", whole, _usage(url, more, prompt), _verbose(more))  # no text: left out where it is empty
        case {"choices": [] | None, **more} | {"usage": dict(), **more} if "choices" not in more:
            return Chunk("", None, _usage(url, more, prompt), _verbose(more))
        case _:
            raise BadReply(f"{url} answered without choices that have a text")


def finish_of(url: str, chunk: Chunk, stops: Sequence[str], *, full: bool) -> Finish:
    """Why a choice ended, from the first of the servers' ways to report it that is there.

    `full` says whether as many tokens were generated as were asked for: the best guess for a reason that nobody has
    seen.
    """
    choice = chunk.choice or {}
    reason = choice.get("finish_reason")
    if reason in _FULL:
        return Finish.LENGTH
    if reason in _GIVEN_UP:
        raise Unavailable(f"{url} gave the request up before its end")
    if choice.get("matched_stop") == _NOT_A_NUMBER:
        raise BadReply(f"{url} found numbers that are none in the model's output")
    if reason in _ENDED:
        return Finish.EOS
    if reason == "stop_sequence":  # TGI's word, of any stop text
        return Finish.STOP if stops else Finish.EOS
    if reason != "stop" and full:
        return Finish.LENGTH
    if "stop_type" in chunk.verbose:
        return Finish.STOP if chunk.verbose["stop_type"] == "word" else Finish.EOS
    for reported in ("stop_reason", "matched_stop"):  # a stop text, or the end token's id or null
        if reported in choice:
            return Finish.STOP if choice[reported] in stops else Finish.EOS
    return Finish.STOP if reason == "stop" and stops and chunk.text else Finish.EOS


def first_candidates(url: str, logprobs: object, texts: Mapping[int, str] = MappingProxyType({})) -> list[TokenLogprob]:
    """The first position's candidates, most probable first, from any shape of log probabilities; none if there are no.

    Where candidates are missing, the chosen token is the only one. `texts` are those of tokens reported by their ids.
    """
    pairs: list[tuple[object, object]] = []
    match logprobs:
        case {"content": [{"top_logprobs": [_, *_] as entries}, *_]}:
            pairs = [(entry.get("token"), entry.get("logprob")) for entry in entries if isinstance(entry, dict)]
        case {"content": [{"token": token, "logprob": logprob}, *_]}:
            pairs = [(token, logprob)]
        case {"top_logprobs": [dict(entries), *_]} if entries:
            pairs = list(entries.items())
        case {"tokens": [token, *_], "token_logprobs": [logprob, *_]}:
            pairs = [(token, logprob)]
    found = [
        TokenLogprob(_text_of(str(token), texts), plausible.logprob(url, value))
        for token, value in pairs
        if value is not None
    ]
    return sorted(found, key=lambda candidate: candidate.logprob, reverse=True)


def _text_of(token: str, texts: Mapping[int, str]) -> str:
    """The text of a token that may be reported by its id; other ids than these of `texts` stay as they are."""
    number = _TOKEN_ID.fullmatch(token) if texts else None
    return texts.get(int(number[1]), token) if number else token


def echoed_tokens(url: str, chunk: Chunk) -> list[tuple[str, float | None]]:
    """The prompt's tokens and their log probabilities, of a request with `echo`; none where it was not heeded."""
    match (chunk.choice or {}).get("logprobs"):
        case {"tokens": [*tokens], "token_logprobs": [*logprobs]} if len(tokens) == len(logprobs):
            reported = [None if value is None else plausible.logprob(url, value) for value in logprobs]
            return list(zip(map(str, tokens), reported, strict=True))[: len(tokens) - (chunk.usage.generated or 0)]
        case _:
            return []


def reported_top_n_limit(refusal: InvalidRequest, asked: int) -> int | None:
    """How many candidates the server gives at most, when that is why it refused to give so many."""
    said = str(refusal).partition(" answered ")[2]
    if reported := _TOP_N_LIMIT.search(said):
        return int(reported[1])
    if refusal.field != "top_n" and "logprobs" not in said:
        return None
    fewer = [number for number in map(int, _NUMBER.findall(said)) if 0 < number < asked]
    return max(fewer, default=_LEAST_TOP_N if asked > _LEAST_TOP_N else None)


def _usage(url: str, reply: Mapping[Any, Any], prompt: str) -> ReplyUsage:
    """From `usage`, or from llama-server's `timings` where a stream has no usage."""
    match reply.get("usage"), reply.get("timings"):
        case {"completion_tokens": generated, **usage}, _:
            match usage.get("prompt_tokens_details"):
                case {"cached_tokens": cached}:
                    pass
                case _:
                    cached = None
            counted = usage.get("prompt_tokens")
        case _, {"predicted_n": generated, "prompt_n": int(new), "cache_n": int(cached)}:
            counted = new + cached
        case _:
            return ReplyUsage()
    counts = [_count(url, reported) for reported in (generated, counted, cached)]
    prompt_tokens = plausible.prompt_tokens(url, counts[1], prompt)
    return ReplyUsage(counts[0], prompt_tokens, plausible.cached_tokens(url, counts[2], prompt_tokens))


def _count(url: str, reported: object) -> int | None:
    if reported is not None and type(reported) is not int:
        raise BadReply(f"{url} counts tokens in {reported!r:.50}")
    return reported


def _verbose(reply: Mapping[Any, Any]) -> Mapping[Any, Any]:
    verbose = reply.get("__verbose")
    return verbose if isinstance(verbose, dict) else {}
