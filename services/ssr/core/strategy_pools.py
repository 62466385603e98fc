"""Strategy pools: the approaches the target picks from (paper section 3.1).

A pool is a YAML list of {code, name, hint}; codes are single capital letters, because the selection prompt reads the
first letter's probabilities. The strategy without a hint stands for "none of these".
"""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from ssr.core.errors import InvalidRequest, NotFound
from ssr.core.types import Strategy

StrategyPool = tuple[Strategy, ...]


def parse_pool(name: str, text: str) -> StrategyPool:
    """A pool from its YAML text.

    Raises: InvalidRequest naming the pool and the entry that is wrong.
    """
    try:
        entries = yaml.safe_load(text)
        pool = tuple(Strategy(e["code"], e["name"], " ".join(str(e.get("hint") or "").split())) for e in entries)
    except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise InvalidRequest(f"strategy pool {name}", f"not a list of {{code, name, hint}}: {error}") from error
    codes = [strategy.code for strategy in pool]
    for code in codes:
        if not (isinstance(code, str) and len(code) == 1 and "A" <= code <= "Z") or codes.count(code) > 1:
            raise InvalidRequest(f"strategy pool {name}", f"code {code!r} must be a capital letter, once in the pool")
    if not pool:
        raise InvalidRequest(f"strategy pool {name}", "has no strategies")
    return pool


def pool_named(name: str, pools: Mapping[str, StrategyPool]) -> StrategyPool:
    """Raises: NotFound naming the known pools."""
    if name not in pools:
        raise NotFound(f"strategy_pool: there is no pool {name!r}; known are {', '.join(sorted(pools))}")
    return pools[name]
