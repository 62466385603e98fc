"""The gateway in the chart: off until it is wanted, reached as it is said, and let to nothing but the orchestrator."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from chart_manifests import (
    GATEWAY,
    KEYS,
    MANAGED_CERTIFICATES,
    OPEN,
    OWN_CERTIFICATES,
    WATCHED,
    Manifest,
    Manifests,
    all_of,
    component_of,
    render,
    values_of,
)

from ssr.gateway.models import load_models

MODELS = {"quick": {"description": "One path.", "options": {"mode": "baseline"}, "efforts": {"low": {}}}}


def objects_of(manifests: Manifests) -> list[Manifest]:
    return [one for one in manifests.objects if component_of(one) == "gateway"]


def test_it_is_off_until_it_is_wanted() -> None:
    assert objects_of(render({})) == []
    assert "7680" not in render({}).notes
    kinds = {one["kind"] for one in objects_of(render(GATEWAY))}
    assert kinds == {
        "Deployment",
        "HTTPRoute",
        "Ingress",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Secret",
        "Service",
        "ServiceAccount",
    }


def test_it_calls_the_orchestrators_alone_and_callers_reach_it() -> None:
    manifests = render(all_of(GATEWAY, OPEN))
    orchestrator = manifests.one("Service", "ssr-orchestrator-headless")["spec"]
    assert orchestrator["clusterIP"] == "None", "calls are balanced over all of them"
    target = manifests.environment("gateway")["SSR_GATEWAY_ORCHESTRATOR"]
    assert target == f"dns:///ssr-orchestrator-headless:{orchestrator['ports'][0]['port']}"
    dns, calls = manifests.one("NetworkPolicy", "ssr-gateway")["spec"]["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    (peer,) = calls["to"]
    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "orchestrator"
    assert calls["ports"] == [{"protocol": "TCP", "port": 7600}]


@pytest.mark.parametrize("clients", [[], [{"podSelector": {"matchLabels": {"app": "shop"}}}]])
def test_who_may_call_it_may_call_the_orchestrator_and_it_may_too(clients: list[Any]) -> None:
    manifests = render(all_of(GATEWAY, values_of(**{"networkPolicy.clients": clients})))
    (rule,) = manifests.one("NetworkPolicy", "ssr-gateway")["spec"]["ingress"]
    test, *callers = rule["from"]
    assert test["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test-gateway"
    assert callers == clients
    own = {"podSelector": {"matchLabels": manifests.one("Service", "ssr-gateway")["spec"]["selector"]}}
    assert own in manifests.one("NetworkPolicy", "ssr-orchestrator")["spec"]["ingress"][0]["from"]
    without = render({}).one("NetworkPolicy", "ssr-orchestrator")["spec"]["ingress"][0]["from"]
    assert own not in without


def test_prometheus_collects_its_metrics() -> None:
    manifests = render(all_of(GATEWAY, WATCHED, values_of(**{"networkPolicy.clients": []})))
    _, rule = manifests.one("NetworkPolicy", "ssr-gateway")["spec"]["ingress"]
    assert [port["port"] for port in rule["ports"]] == [9464]
    service = manifests.one("Service", "ssr-gateway-headless")["spec"]
    assert [port["name"] for port in service["ports"]] == ["metrics"]
    named = {port["name"] for port in manifests.one("Service", "ssr-gateway")["spec"]["ports"]}
    watched = {endpoint["port"] for endpoint in manifests.of("ServiceMonitor")[0]["spec"]["endpoints"]}
    assert not named & watched, "its API is no place for metrics"


@pytest.mark.parametrize(
    ("values", "scheme"),
    [
        (MANAGED_CERTIFICATES, "https"),
        (all_of(MANAGED_CERTIFICATES, values_of(**{"gateway.https": False})), "http"),
        (OPEN, "http"),
    ],
)
def test_callers_come_over_https_unless_something_before_it_ends_it(values: dict[str, Any], scheme: str) -> None:
    manifests = render(all_of(GATEWAY, values))
    (port,) = manifests.one("Service", "ssr-gateway")["spec"]["ports"]
    assert (port["port"], port["appProtocol"]) == (7680, scheme)
    environment = manifests.environment("gateway")
    assert ("SSR_GATEWAY_TLS__CERTIFICATE" in environment) == (values is not OPEN)
    if values is not OPEN:
        assert (environment.get("SSR_GATEWAY_PLAIN_HTTP") == "true") is (scheme == "http")
    container = manifests.container("gateway")
    assert {"name": "health", "containerPort": int(environment["SSR_GATEWAY_HEALTH_PORT"])} in container["ports"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/health", "port": "health"}
    assert f"{scheme}://ssr-gateway.ssr:7680/v1" in manifests.notes
    assert ("gateway.https is false" in manifests.notes) is (values is not OPEN and scheme == "http")


def test_it_has_a_certificate_with_the_names_by_which_it_is_called() -> None:
    names = values_of(**{"tls.dnsNames": ["openai.example.com"], "tls.clientCertificates": True})
    manifests = render(all_of(GATEWAY, MANAGED_CERTIFICATES, names))
    assert {"ssr-gateway.ssr.svc", "openai.example.com", "localhost"} <= set(
        manifests.one("Certificate", "ssr-gateway-tls")["spec"]["dnsNames"]
    )
    assert manifests.environment("gateway")["SSR_GATEWAY_TLS__CLIENTS"] == "/tls/ca.crt"
    plain = render(all_of(GATEWAY, MANAGED_CERTIFICATES)).environment("gateway")
    assert "SSR_GATEWAY_TLS__CLIENTS" not in plain, "clients of OpenAI show none"
    own = render(all_of(GATEWAY, OWN_CERTIFICATES, values_of(**{"tls.secrets.gateway": "mine"})))
    (volume,) = (one for one in own.pod("gateway")["volumes"] if one["name"] == "tls")
    assert volume["secret"]["secretName"] == "mine"


def test_ways_in() -> None:
    manifests = render(GATEWAY)
    route = manifests.one("HTTPRoute", "ssr-gateway")["spec"]
    assert route["hostnames"] == ["openai.example.com"]
    assert route["rules"] == [
        {"backendRefs": [{"name": "ssr-gateway", "port": 7680}], "timeouts": {"request": "0s"}},
    ], "a job may take long"
    (rule,) = manifests.one("Ingress", "ssr-gateway")["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"] == {"service": {"name": "ssr-gateway", "port": {"name": "api"}}}
    balanced = all_of(
        GATEWAY,
        values_of(**{"gateway.serviceType": "LoadBalancer", "gateway.loadBalancerSourceRanges": ["10.0.0.0/8"]}),
    )
    service = render(balanced).one("Service", "ssr-gateway")["spec"]
    assert (service["type"], service["loadBalancerSourceRanges"]) == ("LoadBalancer", ["10.0.0.0/8"])
    assert "WARNING: gateway.serviceType" in render(all_of(balanced, OPEN)).notes
    assert "WARNING" not in render(balanced).notes


def test_the_page_is_off_until_it_is_wanted() -> None:
    assert render(GATEWAY).environment("gateway")["SSR_GATEWAY_UI"] == "false"
    shown = render(all_of(GATEWAY, values_of(**{"gateway.page": True})))
    assert shown.environment("gateway")["SSR_GATEWAY_UI"] == "true"
    assert "/ui/" in shown.notes
    assert "/ui/" not in render(GATEWAY).notes


def test_models_of_ones_own_are_a_file_that_it_reads(tmp_path: Any) -> None:
    manifests = render(all_of(GATEWAY, {"gateway": {"models": MODELS}}))
    text = manifests.one("ConfigMap", "ssr-gateway-models")["data"]["models.yaml"]
    assert yaml.safe_load(text) == MODELS
    (tmp_path / "models.yaml").write_text(text)
    assert [model["id"] for model in load_models(tmp_path / "models.yaml").objects()] == ["quick"]
    assert manifests.environment("gateway")["SSR_GATEWAY_MODELS"] == "/models/models.yaml"
    assert {"name": "models", "mountPath": "/models", "readOnly": True} in manifests.container("gateway")[
        "volumeMounts"
    ]
    annotations = manifests.one("Deployment", "ssr-gateway")["spec"]["template"]["metadata"]["annotations"]
    other = render(all_of(GATEWAY, {"gateway": {"models": {**MODELS, "other": {}}}}))
    assert other.one("Deployment", "ssr-gateway")["spec"]["template"]["metadata"]["annotations"] != annotations
    assert "SSR_GATEWAY_MODELS" not in render(GATEWAY).environment("gateway")


def test_keys_are_the_orchestrators_to_check() -> None:
    manifests = render(all_of(GATEWAY, KEYS))
    assert not any("KEY" in name for name in manifests.environment("gateway") if "TLS" not in name)
    assert "with an API key of the Secret keys" in manifests.notes


def test_streams_have_time_to_end() -> None:
    manifests = render(all_of(GATEWAY, values_of(**{"services.gateway.settings.grace_s": 200})))
    assert manifests.pod("gateway")["terminationGracePeriodSeconds"] > 200


def test_helm_test_asks_it_too_as_callers_must() -> None:
    assert [name for name, _ in render({}).pods() if name.startswith("test")] == ["test"]
    manifests = render(all_of(GATEWAY, MANAGED_CERTIFICATES, KEYS, values_of(**{"tls.clientCertificates": True})))
    scheme, address, model, _, problem, *files = manifests.container("test-gateway")["command"][3:]
    assert (scheme, address, model) == ("https", "ssr-gateway:7680", "ssr")
    assert problem == manifests.container("test")["command"][-1]
    assert files == ["/tls/ca.crt", "/tls/tls.crt", "/tls/tls.key"]
    assert "ssr-gateway" in manifests.one("Certificate", "ssr-gateway-tls")["spec"]["dnsNames"]
    assert manifests.environment("test-gateway") == {"SSR_API_KEY": "secret:key/api-key"}
    plain = render(all_of(GATEWAY, OPEN, {"gateway": {"models": MODELS}})).container("test-gateway")["command"]
    assert plain[3:6] == ["http", "ssr-gateway:7680", "quick"]
    assert len(plain) == 8
