"""Where a step ends in a text that arrives in pieces, how it is stored, and how it goes on where it was cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.core.step_cutter import MAX_BLANK_LINES, StepCutter, normalise_step
from ssr.core.steps import BOUNDARY, CutText, join_path, open_text

TEXT = st.text(st.sampled_from("ab \n\t\r.") | st.characters(exclude_categories=["Cs"]), max_size=60)
ALIGNED = "\\begin{align}\na &= b\n\nc &= d\n\\end{align}"
#: Texts in which much is opened and closed, and little else.
MATHEMATICS = st.lists(
    st.sampled_from([
        "x", " ", "\n", "\n\n", "\r\n", "`", "\\[", "\\]", "$$", "\\\\", "\\begin{align}", "\\end{align}", "```",
        "| a | b |", "<think>", "</think>", "\ufffd", "\\boxed{1}",
    ]),
    max_size=24,
).map("".join)  # fmt: skip


def split_steps(text: str) -> list[str]:
    """The steps of a whole text."""
    steps, last = in_pieces(text, [])
    return [*steps, last] if last else steps


def in_pieces(text: str, cuts: list[int], before: str = "") -> tuple[list[str], str]:
    """The steps and the rest of a text that arrives cut at these places."""
    cutter, steps, begin = StepCutter(before), list[str](), 0
    for end in (*sorted(cut % (len(text) + 1) for cut in cuts), len(text)):
        steps += cutter.feed(text[begin:end])
        begin = end
    return steps, cutter.rest(cut=False)


@given(TEXT | MATHEMATICS, st.lists(st.integers(min_value=0), max_size=6))
def test_how_a_text_arrives_makes_no_difference(text: str, cuts: list[int]) -> None:
    assert in_pieces(text, cuts) == in_pieces(text, [])


@given(TEXT | MATHEMATICS)
def test_steps_are_normalised(text: str) -> None:
    for step in split_steps(text):
        assert step.strip()
        assert normalise_step(step) == step


@given(TEXT | MATHEMATICS)
def test_splitting_loses_nothing_but_blanks_and_half_a_character(text: str) -> None:
    assert "".join("".join(split_steps(text)).split()) == "".join(text.rstrip("\ufffd").split())


@given(TEXT)
def test_joining_and_splitting_are_inverse(text: str) -> None:
    steps = split_steps(text)
    assert split_steps(join_path(steps)) == steps


@given(TEXT)
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise_step(normalise_step(text)) == normalise_step(text)


@given(MATHEMATICS, st.integers(min_value=0, max_value=200))
def test_a_text_that_is_cut_anywhere_goes_on_at_the_cut(text: str, cut: int) -> None:
    """What a model goes on from is what it has written, whatever the token limit did."""
    cutter = StepCutter()
    steps = [*cutter.feed(text[:cut])]
    if last := cutter.rest(cut=True):
        steps.append(last)
    more = StepCutter(open_text(steps))
    new = more.feed(text[cut:])
    assert all(step.strip() for step in new)
    steps += new
    if last := more.rest(cut=False):
        steps.append(last)
    whole = text.replace("\ufffd", "")  # at the cut, half a character is left out
    assert "".join(join_path(steps).replace("\ufffd", "").split()) == "".join(whole.split())
    joined = join_path(steps).rstrip()
    assert paragraphs(joined) == paragraphs(text) or "\ufffd" in text


def paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", []),
        (" \n\n \n", []),
        ("a\n\nb", ["a", "b"]),
        ("a\n\n\n\n\nb\n", ["a", "b"]),
        ("a\nb\n\nc", ["a\nb", "c"]),
        ("\n \n    x = 1\n    y = 2  \n\n", ["    x = 1\n    y = 2"]),
        (f"{ALIGNED}\n\nx", [ALIGNED, "x"]),
        ("\\begin{cases}\n\\begin{array}{c}\n1\n\\end{array}\n\n2\n\\end{cases}\n\nx", None),
        ("So\n\\[\na\n\n= b\n\\]\n\nx", ["So\n\\[\na\n\n= b\n\\]", "x"]),
        ("So $$\na\n\n= b$$.\n\nx", ["So $$\na\n\n= b$$.", "x"]),
        ("```python\na = 1\n\nb = 2\n```\n\nx", ["```python\na = 1\n\nb = 2\n```", "x"]),
        ("~~~\n```\n\n~~~\n\nx", ["~~~\n```\n\n~~~", "x"]),
        ("```md\n```py\na\n\nb\n```\n\nx", ["```md\n```py\na\n\nb\n```", "x"]),
        ("````\n```\n\n```\n\n````\n\nx", ["````\n```\n\n```\n\n````", "x"]),
        ("1. ```py\n   a\n\n   b\n   ```\n\nx", ["1. ```py\n   a\n\n   b\n   ```", "x"]),
        ("> ```\n> a\n\n> b\n> ```\n\nx", ["> ```\n> a\n\n> b\n> ```", "x"]),
        ("```a = 1``` it is\n\nx", ["```a = 1``` it is", "x"]),
        ("Write `\\[` and \\verb|$$| here\n\nx", ["Write `\\[` and \\verb|$$| here", "x"]),
        ("\\begin {align}\na\n\nb\n\\end {align}\n\nx", ["\\begin {align}\na\n\nb\n\\end {align}", "x"]),
        ("\\begin{verbatim}\n\\[\n\n\\end{verbatim}\n\nx", ["\\begin{verbatim}\n\\[\n\n\\end{verbatim}", "x"]),
        (
            "\\begin{align}a\n\n\\text{costs $$}\\end{align}\n\nx",
            ["\\begin{align}a\n\n\\text{costs $$}\\end{align}", "x"],
        ),
        ("So \\boxed{\n\n42\n\n}.\n\nx", ["So \\boxed{\n\n42\n\n}.", "x"]),
        (f"Into \\boxed{{ {'y' * 300}\n\nx", [f"Into \\boxed{{ {'y' * 300}", "x"]),
        ("a\r\n\r\nb\r\nc\r\n\r\n\r\nx", ["a", "b\r\nc", "x"]),
        ("| a | b |\r\n|---|---|\r\n\r\nSo 3.\r\n\r\nx", ["| a | b |\r\n|---|---|\r\n\r\nSo 3.", "x"]),
        ("a\n \t\nx", ["a", "x"]),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\nSo 3.\n\nx", ["| a | b |\n|---|---|\n| 1 | 2 |\n\nSo 3.", "x"]),
        ("a \\\\[2pt] b\n\nc", ["a \\\\[2pt] b", "c"]),
        ("5 \\$$ and\n\nc", ["5 \\$$ and", "c"]),
        ("|x| = 3\n\nc", ["|x| = 3", "c"]),
        ("|x| + |y|\n\nc", ["|x| + |y|", "c"]),
        ("|a|b|\n|-|-|\n|1|2|\n\nSo 3.\n\nx", ["|a|b|\n|-|-|\n|1|2|\n\nSo 3.", "x"]),
        ("| a | b |\n\n| 1 | 2 |\n\nSo 3.\n\nx", ["| a | b |\n\n| 1 | 2 |\n\nSo 3.", "x"]),
        ("\\end{align}\n\nc \\]\n\nd", ["\\end{align}", "c \\]", "d"]),
        ("<think>\n\nLet us see.\n\n</think>\n\nx\n\ny", ["<think>\n\nLet us see.", "</think>\n\nx", "y"]),
        ("<think>\nSee.\n</think>\n\nx", ["<think>\nSee.\n</think>", "x"]),
    ],
)
def test_where_steps_end(text: str, steps: list[str] | None) -> None:
    found = split_steps(text)
    assert found == steps if steps is not None else found[-1] == "x" and len(found) == 2


def test_what_is_never_closed_does_not_swallow_the_path() -> None:
    lines = [f"line {n}" for n in range(3 * MAX_BLANK_LINES)]
    steps = split_steps("\\[" + BOUNDARY.join(lines))
    assert steps[0] == "\\[" + BOUNDARY.join(lines[: MAX_BLANK_LINES + 1])
    assert steps[1:] == lines[MAX_BLANK_LINES + 1 :]


@pytest.mark.parametrize("fine", [False, True])
def test_a_blank_line_inside_counts_once_however_it_comes(fine: bool) -> None:
    text = "\\[" + "".join(f"{n}\n\n" for n in range(MAX_BLANK_LINES + 2))
    cuts = list(range(len(text) + 1)) if fine else []
    assert in_pieces(text, cuts)[0] == [text.partition(f"{MAX_BLANK_LINES}\n\n")[0] + str(MAX_BLANK_LINES), "17"]


def test_a_cut_step_goes_on_at_the_cut() -> None:
    first = StepCutter()
    assert first.feed("The crates hold 12") == []
    cut = first.rest(cut=True)
    assert isinstance(cut, CutText)
    more = StepCutter(open_text(["Before.", cut]))
    assert more.feed("40 apples.\n\nNext") == ["40 apples."]
    assert join_path(["Before.", cut, "40 apples."]) == "Before.\n\nThe crates hold 1240 apples.\n\n"


def test_a_cut_keeps_blanks_and_what_is_open() -> None:
    first = StepCutter()
    first.feed("\n\nSo\n\\[\na ")
    cut = first.rest(cut=True)
    assert cut == "So\n\\[\na "
    assert StepCutter(cut).feed("+ b\n\n= c\n\\]\n\n") == ["+ b\n\n= c\n\\]"]


@pytest.mark.parametrize("parts", [["\n\nb\n\nc"], ["\n", "\n", "b", "\n\n", "c"], ["\n\n\n", "\nb\n\nc"]])
def test_a_step_that_was_at_its_end_when_it_was_cut_is_followed_by_no_empty_one(parts: list[str]) -> None:
    cutter = StepCutter("a")
    steps = [CutText("a"), *(step for part in parts for step in cutter.feed(part)), cutter.rest(cut=False)]
    assert len(steps) == 3
    assert [part for part in join_path(steps).split() if part] == ["a", "b", "c"]
    assert split_steps(join_path(steps)) == ["a", "b", "c"]


def test_a_blank_line_over_a_cut_ends_nothing_twice() -> None:
    assert StepCutter("So 4.\n").feed("\nThen 5.\n\n") == ["\nThen 5."]
    assert join_path([CutText("So 4.\n"), "\nThen 5."]) == "So 4.\n\nThen 5.\n\n"


def test_half_a_character_waits_for_the_other_half() -> None:
    cutter = StepCutter()
    assert cutter.feed("3 ≤ x\ufffd") == []
    assert cutter.unfinished == "3 ≤ x"
    assert cutter.rest(cut=True) == "3 ≤ x"
    assert StepCutter().feed("\ud83c\udf50 pears\n\n") == ["🍐 pears"]
    assert StepCutter().feed("\ud83c pears\n\n") == ["\ufffd pears"]
    halves = StepCutter()
    assert halves.feed("\ud83c") == []
    assert halves.feed("\udf50 pears\n\n") == ["\U0001f350 pears"]
