"""TGI's JSON replies and headers, made from a `Generation`.

Ours beyond TGI's: the header `x-cached-tokens` and the key `cached_length` in a stream's details say how much of the
prompt came out of the prefix cache, which real TGI does not report; and the first event of a stream has both counts as
`prompt`, for callers that leave before its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ssr.engine_server.server.backend import BackendInfo, GenerationEnd, Token, TokenEvent, TokenPiece
from ssr.engine_server.server.generation import ServedGeneration, Timings

COMPUTE_TYPE = "cpu"


def token_reply(token: Token) -> dict[str, Any]:
    return {"id": token.id, "text": token.text, "logprob": token.logprob, "special": token.special}


def prefill_reply(token: Token, *, first: bool) -> dict[str, Any]:
    return {"id": token.id, "text": token.text, "logprob": None if first else token.logprob}


def _top_tokens(event: TokenEvent) -> list[dict[str, Any]]:
    return [token_reply(token) for token in event.top_tokens]


def _summary(generation: ServedGeneration, end: GenerationEnd) -> dict[str, Any]:
    return {
        "finish_reason": end.reason.value,
        "generated_tokens": len(generation.events),
        "seed": generation.seed,
    }


def details_reply(generation: ServedGeneration, end: GenerationEnd) -> dict[str, Any]:
    """`details` of a whole reply; `top_tokens` is there only when they were asked for, as in TGI."""
    details = _summary(generation, end) | {
        "prefill": [prefill_reply(token, first=number == 0) for number, token in enumerate(end.prefill)],
        "tokens": [token_reply(event.token) for event in generation.events],
    }
    if generation.request.top_n_tokens:
        details["top_tokens"] = [_top_tokens(event) for event in generation.events]
    return details


def whole_reply(generation: ServedGeneration, end: GenerationEnd, *, prefix: str, details: bool) -> dict[str, Any]:
    """The body of /generate; `prefix` is the prompt when the caller wants it back."""
    reply: dict[str, Any] = {"generated_text": prefix + generation.text}
    if details:
        reply["details"] = details_reply(generation, end)
    return reply


def stream_reply(
    generation: ServedGeneration, event: TokenEvent, number: int, *, prefix: str, details: bool
) -> dict[str, Any]:
    """The body of event `number` (from 1) of /generate_stream; the last one carries the whole text."""
    reply: dict[str, Any] = {"index": number, "token": token_reply(event.token)}
    if event.top_tokens:
        reply["top_tokens"] = _top_tokens(event)
    reply |= {"generated_text": None, "details": None}
    if event.prompt is not None and details:
        reply["prompt"] = dict(zip(("input_length", "cached_length"), event.prompt, strict=True))
    if event.end is not None:
        reply["generated_text"] = prefix + generation.text
        if details:
            reply["details"] = _summary(generation, event.end) | {
                "input_length": event.end.prompt_tokens,
                "cached_length": event.end.cached_tokens,
            }
    return reply


def stream_headers(characters: int) -> dict[str, str]:
    """What is known before the first token; `characters` is the length of the prompt."""
    return {
        "x-compute-type": COMPUTE_TYPE,
        "x-compute-characters": str(characters),
        "x-accel-buffering": "no",
    }


def whole_headers(
    generation: ServedGeneration, end: GenerationEnd, timings: Timings, characters: int
) -> dict[str, str]:
    """TGI's headers: milliseconds, but x-compute-time in seconds."""
    generated = len(generation.events)
    headers = {
        "x-compute-type": COMPUTE_TYPE,
        "x-compute-time": f"{timings.total:.6f}",
        "x-compute-characters": str(characters),
        "x-total-time": _milliseconds(timings.total),
        "x-validation-time": _milliseconds(timings.validation),
        "x-queue-time": _milliseconds(timings.queue),
        "x-inference-time": _milliseconds(timings.inference),
        "x-time-per-token": _milliseconds(timings.inference / generated),
        "x-prompt-tokens": str(end.prompt_tokens),
        "x-generated-tokens": str(generated),
    }
    if end.cached_tokens is not None:
        headers["x-cached-tokens"] = str(end.cached_tokens)
    return headers


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


def pieces_reply(pieces: Sequence[TokenPiece]) -> list[dict[str, Any]]:
    return [{"id": p.id, "text": p.text, "start": p.start, "stop": p.stop} for p in pieces]


def info_reply(info: BackendInfo) -> dict[str, Any]:
    """/info. `parameters`, `max_top_n_tokens` and `max_batch_size` are ours beyond TGI's."""
    return {
        "model_id": info.model_id,
        "model_sha": None,
        "model_pipeline_tag": None,
        "model_dtype": info.dtype or None,
        "max_concurrent_requests": info.max_concurrent_requests,
        "max_best_of": 1,
        "max_stop_sequences": info.max_stop_sequences,
        "max_input_tokens": info.max_input_tokens,
        "max_total_tokens": info.max_total_tokens,
        "validation_workers": 1,
        "max_client_batch_size": 1,
        "router": "ssr-engine-server",
        "version": info.version,
        "sha": None,
        "docker_label": None,
        "parameters": info.parameters,
        "max_top_n_tokens": info.max_top_n_tokens,
        "max_batch_size": info.max_batch_size,
    }
