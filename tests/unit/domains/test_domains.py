"""The domains: what is the same answer in each, and how an answer is found."""

from __future__ import annotations

import math

import pytest
from tree_models import TreeModels

from ssr.core.answers import ANYBODY, Asked
from ssr.core.domain import Domain
from ssr.core.errors import InvalidRequest
from ssr.core.prompts import MATHEMATICS, solving
from ssr.core.types import NO_STRATEGY, Options
from ssr.domains import domain_named, domain_names
from ssr.domains.choice import letter, same_choice
from ssr.domains.quantities.quantity import quantity, same_quantity
from ssr.domains.short_text.words import plain_words, same_words
from ssr.orchestrator.run.domain_stages import DomainEquivalence, for_domain
from ssr.selector.strategy_sets import load_strategy_sets


@pytest.mark.parametrize("name", domain_names())
def test_every_domain_has_what_a_job_needs(name: str) -> None:
    domain = domain_named(name)
    assert isinstance(domain, Domain)
    system, user = solving("What?", NO_STRATEGY, domain.prompts)
    assert "\\boxed{" in user.content
    assert len(system.content) > 20
    if name != "mathematics":
        assert domain.prompts != MATHEMATICS
        assert load_strategy_sets()[name] == domain.strategies


def test_an_unknown_domain_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidRequest, match="known are mathematics, choice, short-text, quantities, code"):
        domain_named("poetry")


@pytest.mark.parametrize("answer", ["B", "(b)", "B.", "B) 12 m/s", "\\text{B}", "Option B", "b: the second", "$B$"])
def test_a_letter_is_read(answer: str) -> None:
    assert letter(answer) == "B"


@pytest.mark.parametrize("answer", ["12", "A + B", "AB", "", "blue"])
def test_what_names_no_letter(answer: str) -> None:
    assert letter(answer) is None


async def test_choices_are_compared_by_letter_and_texts_by_others() -> None:
    assert await same_choice("(B)", "B. 12", "") is True
    assert await same_choice("B", "C", "") is False
    assert await same_choice("12 m/s", "B", "") is None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Paris", "paris."),
        ("The Eiffel Tower", "Eiffel tower"),
        ("\\text{Marie Curie}", "Marie  Curie"),
        ("July 4, 1776", "1776-07-04"),
        ("4th of July 1776", "July 4th, 1776"),
        ("Yes", "true"),
        ("seven", "7"),
        ("São Paulo", "Sao Paulo"),
        ("Mr. Smith", "Smith"),
        ("1,000", "1000"),
        ("x=5", "x = 5"),
        ("≤ 5", "<= 5"),
        ("the", "The"),
    ],
)
async def test_words_that_are_the_same(a: str, b: str) -> None:
    assert await same_words(a, b, "")
    assert await same_words(b, a, "")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Paris", "London"),
        ("July 4, 1776", "July 5, 1776"),
        ("Yes", "No"),
        ("Ann and Bob", "Ann"),
        ("a", "b"),
        ("Plan A", "Plan"),
        ("< 5", "> 5"),
        ("≤ 5", "≥ 5"),
        ("x ≠ 5", "x = 5"),
        ("C#", "C"),
        ("Dr. No", "no"),
        ("Mr. Smith", "Mrs. Smith"),
    ],
)
async def test_words_that_differ(a: str, b: str) -> None:
    assert await same_words(a, b, "") is False


def test_no_day_of_the_calendar_is_no_date() -> None:
    assert plain_words("February 31, 2020") == "february 31 2020"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("3.6 km/h", "1 m/s"),
        ("9.8\\,\\text{m/s}^2", "9.81 m s^{-2}"),
        ("1.2e3 J", "1.2 kJ"),
        ("3.0 \\times 10^8 \\text{ m/s}", "300000 km/s"),
        ("25 °C", "298.15 K"),
        ("0.5 mol/L", "0.5 M"),
        ("1 atm", "101325 Pa"),
        ("50 %", "0.5 rad"),
        ("10 N", "10 kg m/s^2"),
        ("v = 5 meters per second", "5 m/s"),
        ("12", "12 m"),
        ("1,000 g", "1 kilogram"),
        ("1/2 m", "50 cm"),
        ("30^\\circ", "0.5236 rad"),
        ("47 k\\Omega", "47000 ohm"),
    ],
)
async def test_quantities_that_are_the_same(a: str, b: str) -> None:
    assert await same_quantity(a, b, "") is True
    assert await same_quantity(b, a, "") is True


@pytest.mark.parametrize(
    ("a", "b"), [("5 kg", "5 m"), ("5 m", "6 m"), ("5 m", "5 mm"), ("5 J", "5 W"), ("1 M", "1 m"), ("5 m/s", "5 m s")]
)
async def test_quantities_that_differ(a: str, b: str) -> None:
    assert await same_quantity(a, b, "") is False


@pytest.mark.parametrize("answer", ["x + 2", "many", "5 frogs", "\\frac{a}{b} m", ""])
async def test_what_is_no_quantity_is_left_to_mathematics(answer: str) -> None:
    assert quantity(answer) is None
    assert await same_quantity(answer, "5 m", "") is None


def test_dimensions_are_those_of_si() -> None:
    volt = quantity("1 V")
    product = quantity("1 J/C")
    assert volt is not None
    assert product is not None
    assert volt.dimension == product.dimension
    assert math.isclose(volt.value, product.value)


class Never:
    async def same(self, a: str, b: str, asked: Asked = ANYBODY) -> bool:
        return False


async def test_where_a_domain_has_no_verdict_mathematics_decides() -> None:
    equivalence = DomainEquivalence(same_choice, "", Never())
    assert await equivalence.same("B", "(b)")
    assert not await equivalence.same("12", "12.0")


def test_a_job_gets_its_domains_ways() -> None:
    stages = TreeModels([1]).stages()
    assert for_domain(stages, Options()) == stages
    program = for_domain(stages, Options(domain="code", tests="assert True"))
    assert program.extract is not None
    assert program.verified is not None
    assert isinstance(program.equivalence, DomainEquivalence)
