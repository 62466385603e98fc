"""What a server with OpenAI's /v1/completions is asked: fields of OpenAI's own API, and those that it is known to take.

Sampling is plain only when it is asked for: vLLM and SGLang take what a request leaves out from the model's
generation_config.json, llama-server from its command line and the GGUF.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from ssr.core.errors import InvalidRequest, SsrError
from ssr.engines.base import Origin, Sampling

_log = logging.getLogger(__name__)


class ServerKind(StrEnum):
    """Whose server it is, which says what it takes beyond OpenAI's API."""

    OPENAI = "openai"  #: any other
    VLLM = "vllm"
    SGLANG = "sglang"
    LLAMACPP = "llamacpp"


#: Of OpenAI's API, and still refused by some.
_STANDARD = frozenset({"seed", "presence_penalty", "frequency_penalty", "stream_options"})
#: vLLM's bound of a model's thinking, the prompt's included; it wants a --reasoning-parser.
THINKING_BUDGET = "thinking_token_budget"
#: Of a server's own, and refused by one that is of another version, or was not started for them.
_SOME_TIMES = frozenset(
    {"logprob_token_ids", "return_tokens_as_token_ids", "token_ids_logprob", THINKING_BUDGET, "cache_salt", "priority"}
)
#: What asks for the probabilities of tokens by their ids.
_BY_ID = {ServerKind.VLLM: "logprob_token_ids", ServerKind.SGLANG: "token_ids_logprob"}
#: Of a refusal that may be about fields which the server does not know.
_ABOUT_FIELDS = re.compile(
    r"extra|unknown|unrecogni[sz]ed|unexpected|unsupported|additional|not (permitted|allowed|supported)",
    re.IGNORECASE,
)
_PLAIN = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
_EXTRAS: Mapping[ServerKind, Mapping[str, object]] = {
    ServerKind.OPENAI: _PLAIN,
    ServerKind.VLLM: {**_PLAIN, "skip_special_tokens": True},
    ServerKind.SGLANG: {**_PLAIN, "skip_special_tokens": True},
    ServerKind.LLAMACPP: {
        "top_k": 0,
        "min_p": 0.0,
        "repeat_penalty": 1.0,
        "typical_p": 1.0,
        "top_n_sigma": -1.0,
        "dynatemp_range": 0.0,
        "dry_multiplier": 0.0,
        "xtc_probability": 0.0,
        "mirostat": 0,
        "verbose": True,  # or it does not say whether a stop text ended the generation
        "response_fields": ["stop_type", "stopping_word"],
    },
}


def kind_of(card: Mapping[str, Any]) -> ServerKind:
    """The server that lists a model in this way."""
    owner = card.get("owned_by")
    return ServerKind(owner) if owner in ("vllm", "sglang", "llamacpp") else ServerKind.OPENAI


def sampled(sampling: Sampling, *, seeded: bool) -> dict[str, object]:
    """The fields of OpenAI's API that say how tokens are chosen; seeds only for a `seeded` server."""
    warped = sampling.temperature > 0
    fields: dict[str, object] = {
        "temperature": max(0.0, sampling.temperature),
        "top_p": min(1.0, sampling.top_p) if warped else 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
    }
    return fields | ({"seed": sampling.seed} if warped and seeded and sampling.seed is not None else {})


