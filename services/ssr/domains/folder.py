"""A domain's files: prompts.yaml and strategies.yaml beside its code."""

from __future__ import annotations

from importlib import resources

from ssr.core.domain import read_prompts, read_strategies
from ssr.core.prompts import DomainPrompts
from ssr.core.strategy_sets import StrategySet


def prompts_of(package: str) -> DomainPrompts:
    """Of the domain in a package of ours."""
    return read_prompts(package, (resources.files(package) / "prompts.yaml").read_text("utf-8"))


def strategies_of(package: str) -> StrategySet:
    """Of the domain in a package of ours."""
    return read_strategies(package, (resources.files(package) / "strategies.yaml").read_text("utf-8"))
