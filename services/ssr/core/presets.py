"""Presets: options that are asked for together, by name. What is given beside a preset wins over it.

`paper` has the settings of the authors' public code (commit 41e9519), as far as they are options; what else differs
from it is in docs/concepts.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ssr.core.acceptance import ScorerName
from ssr.core.errors import InvalidRequest, echoed
from ssr.core.steps import RepeatRule
from ssr.core.types import Mode, Options, SelectionRule, StopRule
from ssr.core.vote_rule import PLURALITY

#: By name; the keys are fields of `Options`.
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "paper": MappingProxyType(
            {
                "mode": Mode.SSR,
                "paths": 5,
                "stop_rule": StopRule.FULL,
                "early_stop": False,
                "strategy_set": "subjects",
                "selection": SelectionRule.CODES,
                "scorer": ScorerName.VALIDITY,
                "threshold": 7.0,
                "temperature": 0.6,
                "top_p": 0.95,
                "max_step_tokens": 512,
                "max_path_tokens": 8192,
                "lookahead": 0,
                "reserve": 0,
                "repeat_rule": RepeatRule.CONSECUTIVE,
                "vote": PLURALITY,
            }
        )
    }
)
_DEFAULT_MODE = Options().mode
_NONE: Mapping[str, Any] = MappingProxyType({})
#: Options of several paths that mean nothing in modes with one, and those of drafting in modes without.
_OF_SEVERAL = frozenset({"paths", "reserve"})


def check_preset(name: str) -> None:
    """Raises: InvalidRequest naming the known presets."""
    if name and name not in PRESETS:
        raise InvalidRequest("preset", f"{echoed(name)} is unknown; known are {', '.join(PRESETS)}")


def preset_options(name: str, mode: Mode | None = None) -> Mapping[str, Any]:
    """The options of a preset ("": none) for a request that asks for `mode`; None: it does not say.

    Raises: InvalidRequest naming the known presets.
    """
    if not name:
        return _NONE
    check_preset(name)
    options = PRESETS[name]
    mode = mode or options.get("mode", _DEFAULT_MODE)
    return {key: value for key, value in options.items() if not (mode.single_path and key in _OF_SEVERAL)}
