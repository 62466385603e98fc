"""The vote of the paths (paper section 3.3): most paths win; ties go to the higher mean step score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssr.core.types import StopRule


@dataclass(frozen=True, slots=True)
class Ballot:
    """A path's answer. `mean_score`: of its steps, 0..9; None if none was scored. `target`: it alone wrote the path."""

    path: int
    answer: str
    mean_score: float | None
    target: bool = False


@dataclass(frozen=True, slots=True)
class Vote:
    """One answer, as the first of its paths wrote it, and the paths that gave it."""

    answer: str
    paths: tuple[int, ...]
    mean_score: float | None


def tally(ballots: Sequence[Ballot], classes: Sequence[Sequence[int]]) -> tuple[Vote, ...]:
    """The votes, the winner first.

    `classes` groups positions in `ballots` whose answers are the same mathematics; each position is in one class.
    Order: more paths, then the higher mean score, then a path of the target's own (a reserve is there to break ties),
    then the earliest path.
    """
    own = {ballot.path for ballot in ballots if ballot.target}
    votes = [_count([ballots[i] for i in group]) for group in classes if group]
    return tuple(
        sorted(votes, key=lambda v: (-len(v.paths), -(v.mean_score or 0.0), own.isdisjoint(v.paths), v.paths[0]))
    )


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


def _count(group: Sequence[Ballot]) -> Vote:
    ordered = sorted(group, key=lambda ballot: ballot.path)
    scores = [ballot.mean_score for ballot in ordered if ballot.mean_score is not None]
    mean = sum(scores) / len(scores) if scores else None
    return Vote(ordered[0].answer, tuple(ballot.path for ballot in ordered), mean)
