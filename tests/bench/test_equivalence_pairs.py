"""The verdicts on generated pairs: no two answers that differ are merged, hardly any that agree are split."""

from __future__ import annotations

from dataclasses import asdict

from ssr.orchestrator.equivalence.algebra import equivalent
from ssr.orchestrator.equivalence.comparison.context import Context
from ssr_bench.equivalence.pairs import AnswerPair, pairs

PAIRS = 1_000
MOST_SPLITS = PAIRS // 100


def verdict(pair: AnswerPair) -> bool:
    """As a worker gives it."""
    return equivalent({"a": pair.a, "b": pair.b, "context": asdict(Context.of(pair.problem))})


def test_generated_pairs() -> None:
    generated = list(pairs(1, PAIRS))
    agree, differ = ([pair for pair in generated if pair.same is same] for same in (True, False))
    assert (len(agree), len(differ)) == (PAIRS, PAIRS)
    assert [pair for pair in differ if verdict(pair)] == []
    splits = [pair for pair in agree if not verdict(pair)]
    assert len(splits) <= MOST_SPLITS, splits
    assert len({pair.kind for pair in generated}) > 20


def test_the_same_seed_gives_the_same_pairs() -> None:
    assert list(pairs(3, 50)) == list(pairs(3, 50)) != list(pairs(4, 50))
