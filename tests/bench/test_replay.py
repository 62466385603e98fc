"""Pools replayed: read, graded, drawn in orders, costed, and compared."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from ssr.core.answers import ANYBODY, Asked
from ssr.core.errors import InvalidRequest
from ssr.core.evidence.posterior import Posterior
from ssr.core.evidence.prior import PathAuthor, Prior
from ssr_bench.replay.fitting import fit_prior
from ssr_bench.replay.method import read_method
from ssr_bench.replay.pool import PooledProblem, Sample, read_pool
from ssr_bench.replay.replaying import Replayer
from ssr_bench.replay.summary import Prices, cost_at, priors_of, replay_all, summarise


class Text:
    async def same(self, a: str, b: str, asked: Asked = ANYBODY) -> bool:
        return a == b


def pool_of(count: int, seed: int = 0) -> list[PooledProblem]:
    """Problems of random ease; wrong answers are scattered. The target is better than the draft."""
    dice = random.Random(seed)

    def samples(ease: float, skill: float) -> tuple[Sample, ...]:
        right = [dice.random() < min(0.98, max(0.02, ease + skill)) for _ in range(4)]
        return tuple(
            Sample(0 if one else dice.randint(1, 30), 100, not one and dice.random() < 0.3, 0.9) for one in right
        )

    eases = [dice.random() for _ in range(count)]
    return [PooledProblem("s", str(n), samples(e, -0.1), samples(e, 0.25)) for n, e in enumerate(eases)]


def write(folder: Path, name: str, problems: list[dict[str, object]]) -> None:
    with gzip.open(folder / f"{name}.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(problem) + "\n" for problem in problems)


def line(problem: str, answers: list[str], text: str = "so") -> dict[str, object]:
    samples = [{"steps": [[text, 10, -0.1]], "tok": 10, "fin": "stop", "ans": answer} for answer in answers]
    return {"set": "s", "id": problem, "problem": "?", "answer": "7", "samples": samples}


async def test_a_pool_is_read_and_graded(tmp_path: Path) -> None:
    write(tmp_path, "draft", [line("a", ["7", "", "8"], "3 + 4 = 8")])
    write(tmp_path, "target", [line("a", ["8", "9", "7"]), line("b", ["7"])])
    (problem,) = await read_pool(tmp_path, Text())
    assert [one.answer for one in problem.drafts] == [0, None, 1]
    assert [one.answer for one in problem.targets] == [1, 2, 0]
    assert all(one.false_sum for one in problem.drafts)
    assert not any(one.false_sum for one in problem.targets)
    assert problem.drafts[0].confidence == pytest.approx(0.905, abs=1e-3)


async def test_what_a_pool_lacks_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"target\.jsonl"):
        await read_pool(tmp_path, Text())
    write(tmp_path, "target", [{"id": "a"}])
    with pytest.raises(InvalidRequest, match="line 1"):
        await read_pool(tmp_path, Text())


def test_a_vote_of_all_costs_all() -> None:
    problem = PooledProblem("s", "1", (), tuple(Sample(answer, 50, False) for answer in (0, 0, 1, 2)))
    replayed = Replayer(Prior(), orders=20).replay(problem, read_method("fixed"))
    assert (replayed.right, replayed.target_tokens, replayed.draft_tokens) == (1.0, 200, 0)


def test_drafts_that_agree_spare_the_target() -> None:
    same = tuple(Sample(0, 50, False) for _ in range(4))
    replayed = Replayer(Prior()).replay(PooledProblem("s", "1", same, same), read_method("cascade"))
    assert (replayed.right, replayed.target_tokens, replayed.draft_tokens) == (1.0, 0, 150)


def test_the_oracle_is_never_beaten() -> None:
    problems = pool_of(60)
    oracle, cascade = read_method("oracle"), read_method("cascade")
    replayer = Replayer(Prior(), orders=4)
    for problem in problems:
        best, ours = replayer.replay(problem, oracle), replayer.replay(problem, cascade)
        assert best.right >= ours.right


def test_a_pool_too_small_for_a_method_is_refused() -> None:
    with pytest.raises(ValueError, match="too few samples"):
        Replayer(Prior()).replay(PooledProblem("s", "1", (), ()), read_method("fixed"))


@pytest.mark.parametrize(
    "text", ["what", "cascade:x=1", "cascade:drafts=a", "cascade:drafts=0,targets=0", "esc:batch=0"]
)
def test_a_wrong_method_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="method"):
        read_method(text)


def test_a_method_is_labelled_by_what_differs() -> None:
    assert read_method("cascade:drafts=3").label == "cascade"
    assert read_method("cascade:drafts=2,min_gain=0.1").label == "cascade:min_gain=0.1,drafts=2"


def test_a_fit_finds_who_is_better() -> None:
    prior = fit_prior(pool_of(200))
    nodes = prior.nodes()
    chances = {a: sum(weight * chance[a] for weight, chance in nodes) for a in (PathAuthor.DRAFT, PathAuthor.TARGET)}
    assert chances[PathAuthor.DRAFT] == pytest.approx(0.41, abs=0.08)
    assert chances[PathAuthor.TARGET] == pytest.approx(0.72, abs=0.08)
    assert prior.correlation > 0.6
    assert prior.false_sum.seen < -2
    Posterior(prior)


def test_cross_validation_never_fits_on_what_it_tries() -> None:
    problems = pool_of(40)
    prior_of = priors_of(problems, None, 4)
    assert len({id(prior_of(problem)) for problem in problems}) == 4


def test_figures_compare_at_equal_accuracy() -> None:
    problems, methods = pool_of(80), [read_method("fixed"), read_method("cascade"), read_method("target-alone")]
    replays = replay_all(problems, methods, lambda _: Prior(), orders=2, seed=0)
    summary = summarise("s", problems, replays, methods, Prices(0.05, 0.5e9, 1.5e9))
    fixed, cascade, alone = summary.figures
    assert fixed.total.value == pytest.approx(4.0)
    assert fixed.against_reference.difference.value == 0
    assert fixed.against_reference.p == 1.0
    assert cascade.total.value == pytest.approx(cascade.target.value + 0.05 * 3)
    assert cascade.accuracy.low <= cascade.accuracy.value <= cascade.accuracy.high
    assert alone.accuracy.value < cascade.accuracy.value
    assert alone.against_reference.p < 0.05
    assert cascade.flops
    assert fixed.flops
    assert cascade.flops < fixed.flops


def test_a_coin_between_two_settings_costs_what_lies_between() -> None:
    points = [(0.5, 1.0), (0.7, 3.0), (0.69, 3.5), (0.75, 4.0)]
    assert [cost_at(points, one) for one in (0.4, 0.5, 0.6, 0.7, 0.725, 0.9)] == pytest.approx([1, 1, 2, 3, 3.5, 4])
