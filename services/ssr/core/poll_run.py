"""A run's paths as votes: who wrote them, what they answer, and what else they show."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ssr.core.answers import Asked, Equivalence, classes
from ssr.core.arithmetic import false_sum
from ssr.core.evidence.poll import PathVote
from ssr.core.evidence.posterior import Posterior
from ssr.core.evidence.prior import PathAuthor, Prior
from ssr.core.evidence.rule import Standing, standing
from ssr.core.run import Path, Run
from ssr.core.types import Options, PathStatus, StopRule
from ssr.core.vote import Vote, tally
from ssr.core.vote_rule import EVIDENCE, MAJORITY, VoteRule

#: Of a path that ended by itself: it counts, with an answer or without.
_ENDED = frozenset({PathStatus.ANSWERED, PathStatus.NO_ANSWER, PathStatus.STALLED, PathStatus.EXHAUSTED})


@dataclass(frozen=True, slots=True)
class Count:
    """The votes, the winner first, and how the evidence stands."""

    votes: tuple[Vote, ...]
    standing: Standing


#: Whether an answer surely is right or wrong; None: nobody knows.
Verified = Callable[[str], Awaitable[bool | None]]
#: So many take a look ahead long.
_MANY_ANSWERS = 4
#: What certainty counts, as a log ratio: it outweighs any number of votes.
_CERTAIN = 15.0


class Pollster:
    """Counts the votes of one problem's runs under one prior. What a path shows is looked at once."""

    def __init__(
        self,
        asked: Asked,
        options: Options,
        equivalence: Equivalence,
        posterior: Posterior,
        verified: Verified | None = None,
    ) -> None:
        self._asked, self._options, self._verified = asked, options, verified
        self._equivalence, self._posterior = equivalence, posterior
        self._ratios: dict[int, float] = {}
        rule = options.vote or (EVIDENCE if options.stop_rule is StopRule.EVIDENCE else MAJORITY)
        self._rule = VoteRule.named(rule)

    async def count(self, run: Run, begun: int) -> Count:
        """`begun`: how many of the paths, the first ones, have begun; the others are still to come."""
        ended = [path for path in run.paths[:begun] if path.status in _ENDED]
        answers = [path.answer if path.status is PathStatus.ANSWERED else None for path in ended]
        groups = await classes(answers, self._equivalence, self._asked)
        numbers = {place: number for number, group in enumerate(groups) for place in group}
        votes = [
            PathVote(
                self._author(path),
                numbers.get(place),
                await self._ratio(path),
                _weight(path),
                path.tokens,
            )
            for place, path in enumerate(ended)
        ]
        to_come = [self._author(path) for path in run.paths[begun:]]
        stands = await self._standing(votes, to_come, answers=len(groups))
        return Count(self._tallied(run, ended, groups, stands), stands)

    async def _standing(self, votes: list[PathVote], to_come: list[PathAuthor], answers: int) -> Standing:
        """With many answers, looking ahead takes some ten milliseconds: the loop goes on meanwhile."""
        if answers < _MANY_ANSWERS:
            return standing(self._options.rule, self._posterior, votes, to_come)
        return await asyncio.to_thread(standing, self._options.rule, self._posterior, votes, to_come)

    def _tallied(self, run: Run, ended: list[Path], groups: list[list[int]], stands: Standing) -> tuple[Vote, ...]:
        ballots = {ballot.path: ballot for ballot in run.ballots}
        voting = [path.index for path in ended if path.index in ballots]
        places = {path: place for place, path in enumerate(voting)}
        classes_ = [[places[ended[place].index] for place in group] for group in groups]
        estimated = self._options.stop_rule is StopRule.EVIDENCE or self._rule.name == EVIDENCE
        return tally([ballots[path] for path in voting], classes_, self._rule, stands.answers if estimated else ())

    async def _ratio(self, path: Path) -> float:
        if path.index not in self._ratios:
            surely = await self._verified(path.answer) if self._verified and path.answer else None
            if surely is not None:
                self._ratios[path.index] = _CERTAIN if surely else -_CERTAIN
                return self._ratios[path.index]
            author = self._author(path)
            false = bool(false_sum(path.text, self._asked.problem))
            self._ratios[path.index] = self._prior.ratio(author, false_sum=false, logprob=path.logprob)
        return self._ratios[path.index]

    def _author(self, path: Path) -> PathAuthor:
        """What the target has made of drafts is what a verified path is: theirs, mended by it."""
        repairs = path.repaired if path.steps else self._options.repairs(path.index)
        return PathAuthor.VERIFIED if repairs else self._options.author(path.index)

    @property
    def _prior(self) -> Prior:
        return self._posterior.prior


def _weight(path: Path) -> float:
    """Its confidence: the geometric mean of its tokens' probabilities, 1 where that is not known."""
    return 1.0 if path.logprob is None else math.exp(path.logprob)
