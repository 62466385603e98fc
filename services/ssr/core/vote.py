"""The vote of the paths: most paths win; ties go to the answer whose paths have the higher mean step score.

That is ours; the paper's rule (section 3.3) is `plurality`, in which a tie goes to the best path of all. Other rules
order by a weight (`core.vote_rule`) or by the evidence (`core.evidence`) first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssr.core.types import StopRule
from ssr.core.vote_rule import EVIDENCE, MAJORITY, PLURALITY, VoteRule

_MAJORITY = VoteRule(MAJORITY)


@dataclass(frozen=True, slots=True)
class Ballot:
    """A path's answer. `mean_score`: of its steps, 0..9; None if none was scored. `target`: it alone wrote the path.

    `scores`: of its scored steps, in order.
    """

    path: int
    answer: str
    mean_score: float | None
    target: bool = False
    scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Vote:
    """One answer, as the first of its paths wrote it, and the paths that gave it.

    `posterior`: how sure the stop rule's estimate makes it, 0..1; `weight`: its weight in a weighted vote. None where
    the rule has no such thing.
    """

    answer: str
    paths: tuple[int, ...]
    mean_score: float | None
    posterior: float | None = None
    weight: float | None = None


def tally(
    ballots: Sequence[Ballot],
    classes: Sequence[Sequence[int]],
    rule: VoteRule = _MAJORITY,
    posteriors: Sequence[float] = (),
) -> tuple[Vote, ...]:
    """The votes, the winner first. `posteriors`: one a class, where there is an estimate.

    `classes` groups positions in `ballots` whose answers are the same mathematics; each position is in one class.
    Order: what the rule orders by, if not the number of paths; more paths, then the higher mean score, then a path of
    the target's own (a reserve is there to break ties), then the earliest path.
    """
    own = {ballot.path for ballot in ballots if ballot.target}
    votes = [
        _count([ballots[i] for i in group], rule, posteriors[number] if posteriors else None)
        for number, group in enumerate(classes)
        if group
    ]

    def order(vote: Vote) -> tuple[float, int, float, bool, int]:
        first = vote.posterior if rule.name == EVIDENCE else vote.weight
        return -(first or 0.0), -len(vote.paths), -(vote.mean_score or 0.0), own.isdisjoint(vote.paths), vote.paths[0]

    if rule.name == PLURALITY and _tied(votes):
        scores = {ballot.path: ballot.mean_score or 0.0 for ballot in ballots}
        return tuple(sorted(votes, key=lambda vote: min((-scores[path], path) for path in vote.paths)))
    return tuple(sorted(votes, key=order))


def _tied(votes: Sequence[Vote]) -> bool:
    """Whether no answer has two paths at least, and more than any other."""
    most, second = sorted((0, 0, *(len(vote.paths) for vote in votes)), reverse=True)[:2]
    return most < 2 or most == second


def settled(rule: StopRule, votes: Sequence[Vote], running: int, *, early_stop: bool) -> bool:
    """Whether the vote's outcome is known although `running` paths are still at work."""
    if running == 0:
        return True
    if not votes:
        return False
    leader = len(votes[0].paths)
    if rule is StopRule.FAST_1:
        return True
    if rule is StopRule.FAST_2:
        return leader >= 2
    # Even if all running paths joined the runner-up (or agreed on something new), they must stay behind: a mere tie
    # could still turn on the mean scores.
    runner_up = len(votes[1].paths) if len(votes) > 1 else 0
    return early_stop and leader > runner_up + running


def _count(group: Sequence[Ballot], rule: VoteRule, posterior: float | None) -> Vote:
    ordered = sorted(group, key=lambda ballot: ballot.path)
    scores = [ballot.mean_score for ballot in ordered if ballot.mean_score is not None]
    mean = sum(scores) / len(scores) if scores else None
    weight = rule.weight([ballot.scores for ballot in ordered])
    return Vote(ordered[0].answer, tuple(ballot.path for ballot in ordered), mean, posterior, weight)
