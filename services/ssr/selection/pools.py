"""The strategy pools a selector offers: those that come with SSR, and an operator's own."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from ssr.core.errors import NotFound
from ssr.core.strategy_pools import StrategyPool, parse_pool


def load_pools(folder: Path | None = None) -> Mapping[str, StrategyPool]:
    """All pools by name; a file `NAME.yaml` in `folder` adds a pool or replaces one of SSR's.

    Raises: InvalidRequest naming a malformed pool; NotFound when the folder is missing.
    """
    if folder is not None and not folder.is_dir():
        raise NotFound(f"pools_folder: there is no folder {folder}")
    own = resources.files("ssr.selection") / "pools"
    files = [*own.iterdir(), *(sorted(folder.iterdir()) if folder else ())]
    return {
        file.name.removesuffix(".yaml"): parse_pool(file.name, file.read_text("utf-8"))
        for file in files
        if file.name.endswith(".yaml")
    }
