"""Alerts and dashboard speak of metrics that there are, with labels that they have, and are collected."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from chart_manifests import BUILTIN, CHART, GATEWAY, ROOT, SERVICES, WATCHED, all_of, render, values_of

#: A row of the table of metrics, which the tests of telemetry compare with what the services have.
_ROW = re.compile(r"^\| `(ssr_\w+)`(?: †)? \| (\w+) \| ([\w, ]*)\|", re.MULTILINE)
#: Prometheus adds these to all that it collects here.
TARGET_LABELS = {"namespace", "release", "pod", "job"}
#: What "$ours" of an alert becomes, and Grafana's variables of a panel.
OURS = 'namespace="n", release="r"'
#: What the simulated engine has under TGI's names, and vLLM's own.
OF_ENGINES = {"tgi_queue_size", "tgi_batch_current_size", "vllm:num_requests_waiting", "vllm:num_requests_running"}
_SELECTOR = re.compile(r"([a-z_:]+)\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")
_FUNCTIONS = {"absent", "clamp_min", "histogram_quantile", "increase", "label_replace", "rate", "time", "vector"}
_FUNCTIONS |= {"max_over_time", "min_over_time"}
_AGGREGATIONS = {"count", "max", "min", "sum"}
_WORDS = {"and", "or", "by", "on", "offset", *_FUNCTIONS, *_AGGREGATIONS}


def metrics() -> dict[str, set[str]]:
    """Name -> labels, of every series; a histogram has three."""
    found: dict[str, set[str]] = {"up": set(), "process_start_time_seconds": set()} | {
        name: set[str]() for name in OF_ENGINES
    }
    for name, kind, labels in _ROW.findall((ROOT / "docs" / "operate" / "metrics.md").read_text()):
        own = set(filter(None, labels.strip().split(", ")))
        endings = {"_bucket": {"le"}, "_sum": set(), "_count": set()} if kind == "histogram" else {"": set()}
        found |= {f"{name}{ending}": own | more for ending, more in endings.items()}
    return found


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((CHART / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries() -> Iterator[tuple[str, str]]:
    """Alert or panel, and its expression."""
    for rule in rules():
        yield rule["alert"], rule["expr"].replace("$ours", OURS)
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for annotation in dashboard()["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


def dashboard() -> dict[str, Any]:
    report_store: dict[str, Any] = json.loads((CHART / "dashboards" / "ssr.json").read_text())
    return report_store


QUERIES = list(queries())


@pytest.mark.parametrize("query", [query for _, query in QUERIES], ids=[name for name, _ in QUERIES])
def test_a_query_asks_for_what_there_is(query: str) -> None:
    known = metrics()
    assert len(known) > 40, "the table was read"
    asked = _SELECTOR.findall(query)
    assert asked
    labels: set[str] = set()
    for name, matchers in asked:
        assert name in known, name
        matched = [label for label, _, _ in _MATCHER.findall(matchers)]
        assert _MATCHER.sub("", matchers).strip(", ") == "", matchers
        assert matched[:2] == ["namespace", "release"], "other releases are not meant"
        assert set(matched) <= known[name] | TARGET_LABELS, name
        labels |= known[name]
    for grouped in _GROUPING.findall(query):
        assert set(grouped.split(", ")) <= labels | TARGET_LABELS, grouped


@pytest.mark.parametrize("query", [query for _, query in QUERIES], ids=[name for name, _ in QUERIES])
def test_a_query_is_written_as_promql_is(query: str) -> None:
    bare = re.sub(r'"[^"]*"', '""', query)
    for opening, closing in ("()", "{}", "[]"):
        assert bare.count(opening) == bare.count(closing)
    for span in re.findall(r"\[([^\]]*)\]", bare):
        assert re.fullmatch(r"[1-9]\d*[smhd]|\$__rate_interval", span)
    outside = re.sub(r"[a-z_:]+\{[^}]*\}|\[[^\]]*\]|\b(?:by|on) \([^)]*\)|\$(?:\w+_max|slo_budget)", " ", bare)
    assert set(re.findall(r"[a-z_]{2,}", outside)) <= _WORDS
    assert all(inner.endswith("]") for inner in _arguments(bare, "rate") + _arguments(bare, "increase"))
    assert not re.search(r"(?:rate|increase)\((?!\w+(?:_total|_bucket|_sum|_count)\{)", bare), "of counters only"
    assert not re.search(r"(?<!rate\()(?<!increase\()(?<!\()\b\w+_bucket", bare), "buckets are counters"


def _arguments(query: str, function: str) -> list[str]:
    return re.findall(rf"\b{function}\(([^()]*)\)", query)


def test_alerts_say_what_is_wrong_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in rules()}) >= 20
    for rule in rules():
        assert set(rule["annotations"]) == {"summary", "runbook"}
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert len(rule["annotations"]["runbook"]) > 80, rule["alert"]


def test_alerts_are_of_the_release_and_know_its_limits() -> None:
    limits = {"autoscaling": {"settings": {"draft": {"max_replicas": 7}, "target": {"max_replicas": 9}}}}
    manifests = render(all_of(BUILTIN, WATCHED, GATEWAY, limits), namespace="maths")
    (installed,) = manifests.of("PrometheusRule")
    reported = {rule["alert"]: rule for group in installed["spec"]["groups"] for rule in group["rules"]}
    assert set(reported) == {rule["alert"] for rule in rules()}
    assert "$" not in str([rule["expr"] for rule in reported.values()])
    assert '"wanted"}) >= 7' in reported["SsrPoolAtMaximum"]["expr"].replace('state="wanted"', '"wanted"')
    assert '"wanted"}) >= 9' in reported["SsrPoolAtMaximum"]["expr"].replace('state="wanted"', '"wanted"')
    assert reported["SsrRedisAway"]["labels"] == {
        "severity": "critical",
        "team": "maths",
        "namespace": "maths",
        "release": "ssr",
    }
    assert reported["SsrRedisAway"]["annotations"]["summary"].startswith("{{ $labels.pod }}"), "Prometheus fills it in"
    assert installed["metadata"]["labels"]["release"] == "prometheus"


def test_alerts_of_scaling_and_of_the_gateway_are_for_those_who_have_them() -> None:
    (installed,) = render(WATCHED).of("PrometheusRule")
    assert [group["name"] for group in installed["spec"]["groups"]] == ["ssr-jobs", "ssr-first-answer", "ssr-parts"]


def test_prometheus_collects_every_pod_once() -> None:
    manifests = render(all_of(BUILTIN, WATCHED))
    (monitor,) = manifests.of("ServiceMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"]
    ports = {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]}
    collected = [
        service["spec"]["selector"]["app.kubernetes.io/component"]
        for service in manifests.of("Service")
        if wanted.items() <= service["metadata"]["labels"].items()
        for port in service["spec"]["ports"]
        if port["name"] in ports
    ]
    assert sorted(collected) == sorted(name for name, _ in manifests.pods() if name not in ("redis", "test"))
    for service in manifests.of("Service"):
        component = service["spec"]["selector"]["app.kubernetes.io/component"]
        own = {port["name"]: port["containerPort"] for port in manifests.container(component)["ports"]}
        assert all(own[port["targetPort"]] == port["port"] for port in service["spec"]["ports"])


def test_jobs_of_the_alerts_are_the_components_names() -> None:
    """The ServiceMonitor makes "job" of that label."""
    (monitor,) = render(WATCHED).of("ServiceMonitor")
    assert monitor["spec"]["jobLabel"] == "app.kubernetes.io/component"
    named = set(re.findall(r'job="(\w+)"', str(rules())))
    assert named == {name for name, _ in render(GATEWAY).pods() if name in (*SERVICES, "gateway")}


def test_without_metrics_nothing_listens_for_prometheus() -> None:
    manifests = render({})
    assert not any("METRICS_PORT" in name for name in manifests.environment("drafter"))
    assert [port["name"] for port in manifests.container("drafter")["ports"]] == ["grpc", "health"]
    assert manifests.of("ServiceMonitor") + manifests.of("PrometheusRule") + manifests.of("ConfigMap") == []


def test_the_dashboard_arrives_whole_where_grafana_looks() -> None:
    manifests = render(all_of(WATCHED, values_of(**{"dashboard.labels": {"grafana_dashboard": "yes"}})))
    (report_store,) = manifests.of("ConfigMap")
    assert report_store["metadata"]["labels"]["grafana_dashboard"] == "yes"
    page = "https://git.example/runbook.md"
    arrived = json.loads(report_store["data"]["ssr.json"])
    assert {**arrived, "links": []} == {**dashboard(), "links": []}
    linked = render(all_of(WATCHED, values_of(**{"prometheusRule.runbookUrl": page}))).of("ConfigMap")[0]["data"]
    assert [link["url"] for link in json.loads(linked["ssr.json"])["links"]] == [page]


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    identities = [panel["id"] for panel in dashboard()["panels"]]
    assert len(identities) == len(set(identities))


def test_traces_and_logs_as_they_are_wanted() -> None:
    reported = render(WATCHED).environment("verifier")
    assert reported["SSR_VERIFIER_OTLP_ENDPOINT"] == "http://collector.monitoring:4317"
    assert reported["SSR_VERIFIER_LOG_FORMAT"] == "json"
    assert "SSR_VERIFIER_OTLP_ENDPOINT" not in render({}).environment("verifier")
