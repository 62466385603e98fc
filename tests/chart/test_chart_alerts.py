"""Each alert fires when it should, at the time it should, and is silent otherwise: by Prometheus' own promtool."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart_manifests import BUILTIN, CHART, GATEWAY, WATCHED, Manifest, all_of, preset, render, values_of

from ssr.core.job import JobStatus
from ssr.orchestrator.metrics.jobs import FIRST_ANSWER_SECONDS

RELEASE, NAMESPACE = "maths", "school"
SERVICES = ("orchestrator", "selector", "drafter", "verifier", "gateway")
#: A release that is well: Prometheus reaches the services, and somebody decides on the scale.
WELL = {
    **{f'up{{job="{job}", pod="{job}-0"}}': "1" for job in SERVICES},
    'ssr_scaling_leader{job="autoscaler", pod="a-0"}': "1",
}


def installed(values: Mapping[str, Any]) -> Manifest:
    (rules,) = render(values, name=RELEASE, namespace=NAMESPACE).of("PrometheusRule")
    return rules


def rules_of(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in installed(values)["spec"]["groups"] for rule in group["rules"]]


RUN = all_of(BUILTIN, WATCHED, GATEWAY)
#: Orchestrators' step_timeout_s is 300 by default.
AWAY_FOR_S = 75


@dataclass(frozen=True)
class Case:
    """Series from minute 0, a value a minute; the alerts that fire at `at`, and no others."""

    about: str
    series: Mapping[str, str]
    at: str
    fire: frozenset[str] = frozenset()
    well: Mapping[str, str] = field(default_factory=lambda: WELL)


def ended(status: JobStatus, values: str, pod: str = "o-0") -> dict[str, str]:
    return {f'ssr_jobs_ended_total{{job="orchestrator", pod="{pod}", status="{status}", mode="ssr"}}': values}


def of(metric: str, values: str, **labels: str) -> dict[str, str]:
    inside = ", ".join(f'{name}="{value}"' for name, value in {"pod": "o-0", **labels}.items())
    return {f"{metric}{{{inside}}}": values}


def answers(in_time: str, all_: str, priority: str = "interactive") -> dict[str, str]:
    name = "ssr_job_first_answer_seconds"
    return of(f"{name}_bucket", in_time, le="120.0", priority=priority) | of(f"{name}_count", all_, priority=priority)


def steps(source: str, values: str) -> dict[str, str]:
    return of("ssr_steps_committed_total", values, mode="ssr", source=source)


ANSWERED, FAILED = JobStatus.ANSWERED, JobStatus.FAILED
STUCK = of("ssr_worker_paths", "5x60", priority="batch") | steps("draft", "7x60")


def engines(healthy: str, waiting: str, running: str = "0x60") -> dict[str, str]:
    return (
        of("ssr_engine_replicas", healthy, pool="target", state="healthy")
        | of("ssr_engine_calls_waiting", waiting, pool="target")
        | of("ssr_engine_calls_running", running, pool="target")
    )


def attempts(outcome: str, values: str) -> dict[str, str]:
    return of("ssr_engine_attempts_total", values, pool="target", kind="generate", outcome=outcome)


def memory(used: str, limit: str) -> dict[str, str]:
    return of("ssr_redis_memory_bytes", used, kind="used") | of("ssr_redis_memory_bytes", limit, kind="limit")


def requests(status: str, values: str, endpoint: str = "ChatCompletions.create") -> dict[str, str]:
    return of("ssr_gateway_requests_total", values, endpoint=endpoint, status=status)


def scaled(wanted: str, ready: str) -> dict[str, str]:
    return of("ssr_scaling_replicas", wanted, pool="target", state="wanted") | of(
        "ssr_scaling_replicas", ready, pool="target", state="ready"
    )


def fires(*alerts: str) -> frozenset[str]:
    return frozenset(alerts)


CASES = (
    Case("a release that is well and idle", {}, "2h"),
    Case(
        "jobs fail steadily",
        ended(ANSWERED, "0+30x60") | ended(FAILED, "0+10x60"),
        "20m",
        fires("SsrJobsFail", "SsrJobsFailSlowly"),
    ),
    Case(
        "all jobs fail within one scrape, the first ever",
        ended(ANSWERED, "0x60") | ended(FAILED, "0x9 50x50"),
        "13m",
        fires("SsrJobsFail", "SsrJobsFailSlowly"),
    ),
    Case("one job in a thousand fails", ended(ANSWERED, "0+200x60") | ended(FAILED, "0+0.2x60"), "40m"),
    Case(
        "four of six jobs fail: too few for the fast alert",
        ended(ANSWERED, "0x5 2x60") | ended(FAILED, "0x5 4x60"),
        "10m",
        fires("SsrJobsFailSlowly"),
    ),
    Case("two of two jobs fail: one event would be much", ended(ANSWERED, "0x60") | ended(FAILED, "0x5 2x60"), "10m"),
    Case(
        "deadlines end jobs",
        ended(ANSWERED, "0+3x60") | ended(JobStatus.PARTIAL, "0+1x60"),
        "40m",
        fires("SsrJobsPartial"),
    ),
    Case("a few deadlines among many jobs", ended(ANSWERED, "0+30x60") | ended(JobStatus.PARTIAL, "0+1x60"), "40m"),
    Case(
        "jobs end without an answer",
        ended(ANSWERED, "0+3x60") | ended(JobStatus.NO_ANSWER, "0+1x60"),
        "40m",
        fires("SsrJobsWithoutAnswer"),
    ),
    Case("a few jobs without an answer", ended(ANSWERED, "0+30x60") | ended(JobStatus.NO_ANSWER, "0+1x60"), "40m"),
    Case("the first job is parked", ended(JobStatus.PARKED, "0x30 1x60"), "35m", fires("SsrJobParked")),
    Case("a job was parked two hours ago", ended(JobStatus.PARKED, "0x5 1x150"), "2h"),
    Case(
        "a parked job, and its orchestrator is replaced",
        ended(JobStatus.PARKED, "0x30 1x5 _x60") | ended(JobStatus.PARKED, "_x36 0x60", "o-1"),
        "45m",
        fires("SsrJobParked"),
    ),
    Case(
        "an interactive job waits",
        of("ssr_queue_oldest_seconds", "0+60x20", priority="interactive"),
        "8m",
        fires("SsrInteractiveJobsWait"),
    ),
    Case("a batch job waits", of("ssr_queue_oldest_seconds", "0+60x20", priority="batch"), "15m"),
    Case(
        "jobs are refused",
        of("ssr_jobs_refused_total", "0+5x60", reason="overloaded")
        | of("ssr_jobs_submitted_total", "0+50x60", priority="batch"),
        "20m",
        fires("SsrJobsRefused"),
    ),
    Case(
        "a handful is refused",
        of("ssr_jobs_refused_total", "0x9 4x60", reason="overloaded")
        | of("ssr_jobs_submitted_total", "0+50x60", priority="batch"),
        "15m",
    ),
    Case(
        "wrong requests are refused",
        of("ssr_jobs_refused_total", "0+50x60", reason="invalid")
        | of("ssr_jobs_submitted_total", "0+50x60", priority="batch"),
        "20m",
    ),
    Case("no path makes a step", STUCK, "20m", fires("SsrStepsStuck")),
    Case("paths make steps", STUCK | steps("rewritten", "0+1x60"), "20m"),
    Case("jobs are taken over", of("ssr_job_takeovers_total", "0x20 5x60"), "25m", fires("SsrJobsTakenOver")),
    Case("one job is taken over", of("ssr_job_takeovers_total", "0x20 1x60"), "25m"),
    Case("slow owners run on", of("ssr_jobs_moved_total", "0x20 5x60"), "25m", fires("SsrJobsMoved")),
    Case("one slow owner runs on", of("ssr_jobs_moved_total", "0x20 1x60"), "25m"),
    Case("Redis loses a job", of("ssr_jobs_lost_total", "0x20 1x60"), "25m", fires("SsrJobsLost")),
    Case("Redis loses a decision", of("ssr_journal_gaps_total", "0x20 1x60"), "25m", fires("SsrJournalGaps")),
    Case(
        "nearly all steps are rewritten",
        steps("draft", "0+2x90") | steps("rewritten", "0+20x90"),
        "70m",
        fires("SsrRewriteRateOdd"),
    ),
    Case(
        "no step is rewritten",
        steps("draft", "0+20x90") | steps("rewritten", "0x90"),
        "70m",
        fires("SsrRewriteRateOdd"),
    ),
    Case("a third of the steps is rewritten", steps("draft", "0+20x90") | steps("rewritten", "0+10x90"), "70m"),
    Case("nearly all of few steps are rewritten", steps("draft", "0x90") | steps("rewritten", "0+1x90"), "70m"),
    Case("first answers are slow for ten minutes", answers("0+10x60 600x30", "0+10x90"), "70m"),
    Case("nearly all first answers are slow", answers("0+1x90", "0+10x90"), "30m", fires("SsrFirstAnswerSlow")),
    Case("first answers of batch jobs are slow", answers("0+1x90", "0+10x90", priority="batch"), "30m"),
    Case("few first answers, all slow", answers("0x90", "0+0.2x90"), "30m"),
    Case("as many slow first answers as are allowed", answers("0+96x90", "0+100x90"), "80m"),
    Case(
        "a third of the first answers is slow for hours",
        answers("0+6x420", "0+10x420"),
        "7h",
        fires("SsrFirstAnswerSlow"),
    ),
    Case(
        "a service is away",
        {},
        "10m",
        fires("SsrServiceAway"),
        WELL | of("up", "0x60", job="verifier", pod="verifier-0"),
    ),
    Case("one of two replicas is away", {'up{job="verifier", pod="verifier-1"}': "0x60"}, "10m"),
    Case(
        "calls end with our own errors",
        of("ssr_grpc_server_calls_total", "0x5 20x60", job="drafter", method="Draft", code="INTERNAL")
        | of("ssr_grpc_server_calls_total", "0+20x60", job="drafter", method="Draft", code="OK"),
        "10m",
        fires("SsrCallsFail"),
    ),
    Case(
        "calls find something away",
        of("ssr_grpc_server_calls_total", "0x5 20x60", job="drafter", method="Draft", code="UNAVAILABLE"),
        "10m",
    ),
    Case("a replica cannot use Redis", of("ssr_redis_ready", "1x5 0x60"), "10m", fires("SsrRedisAway")),
    Case("Redis fills", memory("85x60", "100x60"), "10m", fires("SsrRedisFills")),
    Case("Redis has room", memory("50x60", "100x60"), "10m"),
    Case("Redis has no limit", of("ssr_redis_memory_bytes", "85x60", kind="used"), "10m"),
    Case(
        "Redis refuses writes",
        of("ssr_redis_call_failures_total", "0x7 3x60", reason="memory"),
        "9m",
        fires("SsrRedisFull"),
    ),
    Case("Redis would drop jobs", of("ssr_redis_evicts", "1x60"), "10m", fires("SsrRedisEvicts")),
    Case("Redis was emptied", of("ssr_redis_emptied_total", "0x5 1x60"), "9m", fires("SsrRedisEmptied")),
    Case("Redis was emptied long ago", of("ssr_redis_emptied_total", "0x5 1x60"), "40m"),
    Case(
        "the queue is paused and forgotten", of("ssr_queue_paused_seconds", "0+60x60"), "32m", fires("SsrQueuePaused")
    ),
    Case("the queue is paused for a moment", of("ssr_queue_paused_seconds", "0+60x60"), "20m"),
    Case("the queue is not paused", of("ssr_queue_paused_seconds", "0x60"), "50m"),
    Case(
        "calls that do not park wait before one replica, and those of another service were not asked since",
        engines("1x5 0x60", "0x5 4x60")
        | of("ssr_engine_replicas", "1x60", pool="target", state="healthy", pod="v-0")
        | of("ssr_engine_calls_waiting", "0x60", pool="target", pod="v-0")
        | of("ssr_engine_calls_running", "0x60", pool="target", pod="v-0"),
        "10m",
        fires("SsrEnginesAway"),
    ),
    Case(
        "one replica sees no engine, and the calls wait before another, whose engines are full",
        engines("0x60", "0x60")
        | of("ssr_engine_replicas", "2x60", pool="target", state="healthy", pod="v-0")
        | of("ssr_engine_calls_waiting", "4x60", pool="target", pod="v-0")
        | of("ssr_engine_calls_running", "9x60", pool="target", pod="v-0"),
        "30m",
    ),
    Case("calls wait, and no engine answers", engines("1x5 0x60", "0x5 4x60"), "10m", fires("SsrEnginesAway")),
    Case(
        "paths are parked, and no engine answers",
        engines("1x5 0x60", "0x60") | of("ssr_worker_calls_parked", "0x5 7x60", pool="target"),
        "10m",
        fires("SsrEnginesAway"),
    ),
    Case(
        "paths are parked before a selector's engine, and the verifier was not asked since",
        engines("1x5 0x60", "0x60")
        | of("ssr_engine_replicas", "1x60", pool="target", state="healthy", pod="v-0")
        | of("ssr_worker_calls_parked", "0x5 7x60", pool="target"),
        "10m",
        fires("SsrEnginesAway"),
    ),
    Case(
        "one replica of a service sees no engine, and nothing is parked",
        engines("0x60", "0x60")
        | of("ssr_engine_replicas", "1x60", pool="target", state="healthy", pod="v-0")
        | of("ssr_worker_calls_parked", "0x60", pool="target"),
        "30m",
    ),
    Case("no engine answers, for less than a quarter of a step", engines("1x9 0x60", "0x9 4x60"), "10m"),
    Case("a sleeping pool that nobody asks", engines("0x60", "0x60"), "30m"),
    Case("calls wait for engines that are full", engines("2x60", "40x60", "60x60"), "30m"),
    Case(
        "engine calls fail",
        attempts("ok", "0+10x60") | attempts("unavailable", "0+10x60"),
        "20m",
        fires("SsrEnginesFail"),
    ),
    Case(
        "a few engine calls fail, and many are cut off",
        attempts("ok", "0+100x60") | attempts("bad_reply", "0+1x60") | attempts("cut_off", "0+90x60"),
        "20m",
    ),
    Case(
        "the pool is as large as it may be",
        scaled("8x60", "8x60") | engines("8x60", "9x60", "9x60"),
        "20m",
        fires("SsrPoolAtMaximum"),
    ),
    Case("engines do not come", scaled("4x60", "2x60"), "55m", fires("SsrEnginesMissing")),
    Case(
        "the gateway is away",
        {},
        "10m",
        fires("SsrGatewayAway"),
        WELL | of("up", "0x60", job="gateway", pod="gateway-0"),
    ),
    Case("one of two gateways is away", {'up{job="gateway", pod="gateway-1"}': "0x60"}, "10m"),
    Case(
        "the gateway's requests fail",
        requests("200", "0+9x60") | requests("503", "0+1x60"),
        "20m",
        fires("SsrGatewayFails"),
    ),
    Case("one of many requests fails", requests("200", "0+99x60") | requests("500", "0+1x60"), "20m"),
    Case("few requests, and four of them fail", requests("200", "0x60") | requests("504", "0x5 4x60"), "12m"),
    Case("callers are refused", requests("200", "0+9x60") | requests("429", "0+90x60"), "20m"),
    Case(
        "an endpoint of few requests fails beside one of many",
        requests("200", "0+900x60") | requests("500", "0+1x60", endpoint="BatchesApi.create"),
        "20m",
        fires("SsrGatewayFails"),
    ),
    Case(
        "nobody leads",
        {},
        "10m",
        fires("SsrScalingWithoutLeader"),
        WELL | of("ssr_scaling_leader", "0x60", job="autoscaler", pod="a-0"),
    ),
    Case(
        "decisions fail",
        of("ssr_scaling_failures_total", "0+1x60", pool="target", reason="refused"),
        "20m",
        fires("SsrScalingFails"),
    ),
    Case("one decision fails", of("ssr_scaling_failures_total", "0x9 1x60", pool="target", reason="refused"), "16m"),
    Case(
        "load is not reported",
        of("ssr_scaling_reports", "1x60", pool="target", state="missing"),
        "20m",
        fires("SsrLoadNotReported"),
    ),
)


def _evaluation_interval(at: str) -> str:
    """As often as rules are evaluated, where that matters; what lasts for hours is looked at less often."""
    if at.endswith("h"):
        return "5m"
    return "15s" if int(at.removesuffix("m")) < 20 else "1m"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("promtool") is None:
        pytest.skip("the alerts' tests need promtool; on Debian: apt install prometheus")
    folder = tmp_path_factory.mktemp("alerts")
    (folder / "rules.yaml").write_text(yaml.safe_dump(installed(RUN)["spec"]))
    return folder


def promtool(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_rules(folder: Path) -> None:
    promtool(folder, "check", "rules", "rules.yaml")


@pytest.mark.parametrize("case", CASES, ids=[case.about for case in CASES])
def test_exactly_these_alerts_fire(folder: Path, case: Case) -> None:
    series = [
        {"series": _of_release(name), "values": values if "x" in values else f"{values}x600"}
        for name, values in {**case.well, **case.series}.items()
    ]
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(case.fire)]
    query = 'count by (alertname) (count by (alertname, namespace, release) (ALERTS{alertstate="firing"}))'
    test = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": _evaluation_interval(case.at),
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [{"expr": query, "eval_time": case.at, "exp_samples": samples}],
            }
        ],
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(test))
    promtool(folder, "test", "rules", "test.yaml")


def _of_release(series: str) -> str:
    return series.replace("{", f'{{namespace="{NAMESPACE}", release="{RELEASE}", ', 1)


def test_another_release_in_the_namespace_is_not_meant() -> None:
    for rule in rules_of(RUN):
        for selector in rule["expr"].split("{")[1:]:
            assert selector.startswith(f'namespace="{NAMESPACE}", release="{RELEASE}"'), rule["alert"]


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    named = {rule["alert"] for rule in rules_of(RUN)}
    assert {name for case in CASES for name in case.fire} == named


def test_alerts_say_whose_they_are() -> None:
    for rule in rules_of(RUN):
        labels = rule["labels"]
        assert (labels["namespace"], labels["release"], labels["team"]) == (NAMESPACE, RELEASE, "maths")


def test_engines_may_be_away_for_a_quarter_of_a_step() -> None:
    def away_for(values: Mapping[str, Any]) -> str:
        (rule,) = (rule for rule in rules_of(all_of(WATCHED, values)) if rule["alert"] == "SsrEnginesAway")
        return str(rule["for"])

    assert away_for({}) == f"{AWAY_FOR_S}s"
    assert away_for(values_of(**{"services.orchestrator.settings.step_timeout_s": 1000})) == "250s"
    asleep = all_of(BUILTIN, values_of(**{"autoscaling.settings.target.min_replicas": 0}))
    assert away_for(asleep) == f"{(3600 + 300) // 4}s", "a pool that starts is not away"
    assert away_for(preset("kind")) == f"{AWAY_FOR_S}s"


def test_the_objective_is_a_bucket_of_the_histogram() -> None:
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    objective = schema["properties"]["prometheusRule"]["properties"]["objective"]["properties"]
    assert tuple(objective["firstAnswerSeconds"]["enum"]) == FIRST_ANSWER_SECONDS
    reported = str(
        rules_of(all_of(WATCHED, values_of(**{"prometheusRule.objective": {"firstAnswerSeconds": 2.5, "part": 0.99}})))
    )
    assert 'le="2.5"' in reported
    assert "14.4 * 0.0100" in reported


def test_alerts_link_to_their_entry_of_the_runbook() -> None:
    page = "https://git.example/ssr/docs/operate/runbook.md"
    for rule in rules_of(all_of(RUN, values_of(**{"prometheusRule.runbookUrl": page}))):
        assert rule["annotations"]["runbook_url"] == f"{page}#{rule['alert'].lower()}"
    assert not any("runbook_url" in rule["annotations"] for rule in rules_of(RUN))
