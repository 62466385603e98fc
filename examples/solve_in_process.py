"""The algorithm in this process: two LLM servers, no Redis, no gRPC. Each stage may be an object of your own.

python examples/solve_in_process.py http://127.0.0.1:8081 http://127.0.0.1:8082 "What is (12 * 7) + 19?"
"""

# ruff: noqa: T201
from __future__ import annotations

import asyncio
import sys

from ssr.core.journal import MemoryJournal
from ssr.core.outcome import Outcome
from ssr.core.presets import preset_options
from ssr.core.solve import solve
from ssr.core.stages import Stages
from ssr.core.types import CallKind, Options, Source
from ssr.engines.author import Author
from ssr.engines.connect import open_engine
from ssr.engines.settings import EngineSettings
from ssr.orchestrator.equivalence.checker import MathVerifyEquivalence
from ssr.selector.selector import StrategySelector
from ssr.selector.strategy_sets import load_strategy_sets
from ssr.verifier.verifier import TargetVerifier


async def main(draft_url: str, target_url: str, problem: str) -> Outcome:
    options = Options(**{**preset_options("paper"), "paths": 3, "seed": 1})
    async with (
        open_engine(EngineSettings(urls=(draft_url,))) as draft,  # kind="vllm" and others: ssr.engines.settings
        open_engine(EngineSettings(urls=(target_url,))) as target,
        MathVerifyEquivalence() as equivalence,
    ):
        stages = Stages(
            selector=StrategySelector(target, load_strategy_sets()),
            drafter=Author(draft, CallKind.DRAFT, Source.DRAFT),
            writer=Author(target, CallKind.WRITE, Source.TARGET),
            verifier=TargetVerifier(target, options.scorer),
            equivalence=equivalence,
        )
        journal = MemoryJournal()  # what is decided; solve goes on from it when it is called again
        outcome = await solve("job", problem, options, stages, journal)
    for path in outcome.run.paths:
        print(path.strategy.code, path.strategy.name, [step.score for step in path.steps], path.answer)
    usage = outcome.run.ledger.usage()
    print(f"{outcome.answer}: R {usage.rewrite_rate}, gamma {usage.gamma}, total_ratio {usage.total_ratio}")
    return outcome


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
