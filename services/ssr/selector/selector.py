"""Which strategies suit a problem (SPM, paper section 3.1): the authors' letters, or a ranking of ours.

Both are the target's own opinion ("model-internal scoring"). The authors have it write the letters of n strategies; one
forward pass that reads the probabilities of the first letter ranks the whole set for less.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import cycle, islice

from ssr.core.prompts import Question, selecting, selecting_codes
from ssr.core.stages import Selection
from ssr.core.strategy_sets import StrategySet, strategy_set_named
from ssr.core.types import NO_STRATEGY, CallKind, Options, SelectionRule, Strategy
from ssr.domains import domain_named
from ssr.engines.author import generation_call, question_call
from ssr.engines.base import Engine
from ssr.engines.context_left import checked_tokens_left
from ssr.engines.rendering import PromptRenderer

#: As many candidates as any set has letters, and as engines give.
_TOP_N = 20


class StrategySelector:
    """Implements `core.stages.Selector` with the target engine."""

    def __init__(self, engine: Engine, strategy_sets: Mapping[str, StrategySet]) -> None:
        self._engine, self._strategy_sets = engine, strategy_sets
        self._renderer = PromptRenderer(engine)

    @property
    def strategy_sets(self) -> Mapping[str, StrategySet]:
        return self._strategy_sets

    async def select(self, job_id: str, problem: str, options: Options) -> Selection:
        """See `Selector.select`; the target is asked in the words of the options' domain.

        Of one strategy there is nothing to choose, and the engine is not asked.
        Raises: NotFound for an unknown set; InvalidRequest for an unknown domain; ContextFull where set and problem do
        not fit; the engine's errors.
        """
        count = options.paths
        strategies = strategy_set_named(options.strategy_set, self._strategy_sets)
        prompts = domain_named(options.domain).prompts
        if len(strategies) == 1:
            return Selection(strategies * count, ())
        if options.selection == SelectionRule.CODES:
            none = next((one for one in strategies if not one.hint and not one.examples), None)
            asked = selecting_codes(problem, strategies, count, none, prompts)
            return await self._decoded(job_id, asked, strategies, count, none)
        return await self._ranked(job_id, selecting(problem, strategies, prompts), strategies, count)

    async def _decoded(
        self, job_id: str, question: Question, strategies: StrategySet, count: int, none: Strategy | None
    ) -> Selection:
        """So many letters, decoded greedily, repeated ones too; those that are missing stand for none of the set.

        Where a set has no such strategy, the path gets the problem alone.
        """
        prompt = await self._renderer.question(question)
        info = await self._engine.info()
        await checked_tokens_left(self._engine, info, prompt, 2 * count)
        listed = await self._engine.generate(prompt, max_tokens=2 * count, affinity=job_id)
        by_code = {strategy.code: strategy for strategy in strategies}
        chosen = [by_code[letter] for letter in re.findall("[A-Z]", listed.text) if letter in by_code][:count]
        chosen += [none or NO_STRATEGY] * (count - len(chosen))
        return Selection(tuple(chosen), (generation_call(CallKind.SELECT, info, listed),))

    async def _ranked(self, job_id: str, question: Question, strategies: StrategySet, count: int) -> Selection:
        """A set smaller than `count` is repeated from its best.

        One forward pass ranks the whole set by the probability of each strategy's letter. Letters below the engine's
        top-n are ranked by what the target writes when asked for more, then by the set's order.
        """
        prompt = await self._renderer.question(question)
        info = await self._engine.info()
        await checked_tokens_left(self._engine, info, prompt)
        codes = [strategy.code for strategy in strategies]
        token = await self._engine.next_token(prompt, top_n=min(_TOP_N, info.max_top_n), answers=codes, affinity=job_id)
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


def _known(strategies: StrategySet, codes: Iterable[str]) -> list[str]:
    """The codes that the set has, each once, in order."""
    known = {strategy.code for strategy in strategies}
    return list(dict.fromkeys(code for code in codes if code in known))
