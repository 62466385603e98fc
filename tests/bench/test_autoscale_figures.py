"""Figures from a recorded day, and what is shown of them."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from rich.console import Console

from ssr.engines.load import Pool
from ssr_bench.autoscale.cpu import CpuSample, machine_cpu_s
from ssr_bench.autoscale.day import BURST, ArrivalKind, DayOfLoad, Phase
from ssr_bench.autoscale.figures import WHOLE_DAY, figures_of, need_of
from ssr_bench.autoscale.life import Life
from ssr_bench.autoscale.load import ANSWERED, NOT_ENDED, SentJob
from ssr_bench.autoscale.pace import Pace
from ssr_bench.autoscale.plan import AutoscalePlan
from ssr_bench.autoscale.policy import Policy
from ssr_bench.autoscale.result_files import autoscale_json, write_results
from ssr_bench.autoscale.run import AutoscaleReport, DayRun, DecidedAt
from ssr_bench.autoscale.table import autoscale_markdown, autoscale_table
from ssr_bench.report_json import report_json

DAY = DayOfLoad(
    (Phase("calm", 100, load=1), Phase(BURST, 300, load=20, ramp_s=30, kind=ArrivalKind.STRICT)), calm_jobs_per_s=0.1
)
PLAN = AutoscalePlan(DAY, Pace(20), (Policy.OURS, Policy.QUEUE))


def job(at_s: float, took_s: float | None, status: str = ANSWERED) -> SentJob:
    phase = DAY.phase_at(at_s)
    return SentJob(at_s, phase.name, phase.kind, status, took_s, draft_slot_s=12.0, target_slot_s=6.0)


JOBS = (*(job(float(at), took_s=float(at + 1)) for at in range(100)), job(150, 50.0))
OURS = DayRun(
    Policy.OURS,
    JOBS,
    {
        Pool.DRAFT: (Life(-5, -5), *(Life(105, 165) for _ in range(7))),
        Pool.TARGET: (Life(-5, -5), Life(110, 170, stopped_s=390, ended_s=395), Life(120, 180), Life(120, 180)),
    },
    (DecidedAt(105.0, Pool.DRAFT, 1, 8, ("because",)),),
    (CpuSample(50.0, 0.2, 0.3), CpuSample(150.0, 0.5, 0.6), CpuSample(250.0, 0.7, 0.8), CpuSample(401.0, 0.9, 0.9)),
    (),
)
QUEUE = DayRun(
    Policy.QUEUE,
    (*JOBS, job(120, None, "FAILED"), job(130, None, NOT_ENDED), job(140, None, NOT_ENDED)),
    {
        Pool.DRAFT: (Life(-5, -5), Life(150, 210, 240, 250), Life(300, 360)),
        Pool.TARGET: (Life(-5, -5),),
    },
    (),
    (),
    ("drafter",),
)
REPORT = AutoscaleReport(PLAN, {"cores": 2}, (OURS, QUEUE))


def test_the_need_follows_from_the_script_and_the_work_of_the_answered_jobs() -> None:
    need = need_of(REPORT)
    # 0.1 jobs/s x 12 slot-seconds over 4 slots x 0.75 is 0.4; at the burst 20 times that.
    assert [need.replicas(Pool.DRAFT, at_s) for at_s in (50, 135, 399)] == [1, 8, 8]
    assert [need.replicas(Pool.TARGET, at_s) for at_s in (50, 135, 399)] == [1, 4, 4]
    assert {pool: need.peak(pool) for pool in Pool} == {Pool.DRAFT: 8, Pool.TARGET: 4}


def test_a_days_figures() -> None:
    ours, queue = figures_of(REPORT)
    assert (ours.lost_jobs, queue.lost) == (0, {"FAILED": 1, NOT_ENDED: 2})
    calm, whole = ours.phases["calm"], ours.phases[WHOLE_DAY]
    assert (calm.jobs, calm.p50_s, calm.p95_s) == (100, 50.0, 95.0)
    assert (ours.phases[BURST].jobs, ours.phases[BURST].p95_s) == (1, 50.0)
    assert whole.jobs == 101
    assert (calm.cpu, ours.phases[BURST].cpu, whole.cpu_most) == (0.2, pytest.approx(0.6), 0.7)  # type: ignore[comparison-overlap]
    draft, target = ours.pools[Pool.DRAFT], ours.pools[Pool.TARGET]
    assert draft.paid_replica_s == 400 + 7 * 295
    assert target.paid_replica_s == 400 + 285 + 2 * 280
    assert ours.paid_replica_s == draft.paid_replica_s + target.paid_replica_s
    assert (draft.most_asked, draft.changes) == (8, 1)
    assert draft.needed_replica_s == pytest.approx(100 * 1 + 30 * 4.5 + 270 * 8, abs=40)
    # From the burst to 165 s there is one: the rest of the need is missing.
    assert draft.missing_replica_s == pytest.approx(30 * 3.5 + 35 * 7, abs=40)


def test_replicas_given_back_and_asked_for_again_while_the_need_stays_are_flaps() -> None:
    ours, queue = figures_of(REPORT)
    assert queue.pools[Pool.DRAFT].flaps == (240, 300)
    assert (ours.flaps, queue.flaps) == (1, 2)  # ours gives a target replica back 270 s after asking


def test_a_phase_without_answers_has_no_percentiles() -> None:
    run = DayRun(Policy.OURS, (job(10, None, NOT_ENDED),), OURS.lives, (), (), ())
    (figures,) = figures_of(AutoscaleReport(PLAN, {}, (run,)))
    assert figures.phases["calm"].p95_s is None
    assert "1 not ended" in autoscale_markdown([AutoscaleReport(PLAN, {}, (run,))])


def test_the_table_shows_every_policy_phase_and_pool() -> None:
    console = Console(file=StringIO(), width=200)
    console.print(autoscale_table([REPORT]))
    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()
    for words in ("ours", "HPA on queue", "3 (1 failed, 2 not ended)", BURST, "2,465", "parts that died: drafter"):
        assert words in shown


def test_the_results_are_files_that_hold_everything(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    write_results([REPORT], tmp_path)
    assert (tmp_path / "autoscale.png").read_bytes().startswith(b"\x89PNG")
    reported = json.loads((tmp_path / "autoscale.json").read_text())
    assert reported["record"]["runs"][1]["jobs"][-1]["status"] == NOT_ENDED
    assert reported["record"]["plan"]["limits"]["draft"]["slots"] == 4
    assert reported["figures"][0]["pools"]["draft"]["paid_replica_s"] == 2465
    assert reported["work_slot_s"] == {
        "draft": {"usual": 12.0, "strict": 12.0},
        "target": {"usual": 6.0, "strict": 6.0},
    }
    assert "| HPA on queue |" in (tmp_path / "table.md").read_text()


def test_all_figures_can_be_computed_again_from_the_json() -> None:
    reported = json.loads(json.dumps(autoscale_json([REPORT])))
    record = reported["record"]
    del record["plan"]["limits"], record["plan"]["day"]["seconds"]  # these follow from the rest
    again = TypeAdapter(AutoscaleReport).validate_python(record)
    assert again == REPORT
    assert report_json(figures_of(again)) == reported["figures"]


def test_the_machines_cpu_time_is_all_but_idle_and_waiting() -> None:
    stat = "cpu  100 20 30 4000 500 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n"
    assert machine_cpu_s(stat) == pytest.approx((100 + 20 + 30 + 6 + 7) / 100)
