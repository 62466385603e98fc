from __future__ import annotations

import re
from pathlib import Path

import pytest
from engine_fakes import FakeEngine

from ssr.core.answers import boxed
from ssr.core.errors import InvalidRequest, NotFound
from ssr.core.steps import BOUNDARY
from ssr.core.strategy_sets import parse_strategy_set
from ssr.core.types import Options, SelectionRule
from ssr.domains import domain_named
from ssr.selector.selector import StrategySelector
from ssr.selector.strategy_sets import load_strategy_sets

STRATEGY_SETS = {
    "abcd": parse_strategy_set("abcd", "\n".join(f"- {{code: {c}, name: n{c}, hint: h{c}}}" for c in "ABCD"))
}


def asked(strategy_set: str, count: int, rule: SelectionRule = SelectionRule.RANKING, domain: str = "") -> Options:
    return Options(strategy_set=strategy_set, paths=count, selection=rule, domain=domain)


async def codes(engine: FakeEngine, count: int) -> str:
    selection = await StrategySelector(engine, STRATEGY_SETS).select("job", "p", asked("abcd", count))
    return "".join(strategy.code for strategy in selection.strategies)


async def test_one_pass_ranks_the_pool() -> None:
    engine = FakeEngine(tokens=[[(" C", -0.1), ("A", -2.0), ("x", -2.5), ("C", -3.0), ("D", -4.0), (" B", -5.0)]])
    assert await codes(engine, 3) == "CAD"
    assert len(engine.prompts) == 1


async def test_a_small_set_is_repeated_from_its_best() -> None:
    engine = FakeEngine(tokens=[[("B", -0.1), ("A", -1.0), ("D", -2.0), ("C", -3.0)]])
    assert await codes(engine, 6) == "BADCBA"


async def test_of_one_strategy_there_is_nothing_to_choose() -> None:
    engine = FakeEngine()
    selection = await StrategySelector(engine, load_strategy_sets()).select("job", "p", asked("plain", 3))
    assert [(strategy.code, strategy.hint) for strategy in selection.strategies] == [("A", "")] * 3
    assert (selection.calls, engine.prompts) == ((), [])


async def test_few_logprobs_fall_back_to_what_the_target_writes() -> None:
    engine = FakeEngine(["D, then Z, C and D"], tokens=[[("A", -0.1), (" of", -1.0)]], max_top_n=2)
    assert await codes(engine, 4) == "ADCB"
    assert len(engine.prompts) == 2


async def test_a_target_that_says_nothing_of_use_leaves_the_sets_order() -> None:
    assert await codes(FakeEngine(["I cannot say."], tokens=[[("Well", -0.1)]]), 2) == "AB"


WITH_NONE = parse_strategy_set(
    "with-none", "\n".join(f"- {{code: {c}, name: n{c}, hint: '{'' if c == 'D' else c}'}}" for c in "ABCD")
)


@pytest.mark.parametrize(
    ("written", "chosen"),
    [
        (" B, A, C", "BAC"),
        ("BDA", "BDA"),
        ("D, D, A", "DDA"),
        ("C, C, C, A", "CCC"),
        ("B", "BDD"),
        ("Z, B", "BDD"),
        ("none of them", "DDD"),
    ],
)
async def test_codes_are_decoded_with_repeats_and_filled_with_none_of_these(written: str, chosen: str) -> None:
    engine = FakeEngine([written])
    selector = StrategySelector(engine, {"with-none": WITH_NONE})
    selection = await selector.select("job", "p", asked("with-none", 3, SelectionRule.CODES))
    assert "".join(strategy.code for strategy in selection.strategies) == chosen
    assert [call.kind for call in selection.calls] == ["select"]
    assert "The letter D may come more than once" in engine.prompts[0]


async def test_a_set_without_none_of_these_leaves_a_missing_code_to_the_problem_alone() -> None:
    selector = StrategySelector(FakeEngine(["B"]), STRATEGY_SETS)
    selection = await selector.select("job", "p", asked("abcd", 2, SelectionRule.CODES))
    assert [strategy.hint for strategy in selection.strategies] == ["hB", ""]


async def test_costs_are_reported() -> None:
    selection = await StrategySelector(FakeEngine(["B"], tokens=[[("A", -0.1)]]), STRATEGY_SETS).select(
        "job", "p", asked("abcd", 2)
    )
    assert [(call.kind, call.prompt_tokens, call.generated_tokens) for call in selection.calls] == [
        ("select", 60, 1),
        ("select", 50, 5),
    ]


async def test_an_unknown_pool() -> None:
    with pytest.raises(NotFound, match="known are abcd"):
        await StrategySelector(FakeEngine(), STRATEGY_SETS).select("job", "p", asked("nope", 1))


def test_the_sets_that_come_with_ssr() -> None:
    strategy_sets = load_strategy_sets()
    assert len(strategy_sets["competition"]) == 13
    assert [s.code for s in strategy_sets["competition"]] == list("ABCDEFGHIJKLM")
    assert [s.code for s in strategy_sets["subjects"]] == list("ABCDEFGHIJKLM")
    for subject in ("complex numbers", "functional equations", "calculus"):
        assert any(subject in s.name.lower() for s in strategy_sets["subjects"])
    for name in ("competition", "subjects", "school"):
        assert [s.hint for s in strategy_sets[name]].count("") == 1, "one strategy stands for none of the others"
    assert all(s.examples and not s.hint for s in strategy_sets["worked"])


def test_the_worked_examples_are_right() -> None:
    """Every calculation, and the answer is what the last one comes to."""
    for strategy in load_strategy_sets()["worked"]:
        for example in strategy.examples:
            calculations = re.findall(r"((?:[\d.]+ [-+*/] )+[\d.]+) = (\d+(?:\.\d+)?)", example.solution)
            assert len(calculations) >= 2
            for calculation, result in calculations:
                assert eval(calculation) == pytest.approx(float(result))
            assert boxed(example.solution) == calculations[-1][1]
            assert all(step.strip() == step for step in example.solution.split(BOUNDARY))


def test_an_operators_set_adds_or_replaces(tmp_path: Path) -> None:
    (tmp_path / "school.yaml").write_text("- {code: A, name: Only one, hint: h}")
    (tmp_path / "mine.yaml").write_text("- {code: B, name: Mine, hint: h}")
    strategy_sets = load_strategy_sets(tmp_path)
    assert len(strategy_sets["school"]) == 1
    assert strategy_sets["mine"][0].name == "Mine"
    assert "competition" in strategy_sets
    (tmp_path / "bad.yaml").write_text("- {code: long}")
    with pytest.raises(InvalidRequest, match=r"bad\.yaml"):
        load_strategy_sets(tmp_path)
    with pytest.raises(NotFound, match="no folder"):
        load_strategy_sets(tmp_path / "absent")


@pytest.mark.parametrize("rule", list(SelectionRule))
async def test_the_target_is_asked_in_the_words_of_the_domain(rule: SelectionRule) -> None:
    engine = FakeEngine(["B A"], tokens=[[("B", -0.1), ("A", -1.0)]])
    selector = StrategySelector(engine, STRATEGY_SETS)
    await selector.select("job", "p", asked("abcd", 2, rule, "code"))
    assert "mathematics" not in engine.prompts[0]
    assert domain_named("code").prompts.selecting_system in engine.prompts[0]
    with pytest.raises(InvalidRequest, match="domain"):
        await selector.select("job", "p", asked("abcd", 2, rule, "nope"))
