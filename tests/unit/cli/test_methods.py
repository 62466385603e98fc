"""`ssr methods`, and the example plugin: installed as a distribution, its methods are found and used by name."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from engine_fakes import FakeEngine
from tree_models import TreeModels
from typer.testing import CliRunner

from ssr.cli.app import app
from ssr.cli.destination import AskedPresets, asked_presets
from ssr.core import methods
from ssr.core.acceptance import check_scorer
from ssr.core.errors import InvalidRequest
from ssr.core.evidence.poll import PathVote
from ssr.core.evidence.posterior import Posterior
from ssr.core.evidence.prior import PathAuthor, Prior
from ssr.core.evidence.rule import EvidenceRule, check_estimate, standing
from ssr.core.limits import check_options
from ssr.core.methods import MethodKind
from ssr.core.presets import preset_options
from ssr.core.types import NO_STRATEGY, Options, PathContext
from ssr.core.vote_rule import VoteRule
from ssr.domains import domain_named
from ssr.orchestrator.run.domain_stages import for_domain
from ssr.selector.selector import StrategySelector
from ssr.selector.strategy_sets import load_strategy_sets
from ssr.verifier.scorers import scorer_named
from ssr.verifier.scoring import JudgedStep
from ssr_bench.evaluation.hub import load_dataset

PLUGIN = Path(__file__).parents[3] / "examples" / "method_plugin"


def forget() -> None:
    for cached in (methods.found_methods, methods.method_named, scorer_named, domain_named):
        cached.cache_clear()


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example as it lies when pip has installed it: its module, and its metadata with the entry points."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    info = tmp_path / "ssr_example_methods-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [line for group, points in groups for line in (f"[{group}]", *(f"{n} = {v}" for n, v in points.items()))]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "example_methods.py").write_text((PLUGIN / "example_methods.py").read_text())
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    yield
    forget()
    sys.modules.pop("example_methods", None)


def listed(*arguments: str) -> list[dict[str, str]]:
    result = CliRunner().invoke(app, ["methods", "--json", *arguments])
    assert result.exit_code == 0, result.output
    found: list[dict[str, str]] = json.loads(result.output)
    return found


def test_ours_are_listed() -> None:
    names = {(one["kind"], one["name"]) for one in listed()}
    assert {("mode", "cascade"), ("scorer", "agreement+judge"), ("strategy set", "school")} <= names
    assert {one["origin"] for one in listed()} == {"ssr"}


@pytest.mark.usefixtures("plugin")
def test_those_of_a_plugin_are_listed_with_where_they_are_from() -> None:
    theirs = {(one["kind"], one["name"]) for one in listed() if one["origin"] == "ssr-example-methods"}
    assert theirs == {
        ("scorer", "short-steps"),
        ("estimate", "laplace"),
        ("aggregate", "median"),
        ("strategy set", "two-ways"),
        ("data set", "sums"),
        ("domain", "yes-no"),
    }


@pytest.mark.usefixtures("plugin")
async def test_those_of_a_plugin_are_used_by_name() -> None:
    check_options(Options(scorer="short-steps", estimate="laplace", vote="weighted-median"))
    context = PathContext("job", 0, "p", NO_STRATEGY, (), 1)
    judgement = await scorer_named("short-steps").judge(context, "x" * 100, JudgedStep(FakeEngine()))
    assert judgement.score == 4.5
    votes = [PathVote(PathAuthor.TARGET, 0), PathVote(PathAuthor.TARGET, 0)]
    stands = standing(EvidenceRule("laplace", 0.6), Posterior(Prior()), votes, [PathAuthor.TARGET])
    assert stands.stop
    assert stands.confidence == pytest.approx(2 / 3)
    assert VoteRule.named("weighted-median").weight([(0.0, 4.5, 9.0)]) == 0.5
    assert [strategy.name for strategy in load_strategy_sets()["two-ways"]] == ["Forwards", "Backwards"]
    assert (await load_dataset("sums"))[2].answer == "9"


@pytest.mark.usefixtures("plugin")
async def test_a_domain_of_a_plugin_asks_and_compares_in_its_own_way() -> None:
    options = Options(domain="yes-no")
    check_options(options)
    engine = FakeEngine(tokens=[[("B", -0.1), ("A", -1.0)]])
    await StrategySelector(engine, load_strategy_sets()).select(
        "job", "Is it?", replace(options, strategy_set="two-ways", paths=2)
    )
    assert "You choose how to think about questions." in engine.prompts[0]
    mathematics = TreeModels([1]).stages()
    assert await for_domain(mathematics, options).equivalence.same("Yes.", "yes")
    assert not await for_domain(mathematics, options).equivalence.same("yes", "no")


@pytest.mark.parametrize("check", [check_scorer, check_estimate])
def test_without_it_they_are_unknown(check: object) -> None:
    for name in ("short-steps", "laplace"):
        with pytest.raises(InvalidRequest, match="is unknown"):
            check(name)  # type: ignore[operator]


@pytest.mark.usefixtures("plugin")
def test_a_method_that_cannot_be_loaded_says_so(tmp_path: Path) -> None:
    (tmp_path / "example_methods.py").write_text("")
    sys.modules.pop("example_methods", None)
    with pytest.raises(InvalidRequest, match="cannot be loaded"):
        methods.method_named(MethodKind.AGGREGATE, "median")


def test_a_preset_shows_what_it_has() -> None:
    shown = json.loads(CliRunner().invoke(app, ["methods", "--preset", "paper", "--json"]).stdout)
    assert (shown["scorer"], shown["selection"], shown["repeat_rule"]) == ("validity", "codes", "consecutive")
    check_options(Options(**preset_options("paper")))
    assert preset_options("paper")["strategy_set"] in load_strategy_sets()
    assert CliRunner().invoke(app, ["methods", "--preset", "papers"]).exit_code == 2


def test_presets_of_stacks_and_of_options_go_together() -> None:
    assert asked_presets(["simulated", "paper"]) == AskedPresets("simulated", "paper")
    assert asked_presets(["paper"]) == AskedPresets(None, "paper")
    for wrong in (["paper", "paper"], ["local", "smoke"], ["nope"]):
        with pytest.raises(InvalidRequest, match="preset"):
            asked_presets(wrong)
