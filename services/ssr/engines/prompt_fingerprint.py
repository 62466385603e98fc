"""A fingerprint of all texts that go into prompts: records of experiments keep it, since equal prompts are a condition
of comparing them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cache

from ssr.core import prompts
from ssr.core.types import PathContext, Strategy, WorkedExample
from ssr.domains import domain_named, domain_names

_STRATEGY = Strategy("A", "name", "hint", (WorkedExample("posed", "worked"),))
_CONTEXT = PathContext("job", 0, "problem", _STRATEGY, ("first step", "second step"), 0)


@cache
def prompt_fingerprint() -> str:
    """The same for the same texts in the same places, and for nothing else; strategies and chat templates apart.

    The module's constants are in it, and each dialogue as it is made, of every domain.
    """
    constants = {name: value for name, value in vars(prompts).items() if name.isupper() and isinstance(value, str)}
    kinds = {name: domain_named(name).prompts for name in domain_names()}
    dialogues = {
        name: [
            *map(asdict, prompts.solving("problem", _STRATEGY, kind)),
            asdict(prompts.judging(_CONTEXT, "last step", "question", "prefill", kind)),
            asdict(prompts.selecting("problem", (_STRATEGY,), kind)),
        ]
        for name, kind in kinds.items()
    }
    content = json.dumps([constants, dialogues], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
