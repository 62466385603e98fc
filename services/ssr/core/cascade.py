"""What a request that says little means: how many paths, and how many of them drafts."""

from __future__ import annotations

from dataclasses import dataclass

from ssr.core.types import Mode, Options, StopRule

#: Of requests that name none.
DEFAULT_DOMAIN = "mathematics"


@dataclass(frozen=True, slots=True)
class CascadeShape:
    """Paths of mode cascade, all and drafted, where a request says neither."""

    paths: int = 7
    draft_paths: int = 3

    def fill(self, mode: Mode, paths: int | None, draft_paths: int | None, others: int) -> tuple[int, int]:
        """All paths and drafted ones; None: not said. `others`: the default of other modes with several paths."""
        if mode is not Mode.CASCADE:
            return (1 if mode.single_path else others) if paths is None else paths, draft_paths or 0
        if paths is None:
            paths = self.paths if draft_paths is None else draft_paths + self.paths - self.draft_paths
        return paths, min(self.draft_paths, paths // 2) if draft_paths is None else draft_paths


def strategy_set_of(domain: str, defaults: Options) -> str:
    """Where none is said: a domain other than the default's has one of its own name."""
    return defaults.strategy_set if domain in ("", DEFAULT_DOMAIN) else domain


def stop_rule_of(mode: Mode, defaults: Options) -> StopRule:
    """Where none is said."""
    return StopRule.EVIDENCE if mode is Mode.CASCADE else defaults.stop_rule
