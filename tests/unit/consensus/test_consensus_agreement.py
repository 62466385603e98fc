"""How far contexts agree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ssr.consensus.agreement import agreement, fuzzy_agreement

TOKENS = st.lists(st.integers(0, 2), max_size=12)


def _distance(first: list[int], second: list[int]) -> int:
    """Levenshtein."""
    row = list(range(len(second) + 1))
    for i, one in enumerate(first, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(second, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (one != other))
    return row[-1]


@given(TOKENS, TOKENS, st.integers(0, 12), st.integers(0, 12))
def test_an_agreement_is_the_longest_common_ending(mine: list[int], theirs: list[int], place: int, most: int) -> None:
    place = min(place, len(theirs))
    before = theirs[:place]
    lengths = range(min(most, place, len(mine)) + 1)
    assert agreement(mine, theirs, place, most) == max(
        n for n in lengths if mine[len(mine) - n :] == before[place - n :]
    )


@given(TOKENS, TOKENS, st.integers(1, 2))
def test_a_fuzzy_agreement_lies_within_the_edit_distance(mine: list[int], theirs: list[int], edits: int) -> None:
    exact = agreement(mine, theirs, len(theirs), 12)
    fuzzy = fuzzy_agreement(mine, theirs, len(theirs), 12, edits)
    assert fuzzy >= exact
    if fuzzy > exact:
        endings = [
            (mine[i:], theirs[j:])
            for i in range(len(mine) - exact)
            for j in range(len(theirs) - exact)
            if len(mine) - i >= fuzzy
        ]
        assert any(_distance(first, second) <= edits for first, second in endings)


def test_each_kind_of_edit_is_seen_over() -> None:
    mine = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    for theirs in ([1, 2, 3, 4, 5, 6, 7, 0, 9], [1, 2, 3, 4, 5, 6, 7, 9], [1, 2, 3, 4, 5, 6, 7, 8, 0, 9]):
        assert agreement(mine, theirs, len(theirs), 12) == 1
        assert fuzzy_agreement(mine, theirs, len(theirs), 12, 1) == 3  # the token, and a third of the 7 or 8 beyond
        assert fuzzy_agreement(mine, theirs, len(theirs), 12, 0) == 1
