from __future__ import annotations

import math
from typing import Any

import pytest

from ssr.core.errors import InvalidRequest, Unavailable
from ssr.core.retry import Backoff
from ssr.core.types import Mode, Options
from ssr.orchestrator.api.admission import Admission
from ssr.orchestrator.settings import DefaultOptions
from ssr.runtime.redis.patience import patiently
from ssr.v1 import reasoning_pb2 as pb
from ssr.v1 import step_pb2


class Services:
    """A selector and two engines, as admission sees them."""

    def __init__(self, tokens: int = 10) -> None:
        self.asked: list[str] = []
        self._tokens = tokens
        self.names = ["school"]

    async def strategy_sets(self) -> list[str]:
        self.asked.append("pools")
        return self.names

    async def draft(self, text: str) -> step_pb2.MeasureResponse:
        self.asked.append("draft")
        return step_pb2.MeasureResponse(model="small", tokens=self._tokens, max_total_tokens=1000)

    async def target(self, text: str) -> step_pb2.MeasureResponse:
        self.asked.append("target")
        return step_pb2.MeasureResponse(model="large", tokens=self._tokens, max_total_tokens=10_000)

    def admission(self) -> Admission:
        return Admission(self, self.draft, self.target, lambda _: Options(strategy_set="school", paths=3))


async def test_defaults_are_filled_in() -> None:
    request = await Services().admission().check(pb.SolveRequest(problem="p", idempotency_key="k"))
    options = request.options
    assert (options.paths, options.strategy_set, options.threshold, options.early_stop) == (3, "school", 7.0, True)
    assert not request.seeded
    assert options.mode is Mode.SSR


@pytest.mark.parametrize(
    ("given", "reserve"), [({}, 1), ({"paths": 1}, 0), ({"mode": pb.MODE_BASELINE}, 0), ({"reserve": 2}, 2)]
)
async def test_a_default_reserve_refuses_no_request(given: dict[str, Any], reserve: int) -> None:
    services = Services()
    defaults = DefaultOptions(strategy_set="school", paths=3, reserve=1).options()
    admission = Admission(services, services.draft, services.target, lambda _: defaults)
    request = await admission.check(pb.SolveRequest(problem="p", options=pb.Options(**given)))
    assert request.options.reserve == reserve


def test_a_default_reserve_is_below_the_default_paths() -> None:
    with pytest.raises(ValueError, match="reserve must be below paths=3; got 3"):
        DefaultOptions(paths=3, reserve=3)


async def test_chosen_seeds_differ() -> None:
    admission = Services().admission()
    seeds = {(await admission.check(pb.SolveRequest(problem="p"))).options.seed for _ in range(8)}
    assert len(seeds) == 8


async def test_known_pools_are_asked_for_once_and_unknown_ones_each_time() -> None:
    services = Services()
    admission = services.admission()
    for _ in range(3):
        await admission.check(pb.SolveRequest(problem="p"))
    assert services.asked == ["pools"]
    wanted = pb.SolveRequest(problem="p", options=pb.Options(strategy_set="new"))
    with pytest.raises(InvalidRequest, match="strategy_set: there is no strategy set 'new'; known are school"):
        await admission.check(wanted)
    services.names.append("new")
    await admission.check(wanted)


async def test_modes_without_strategies_ask_no_selector() -> None:
    services = Services()
    await services.admission().check(pb.SolveRequest(problem="p", options=pb.Options(mode=pb.MODE_SSD)))
    assert services.asked == []


async def test_a_long_problem_is_measured_for_the_models_that_will_read_it() -> None:
    services = Services()
    long = "a long story " * 100
    await services.admission().check(pb.SolveRequest(problem=long))
    assert sorted(services.asked) == ["draft", "pools", "target"]
    services.asked.clear()
    await services.admission().check(pb.SolveRequest(problem=long, options=pb.Options(mode=pb.MODE_BASELINE)))
    assert services.asked == ["target"]


async def test_a_problem_that_fills_a_model_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="problem: has 501 tokens for small; at most 500 fit"):
        await Services(tokens=501).admission().check(pb.SolveRequest(problem="long " * 300))


async def test_patience_waits_for_redis_and_for_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssr.runtime.redis.patience._BACKOFF", Backoff(first_s=0.001, patience_s=math.inf))
    failures: list[Exception] = [Unavailable("away"), Unavailable("away"), ValueError("a bug")]

    async def call() -> str:
        if failures:
            raise failures.pop(0)
        return "done"

    with pytest.raises(ValueError, match="a bug"):
        await patiently("test", call)
    assert await patiently("test", call) == "done"
