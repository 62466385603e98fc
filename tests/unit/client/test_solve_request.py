"""From keyword arguments to the message."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from ssr.client.request import resolved, solve_request
from ssr.core.errors import InvalidRequest
from ssr.core.job import Priority
from ssr.core.types import Mode, Options, StopRule
from ssr.runtime.rpc.options_wire import asked_options, options_from_wire
from ssr.v1 import reasoning_pb2


def test_nothing_given_is_every_default() -> None:
    assert resolved({}) == Options()
    assert not solve_request("1+1?", "key", {}).options.ListFields()


def test_what_is_given_comes_back_from_the_wire() -> None:
    request = solve_request(
        "1+1?", "key", {"mode": "parallel-spm", "paths": 3, "stop_rule": StopRule.FAST_1, "threshold": 0, "seed": 0}
    )
    options = options_from_wire(request.options, fallback_seed=99)
    assert options == Options(
        mode=Mode.PARALLEL_SPM, paths=3, stop_rule=StopRule.FAST_1, threshold=0, seed=0, early_stop=False
    )
    assert (request.problem, request.idempotency_key) == ("1+1?", "key")


@pytest.mark.parametrize("mode", [Mode.BASELINE, Mode.SSD])
def test_modes_of_one_path(mode: Mode) -> None:
    assert resolved({"mode": mode}).paths == 1
    with pytest.raises(InvalidRequest, match="paths: must be 1"):
        resolved({"mode": mode, "paths": 5})


@pytest.mark.parametrize(
    "given",
    [
        {"paths": 0},
        {"threshold": math.nan},
        {"temperature": -0.1},
        {"top_p": 0.0},
        {"scorer": "dice"},
        {"seed": -1},
        {"max_step_tokens": 5000},
        {"max_path_tokens": 0},
        {"max_thinking_tokens": -1},
        {"max_steps": 0},
        {"lookahead": -1},
        {"reserve": 5},
        {"mode": "SSR"},
        {"nonsense": 1},
    ],
)
def test_out_of_limits_names_the_option(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        solve_request("1+1?", "", given)  # type: ignore[arg-type]
    assert [caught.value.field] == list(given)


@pytest.mark.parametrize(("problem", "key", "field"), [(" ", "", "problem"), ("1?", "k" * 129, "idempotency_key")])
def test_problem_and_key_have_limits(problem: str, key: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        solve_request(problem, key, {})
    assert caught.value.field == field


@pytest.mark.parametrize("priority", ["batch", Priority.BATCH])
def test_a_priority_may_be_its_name(priority: Priority | str) -> None:
    assert solve_request("1?", "", {}, priority).priority == reasoning_pb2.PRIORITY_BATCH
    assert solve_request("1?", "", {}).priority == reasoning_pb2.PRIORITY_INTERACTIVE


def test_an_unknown_priority() -> None:
    with pytest.raises(InvalidRequest, match="^priority: 'urgent' is unknown; known are interactive, batch"):
        solve_request("1?", "", {}, "urgent")


def test_a_preset_is_written_out_for_servers_that_do_not_know_it() -> None:
    options = solve_request("1+1?", "key", {"preset": "paper", "paths": 3}).options
    assert (options.preset, options.paths, options.scorer, options.vote) == ("paper", 3, "validity", "plurality")
    assert resolved({"preset": "paper", "threshold": 5.0}).threshold == 5.0
    assert resolved({"preset": "paper", "mode": "baseline"}).paths == 1
    with pytest.raises(InvalidRequest, match="preset: 'papers' is unknown; known are paper"):
        resolved({"preset": "papers"})


def test_a_server_fills_in_a_preset_that_is_only_named() -> None:
    named = asked_options(reasoning_pb2.Options(preset="paper", threshold=0), 1, Options(paths=2, threshold=8.0))
    assert named == replace(resolved({"preset": "paper", "threshold": 0}), seed=1)
    assert (named.paths, named.threshold, named.early_stop) == (5, 0.0, False)
    with pytest.raises(InvalidRequest, match="preset"):
        asked_options(reasoning_pb2.Options(preset="x"), 1)


def test_requests_with_other_seeds_are_each_their_own() -> None:
    seeds = [solve_request("1?", "", {"paths": 2, "seed": seed}).options.seed for seed in (5, 6, 5)]
    assert seeds == [5, 6, 5]
    assert not solve_request("1?", "", {"paths": 2}).options.HasField("seed")
    assert [resolved({"paths": 2, "seed": seed}).seed for seed in (5, 6)] == [5, 6]
    for wrong in (-1, 2**63):
        with pytest.raises(InvalidRequest) as refused:
            solve_request("1?", "", {"paths": 99, "seed": wrong})
        assert {violation.field for violation in refused.value.violations} == {"paths", "seed"}
