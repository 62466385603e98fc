"""The requests to TGI's /generate and /generate_stream, in huggingface_hub's types. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from huggingface_hub import TextGenerationInput, TextGenerationInputGenerateParameters

from ssr.engines.base import Sampling

#: What TGI generates at most before it starts anew with the text so far as its prompt: it asks for whole chunks again,
#: past `max_new_tokens`, and matches stop texts, the end of the turn and the seed anew (router/src/infer/mod.rs).
CHUNK_TOKENS = 1024
#: In a prompt a multimodal TGI takes this for an image to fetch, from any host and whoever wrote it; with a blank it is
#: text, and no image in markdown any more (router/src/validation.rs).
_IMAGE = re.compile(r"!(?=\[\]\()")


def without_images(prompt: str) -> str:
    """The prompt in which TGI finds no image to fetch."""
    return _IMAGE.sub("! ", prompt) if "![](" in prompt else prompt


def chunks(max_tokens: int, seed: int | None) -> Iterator[tuple[int, int | None]]:
    """How many tokens to ask for in each of the requests that follow one another, and with which seed.

    One after another, because the same seed again would repeat the same dice.
    """
    for number, done in enumerate(range(0, max_tokens, CHUNK_TOKENS)):
        yield min(CHUNK_TOKENS, max_tokens - done), None if seed is None else (seed + number) % 2**63


def request(prompt: str, **parameters: Any) -> dict[str, object]:
    """The body of a request; None leaves a parameter out."""
    asked = TextGenerationInput(
        inputs=without_images(prompt), parameters=TextGenerationInputGenerateParameters(details=True, **parameters)
    )
    given = {name: value for name, value in vars(asked.parameters).items() if value is not None}
    return {"inputs": asked.inputs, "parameters": given}


def sampled(sampling: Sampling, seed: int | None) -> dict[str, Any]:
    """The parameters of choosing tokens; do_sample is always among them: a request without any would be sampled."""
    if sampling.temperature <= 0:
        return {"do_sample": False}
    top_p = sampling.top_p if sampling.top_p < 1 else None
    return {"do_sample": True, "temperature": sampling.temperature, "top_p": top_p, "seed": seed}
