"""The plain spelling of answers, and what spelling settles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.orchestrator.equivalence.notation import aligned, normalise, same_text, settled

PIECES = [
    "1",
    "234",
    ",",
    ", ",
    " ",
    ".",
    "x",
    "=",
    "$",
    "\\$",
    "\\,",
    "\\ ",
    "\\text{ cm}",
    "\\%",
    "^\\circ",
    "(",
    ")",
]
PIECES += ["\\frac", "{", "}", "\\left", "\\\\", "-", "B", "million", "\\(", "\\)", "\\{", "\\}", ":", "/"]


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        (" $5$ ", "5"),
        ("$$5$$", "5"),
        (r"\(5\)", "5"),
        (r"\[5\]", "5"),
        ("5.", "5"),
        ("$5$.", "5"),
        (r"\(5.\).", "5"),
        (r"5\,", "5"),
        (r"\$5.50", "5.50"),
        (r"-\$5", "-5"),
        ("1,234,567.8", "1234567.8"),
        ("-1{,}000", "-1000"),
        (r"10\,000", "10000"),
        ("1, 234", "1, 234"),
        ("(1,234)", "(1, 234)"),
        ("3,4", "3, 4"),
        ("3 1/2", "3 1/2"),
        ("x = - 5", "x=-5"),
        (r"\left( 1,\ 2 \right]", "(1, 2]"),
        (r"\leftarrow", r"\leftarrow"),
        (r"\dfrac{1}{2}", r"\frac{1}{2}"),
        (r"12\text{ cm}", "12"),
        (r"12 \mathrm{cm}^2", "12"),
        (r"12\text{ cm}^{3}", "12"),
        (r"\frac{1}{2}\text{ hours}", r"\frac{1}{2}"),
        (r"25^\circ\text{C}", "25"),
        ("90°", "90"),
        (r"50 \%", "50"),
        (r"3\text{ million}", r"3\cdot10^{6}"),
        ("3 thousand dollars", r"3\cdot10^{3}"),
        (r"\text{ no  solution. }", "no solution"),
        ("(B)", "B"),
        (r"\textbf{(B)}", "B"),
        ("B)", "B"),
        (r"1 \\ 2", r"1\\2"),
        (r"1 \\, 2", r"1\\, 2"),
        ("−5", "-5"),
    ],
)
def test_normalise(answer: str, plain: str) -> None:
    assert normalise(answer) == plain


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_any_answer_has_a_spelling_equal_to_itself(answer: str) -> None:
    assert same_text(answer, answer)
    plain = normalise(answer)
    assert settled(plain, plain) is True


@given(st.integers(0, 10**15))
def test_thousands_separators_do_not_matter(number: int) -> None:
    assert normalise(f"{number:,}") == str(number)


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ("5", "5", True),
        ("5", "5.0", True),
        ("5", "6", False),
        ("x=5", "5", True),
        ("x=5", "y=5", None),
        ("x=0.5", r"\frac12", True),
        ("f(x)=2x", "2x", True),
        (r"\theta=5", "5", True),
        ("1/3", "0.333", False),
        ("Yes", "yes", True),
        ("tar", "rat", False),
        ("no solution", "none", False),
        ("ab", "ba", None),
        ("10:30", "5:15", False),
        ("2:3", "4:6", None),
        ("(3, 4)", r"\{3, 4\}", False),
        ("(3, 4)", "(4, 3)", None),
        ("", "", True),
        ("", "5", False),
        ("x^2", "x*x", None),
        ("1/0", "5", None),
    ],
)
def test_settled(a: str, b: str, verdict: bool | None) -> None:
    assert settled(a, b) is verdict
    assert settled(b, a) is verdict


@pytest.mark.parametrize(
    ("a", "b", "seen"),
    [
        ("(3, 4)", "3, 4", ("(3, 4)", "(3, 4)")),
        ("3, 4", "(3, 4)", ("(3, 4)", "(3, 4)")),
        (r"(\frac{1}{2}, 3)", r"\frac12, 3", (r"(\frac{1}{2}, 3)", r"(\frac12, 3)")),
        ("3, 4", "4, 3", ("3, 4", "4, 3")),
        (r"\{3, 4\}", "4, 3", (r"\{3, 4\}", "4, 3")),
        ("(1, 2), (3, 4)", "(3, 4)", ("((1, 2), (3, 4))", "(3, 4)")),
        ("(1, 2)+(3, 4)", "3, 4", ("(1, 2)+(3, 4)", "3, 4")),
        ("x=3, y=4", "(3, 4)", ("x=3, y=4", "(3, 4)")),
    ],
)
def test_a_bare_list_beside_an_ordered_one_is_ordered(a: str, b: str, seen: tuple[str, str]) -> None:
    assert aligned(a, b) == seen
