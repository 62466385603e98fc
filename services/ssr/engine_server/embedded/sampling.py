"""TGI's parameters in the words of llama.cpp's /completion.

llama.cpp's own defaults (min_p 0.05, top_k 40, top_p 0.95, temperature last) are not TGI's: the chain of samplers is
spelt out, in TGI's order, and holds nothing that was not asked for.
"""

from __future__ import annotations

from typing import Any

from ssr.engine_server.server.backend import GenerateRequest

_SEEDS = 2**32 - 1  #: llama.cpp's seeds have 32 bits, and the largest one means "draw a random seed"


def completion_body(request: GenerateRequest, context_tokens: int, slot: int) -> dict[str, Any]:
    """The body of a streamed /completion; penalties look back over `context_tokens`, so the whole text, as TGI's do.

    The stop texts are left out on purpose: llama.cpp also stops in the middle of a token, and drops the stop text.
    """
    return {
        "prompt": request.inputs,
        "n_predict": request.max_new_tokens,
        "stream": True,
        "cache_prompt": True,
        "id_slot": slot,
        "timings_per_token": True,  # the count of cached tokens comes with every token, should we stop early
        "n_probs": max(1, request.top_n_tokens),
        "post_sampling_probs": False,
        "repeat_penalty": request.repetition_penalty or 1.0,
        "frequency_penalty": request.frequency_penalty or 0.0,
        "repeat_last_n": context_tokens,
        **(_greedy() if request.greedy else _warped(request)),
    }


def _greedy() -> dict[str, Any]:
    return {"samplers": ["penalties", "top_k"], "top_k": 1, "temperature": 0.0}


def _warped(request: GenerateRequest) -> dict[str, Any]:
    warpers = {"temperature": request.temperature, "top_k": request.top_k, "top_p": request.top_p}
    chain: dict[str, Any] = {name: value for name, value in warpers.items() if value is not None}
    samplers = ["penalties", *chain]
    if request.typical_p is not None:
        chain["typical_p"] = request.typical_p
        samplers.append("typ_p")
    # Without a temperature in the chain the field would still default to 0.8 in the reply's settings.
    chain.setdefault("temperature", 1.0)
    return {"samplers": samplers, **chain, **_seed(request.seed)}


def _seed(seed: int | None) -> dict[str, int]:
    return {} if seed is None else {"seed": seed % _SEEDS}
