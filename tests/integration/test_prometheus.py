"""A real Prometheus collects a release at work: each query of dashboard and alerts returns what it should."""

from __future__ import annotations

import json
import math
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chart_machine import RELEASE, Machine, Running, run_test, running, solve
from chart_manifests import CHART, KEDA, Manifests, all_of, preset, render, values_of
from hang_limit import LIMIT_S
from prometheus_server import Prometheus, running_prometheus

NAMESPACE = "ssr"
#: KEDA, because then the orchestrator is it that scales, and there is no Kubernetes here.
VALUES = all_of(
    preset("kind"),
    KEDA,
    values_of(
        **{
            "metrics.enabled": True,
            "serviceMonitor.enabled": True,
            "prometheusRule.enabled": True,
            "dashboard.enabled": True,
            "gateway.enabled": True,
        }
    ),
)
#: Panels that have nothing to show here: no vLLM runs.
NOT_HERE = ("vllm:",)


@pytest.fixture(scope="module")
def manifests() -> Manifests:
    return render(VALUES, name=RELEASE, namespace=NAMESPACE)


@pytest.fixture(scope="module")
def release(manifests: Manifests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    machine = Machine(manifests, tmp_path_factory.mktemp("release"))
    with running(machine) as started:
        for one in started.values():
            one.until("readinessProbe")
        yield started


@pytest.fixture(scope="module")
def prometheus(
    manifests: Manifests, release: dict[str, Running], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """It has seen the release before and after some jobs."""
    (rules,) = manifests.of("PrometheusRule")
    targets = {_address(one): _labels(one) for one in release.values() if _address(one)}
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), targets, rules["spec"]) as server:
        until(lambda: set(server.targets().values()) == {"up"}, "targets are not up")
        machine = release["orchestrator"].machine
        run_test(machine, "test-gateway")
        time.sleep(2)  # a rate needs a sample from before
        for _ in range(3):
            assert solve(machine)["status"] == "answered"
            run_test(machine, "test-gateway")
        until(lambda: _value(server, f'sum(ssr_jobs_ended_total{{release="{RELEASE}"}})') >= 3, "jobs are not seen")
        time.sleep(2)
        yield server


def _address(one: Running) -> str:
    """Where the ServiceMonitor would have it collected: its port "metrics", or an engine's "http"."""
    ports = {port["name"]: port["containerPort"] for port in one.container["ports"]}
    port = ports.get("metrics") or ports.get("http")
    return f"127.0.0.1:{one.machine.port(one.component, port)}" if port else ""


def _labels(one: Running) -> dict[str, str]:
    return {"namespace": NAMESPACE, "release": RELEASE, "job": one.component, "pod": f"{RELEASE}-{one.component}-0"}


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def _value(server: Prometheus, expression: str) -> float:
    found = server.query(expression)
    return float(found[0]["value"][1]) if found else 0.0


def panels() -> list[tuple[str, str]]:
    dashboard: dict[str, Any] = json.loads((CHART / "dashboards" / "ssr.json").read_text())
    of_panels = [
        (panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])
    ]
    annotations = [(one["name"], one["expr"]) for one in dashboard["annotations"]["list"]]
    return of_panels + annotations


def filled_in(expression: str) -> str:
    """With what Grafana puts in place of its variables; windows are short, as the test is."""
    filled = expression.replace("$namespace", NAMESPACE).replace("$release", RELEASE)
    return filled.replace("$__rate_interval", "1m")


def test_every_query_of_the_dashboard_has_something_to_show(prometheus: Prometheus) -> None:
    empty = []
    for title, expression in panels():
        found = prometheus.query(filled_in(expression))
        returned = [sample for sample in found if not math.isnan(float(sample["value"][1]))]
        # What is only now and then: two versions at a time, a Redis that cannot be used, a step in one direction.
        seldom = any(comparison in expression for comparison in ("> 0", "> 1", "== 0", "< 60"))
        if not returned and not seldom and not any(name in expression for name in NOT_HERE):
            empty.append((title, expression))
    assert empty == []


def test_alerts_are_taken_and_silent_while_all_is_well(prometheus: Prometheus) -> None:
    until(lambda: all(rule["health"] == "ok" for rule in prometheus.rules()), "rules were not evaluated")
    rules = prometheus.rules()
    assert {rule["name"] for rule in rules} >= {"SsrJobsFail", "SsrEnginesAway", "SsrPoolAtMaximum"}
    assert {rule["name"]: rule["lastError"] for rule in rules if rule.get("lastError")} == {}
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []


def test_what_alerts_speak_of_is_there(prometheus: Prometheus) -> None:
    """An alert over a metric that nobody has would be silent for ever."""
    answer = prometheus.query(f'count by (__name__) ({{release="{RELEASE}", __name__=~"ssr_.+"}})')
    there = {sample["metric"]["__name__"] for sample in answer}
    asked = {
        word
        for rule in prometheus.rules()
        for word in rule["query"].replace("(", " ").replace("{", " ").split()
        if word.startswith("ssr_")
    }
    assert len(asked) > 20
    assert asked <= there, asked - there


def test_an_engine_that_is_gone_is_seen(prometheus: Prometheus, release: dict[str, Running]) -> None:
    """The last test of this release: it takes its target engine away."""
    release["engine-target"].process.kill()
    machine = release["orchestrator"].machine
    with pytest.raises(subprocess.TimeoutExpired):  # a job waits for an engine
        solve(machine, timeout_s=8)
    until(
        lambda: any(rule["name"] == "SsrEnginesAway" and rule["state"] != "inactive" for rule in prometheus.rules()),
        "SsrEnginesAway is inactive",
    )
