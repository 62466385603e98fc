"""Routing on simulated replicas in virtual time: what is measured is what the routing does."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from ssr.core.errors import InvalidRequest
from ssr_bench.cli.app import bench_app
from ssr_bench.routing import RoutingPlan, compare_routing


async def test_paths_that_meet_find_their_prompt_and_long_prompts_gain_by_it() -> None:
    plan = RoutingPlan(jobs=10, paths=4, replicas=3, per_s=(4.0,), prompt_words=(1500,), stagger_s=(0.0,))
    apart, together = await compare_routing(plan)
    assert (apart.gathered, together.gathered) == (False, True)
    assert apart.answer_s.count == together.answer_s.count == 10
    assert together.cached_share > apart.cached_share > 0
    assert together.answer_s.mean < apart.answer_s.mean
    assert 1 <= apart.imbalance <= 3


def test_the_command_prints_both_ways() -> None:
    asked = ["routing", "--jobs", "2", "--per-s", "1", "--prompt-words", "0", "--stagger", "0", "--paths", "2"]
    result = CliRunner().invoke(bench_app, asked)
    assert result.exit_code == 0
    assert [line.split()[3] for line in result.stdout.splitlines()[1:3]] == ["path", "job"]


def test_a_plan_out_of_its_limits_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="replicas"):
        RoutingPlan(replicas=0)
