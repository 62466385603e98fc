"""Step-level speculative decoding on the target's side: score, then accept or rewrite.

As in the paper (section 3.2), but that an empty draft, and with repeat rule EARLIER a repeated one, is not scored.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from ssr.core.acceptance import accepts, without_agreement
from ssr.core.evidence.calibration import DOMAIN, Calibration
from ssr.core.stages import OnRejected, Verdict
from ssr.core.steps import RepeatRule, is_repeated
from ssr.core.types import MAX_SCORE, CallKind, Options, PathContext, Source, Step
from ssr.engines.author import Author
from ssr.engines.base import Engine
from ssr.verifier.scorers import scorer_named
from ssr.verifier.scoring import JudgedStep, Judgement, Rewarding

#: Earlier steps that a draft is compared with here; `core.solve` knows them all, and sends no draft that repeats one.
_LOOK_BACK = 64

_log = logging.getLogger(__name__)


class TargetVerifier:
    """Implements `core.stages.Verifier` with the target engine."""

    def __init__(
        self,
        engine: Engine,
        default_scorer: str,
        reward: Rewarding | None = None,
        calibration: Calibration = Calibration(),  # noqa: B008 - frozen
    ) -> None:
        self._target, self._default_scorer = JudgedStep(engine, reward), default_scorer
        self._engine, self._calibration = engine, calibration
        self._rewriter = Author(engine, CallKind.REWRITE, Source.REWRITTEN)

    async def verify(
        self, context: PathContext, step: Step, options: Options, rejected: OnRejected | None = None
    ) -> Verdict:
        """The draft with its score, or the target's own step in its place; `rejected` is awaited before it is written.

        An empty draft, with repeat rule EARLIER a repeated one too, is rejected unseen: it would end the path.
        Raises: InvalidRequest for an unknown scorer; CapabilityMissing where the engine cannot report what the scorer
        must know; ContextFull; the engine's errors.
        """
        judgement = await self._judge(context, step, options)
        if not judgement.rejection and accepts(judgement.score, options.threshold):
            return Verdict(replace(step, score=judgement.score), accepted=True, calls=judgement.calls)
        if judgement.rejection:
            _log.debug("step %d of path %d is rejected: %s", step.index, context.path, judgement.rejection)
        if rejected is not None:
            await rejected()
        rewrite = await self._rewriter.write(context, options)
        rewritten = replace(rewrite.step, score=MAX_SCORE, draft_score=judgement.score)
        return Verdict(rewritten, accepted=False, calls=(*judgement.calls, *rewrite.calls))

    async def _judge(self, context: PathContext, step: Step, options: Options) -> Judgement:
        earlier = context.steps[-_LOOK_BACK:] if options.repeat_rule == RepeatRule.EARLIER else ()
        if not step.text or is_repeated(step.text, earlier):
            return Judgement(0.0, rejection="it is empty, or says again what was said")
        name = without_agreement(options.scorer) or self._default_scorer
        judgement = await scorer_named(name).judge(context, step.text, self._target)
        return judgement if judgement.rejection else await self._calibrated(name, judgement, context)

    async def _calibrated(self, name: str, judgement: Judgement, context: PathContext) -> Judgement:
        """With the score that its scorer's curve makes of it, if there is one for the target and the domain."""
        if not self._calibration.scores:
            return judgement
        target = (await self._engine.info()).model
        curve = self._calibration.curve(name, target=target, domain=context.domain or DOMAIN)
        return judgement if curve is None else replace(judgement, score=MAX_SCORE * curve.chance(judgement.score))
