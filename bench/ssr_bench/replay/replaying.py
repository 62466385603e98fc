"""One problem under one method: the samples are drawn from its pool in a random order, without putting back."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from ssr.core.evidence.poll import PathVote
from ssr.core.evidence.posterior import Posterior
from ssr.core.evidence.prior import PathAuthor, Prior
from ssr.core.evidence.rule import Standing, standing
from ssr_bench.replay.method import Oracle, ReplayMethod
from ssr_bench.replay.pool import PooledProblem, Sample


@dataclass(frozen=True, slots=True)
class Replayed:
    """Means over the orders tried: the share that ended right, and what was spent on a problem."""

    right: float
    target_tokens: float
    draft_tokens: float
    target_paths: float
    seconds: float | None


class Replayer:
    """Replays problems under one prior; `orders` random orders each, the same for every method."""

    def __init__(self, prior: Prior, orders: int = 16, seed: int = 0) -> None:
        self._posterior, self._prior = Posterior(prior), prior
        self._orders, self._seed = orders, seed

    def replay(self, problem: PooledProblem, method: ReplayMethod) -> Replayed:
        """Raises: ValueError when the pool has fewer samples than the method may use."""
        if len(problem.drafts) < method.drafts or len(problem.targets) < method.targets:
            raise ValueError(f"{problem.id} has too few samples for {method.label}")
        dice = random.Random(f"{self._seed}/{problem.group}/{problem.id}")
        ends = []
        for _ in range(self._orders):
            drafts = dice.sample(problem.drafts, len(problem.drafts))[: method.drafts]
            targets = dice.sample(problem.targets, len(problem.targets))[: method.targets]
            ends.append(self._ended(method, drafts, targets))
        return _mean(ends)

    def _ended(self, method: ReplayMethod, drafts: Sequence[Sample], targets: Sequence[Sample]) -> Replayed:
        """One order: how it ends."""
        used = list(targets) if method.oracle is Oracle.NO else []
        best = None
        for begun in self._moments(method, targets):
            now = self._standing(method, drafts, targets[:begun], len(targets) - begun)
            right = now.leader is not None and _answers(drafts, targets[:begun])[now.leader] == 0
            if method.oracle is Oracle.STOP:
                best = best or (targets[:begun] if right else None)
                continue
            used = list(targets[:begun])
            if now.stop:
                break
        if method.oracle is Oracle.STOP:
            right, used = best is not None, list(best or ())
        return Replayed(
            float(right),
            sum(one.tokens for one in used),
            sum(one.tokens for one in drafts),
            len(used),
            _seconds([*drafts, *used]),
        )

    def suffices(self, method: ReplayMethod, drafts: Sequence[Sample], problem: PooledProblem) -> bool:
        """Whether the votes of these drafts spare the target."""
        return self._standing(method, drafts, (), min(method.targets, len(problem.targets))).stop

    @staticmethod
    def _moments(method: ReplayMethod, targets: Sequence[Sample]) -> list[int]:
        """How many target paths have ended when the rule is asked."""
        first = 0 if method.drafts else min(method.rule.batch, len(targets))
        return [*range(first, len(targets), method.rule.batch), len(targets)]

    def _standing(
        self, method: ReplayMethod, drafts: Sequence[Sample], targets: Sequence[Sample], left: int
    ) -> Standing:
        numbers: dict[int | None, int] = {answer: number for number, answer in enumerate(_answers(drafts, targets))}
        votes = [
            PathVote(author, numbers.get(one.answer), self._ratio(author, one), one.confidence or 1.0, one.tokens)
            for author, samples in ((PathAuthor.DRAFT, drafts), (PathAuthor.TARGET, targets))
            for one in samples
        ]
        return standing(method.rule, self._posterior, votes, [PathAuthor.TARGET] * left)

    def _ratio(self, author: PathAuthor, sample: Sample) -> float:
        logprob = math.log(sample.confidence) if sample.confidence else None
        return self._prior.ratio(author, false_sum=sample.false_sum, logprob=logprob)


def _answers(drafts: Sequence[Sample], targets: Sequence[Sample]) -> list[int]:
    """The answers' classes in the order of their first appearance."""
    return list(dict.fromkeys(one.answer for one in (*drafts, *targets) if one.answer is not None))


def _seconds(samples: Sequence[Sample]) -> float | None:
    known = [one.seconds for one in samples if one.seconds is not None]
    return sum(known) if len(known) == len(samples) else None


def _mean(ends: Sequence[Replayed]) -> Replayed:
    count, seconds = len(ends), [one.seconds for one in ends if one.seconds is not None]
    return Replayed(
        sum(one.right for one in ends) / count,
        sum(one.target_tokens for one in ends) / count,
        sum(one.draft_tokens for one in ends) / count,
        sum(one.target_paths for one in ends) / count,
        sum(seconds) / count if len(seconds) == count else None,
    )
