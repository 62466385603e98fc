"""What a sitting measured: read from a server, compared, refused where it is another, shown in the tables."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from evaluation_records import BASELINE, SSD, drafted, evaluation, plan_of, record

from ssr.client import ServerInfo
from ssr.core.errors import Conflict
from ssr.core.job import Job, JobStatus
from ssr.core.run import Path as JobPath
from ssr.core.types import Mode, Options, PathStatus, Source, Step, Strategy, WorkedExample
from ssr_bench.evaluation.dataset import Problem
from ssr_bench.evaluation.plan import PlannedRun
from ssr_bench.evaluation.record import Record, Setting, StrategyRecord, record_of
from ssr_bench.evaluation.run_directory import EvaluationOrigin, opened, read
from ssr_bench.evaluation.system import MeasuredSystem, ServedModel, SittingRecord, seated
from ssr_bench.evaluation.table import changed_grid, setting

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
TARGET = ServedModel(
    name="big", engine="vllm", engine_version="0.32", revision="abc", prompts="1111", scorer="judge", version="0.2.0"
)
SYSTEM = MeasuredSystem(server="a:1", version="0.2.0", models={"draft": ServedModel(name="small"), "target": TARGET})
ORIGIN = EvaluationOrigin(run_id="r")
STRATEGY = Strategy("A", "Backwards", "Start at the end.", (WorkedExample("1+1", "\\boxed{2}"),))


def sitting(system: MeasuredSystem = SYSTEM, **more: Any) -> SittingRecord:
    return SittingRecord(began=BEGAN, system=system, **more)


def changed(**fields: str) -> MeasuredSystem:
    return SYSTEM.model_copy(update={"models": {**SYSTEM.models, "target": TARGET.model_copy(update=fields)}})


def test_a_server_is_read() -> None:
    given = {"engine": "vllm", "engine_version": "0.32", "revision": "abc", "prompts": "1111", "scorer": "judge"}
    info = ServerInfo(
        "0.2.0", (), (), (), (), {"draft": "small", "target": "big"}, {}, {}, {"target": {**given, "version": "0.2.0"}}
    )
    assert MeasuredSystem.of(info, "a:1") == SYSTEM
    assert SYSTEM.scorer == "judge"
    assert MeasuredSystem().scorer == ""


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (SYSTEM.model_copy(update={"server": "b:1"}), "server a:1 (now b:1)"),
        (changed(name="huge"), "target model big (now huge)"),
        (changed(revision="abd"), "target model's revision abc (now abd)"),
        (changed(engine="tgi"), "target engine vllm (now tgi)"),
        (changed(scorer="greedy"), "target scorer judge (now greedy)"),
        (changed(prompts="2222"), "target prompts 1111 (now 2222)"),
    ],
)
def test_what_differs_is_named_and_refused_unless_asked_for(
    tmp_path: Path, other: MeasuredSystem, difference: str
) -> None:
    assert SYSTEM.differences(other) == [difference]
    with opened(tmp_path, plan_of((BASELINE, SSD)), ORIGIN) as (records, _):
        assert records.sit(sitting()).number == 0
        records.append(record(SSD))
    with opened(tmp_path, plan_of((BASELINE, SSD)), ORIGIN) as (records, _):
        with pytest.raises(Conflict, match="measured on another system: .*--allow-changes"):
            records.sit(sitting(other))
        seat = records.sit(sitting(other), changes_allowed=True)
        records.append(record(BASELINE, sitting=seat.number))
    found = read(tmp_path)
    assert [one.changes for one in found.sittings] == [(), (difference,)]
    grid = changed_grid([found])
    assert grid is not None
    assert [row[1:] for row in grid.rows] == [("1", difference)]


def test_the_same_system_and_one_that_reports_less_go_on(tmp_path: Path) -> None:
    silent = MeasuredSystem(models={"target": ServedModel(name="big")})
    assert SYSTEM.differences(SYSTEM) == SYSTEM.differences(silent) == SYSTEM.differences(MeasuredSystem()) == []
    with opened(tmp_path, plan_of((SSD,)), ORIGIN) as (records, _):
        records.sit(sitting())
        records.append(record(SSD))
        assert records.sit(sitting(silent)).changes == ()
    assert changed_grid([read(tmp_path)]) is None


def test_the_first_system_that_was_reported_counts() -> None:
    seats = [seated(sitting(MeasuredSystem()), [])]
    seats.append(seated(sitting(), seats))
    seats.append(seated(sitting(changed(name="huge")), seats))
    assert [one.number for one in seats] == [0, 1, 2]
    assert [bool(one.changes) for one in seats] == [False, False, True]


def test_another_text_of_a_strategy_is_refused_unless_asked_for(tmp_path: Path) -> None:
    first = record(SSD, strategies=(StrategyRecord.of(STRATEGY, "school"),))
    other = StrategyRecord(strategy_set="school", code="A", name="Backwards", hint="Begin at the end.")
    second = record(SSD, "p1", strategies=(other,))
    with opened(tmp_path, plan_of((SSD,)), ORIGIN) as (records, _):
        records.append(first)
    with opened(tmp_path, plan_of((SSD,)), ORIGIN) as (records, _):
        records.append(record(SSD, "p1", strategies=first.strategies))
        with pytest.raises(Conflict, match="strategy A of school has another text"):
            records.append(second)
        records.sit(sitting(), changes_allowed=True)
        records.append(second)
    assert read(tmp_path).records[-1].strategies == (other,)


def run_of(options: Options, *steps: Step, strategy: Strategy = STRATEGY, **more: Any) -> Record:
    path = JobPath(0, strategy, steps, PathStatus.ANSWERED, "2")
    job = Job(
        "j", JobStatus.ANSWERED, "?", options, "2", paths=(path,), started=BEGAN, finished=BEGAN.replace(second=8)
    )
    run = PlannedRun(SSD, Problem("p0", "?", "2"), 0, None)
    return record_of(run, job, Setting("d", 4, "1", 0, **more), correct=True, paths=[True], calls={})


def test_a_record_has_the_scorer_the_strategies_and_the_rejected_drafts() -> None:
    step = Step(0, "right", Source.REWRITTEN, 5, 9.0, True, 1.5, -0.25, "wrong")
    one = run_of(Options(mode=Mode.SSD, strategy_set="school"), step, scorer="arithmetic+judge", gpus=2)
    assert one.options is not None
    assert one.options.scorer == "arithmetic+judge"
    assert one.strategies == (StrategyRecord.of(STRATEGY, "school"),)
    assert one.strategies[0].examples == STRATEGY.examples
    kept = one.paths[0].steps[0]
    assert (kept.draft_text, kept.logprob, kept.ends_turn) == ("wrong", -0.25, True)
    assert one.gpu_s == 8.0 * 2 / 4
    assert Record.model_validate_json(one.model_dump_json()) == one


def test_a_scorer_that_the_job_names_or_has_no_use_for_is_left_alone() -> None:
    assert (run_of(Options(mode=Mode.SSD, scorer="greedy"), scorer="judge").options or Options()).scorer == "greedy"
    assert (run_of(Options(mode=Mode.BASELINE), scorer="judge").options or Options()).scorer == ""
    assert run_of(Options(mode=Mode.BASELINE)).gpu_s is None


def test_fingerprints_follow_the_texts() -> None:
    one = StrategyRecord.of(STRATEGY, "school")
    assert one.fingerprint == StrategyRecord.of(STRATEGY, "competition").fingerprint
    assert one.fingerprint != one.model_copy(update={"hint": "Start anywhere."}).fingerprint
    assert one.fingerprint != one.model_copy(update={"examples": ()}).fingerprint


def test_the_setting_tells_what_served_the_models() -> None:
    runs = evaluation([record(SSD, paths=[drafted(8.0)], strategies=(StrategyRecord.of(STRATEGY, "school"),))])
    lines = setting(runs.model_copy(update={"sittings": (sitting(commit="abc123+", gpus=1),)}))
    assert "target model: big, on vllm 0.32, revision abc, prompts 1111, scorer judge" in lines
    assert {"commit: abc123+", "GPUs: 1", "draft model: small"} <= set(lines)
    assert any(line.startswith("strategies: school/A ") for line in lines)
