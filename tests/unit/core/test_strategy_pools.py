from __future__ import annotations

import pytest

from ssr.core.errors import InvalidRequest, NotFound
from ssr.core.strategy_pools import parse_pool, pool_named


def test_a_pool_keeps_its_order_and_joins_lines() -> None:
    pool = parse_pool("p", "- {code: B, name: Back, hint: 'one\n  two'}\n- {code: A, name: None of these}")
    assert [(s.code, s.hint) for s in pool] == [("B", "one two"), ("A", "")]


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
        "- [",
    ],
)
def test_malformed_pools_are_named(text: str) -> None:
    with pytest.raises(InvalidRequest, match="strategy pool mine"):
        parse_pool("mine", text)


def test_an_unknown_pool_names_the_known() -> None:
    with pytest.raises(NotFound, match=r"'nope'.*school"):
        pool_named("nope", {"school": ()})
