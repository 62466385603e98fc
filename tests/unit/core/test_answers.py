"""Finding the final answer in a text, and grouping answers."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.core.answers import ANYBODY, Asked, boxed, classes

PLAIN = st.text(st.characters(exclude_characters="\\{}$", exclude_categories=["Cs"]), max_size=20)
BALANCED = st.recursive(
    PLAIN | st.sampled_from([r"\{", r"\}", r"\\", r"\frac12", r"\$"]),
    lambda inner: st.builds("".join, st.lists(inner, max_size=4)) | inner.map(lambda text: f"{{{text}}}"),
    max_leaves=12,
)
#: Starts and ends with something to keep, so that trimming leaves it whole.
CONTENT = BALANCED.map(lambda text: f"a{text}b")


class CaseBlind:
    """An equivalence for tests: letters' case does not matter. It counts its questions."""

    def __init__(self) -> None:
        self.asked = 0

    async def same(self, a: str, b: str, asked: Asked = ANYBODY) -> bool:
        self.asked += 1
        return a.casefold() == b.casefold()


@given(content=CONTENT, before=PLAIN, after=PLAIN, command=st.sampled_from(["boxed", "fbox"]))
def test_balanced_content_comes_back_whole(content: str, before: str, after: str, command: str) -> None:
    assert boxed(f"{before}\\{command}{{{content}}}{after}") == content


@given(first=CONTENT, last=CONTENT, between=PLAIN)
def test_the_last_box_wins(first: str, last: str, between: str) -> None:
    assert boxed(rf"\boxed{{{first}}}{between}\boxed{{{last}}}") == last


@given(complete=CONTENT, unfinished=CONTENT)
def test_an_unfinished_box_does_not_hide_a_complete_one(complete: str, unfinished: str) -> None:
    assert boxed(rf"\boxed{{{complete}}} so \boxed{{{unfinished}") == complete


@given(text=st.text(alphabet="\\{}boxedf $5", max_size=60))
def test_any_text_is_read_without_failing(text: str) -> None:
    answer = boxed(text)
    assert answer is None or (answer and answer in text)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", None),
        ("The answer is 5.", None),
        (r"\boxed{5}", "5"),
        (r"\boxed {5}", "5"),
        (r"\fbox{5}", "5"),
        (r"\boxed{ $5$ }", "5"),
        (r"\boxed{\$5}", r"\$5"),
        (r"\boxed{5\$}", r"5\$"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\frac{1}{\sqrt{2}}}", r"\frac{1}{\sqrt{2}}"),
        (r"\boxed{\begin{matrix}1\\2\end{matrix}}", r"\begin{matrix}1\\2\end{matrix}"),
        (r"\\boxed{5}", "5"),
        (r"\boxed{}", None),
        (r"\boxed{ $ }", None),
        (r"\boxed{3}, not \boxed{}", "3"),
        (r"\boxed{x = \boxed{5}}", "5"),
        (r"\boxed{1", None),
        (r"\boxed{1} then \boxed{2", "1"),
        (r"} \boxed{1}", "1"),
        (r"\boxedtext{1}", None),
        (r"\boxed{\boxed{1", None),
        (r"so $\boxed 5$.", "5"),
        (r"\boxed 5.", "5"),
        (r"\boxed{4} or \boxed", "4"),
        (r"\(\boxed x\)", "x"),
        (r"\boxed -3", "-3"),
        (r"\boxed \frac12", r"\frac12"),
        (r"\boxed \frac{1}{\sqrt{2}}", r"\frac{1}{\sqrt{2}}"),
        (r"\boxed\boxed{5}", "5"),
        (r"\boxed\boxed\boxed", None),
        (r"Use \boxed notation.", None),
        (r"Put it in `\boxed`.", None),
        (r"<think>\boxed{1}</think> It is \boxed{2}.", "2"),
    ],
)
def test_notations(text: str, answer: str | None) -> None:
    assert boxed(text) == answer


@pytest.mark.parametrize(
    "unit", ["\\boxed{", "\\boxed", "\\boxed ", "\\boxed{}", "\\", "{", "}", "\\boxed{ ", "\\boxed {\\frac", " "]
)
def test_reading_takes_linear_time(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    began = time.process_time()
    boxed(text)
    assert time.process_time() - began < 2


async def test_equal_answers_are_grouped_in_order_of_appearance() -> None:
    assert await classes(["b", "a", None, "B", "c", "A"], CaseBlind()) == [[0, 3], [1, 5], [4]]
    assert await classes([], CaseBlind()) == []
    assert await classes([None], CaseBlind()) == []


async def test_equal_texts_are_not_compared() -> None:
    equivalence = CaseBlind()
    assert await classes(["a", "b"] * 10, equivalence) == [list(range(0, 20, 2)), list(range(1, 20, 2))]
    assert equivalence.asked == 1


class Loose:
    """Not transitive, as units that may be left out are: 5 is 5 hours and 5 minutes. It notes for whom it compares."""

    def __init__(self) -> None:
        self.asked: set[Asked] = set()

    async def same(self, a: str, b: str, asked: Asked = ANYBODY) -> bool:
        self.asked.add(asked)
        return "5" in (a, b)


@pytest.mark.parametrize("answers", [["5", "5 hours", "5 minutes"], ["5 hours", "5", "5 minutes"]])
async def test_a_relation_that_is_not_transitive_chains_nothing_together(answers: list[str]) -> None:
    equivalence = Loose()
    assert await classes(answers, equivalence, Asked("job", "problem")) == [[0, 1], [2]]
    assert equivalence.asked == {Asked("job", "problem")}
