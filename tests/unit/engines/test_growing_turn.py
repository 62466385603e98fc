"""Steps out of a stream do not depend on how its tokens come together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssr.core.types import NO_STRATEGY, Options, PathContext
from ssr.engines.base import Finish, Generation, Piece, joined
from ssr.engines.growing_turn import GrowingTurn, StreamedStep

CONTEXT = PathContext("job", 0, "What is 2 + 2?", NO_STRATEGY, (), 1)
TOKENS = st.lists(
    st.sampled_from(["\n", "\n\n", " a", "Say", " 12", r"\[", r"\]", "|x|y|", ".\n", "<think>", "</think>", "", "�"]),
    min_size=1,
    max_size=40,
)


def pieces_of(
    tokens: list[str], sizes: list[int], finish: Finish, logprobs: Sequence[float | None] = ()
) -> list[Piece]:
    """The tokens in groups of these sizes, over and over; the last group has the end."""
    groups, at, number = list[Piece](), 0, 0
    while at < len(tokens):
        size = sizes[number % len(sizes)]
        group = [(text, at + index + 1) for index, text in enumerate(tokens[at : at + size])]
        sums = logprobs[at : at + size]
        at, number = at + size, number + 1
        end = Generation("".join(tokens), len(tokens), finish, 50, 40) if at >= len(tokens) else None
        groups.append(joined(group, end, 50, 40, sums))
    return groups


def steps_of(pieces: list[Piece], options: Options) -> tuple[list[StreamedStep], StreamedStep | None]:
    growing, steps = GrowingTurn(CONTEXT, options, ""), list[StreamedStep]()
    for piece in pieces:
        steps += growing.take(piece)
        if growing.done:
            break
    return steps, growing.last


@settings(max_examples=300, deadline=None)
@given(
    tokens=TOKENS,
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    finish=st.sampled_from(Finish),
    most=st.integers(2, 12),
    thinking=st.integers(1, 20),
)
def test_tokens_that_come_together_give_the_same_steps(
    tokens: list[str], sizes: list[int], finish: Finish, most: int, thinking: int
) -> None:
    options = Options(max_step_tokens=most, max_thinking_tokens=thinking)
    assert steps_of(pieces_of(tokens, sizes, finish), options) == steps_of(pieces_of(tokens, [1], finish), options)


def test_a_piece_of_several_tokens_is_parted_into_them() -> None:
    end = Generation("ab", 2, Finish.EOS, 9, 8)
    one = joined([("a", 1), ("b", 2)], end, 9, 8)
    assert (one.text, one.tokens) == ("ab", 2)
    assert one.parted() == [Piece("a", 1, None, 9, 8), Piece("b", 2, end, 9, 8)]
    assert joined([("a", 1)], None, 9, 8).parted() == (Piece("a", 1, None, 9, 8),)


def test_a_step_that_would_be_too_long_is_cut_within_a_piece() -> None:
    steps, _ = steps_of([joined([(" a", number) for number in range(1, 8)])], replace(Options(), max_step_tokens=3))
    assert [step.tokens for step in steps] == [3, 3]


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    logprobs=st.lists(st.floats(-9, 0), min_size=9, max_size=9),
)
def test_log_probabilities_are_parted_among_the_steps(sizes: list[int], logprobs: list[float]) -> None:
    tokens = ["Say", " 1", ".\n\n", "Then", " 2", ".\n\n", " So", " 3", "."]
    sums = [sum(logprobs[: number + 1]) for number in range(len(tokens))]
    pieces = pieces_of(tokens, sizes, Finish.EOS, sums)
    steps, last = steps_of(pieces, Options())
    assert last is not None
    found = [(step.logprob or 0.0) * step.tokens for step in (*steps, last)]
    assert sum(found) == pytest.approx(sums[-1], abs=1e-6)
    assert found == pytest.approx([sum(logprobs[at : at + 3]) for at in (0, 3, 6)], abs=1e-6)


def test_where_a_token_has_no_log_probability_the_steps_behind_have_none() -> None:
    pieces = [
        Piece("a\n\n", 1, logprob=-1.0),
        Piece("b\n\n", 2),
        Piece("c\n\n", 3, logprob=-2.0),
        Piece("d\n\n", 4, logprob=-3.0),
    ]
    steps, _ = steps_of(pieces, Options())
    assert [step.logprob for step in steps[:2]] == [-1.0, None]
    assert all(step.logprob is None for step in steps[2:])


def test_a_step_is_the_same_whatever_its_stream_began_with() -> None:
    one, other = (
        steps_of([Piece("a\n\n", 1, logprob=before), Piece("b\n\n", 2, logprob=before - 0.1)], Options())[0]
        for before in (-0.7, -0.2)
    )
    assert (-0.7 - 0.1) - -0.7 != (-0.2 - 0.1) - -0.2, "floating point"
    assert one[1].logprob == other[1].logprob == -0.1
