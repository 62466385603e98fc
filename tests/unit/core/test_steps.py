"""How steps are joined, and when one repeats."""

from __future__ import annotations

import pytest

from ssr.core.steps import MIN_DISTINCTIVE_CHARS, is_repeated, join_path

LONG = "We add 3 and 4 to get 7."


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
