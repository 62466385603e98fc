from __future__ import annotations

import pytest

from ssr.core.errors import InvalidRequest, NotFound
from ssr.core.strategy_sets import MAX_EXAMPLE_CHARS, MAX_EXAMPLES, parse_strategy_set, strategy_set_named
from ssr.core.types import WorkedExample


def test_a_set_keeps_its_order_and_joins_lines() -> None:
    strategy_set = parse_strategy_set(
        "p", "- {code: B, name: Back, hint: 'one\n  two'}\n- {code: A, name: None of these}"
    )
    assert [(s.code, s.hint) for s in strategy_set] == [("B", "one two"), ("A", "")]


EXAMPLE = "{problem: ' 1+1? ', solution: 'It is 2.\n\n\n  So \\boxed{2}. '}"


def test_worked_examples_keep_their_blank_lines() -> None:
    (strategy,) = parse_strategy_set("p", f"- {{code: A, name: Sums, examples: [{EXAMPLE}]}}")
    assert strategy.examples == (WorkedExample("1+1?", "It is 2.\n\nSo \\boxed{2}."),)
    assert strategy.hint == ""


@pytest.mark.parametrize(
    ("examples", "wrong"),
    [
        ("[{problem: p, solution: 'It is 2.'}]", r"A\.examples\[0\].*in \\boxed\{\}"),
        (f"[{EXAMPLE}, {{problem: '', solution: '\\boxed{{2}}'}}]", r"A\.examples\[1\].*needs a problem"),
        (f"[{{problem: {'p' * MAX_EXAMPLE_CHARS}, solution: '\\boxed{{2}}'}}]", r"\[0\].*at most 4000 "),
        (f"[{', '.join([EXAMPLE] * (MAX_EXAMPLES + 1))}]", r"A\.examples: has 9; at most 8 "),
        ("[{problem: p}]", "examples: .*solution"),
        ("two of them", "not a list of"),
    ],
)
def test_an_example_that_cannot_be_used_is_named(examples: str, wrong: str) -> None:
    with pytest.raises(InvalidRequest, match=wrong):
        parse_strategy_set("mine", f"- {{code: A, name: x, examples: {examples}}}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "a: b",
        "- {name: no code}",
        "- {code: AB, name: x}",
        "- {code: a, name: x}",
        "- {code: 1, name: x}",
        "- {code: A, name: x}\n- {code: A, name: y}",
        '- {code: A, name: "half a pair \\ud83c"}',
        "- [",
    ],
)
def test_malformed_sets_are_named(text: str) -> None:
    with pytest.raises(InvalidRequest, match="strategy set mine"):
        parse_strategy_set("mine", text)


def test_an_unknown_set_names_the_known() -> None:
    with pytest.raises(NotFound, match=r"'nope'.*school"):
        strategy_set_named("nope", {"school": ()})
