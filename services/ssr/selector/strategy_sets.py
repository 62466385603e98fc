"""The strategy sets a selector offers: those that come with SSR, and an operator's own."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from ssr.core.errors import NotFound
from ssr.core.methods import MethodKind, found_methods, method_named
from ssr.core.strategy_sets import StrategySet, parse_strategy_set
from ssr.domains import domain_named, domain_names


def load_strategy_sets(folder: Path | None = None) -> Mapping[str, StrategySet]:
    """All sets by name; a file `NAME.yaml` in `folder` adds a set or replaces one of SSR's.

    Raises: InvalidRequest naming a malformed set; NotFound when the folder is missing.
    """
    if folder is not None and not folder.is_dir():
        raise NotFound(f"strategy_sets_folder: there is no folder {folder}")
    own = resources.files("ssr.selector") / "strategy_sets"
    files = [*own.iterdir(), *(sorted(folder.iterdir()) if folder else ())]
    domains = {name: found for name in domain_names() if (found := domain_named(name).strategies)}
    installed = {name: _installed(name) for name in found_methods(MethodKind.STRATEGY_SET)}
    return (
        domains
        | installed
        | {
            file.name.removesuffix(".yaml"): parse_strategy_set(file.name, file.read_text("utf-8"))
            for file in files
            if file.name.endswith(".yaml")
        }
    )


def _installed(name: str) -> StrategySet:
    """A set of another distribution. Raises: InvalidRequest naming a malformed one."""
    text = method_named(MethodKind.STRATEGY_SET, name)
    return parse_strategy_set(name, str(text() if callable(text) else text))
