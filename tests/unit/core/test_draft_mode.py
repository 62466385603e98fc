"""Mode draft: the draft model alone, which is the floor of every comparison."""

from __future__ import annotations

from dataclasses import replace

from tree_models import MemoryJournal, TreeModels

from ssr.core.path_stream import StepByStep
from ssr.core.solve import solve
from ssr.core.stages import OnRejected, Stages, Verdict, Written
from ssr.core.types import Mode, Options, PathContext, Step


class Idle(StepByStep):
    """Whoever must not be asked in this mode."""

    async def select(self, *_: object) -> None:
        raise AssertionError("nothing is selected")

    async def write(self, context: PathContext, options: Options) -> Written:
        raise AssertionError("the target does not write")

    async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
        raise AssertionError("nothing is verified")


async def test_only_the_draft_model_works() -> None:
    tree, idle = TreeModels([3]).stages(), Idle()
    stages = replace(tree, selector=idle, writer=idle, verifier=idle)  # type: ignore[arg-type]
    assert isinstance(stages, Stages)
    outcome = await solve("job", "p", Options(mode=Mode.DRAFT, paths=1), stages, MemoryJournal())
    assert outcome.answer == "0"
    assert len(outcome.run.paths[0].steps) == 3
    usage = outcome.run.ledger.usage()
    assert usage.drafted_tokens == usage.accepted_tokens > 0
    assert usage.scoring_tokens == usage.written_tokens == usage.rewritten_tokens == 0
    assert usage.decode_ratio is None  # nothing ran on the target: its size, hence the baseline, is unknown
