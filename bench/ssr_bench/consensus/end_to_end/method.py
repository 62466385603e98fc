"""Ways of drafting, as a vLLM is reported them when it starts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from ssr.consensus.environment import settings_from
from ssr.consensus.vllm import ConsensusProposer
from ssr.core.errors import InvalidRequest

#: The method that everything is compared with.
NONE = "none"
KNOWN = (NONE, "ngram", "suffix", "consensus")

_CUSTOM_CLASS = "custom_class"
_OURS = f"{ConsensusProposer.__module__}.{ConsensusProposer.__qualname__}"
_SETTING = "SSR_CONSENSUS_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


class DraftingMethod(BaseModel):
    """`speculation` is what --speculative-config gets, None for nothing; `settings` are SSR_CONSENSUS_*, of ours only.

    Of a server that was not started here both are unknown, and `speculation` is None.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    speculation: dict[str, Any] | None = None
    settings: dict[str, str] = {}

    def flags(self) -> tuple[str, ...]:
        """What the server's command gets in addition."""
        return () if self.speculation is None else ("--speculative-config", json.dumps(self.speculation))


def methods_of(
    wanted: Sequence[str], max_draft: int, others: Mapping[str, dict[str, Any]], environment: Mapping[str, str]
) -> tuple[DraftingMethod, ...]:
    """The known methods by name, all where no name is given; then `others`, which may define known ones anew.

    Raises: InvalidRequest naming the option, or the variable of `environment` that is no setting of ours.
    """
    if not 1 <= max_draft <= 64:
        raise InvalidRequest("max_draft", f"must be 1..64; got {max_draft}")
    defined = {**_known(max_draft), **others}
    chosen = dict.fromkeys([*(wanted or KNOWN), *others])
    for name in chosen:
        if name not in defined:
            raise InvalidRequest("methods", f"{name!r} is unknown; known are {', '.join(KNOWN)}")
    settings_from(environment)  # so that a wrong one is reported before a server starts
    ours = {name: value for name, value in environment.items() if name.startswith(_SETTING)}
    return tuple(_method(name, defined[name], ours) for name in chosen)


def definitions(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Of NAME=JSON. Raises: InvalidRequest."""
    return {name: _object(name, text) for name, text in named("speculation", texts).items()}


def named(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Of NAME=TEXT. Raises: InvalidRequest naming the option."""
    found: dict[str, str] = {}
    for text in texts:
        name, is_given, value = text.partition("=")
        if not is_given or not _NAME.fullmatch(name):
            raise InvalidRequest(option, f"{text!r} is no NAME=...; a name has up to 32 letters, digits, '.', '_', '-'")
        if name in found:
            raise InvalidRequest(option, f"{name} is given twice")
        found[name] = value
    return found


def _known(max_draft: int) -> dict[str, dict[str, Any] | None]:
    count = {"num_speculative_tokens": max_draft}
    return {
        NONE: None,
        "ngram": {"method": "ngram", **count, "prompt_lookup_max": 5, "prompt_lookup_min": 2},
        "suffix": {"method": "suffix", **count},
        "consensus": {"method": _CUSTOM_CLASS, "model": _OURS, **count},
    }


def _method(name: str, speculation: dict[str, Any] | None, ours: dict[str, str]) -> DraftingMethod:
    own = speculation is not None and speculation.get("model") == _OURS  # whatever the way is called by this vLLM
    return DraftingMethod(name=name, speculation=speculation, settings=ours if own else {})


def _object(name: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidRequest("speculation", f"{name}: {text!r} is no JSON: {error}") from error
    if not isinstance(value, dict) or not value:
        raise InvalidRequest("speculation", f"{name}: {text!r} is no JSON object with vLLM's speculative config")
    return value
