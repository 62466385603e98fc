"""When the votes suffice: one rule, whose settings are also its rivals from the literature.

| setting | what it is |
|---|---|
| estimate posterior | ours: who voted, how hard the problem shows itself, what the paths show |
| estimate beta, min_gain 0 | adaptive consistency, Beta rule (Aggarwal et al. 2023, arXiv 2305.11860) |
| estimate unanimous, batch w | early-stopping self-consistency, window w (Li et al. 2024, arXiv 2401.10480) |
| estimate share, first n | DeepConf online: weighted consensus after n paths (Fu et al. 2025, arXiv 2508.15260) |
| confidence above 1 | a fixed number of paths |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ssr.core.errors import InvalidRequest, echoed
from ssr.core.evidence.poll import PathVote, Poll
from ssr.core.evidence.posterior import Posterior
from ssr.core.evidence.prior import PathAuthor
from ssr.core.methods import MethodKind, found_methods, method_named


class Estimate(StrEnum):
    """How sure the leader is, from the votes."""

    POSTERIOR = "posterior"  #: the probability that it is right
    BETA = "beta"  #: that it would stay ahead of the runner-up with votes without end, by their numbers alone
    UNANIMOUS = "unanimous"  #: 1 when the last `batch` votes agree, else 0
    SHARE = "share"  #: its share of the votes' weights


def check_estimate(name: str) -> None:
    """Raises: InvalidRequest for a name that is neither ours nor that of an installed method."""
    if name not in tuple(Estimate) and name not in found_methods(MethodKind.ESTIMATE):
        raise InvalidRequest("estimate", f"{echoed(name)} is unknown; known are {', '.join(Estimate)}")


@dataclass(frozen=True, slots=True)
class EvidenceRule:
    """The rule's settings. `estimate` is one of `Estimate`, or the name of an installed one (`core.methods`).

    The job ends when the leader is at least as sure as `confidence`, not before `first` votes; or, with the estimate
    posterior, when no further path raises the chance of a right answer by `min_gain` or more for each one written.
    `batch`: paths that begin together once more are needed.
    """

    estimate: str = Estimate.POSTERIOR
    confidence: float = 0.9
    min_gain: float = 0.04
    batch: int = 1
    first: int = 1


@dataclass(frozen=True, slots=True)
class Standing:
    """How the votes stand: the leading answer's number, how sure it is, and the sureness of every answer.

    `stop`: whether they suffice; `reason`: why, or why not, for people.
    """

    leader: int | None
    confidence: float
    answers: tuple[float, ...]
    stop: bool
    reason: str


def standing(
    rule: EvidenceRule, posterior: Posterior, votes: Sequence[PathVote], to_come: Sequence[PathAuthor]
) -> Standing:
    """Where the votes stand, in the order in which their paths began; `to_come`: the authors of the paths not begun."""
    posterior = posterior.given([vote.tokens for vote in votes])
    answers = _estimated(rule, posterior, votes)
    leader = max(range(len(answers)), key=answers.__getitem__, default=None)
    confidence = 0.0 if leader is None else answers[leader]
    if rule.estimate == Estimate.UNANIMOUS:
        confidence = _unanimity(votes, rule.batch)
    stop, reason = _verdict(rule, posterior, votes, to_come, confidence)
    return Standing(leader, confidence, answers, stop, reason)


def _verdict(
    rule: EvidenceRule,
    posterior: Posterior,
    votes: Sequence[PathVote],
    to_come: Sequence[PathAuthor],
    confidence: float,
) -> tuple[bool, str]:
    if not to_come:
        return True, "all paths are used"
    if len(votes) >= rule.first and confidence >= rule.confidence:
        return True, f"the answer's {rule.estimate} of {confidence:.3f} reaches confidence={rule.confidence:g}"
    if rule.estimate == Estimate.POSTERIOR and len(votes) >= rule.first:
        gain = posterior.gain(Poll.of(votes), to_come, max(rule.min_gain, 1e-9))
        if gain <= 0:
            return True, f"no further path is expected to gain min_gain={rule.min_gain:g}"
    return False, f"the answer's {rule.estimate} is {confidence:.3f}, below confidence={rule.confidence:g}"


def _estimated(rule: EvidenceRule, posterior: Posterior, votes: Sequence[PathVote]) -> tuple[float, ...]:
    """How sure each answer is; equal ones are ordered by who gave them first."""
    if rule.estimate not in tuple(Estimate):
        return tuple(method_named(MethodKind.ESTIMATE, rule.estimate)(votes))
    poll = Poll.of(votes)
    if rule.estimate == Estimate.POSTERIOR:
        return posterior.sureness(poll).answers
    weights = [math.fsum(vote.weight for vote in votes if vote.answer == number) for number in range(len(poll.answers))]
    if rule.estimate == Estimate.SHARE:
        total = math.fsum(weights)
        return tuple(weight / total if total else 0.0 for weight in weights)
    counts = [support.votes for support in poll.answers]
    return tuple(_ahead(count, max(counts[:i] + counts[i + 1 :], default=0)) for i, count in enumerate(counts))


def _ahead(votes: int, rival: int) -> float:
    """The chance that an answer's true share exceeds its rival's: 1 - I(1/2; votes + 1, rival + 1), uniform prior."""
    trials = votes + rival + 1
    ways: int = sum(math.comb(trials, k) for k in range(votes + 1))
    return ways / int(2**trials)


def _unanimity(votes: Sequence[PathVote], window: int) -> float:
    last = [vote.answer for vote in votes[-window:]]
    return float(len(last) == window and last[0] is not None and len(set(last)) == 1)
