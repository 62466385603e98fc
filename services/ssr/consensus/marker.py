"""The tokens of a text that stands at the beginning of a line."""

from __future__ import annotations

from importlib import import_module
from itertools import takewhile
from typing import Any

from ssr.core.errors import InvalidRequest


def marker_tokens(model_config: Any, text: str) -> list[int]:
    """As they occur in a prompt of the model that vLLM is configured for.

    Raises: InvalidRequest where the text has none of its own.
    """
    tokenizer = import_module("transformers").AutoTokenizer.from_pretrained(  # a part of vLLM, not of SSR
        model_config.tokenizer,
        revision=model_config.tokenizer_revision,
        trust_remote_code=model_config.trust_remote_code,
    )
    # Some tokenizers put a space before the first word of a text, so it is looked at behind the end of a line.
    alone, behind = (tokenizer.encode(part, add_special_tokens=False) for part in ("\n", f"\n{text}"))
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(alone, behind, strict=False)))
    if common < len(alone) or common == len(behind):
        raise InvalidRequest("group_until", f"{text!r} has no tokens of its own behind the end of a line")
    return [int(token) for token in behind[common:]]
