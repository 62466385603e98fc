"""What the ledger estimates for an engine that reports no cached tokens, against one that reports them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

from conftest import Services

from ssr.core.answers import ANYBODY, Asked
from ssr.core.journal import MemoryJournal
from ssr.core.ledger import Ledger
from ssr.core.run import Decision, PathEnded, Run
from ssr.core.solve import solve
from ssr.core.stages import Stages
from ssr.core.types import Call, CallKind, Mode, Options, Source
from ssr.engines.author import Author
from ssr.engines.connect import open_engine
from ssr.engines.settings import EngineSettings
from ssr.selector.selector import StrategySelector
from ssr.verifier.verifier import TargetVerifier

PROBLEM = "What is ((48 - 3) / 5 + 7) * 4 - 12 + 9 * 3?"


class SameText:
    async def same(self, a: str, b: str, asked: Asked = ANYBODY) -> bool:
        return a == b


class Remembered(MemoryJournal):
    def __init__(self) -> None:
        super().__init__()
        self.decisions: list[Decision] = []

    async def append(self, decision: Decision) -> None:
        self.decisions.append(decision)
        await super().append(decision)

    def ledger(self, change: Callable[[Call], Call]) -> Ledger:
        """Of the same decisions with other calls."""
        run = Run()
        for decision in self.decisions:
            if not isinstance(decision, PathEnded):
                decision = replace(decision, calls=tuple(map(change, decision.calls)))
            run = run.apply(decision)
        return run.ledger


async def solved(services: Services, options: Options) -> Remembered:
    async with AsyncExitStack() as stack:
        urls = services.draft_url, services.target_url
        draft, target = [await stack.enter_async_context(open_engine(EngineSettings(urls=(url,)))) for url in urls]
        stages = Stages(
            StrategySelector(target, {}),
            Author(draft, CallKind.DRAFT, Source.DRAFT),
            Author(target, CallKind.WRITE, Source.TARGET),
            TargetVerifier(target, "validity"),
            SameText(),
        )
        journal = Remembered()
        await solve("estimate", PROBLEM, options, stages, journal)
    return journal


async def test_drafts_and_verification_cost_as_much_by_estimate_as_by_report(services: Services) -> None:
    for lookahead in (0, 2):
        journal = await solved(services, Options(mode=Mode.SSD, paths=1, seed=5, lookahead=lookahead))
        reported = journal.ledger(lambda call: call)
        silent = journal.ledger(lambda call: replace(call, cached_tokens=0, cache_unreported=not call.continued))
        uncached = journal.ledger(lambda call: replace(call, cached_tokens=0))
        assert reported.total_ratio
        assert silent.total_ratio
        assert uncached.total_ratio
        assert abs(silent.total_ratio / reported.total_ratio - 1) < 0.1
        assert uncached.total_ratio > 1.3 * reported.total_ratio
        assert silent.usage().estimated_tokens > 0 == reported.usage().estimated_tokens


async def test_a_path_that_one_model_writes_is_one_call(services: Services) -> None:
    journal = await solved(services, Options(mode=Mode.BASELINE, paths=1, seed=5))
    ledger = journal.ledger(lambda call: replace(call, cached_tokens=0, cache_unreported=not call.continued))
    assert ledger.total_ratio == ledger.decode_ratio == 1
    assert [model.calls for model in ledger.usage().models] == [1]
