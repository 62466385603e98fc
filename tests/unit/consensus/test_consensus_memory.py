"""Where suffixes occurred: against a search through everything that was ever added."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ssr.consensus.memory import SuffixMemory
from ssr.consensus.settings import LONGEST_AGREEMENT

ORDERS = (4, 2, 1)
#: Few tokens, so that suffixes recur; (owner, tokens) as they come in.
ADDITIONS = st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 3), min_size=1, max_size=6)), max_size=40)


def _texts(additions: list[tuple[int, list[int]]]) -> dict[int, list[int]]:
    texts: dict[int, list[int]] = {}
    for owner, tokens in additions:
        texts.setdefault(owner, []).extend(tokens)
    return texts


@given(ADDITIONS, st.lists(st.integers(0, 3), min_size=4, max_size=6), st.sampled_from(ORDERS))
def test_every_occurrence_is_found_and_nothing_else(
    additions: list[tuple[int, list[int]]], suffix: list[int], order: int
) -> None:
    memory = SuffixMemory(ORDERS, limit=10**6, keep=1000)
    for owner, tokens in additions:
        memory.append(owner, tokens)
    found = [(text.owner, place) for text, place in memory.find(suffix, order)]
    expected = {
        (owner, place)
        for owner, tokens in _texts(additions).items()
        for place in range(order, len(tokens))
        if tokens[place - order : place] == suffix[-order:]
    }
    assert set(found) == expected
    assert len(found) == len(expected)


@given(ADDITIONS, st.integers(1, 3))
def test_at_least_the_latest_occurrences_are_kept(additions: list[tuple[int, list[int]]], keep: int) -> None:
    memory, everything = SuffixMemory((1,), limit=10**6, keep=keep), SuffixMemory((1,), limit=10**6, keep=10**6)
    for owner, tokens in additions:
        memory.append(owner, tokens)
        everything.append(owner, tokens)
    for token in range(4):
        kept = [(text.owner, place) for text, place in memory.find([token], 1)]
        latest = [(text.owner, place) for text, place in everything.find([token], 1)][:keep]
        assert kept == latest


@given(ADDITIONS, st.integers(2, 40))
def test_no_more_is_remembered_than_the_limit(additions: list[tuple[int, list[int]]], limit: int) -> None:
    memory = SuffixMemory(ORDERS, limit, keep=4)
    added = 0
    for owner, tokens in additions:
        memory.append(owner, tokens)
        added += len(tokens)
        assert min(added, limit // 2) <= memory.tokens <= limit
        held = sum(len(text.tokens) for text in memory.texts())
        assert held <= limit + LONGEST_AGREEMENT * len(memory.texts())
    for owner, tokens in _texts(additions).items():
        ending = memory.ending(owner)
        assert tokens[len(tokens) - len(ending) :] == ending


def test_a_text_goes_on_over_a_change_of_generation() -> None:
    memory = SuffixMemory(ORDERS, limit=20, keep=4)
    memory.append("a", range(10))
    memory.append("a", [10, 11])
    assert memory.ending("a") == list(range(12))[-LONGEST_AGREEMENT:]
    [(text, place)] = memory.find([7, 8, 9], 2)
    assert text.tokens[place] == 10


def test_probabilities_stay_beside_their_tokens() -> None:
    memory = SuffixMemory(ORDERS, limit=100, keep=4)
    memory.append("a", [1, 2])
    memory.append("a", [3, 4], [0.5, 0.25])
    memory.append("a", [5])
    [text] = memory.texts()
    assert text.tokens == [1, 2, 3, 4, 5]
    assert text.probabilities == [0.0, 0.0, 0.5, 0.25, 0.0]


def test_what_is_forgotten_is_not_found_in_either_generation() -> None:
    memory = SuffixMemory(ORDERS, limit=20, keep=4)
    memory.append("a", [1, 2] * 8)
    memory.append("b", [1, 2] * 2)
    memory.forget("a")
    assert {text.owner for text, _ in memory.find([1], 1)} == {"b"}
    assert [text.owner for text in memory.texts()] == ["b"]
