"""Strategy sets: the approaches the target picks from (paper section 3.1).

A set is a YAML list of {code, name, hint, examples}; codes are single capital letters, because the selection prompt
reads the first letter's probabilities. A strategy without a hint or examples stands for "none of these". `examples` is
a list of {problem, solution}: a solution is written as a path is, with a blank line after each step and its answer in
\\boxed{}. A model takes its style and its length from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from ssr.core.answers import boxed
from ssr.core.errors import InvalidRequest, NotFound, echoed
from ssr.core.limits import check_text
from ssr.core.types import Strategy, WorkedExample

StrategySet = tuple[Strategy, ...]

#: More would fill a small model's context before the problem comes.
MAX_EXAMPLES = 8
#: Characters of one example, its problem and solution together.
MAX_EXAMPLE_CHARS = 4_000


def parse_strategy_set(name: str, text: str) -> StrategySet:
    """A set from its YAML text.

    Raises: InvalidRequest naming the set and the entry that is wrong.
    """
    try:
        entries = yaml.safe_load(text)
        strategy_set = tuple(
            Strategy(e["code"], e["name"], " ".join(str(e.get("hint") or "").split()), _examples(e)) for e in entries
        )
    except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        shape = "{code, name, hint, examples: [{problem, solution}]}"
        raise InvalidRequest(f"strategy set {name}", f"not a list of {shape}: {error}") from error
    codes = [strategy.code for strategy in strategy_set]
    for code in codes:
        if not (isinstance(code, str) and len(code) == 1 and "A" <= code <= "Z") or codes.count(code) > 1:
            raise InvalidRequest(f"strategy set {name}", f"code {code!r} must be a capital letter, once in the set")
    if not strategy_set:
        raise InvalidRequest(f"strategy set {name}", "has no strategies")
    for strategy in strategy_set:
        for text in (strategy.name, strategy.hint, *(t for e in strategy.examples for t in (e.problem, e.solution))):
            check_text(f"strategy set {name}, {strategy.code}", text)
        _check_examples(f"strategy set {name}, {strategy.code}.examples", strategy.examples)
    return strategy_set


def _examples(entry: Mapping[str, Any]) -> tuple[WorkedExample, ...]:
    return tuple(
        WorkedExample(str(example["problem"]).strip(), str(example["solution"]).strip())
        for example in entry.get("examples") or ()
    )


def _check_examples(field: str, examples: Sequence[WorkedExample]) -> None:
    if len(examples) > MAX_EXAMPLES:
        raise InvalidRequest(field, f"has {len(examples)}; at most {MAX_EXAMPLES} are allowed")
    for number, example in enumerate(examples):
        characters = len(example.problem) + len(example.solution)
        if characters > MAX_EXAMPLE_CHARS:
            raise InvalidRequest(
                f"{field}[{number}]", f"has {characters} characters; at most {MAX_EXAMPLE_CHARS} are allowed"
            )
        if not example.problem or boxed(example.solution) is None:
            raise InvalidRequest(f"{field}[{number}]", "needs a problem, and a solution with its answer in \\boxed{}")


def strategy_set_named(name: str, strategy_sets: Mapping[str, StrategySet]) -> StrategySet:
    """Raises: NotFound naming the known sets."""
    if name not in strategy_sets:
        raise NotFound(
            f"strategy_set: there is no strategy set {echoed(name)}; known are {', '.join(sorted(strategy_sets))}"
        )
    return strategy_sets[name]
