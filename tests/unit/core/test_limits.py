from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ssr.core.errors import InvalidRequest
from ssr.core.limits import MAX_PROBLEM_CHARS, check_key, check_options, check_problem, check_tenant
from ssr.core.types import Mode, Options


@pytest.mark.parametrize(
    "problem",
    [
        *("", "  \n ", "\u200b\u2060\ufeff", "\u2800 \u3164", "\u00a0\u3000\ufe0f", "\x07"),
        *("2 + \0 2", "half \ud83c a pair", "x" * (MAX_PROBLEM_CHARS + 1)),
    ],
)
def test_problems_out_of_limits(problem: str) -> None:
    with pytest.raises(InvalidRequest, match="^problem: "):
        check_problem(problem)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("paths", 0),
        ("paths", 17),
        ("threshold", -0.1),
        ("threshold", 9.1),
        ("threshold", float("nan")),
        ("temperature", 2.1),
        ("temperature", float("inf")),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_p", float("nan")),
        ("max_step_tokens", 0),
        ("max_path_tokens", 70_000),
        ("seed", -1),
        ("deadline_s", 0.0),
        ("deadline_s", float("inf")),
        ("max_tokens", 0),
        ("max_steps", 0),
        ("max_steps", 4097),
        ("lookahead", -1),
        ("lookahead", 5),
        ("reserve", -1),
        ("reserve", 5),
        ("scorer", "gut feeling"),
    ],
)
def test_options_out_of_limits_name_the_field(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"^{field}: ") as caught:
        check_options(replace(Options(), **{field: value}))
    assert caught.value.field == field


@pytest.mark.parametrize("mode", [Mode.BASELINE, Mode.SSD])
def test_single_path_modes_have_one_path(mode: Mode) -> None:
    with pytest.raises(InvalidRequest, match="^paths: must be 1 in mode"):
        check_options(Options(mode=mode, paths=2))
    check_options(Options(mode=mode, paths=1))


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.SSR])
def test_only_mode_ssr_has_a_reserve(mode: Mode) -> None:
    paths = 1 if mode.single_path else 3
    with pytest.raises(InvalidRequest, match=f"^reserve: must be 0 in mode {mode}: only ssr has one; got 1$"):
        check_options(Options(mode=mode, paths=paths, reserve=1))
    check_options(Options(mode=mode, paths=paths))


def test_a_reserve_leaves_a_path_to_draft() -> None:
    with pytest.raises(InvalidRequest, match=r"^reserve: must be within 0\.\.2, below paths=3; got 3$"):
        check_options(Options(paths=3, reserve=3))
    check_options(Options(paths=3, reserve=2))


def test_defaults_and_bounds_are_allowed() -> None:
    check_options(Options())
    check_options(Options(paths=16, threshold=9, temperature=0, top_p=1, scorer="judge", max_steps=1, lookahead=4))
    check_problem("x" * MAX_PROBLEM_CHARS)
    check_key("k" * 128)


def test_long_keys() -> None:
    with pytest.raises(InvalidRequest, match="^idempotency_key: "):
        check_key("k" * 129)


@pytest.mark.parametrize("tenant", ["", "t" * 65, "a b", "a/b", "ä", "a\n", "{a}"])
def test_what_names_no_tenant(tenant: str) -> None:
    with pytest.raises(InvalidRequest, match="^tenant: "):
        check_tenant(tenant)


@pytest.mark.parametrize("tenant", ["t" * 64, "Shop-1.eu_west", "0"])
def test_what_names_a_tenant(tenant: str) -> None:
    check_tenant(tenant)


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_options(Options(paths=17, top_p=2, max_steps=0))
    assert [violation.field for violation in caught.value.violations] == ["paths", "top_p", "max_steps"]


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        (Options(seed=2**63), "seed: must be within 0..9223372036854775807; got 9223372036854775808"),
        (Options(max_path_tokens=70_000), "max_path_tokens: must be within 1..65536; got 70000"),
        (Options(temperature=0.00001 + 2), "temperature: must be within 0..2; got 2.00001"),
        (Options(threshold=-0.00001), "threshold: must be within 0..9; got -0.00001"),
        (Options(temperature=1e300), "temperature: must be within 0..2; got 1e+300"),
    ],
)
def test_numbers_are_reported_as_people_write_them(options: Options, reported: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_options(options)
    assert str(caught.value) == reported


def test_a_long_text_is_echoed_without_its_end() -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_options(Options(scorer="s" * 9_000))
    assert "s" * 100 + "'..." in str(caught.value)
    assert len(str(caught.value)) < 420


@pytest.mark.parametrize("text", ["a\0b", "\udfff"])
def test_texts_that_cannot_be_kept_are_refused(text: str) -> None:
    for check in (check_key, lambda scorer: check_options(Options(strategy_set=scorer))):
        with pytest.raises(InvalidRequest):
            check(text)