class Fields:
    """What one server takes, as its kind and its refusals show.

    With `standard_only` nothing beyond OpenAI's API is ever sent. `priorities` says that the server schedules by
    priority: it ignores them otherwise, or refuses them. With `logprobs` streams of vLLM have their tokens' own
    probabilities; other servers' are those after warping.
    """

    def __init__(
        self,
        url: str,
        kind: ServerKind,
        *,
        standard_only: bool = False,
        priorities: bool = False,
        logprobs: bool = False,
    ) -> None:
        self.kind = kind
        self._url = url
        self._extras = {} if standard_only else dict(_EXTRAS[kind])
        self._standard_only, self._priorities, self._logprobs = standard_only, priorities, logprobs
        self._refused: set[str] = set()
        self._taken = kind is not ServerKind.OPENAI  #: whether a request with all of them was served

    def body(self, asked: Mapping[str, object], origin: Origin, without: Collection[str] = ()) -> dict[str, object]:
        """The request to send: what is `asked`, and all else that the server takes."""
        whole = {**asked, **self._extras, **self.of(origin)}
        return {name: value for name, value in whole.items() if name not in self._refused and name not in without}

    def streaming(self) -> dict[str, object]:
        """What asks for a stream, with the number of tokens so far in each event where the server can."""
        counting = self.kind in (ServerKind.VLLM, ServerKind.SGLANG) and not self._standard_only
        return {
            "stream": True,
            "stream_options": {"include_usage": True} | ({"continuous_usage_stats": True} if counting else {}),
            **self.reporting(),
        }

    def reporting(self) -> dict[str, object]:
        """What asks for the log probabilities of the generated tokens, where they are wanted."""
        return {"logprobs": 0} if self._logprobs and self.kind is ServerKind.VLLM else {}

    @property
    def reports_by_id(self) -> bool:
        """Whether the probabilities of tokens can be asked for by the tokens' ids."""
        asked = _BY_ID.get(self.kind)
        return asked is not None and self._may_have(asked)

    @property
    def ends_thinking(self) -> bool:
        """Whether the server can be asked to end a model's thinking after so many tokens."""
        return self.kind is ServerKind.VLLM and self._may_have(THINKING_BUDGET)

    def _may_have(self, name: str) -> bool:
        return not self._standard_only and name not in self._refused

    def refuse_by_id(self) -> None:
        """They cannot after all."""
        self.leave_out({_BY_ID[self.kind]})

    def of(self, origin: Origin) -> dict[str, object]:
        """The fields that say on whose behalf."""
        fields: dict[str, object] = {}
        if self._standard_only or self.kind not in (ServerKind.VLLM, ServerKind.SGLANG):
            return fields
        if self._priorities and origin.priority:  # vLLM serves the lowest number first
            fields["priority"] = -origin.priority if self.kind is ServerKind.VLLM else origin.priority
        if origin.cache_salt:
            fields["cache_salt"] = origin.cache_salt
        return {name: value for name, value in fields.items() if name not in self._refused}

    def doubted(self, refusal: SsrError, body: Mapping[str, object]) -> frozenset[str]:
        """The fields of `body` to try without, because of what a refusal says; none when it is about something else.

        Those that it names. If it names none but is about fields, or says nothing in particular, first all extras and
        then those of OpenAI's own that some refuse, as long as they were never taken. Servers that hand a request's
        fields to a function refuse one by failing: it must be named then.
        """
        refused = isinstance(refusal, InvalidRequest)
        said = (
            f"{refusal.field if isinstance(refusal, InvalidRequest) else ''} {str(refusal).partition(' answered ')[2]}"
        )
        if not refused and not _ABOUT_FIELDS.search(said):
            return frozenset()
        optional = {name for name in body if name in self._extras or name in _STANDARD | _SOME_TIMES}
        named = frozenset(name for name in optional if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said))
        about_another = isinstance(refusal, InvalidRequest) and refusal.field != "request"
        if named or not refused or self._taken or (about_another and not _ABOUT_FIELDS.search(said)):
            return named
        return frozenset(self._extras.keys() & body.keys()) or frozenset(_STANDARD & body.keys())

    def leave_out(self, names: Collection[str]) -> None:
        """The server refuses these."""
        if names:
            _log.warning("%s refuses the fields %s: they are left out from now on", self._url, ", ".join(sorted(names)))
            self._refused.update(names)

    def served(self, body: Mapping[str, object], without: Collection[str]) -> None:
        """A request was served, and without these fields after it was refused with them."""
        self.leave_out(without)
        if body.keys() >= self._extras.keys() - self._refused:
            self._taken = True
