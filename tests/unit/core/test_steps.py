"""Where a step ends, how it is stored, and when it repeats."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.core.step_cutter import normalise_step, split_steps
from ssr.core.steps import BOUNDARY, MIN_DISTINCTIVE_CHARS, is_repeated, join_path

TEXT = st.text(st.sampled_from("ab \n\t\r.") | st.characters(exclude_categories=["Cs"]), max_size=60)
LONG = "We add 3 and 4 to get 7."


@given(TEXT)
def test_steps_are_normalised_and_hold_no_boundary(text: str) -> None:
    for step in split_steps(text):
        assert step.strip()
        assert BOUNDARY not in step
        assert normalise_step(step) == step


@given(TEXT)
def test_splitting_loses_nothing_but_blanks(text: str) -> None:
    assert "".join("".join(split_steps(text)).split()) == "".join(text.split())


@given(TEXT)
def test_joining_and_splitting_are_inverse(text: str) -> None:
    steps = split_steps(text)
    assert split_steps(BOUNDARY.join(steps)) == steps
    assert split_steps(join_path(steps)) == steps


@given(TEXT)
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise_step(normalise_step(text)) == normalise_step(text)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", []),
        (" \n\n \n", []),
        ("a\n\nb", ["a", "b"]),
        ("a\n\n\n\n\nb\n", ["a", "b"]),
        ("a\nb\n\nc", ["a\nb", "c"]),
        ("\n \n    x = 1\n    y = 2  \n\n", ["    x = 1\n    y = 2"]),
    ],
)
def test_split(text: str, steps: list[str]) -> None:
    assert split_steps(text) == steps


def test_a_path_is_ready_for_its_next_step() -> None:
    assert join_path([]) == ""
    assert join_path(["a", "b"]) == "a\n\nb\n\n"


def test_a_long_step_repeats_up_to_blanks_and_case() -> None:
    assert is_repeated("we ADD 3 and 4\nto get  7.", ["Start.", LONG, "Other."])
    assert not is_repeated("We add 3 and 5 to get 8.", [LONG])
    assert not is_repeated(LONG, [])


def test_the_threshold_counts_characters_without_blanks() -> None:
    at, below = "x" * MIN_DISTINCTIVE_CHARS, "x " * (MIN_DISTINCTIVE_CHARS - 1)
    assert is_repeated(at, [at])
    assert not is_repeated(below, [below])


@pytest.mark.parametrize(
    ("earlier", "repeated"),
    [
        (["So", "So"], True),
        (["a", "so", "SO "], True),
        (["So"], False),
        (["So", "a", "So"], False),
        (["So", "So", "a"], False),
        (["So"] * 5, True),
    ],
)
def test_a_short_step_repeats_only_in_a_row(earlier: list[str], repeated: bool) -> None:
    assert is_repeated("So", earlier) is repeated
