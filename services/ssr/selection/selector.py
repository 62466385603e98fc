"""Ranking a strategy pool by the target's own probabilities ("model-internal scoring", paper section 3.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import cycle, islice

from ssr.core.prompts import selecting
from ssr.core.strategy_pools import StrategyPool, pool_named
from ssr.core.types import CallKind, Selection
from ssr.engines.base import Engine
from ssr.engines.rendering import PromptRenderer
from ssr.writing import generation_call, question_call

#: As many candidates as any pool has letters, and as engines give.
_TOP_N = 20


class PoolSelector:
    """Implements `core.solve.Selector` with the target engine."""

    def __init__(self, engine: Engine, pools: Mapping[str, StrategyPool]) -> None:
        self._engine, self._pools = engine, pools
        self._renderer = PromptRenderer(engine)

    @property
    def pools(self) -> Mapping[str, StrategyPool]:
        return self._pools

    async def select(self, job_id: str, problem: str, pool: str, count: int) -> Selection:
        """One strategy a path, best first; a pool smaller than `count` is repeated from its best.

        One forward pass ranks the whole pool by the probability of each strategy's letter. Letters below the engine's
        top-n are ranked by what the target writes when asked for more, then by the pool's order. Of one strategy there
        is nothing to choose, and the engine is not asked.
        Raises: NotFound for an unknown pool; the engine's errors.
        """
        strategies = pool_named(pool, self._pools)
        if len(strategies) == 1:
            return Selection(strategies * count, ())
        question = selecting(problem, strategies)
        prompt = question.prompt(await self._renderer.render(question.messages))
        info = await self._engine.info()
        token = await self._engine.next_token(prompt, top_n=min(_TOP_N, info.max_top_n), affinity=job_id)
        calls = [question_call(CallKind.SELECT, info, token)]
        ranked = _known(strategies, (candidate.text.strip() for candidate in token.candidates))
        wanted = min(count, len(strategies))
        if len(ranked) < wanted:
            listed = await self._engine.generate(prompt, max_tokens=4 * wanted, affinity=job_id)
            calls.append(generation_call(CallKind.SELECT, info, listed))
            ranked += [c for c in _known(strategies, re.findall(r"\b[A-Z]\b", listed.text)) if c not in ranked]
        ranked += [strategy.code for strategy in strategies if strategy.code not in ranked]
        by_code = {strategy.code: strategy for strategy in strategies}
        return Selection(tuple(by_code[code] for code in islice(cycle(ranked[:wanted]), count)), tuple(calls))


def _known(strategies: StrategyPool, codes: Iterable[str]) -> list[str]:
    """The codes that the pool has, each once, in order."""
    known = {strategy.code for strategy in strategies}
    return list(dict.fromkeys(code for code in codes if code in known))
