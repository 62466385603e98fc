"""Ordinary votes beside hostile jobs, and the verdicts on generated pairs."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass

from ssr.core.answers import Asked, classes
from ssr.core.errors import InvalidRequest
from ssr.orchestrator.equivalence.checker import MathVerifyEquivalence, Way
from ssr.orchestrator.equivalence.settings import EquivalenceSettings
from ssr_bench.equivalence.pairs import AnswerPair, pairs

#: A vote's answers, five paths each: those that models give, and one that computer algebra has to read.
_ORDINARY = (
    ["{n}", r"\frac{{{n}}}{{1}}", "{n}.0", "{n}.5", "x={n}"],
    [r"{n}\sqrt{{2}}", "{n}√2", r"\sqrt{{2}}\cdot{n}", "{n}.07", r"{n} \cdot 2^{{1/2}}"],
    ["(x+1)^2+{n}", "x^2+2x+1+{n}", "x^2 + {n}", "{n}+(1+x)^2", "x²+2x+1+{n}"],
    ["{n} dollars", r"\${n}", "{n} USD", "{n} euros", "{n}"],
    [r"x \in [1,{n}]", r"1 \le x \le {n}", "(1,{n})", "[1, {n}]", "1 ≤ x ≤ {n}"],
)
#: Votes in which computer algebra has to read an answer: numbers, and formulas with a variable.
_ALGEBRA = (
    [r"\int_0^{{{n}}} x\,dx", r"\frac{{{n}^2}}{{2}}", r"\sum_{{k=1}}^{{\infty}} \frac{{{n}^2}}{{4^k}}", "{n}"],
    [r"\lim_{{x\to 0}} \frac{{\sin {n}x}}{{x}}", "{n}", r"\lim_{{x\to\infty}} \frac{{{n}x+1}}{{x+2}}", "{n}.5"],
    [r"\int {n}x^2\,dx", r"\frac{{{n}x^3}}{{3}}", r"\int x^2 \cdot {n} \, dx", "{n}x^3"],
    [r"\int_0^1 {n} x^{{2}} \, dx", r"\frac{{{n}}}{{3}}", r"\int_{{0}}^{{\pi}} \frac{{{n}\sin t}}{{6}} \, dt", "{n}"],
)
_HOSTILE = (
    r"9^{{9^{{9^{{{n}}}}}}}",
    r"\int_0^1 9^{{9^{{{n}}}}} d{x}",
    r"\sum_{{{x}=1}}^{{{n}}} {x}^{{{x}^{x}}}",
    r"\prod_{{{x}=1}}^{{10^9}} ({x}^{x} + {n})",
    r"\int_0^{{{n}}} \sin({x}^{{{x}^{x}}}) \cos({x}^{{9}}) d{x}",
)
#: A hostile job ends after so many questions, and another one begins that nothing is known of.
_QUESTIONS_A_JOB = 8
#: Whether it is an ordinary vote's question that is decided.
_ORDINARY_VOTE = ContextVar("ordinary vote", default=False)
_VOTES_EVERY_S = 0.02
_WARM_UP_S = 60.0


@dataclass(frozen=True, slots=True)
class EquivalencePlan:
    """`hostile` jobs ask one question after the other while `votes` ordinary votes are taken; `pairs_` of each kind."""

    hostile: int = 100
    votes: int = 200
    generated: int = 1000
    seed: int = 1

    def __post_init__(self) -> None:
        for field in ("hostile", "votes", "generated"):
            if not 1 <= getattr(self, field) <= 100_000:
                raise InvalidRequest(field, f"must be 1..100000; got {getattr(self, field)}")


@dataclass(frozen=True, slots=True)
class VoteLatency:
    """Seconds of votes."""

    p50_s: float
    p99_s: float
    most_s: float

    @classmethod
    def of(cls, seconds: list[float]) -> VoteLatency:
        ordered = sorted(seconds)
        return cls(ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))], ordered[-1])


@dataclass(frozen=True, slots=True)
class EquivalenceReport:
    """`plain`: votes on ordinary answers; `algebra`: votes in which something has to be asked of a worker.

    `by_worker`, `by_text`: of the questions of both, those that a worker decided, and those for which texts were
    compared because a limit ended them or there was no worker. `killed`: hostile questions, by the limit.
    """

    plan: EquivalencePlan
    plain: VoteLatency
    algebra: VoteLatency
    by_worker: int
    by_text: int
    hostile_questions: int
    killed: dict[str, int]
    wrong_merges: tuple[AnswerPair, ...]
    splits: tuple[AnswerPair, ...]

    @property
    def good(self) -> bool:
        """Whether the goals are met: 1 s at p99, no text for an innocent job, no wrong merge, at most 1 % split."""
        most_splits = self.plan.generated // 100
        in_time = max(self.plain.p99_s, self.algebra.p99_s) <= 1.0
        return in_time and not self.by_text and not self.wrong_merges and len(self.splits) <= most_splits


class _Records:
    """What becomes of questions."""

    def __init__(self) -> None:
        self.ordinary: Counter[Way] = Counter()
        self.limits: Counter[str] = Counter()

    def decided(self, way: Way) -> None:
        if _ORDINARY_VOTE.get():
            self.ordinary[way] += 1

    def waited(self, seconds: float) -> None: ...

    def killed(self, limit: str) -> None:
        self.limits[limit] += 1

    def restarted(self) -> None: ...


async def measure_equivalence(plan: EquivalencePlan) -> EquivalenceReport:
    """Take the votes beside the hostile jobs, then compare the pairs with nothing beside."""
    records = _Records()
    settings = EquivalenceSettings()
    async with MathVerifyEquivalence(settings, records) as equivalence:
        await _warm(equivalence)
        async with asyncio.TaskGroup() as group:
            asked: Counter[int] = Counter()
            hostile = [group.create_task(_hostile(equivalence, job, asked)) for job in range(plan.hostile)]
            try:
                plain = [await _vote(equivalence, number, algebra=False) for number in range(plan.votes)]
                algebra = [await _vote(equivalence, number, algebra=True) for number in range(plan.votes)]
            finally:
                for task in hostile:
                    task.cancel()
        ways, killed = records.ordinary, dict(records.limits)
        generated = [(pair, await _same(equivalence, pair)) for pair in pairs(plan.seed, plan.generated)]
    merges = tuple(pair for pair, same in generated if same and not pair.same)
    splits = tuple(pair for pair, same in generated if pair.same and not same)
    by_text = ways[Way.TEXT] + ways[Way.KILLED]
    latencies = VoteLatency.of(plain), VoteLatency.of(algebra)
    return EquivalenceReport(plan, *latencies, ways[Way.WORKER], by_text, asked.total(), killed, merges, splits)


async def _warm(equivalence: MathVerifyEquivalence) -> None:
    """Have the workers started, as they are a minute after a deployment."""
    async with asyncio.timeout(_WARM_UP_S):
        await asyncio.gather(*(equivalence.same(rf"\int_0^{n} x\,dx", str(n)) for n in range(2, 6)))


async def _same(equivalence: MathVerifyEquivalence, pair: AnswerPair) -> bool:
    return await equivalence.same(pair.a, pair.b, Asked("pairs", pair.problem))


async def _hostile(equivalence: MathVerifyEquivalence, place: int, asked: Counter[int]) -> None:
    """One question after the other that nothing can answer; towers are read, the others need a worker."""
    dice = random.Random(place)
    while True:
        asked[place] += 1
        job, mark = f"hostile-{place}-{asked[place] // _QUESTIONS_A_JOB}", place * 1_000_000 + asked[place]
        answer = dice.choice(_HOSTILE).format(n=mark, x=dice.choice("abcfghjkmnpqrstuvwxyz"))
        await equivalence.same(answer, f"{mark}", Asked(job))
        await asyncio.sleep(0)


async def _vote(equivalence: MathVerifyEquivalence, number: int, *, algebra: bool) -> float:
    """Seconds that one ordinary vote takes."""
    await asyncio.sleep(_VOTES_EVERY_S)
    kinds = _ALGEBRA if algebra else _ORDINARY
    answers = [way.format(n=number + 2) for way in kinds[number % len(kinds)]]
    began = time.perf_counter()
    token = _ORDINARY_VOTE.set(True)
    try:
        await classes(answers, equivalence, Asked(f"ordinary-{number}-{algebra}"))
    finally:
        _ORDINARY_VOTE.reset(token)
    return time.perf_counter() - began
