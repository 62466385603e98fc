"""What the local stack is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from ssr.core.acceptance import ScorerName


class Preset(StrEnum):
    """The stacks there are."""

    LOCAL = "local"  #: the 0.5B and 1.5B models on llama.cpp
    SMOKE = "smoke"  #: one tiny model in both roles: shows that everything works, answers badly
    SIMULATED = "simulated"  #: no model at all: scripted mathematics


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """One engine: `model` is the catalogue's name of its model, None for a simulated engine.

    `environment` is what its process is given beside that.
    """

    title: str
    model: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Setup:
    """The engines of a stack, and how its verifier scores."""

    draft: EngineChoice
    target: EngineChoice
    scorer: ScorerName
    #: What the orchestrator's settings call DEFAULTS.
    defaults: Mapping[str, str | float] = field(default_factory=dict)

    @property
    def models(self) -> tuple[str, ...]:
        """The models it needs, each once."""
        names = (engine.model for engine in (self.draft, self.target))
        return tuple(dict.fromkeys(name for name in names if name is not None))


#: Five paths of 2048 tokens, each with its prompt and the step that is written, share the 16384; one request may have
#: a fourth of it, so that a long path does not wait for all others to end.
_EMBEDDED = MappingProxyType(
    {
        "SSR_ENGINE_KIND": "embedded",
        "SSR_ENGINE_EMBEDDED__CONTEXT_TOKENS": "16384",
        "SSR_ENGINE_EMBEDDED__MAX_TOTAL_TOKENS": "4096",
    }
)
_SIMULATED = MappingProxyType({"SSR_ENGINE_KIND": "simulated", "SSR_ENGINE_SIMULATED__SEED": "0"})


def _embedded(model: str) -> EngineChoice:
    return EngineChoice(title=model, model=model, environment=_EMBEDDED)


def _simulated(role: str) -> EngineChoice:
    return EngineChoice(title=f"simulated ({role})", environment={**_SIMULATED, "SSR_ENGINE_ROLE": role})


#: A few cores and small models: three paths can vote, what runs on beyond these lengths is rambling, and a judge of
#: 1.5B says Yes to most steps, wrong ones too.
_LOCAL_DEFAULTS: Mapping[str, str | float] = MappingProxyType(
    {"PATHS": 3, "THRESHOLD": 8.0, "STRATEGY_SET": "school", "MAX_STEP_TOKENS": 256, "MAX_PATH_TOKENS": 1024}
)
_SMOKE_DEFAULTS: Mapping[str, str | float] = MappingProxyType(
    {"PATHS": 2, "STRATEGY_SET": "school", "MAX_STEP_TOKENS": 48, "MAX_PATH_TOKENS": 96}
)

#: Small models judge better by Yes or No than by a digit (docs/research/scorers.md).
SETUPS: Mapping[Preset, Setup] = MappingProxyType(
    {
        Preset.LOCAL: Setup(
            _embedded("qwen2.5-coder-0.5b"),
            _embedded("qwen2.5-coder-1.5b"),
            ScorerName.ARITHMETIC_JUDGE,
            _LOCAL_DEFAULTS,
        ),
        Preset.SMOKE: Setup(
            _embedded("smollm2-135m"), _embedded("smollm2-135m"), ScorerName.ARITHMETIC_JUDGE, _SMOKE_DEFAULTS
        ),
        Preset.SIMULATED: Setup(_simulated("draft"), _simulated("target"), ScorerName.EXPECTED),
    }
)
