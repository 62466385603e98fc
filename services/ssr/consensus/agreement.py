"""How far back two contexts agree, exactly or within an edit distance. Pure."""

from __future__ import annotations

#: Tokens that agree beyond an edit count so much less than those before it.
_BEYOND = 3


def agreement(mine: list[int], theirs: list[int], place: int, most: int) -> int:
    """The number of last tokens of `mine` that equal those of `theirs` before `place`; at most `most`."""
    reach = min(most, place, len(mine))
    if mine[len(mine) - reach :] == theirs[place - reach : place]:  # the usual case, at the speed of C
        return reach
    length, i, j = 0, len(mine) - 1, place - 1
    while length < reach and mine[i] == theirs[j]:
        length, i, j = length + 1, i - 1, j - 1
    return length


def fuzzy_agreement(mine: list[int], theirs: list[int], place: int, most: int, edits: int) -> int:
    """As `agreement`, with up to `edits` tokens replaced, missing or added; tokens beyond an edit count a third.

    Greedy: it takes the edit behind which most tokens agree. So what it reports lies within the distance, and it can
    miss what needs an alignment of both. At least what agrees exactly is returned.
    """
    exact = agreement(mine, theirs, place, most)
    if not edits or exact >= most:
        return exact
    best = exact
    for skip_mine, skip_theirs in ((1, 1), (1, 0), (0, 1)):
        rest = mine[: max(0, len(mine) - exact - skip_mine)]
        start = place - exact - skip_theirs
        if rest and start > 0:
            beyond = fuzzy_agreement(rest, theirs, start, most - exact, edits - 1)
            best = max(best, exact + beyond // _BEYOND)
    return best
