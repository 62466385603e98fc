"""The rivals' structure, against counting by hand."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ssr_bench.consensus.rivals import Ngram, Suffix
from ssr_bench.consensus.suffix_tree import SuffixTree, TreePath

DEPTH = 4
ADDITIONS = st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(0, 2), min_size=1, max_size=5)), max_size=25)


def _counted(additions: list[tuple[int, list[int]]]) -> Counter[tuple[int, ...]]:
    texts: dict[int, list[int]] = {}
    for name, tokens in additions:
        texts.setdefault(name, []).extend(tokens)
    return Counter(
        tuple(text[start : start + length])
        for text in texts.values()
        for length in range(1, DEPTH + 1)
        for start in range(len(text) - length + 1)
    )


def _tree(additions: list[tuple[int, list[int]]]) -> SuffixTree:
    tree = SuffixTree(DEPTH)
    for name, tokens in additions:
        tree.extend(name, tokens)
    return tree


@given(ADDITIONS, st.lists(st.integers(0, 2), min_size=1, max_size=DEPTH))
def test_every_run_is_counted(additions: list[tuple[int, list[int]]], run: list[int]) -> None:
    tree, counted = _tree(additions), _counted(additions)
    assert tree.count(run) == counted[tuple(run)]
    for known, count in counted.items():
        assert tree.count(known) == count


@given(ADDITIONS, st.lists(st.integers(0, 2), min_size=1, max_size=DEPTH), st.integers(1, 5))
def test_a_path_takes_the_greatest_count_of_each_step(
    additions: list[tuple[int, list[int]]], context: list[int], most: int
) -> None:
    counted = _counted(additions)
    path = _tree(additions).speculate(context, most, factor=2.0, least=0.1)
    lengths = [length for length in range(1, len(context) + 1) if counted[tuple(context[-length:])]]
    if not path.tokens:
        assert all(not any(counted[(*context[-n:], token)] for token in range(3)) for n in lengths if n < DEPTH)
        return
    assert len(path.tokens) <= min(most, 2 * max(lengths))
    assert any(_score(counted, tuple(context[-n:]), path.tokens) == path.score for n in lengths)


def _score(counted: Counter[tuple[int, ...]], run: tuple[int, ...], tokens: tuple[int, ...]) -> float | None:
    """The sum of probabilities of `tokens` after `run`; None where one is not the most frequent."""
    probability, score = 1.0, 0.0
    for token in tokens:
        follower = counted[(*run, token)]
        if not follower or follower < max(counted[(*run, other)] for other in range(3)):
            return None
        if follower < counted[run]:  # as the tree does: a step that is certain is no multiplication
            probability *= follower / counted[run]
        score += probability
        run = (*run, token)
    return score


def test_a_draft_is_no_longer_than_the_factor_allows() -> None:
    tree = SuffixTree(24)
    tree.extend("a", range(20))
    assert tree.speculate([3], 8, factor=1.0, least=0.1) == TreePath((4,), 1.0)
    assert tree.speculate([2, 3], 8, factor=1.0, least=0.1) == TreePath((4, 5), 2.0)
    assert tree.speculate([2, 3], 8, factor=4.0, least=0.1) == TreePath(tuple(range(4, 12)), 8.0)


def test_suffix_shares_running_outputs_and_keeps_prompts_apart() -> None:
    rival = Suffix()
    rival.start("p", "a", [1, 2, 3])
    rival.start("p", "b", [7, 2, 3])
    rival.add("a", [4, 5, 6], None)
    rival.add("b", [4, 5], None)
    assert list(rival.draft("b", 8)) == [6]
    rival.start("p", "c", [9])
    rival.add("c", [2], None)
    assert list(rival.draft("c", 8)) == []  # 2 was only in others' prompts


@given(st.lists(st.integers(0, 2), min_size=1, max_size=30), st.integers(1, 4))
def test_ngram_continues_the_earliest_longest_match(text: list[int], most_tokens: int) -> None:
    rival = Ngram(1, 3)
    rival.start("p", "a", text[:1])
    for token in text[1:]:
        rival.add("a", [token], None)
    expected: list[int] = []
    for length in range(min(3, len(text)), 0, -1):
        ends = [end for end in range(length, len(text)) if text[end - length : end] == text[-length:]]
        if ends:
            expected = text[ends[0] : ends[0] + most_tokens]
            break
    assert list(rival.draft("a", most_tokens)) == expected
