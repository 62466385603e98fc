"""`ssr bench utilisation`, small: what it compares really is the same work."""

from __future__ import annotations

import pytest
from rich.console import Console
from vllm_face import serving_as_vllm

from ssr.core.errors import InvalidRequest
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr_bench.utilisation.measure import UtilisationReport, measure_utilisation
from ssr_bench.utilisation.plan import UtilisationPlan
from ssr_bench.utilisation.table import utilisation_table


def printed(report: UtilisationReport) -> str:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(utilisation_table(report))
    return captured.get()


async def test_simulated_engines_write_the_same_tokens_through_ssr_and_raw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSR_ENGINE_SIMULATED__LATENCY__TIME_SCALE", "0")
    report = await measure_utilisation(UtilisationPlan(concurrency=(3,), steps=3, rounds=1, least=2, services=2))
    baseline, parallel, accepted, ssr = report.comparisons
    for one in (baseline, parallel, accepted):
        assert one.tokens == one.raw_tokens > 0, one.subject.name
        assert one.reached is (one.rate_ratio >= 0.9)
    assert ssr.reached is None
    # One request a path where one model writes it; drafts that stand are scored, a call each.
    assert baseline.calls_per_step == baseline.jobs / baseline.steps
    assert parallel.calls_per_step == parallel.jobs * 3 / parallel.steps
    assert accepted.calls_per_step > 1
    assert {"drafter", "drafter-2", "verifier-2", "orchestrator-2", "redis"} <= set(baseline.cpu_ms_per_step)
    assert not any("engine" in part for part in baseline.cpu_ms_per_step)
    assert all(0 < one.first_step_ms.p50 <= one.answer_s.max * 1000 for one in report.comparisons)
    table = printed(report)
    assert "ssd-accepted" in table
    assert "simulated" in table


async def test_a_server_with_openais_api_is_measured_and_without_a_draft_engine_nothing_is_drafted() -> None:
    settings = SimulatedSettings.target().model_copy(update={"latency": Latency(time_scale=0)})
    async with serving_as_vllm(SimulatedBackend(settings)) as url:
        plan = UtilisationPlan(concurrency=(2,), engine=url, steps=2, rounds=1, least=2)
        report = await measure_utilisation(plan)
    assert [one.subject.name for one in report.comparisons] == ["baseline", "parallel"]
    assert all(one.tokens > 0 and one.raw_tokens > 0 for one in report.comparisons)
    assert url in printed(report)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"concurrency": ()}, "concurrency: must be numbers"),
        ({"concurrency": (0,)}, "concurrency: must be numbers"),
        ({"draft_engine": "http://a"}, "draft-engine: is given without an engine"),
        ({"subjects": ("best",)}, "modes: 'best' is none of baseline, parallel, ssd-accepted, ssr"),
        ({"subjects": ("ssr",), "engine": "http://a"}, "modes: drafting is all"),
        ({"services": 0}, "services"),
    ],
)
def test_a_plan_that_cannot_be_measured_is_refused(asked: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        UtilisationPlan(**asked)  # type: ignore[arg-type]
