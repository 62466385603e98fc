"""The NetworkPolicies allow the arrows of the architecture, and no others."""

from __future__ import annotations

from typing import Any

import pytest
from chart_manifests import (
    BUILTIN,
    KEDA,
    MANAGED_CERTIFICATES,
    WATCHED,
    Manifest,
    Manifests,
    all_of,
    component_of,
    preset,
    render,
    values_of,
)

#: Who calls whom on which port, within the release.
ARROWS = {
    ("test", "orchestrator", 7600),
    ("orchestrator", "selector", 7601),
    ("orchestrator", "drafter", 7602),
    ("orchestrator", "verifier", 7603),
    ("orchestrator", "redis", 6379),
    ("selector", "engine-target", 8080),
    ("drafter", "engine-draft", 8080),
    ("verifier", "engine-target", 8080),
}
#: While something scales: who reports its load.
REPORTS = {(service, "redis", 6379) for service in ("selector", "drafter", "verifier")}
SCALED = ARROWS | REPORTS | {("autoscaler", "redis", 6379)}
OWN_ENGINE = values_of(**{"engines.selector.kind": "tgi", "engines.selector.model": "m"})
DNS = {(None, 53)}


def _component(manifests: Manifests, peer: Manifest) -> str | None:
    """The component that a peer means; None for anybody else."""
    wanted = peer.get("podSelector", {}).get("matchLabels")
    if wanted is None:
        return None
    (found,) = {name for name, pod in manifests.pods() if wanted.items() <= pod["metadata"]["labels"].items()}
    return found


def _rules(manifests: Manifests, direction: str) -> dict[str, set[tuple[str | None, int]]]:
    """Of each component, the peers and ports of its rules; None is whoever is not of the release."""
    peers_of = {"ingress": "from", "egress": "to"}[direction]
    found: dict[str, set[tuple[str | None, int]]] = {}
    for policy in manifests.of("NetworkPolicy"):
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        assert policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == component_of(policy)
        found[component_of(policy)] = {
            (_component(manifests, peer), port["port"])
            for rule in policy["spec"][direction]
            for peer in rule.get(peers_of, [{}])
            for port in rule["ports"]
        }
    return found


@pytest.mark.parametrize(
    ("values", "arrows"),
    [
        ({}, ARROWS),
        (OWN_ENGINE, ARROWS - {("selector", "engine-target", 8080)} | {("selector", "engine-selector", 8080)}),
        (preset("kind"), SCALED),
        (BUILTIN, SCALED),
        (KEDA, ARROWS | REPORTS),
        (
            all_of(BUILTIN, OWN_ENGINE),
            SCALED - {("selector", "engine-target", 8080), ("selector", "redis", 6379)}
            | {("selector", "engine-selector", 8080)},
        ),
        (all_of(BUILTIN, MANAGED_CERTIFICATES, WATCHED), SCALED),
    ],
)
def test_exactly_the_arrows_are_allowed_at_both_ends(values: dict[str, Any], arrows: set[tuple[str, str, int]]) -> None:
    manifests = render(values)
    ingress = {
        (caller, called, port)
        for called, rules in _rules(manifests, "ingress").items()
        for caller, port in rules
        if caller is not None
    }
    assert ingress == arrows
    egress = {
        (caller, called, port)
        for caller, rules in _rules(manifests, "egress").items()
        for called, port in rules
        if called is not None
    }
    assert egress == {arrow for arrow in arrows if arrow[0] != "test"}, "the test's pod has no policy"


def test_who_comes_from_outside_and_what_is_called_outside() -> None:
    manifests = render({})
    strangers = {
        name: {rule for rule in rules if rule[0] is None} for name, rules in _rules(manifests, "ingress").items()
    }
    assert {name for name, rules in strangers.items() if rules} == {"orchestrator"}
    outside = {name: {rule for rule in rules if rule[0] is None} for name, rules in _rules(manifests, "egress").items()}
    engines = {"engine-draft": {(None, 443)} | DNS, "engine-target": {(None, 443)} | DNS}
    services = dict.fromkeys(("orchestrator", "selector", "drafter", "verifier"), DNS)
    assert outside == services | engines | {"redis": set()}


def strangers(values: dict[str, Any]) -> dict[str, set[int]]:
    """Of each component, the ports that are open to somebody who is not of the release."""
    rules = _rules(render(values), "ingress")
    return {name: {port for caller, port in of if caller is None} for name, of in rules.items()}


def test_prometheus_comes_to_the_metrics_and_keda_to_the_orchestrator() -> None:
    engines = {name: {8080} for name in ("engine-draft", "engine-target")}
    workers = {name: {9464} for name in ("selector", "drafter", "verifier", "autoscaler")}
    watched = all_of(BUILTIN, {"metrics": {"enabled": True}})
    assert strangers(watched) == engines | workers | {"orchestrator": {7600, 9464}, "redis": set()}
    assert not any(ports for name, ports in strangers(BUILTIN).items() if name != "orchestrator")
    keda = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}}
    nobody = values_of(**{"networkPolicy.clients": []})
    for values, comes in ((KEDA, True), (BUILTIN, False)):
        policy = render(all_of(values, nobody)).one("NetworkPolicy", "ssr-orchestrator")
        assert (keda in policy["spec"]["ingress"][0]["from"]) == comes


def test_who_prometheus_is_can_be_said() -> None:
    peer = {"namespaceSelector": {"matchLabels": {"team": "watch"}}}
    values = all_of(WATCHED, values_of(**{"networkPolicy.prometheus": [peer]}))
    for policy in render(values).of("NetworkPolicy"):
        if component_of(policy) != "redis":
            rule = policy["spec"]["ingress"][-1]
            assert rule["from"] == [peer]


def test_the_autoscaler_calls_kubernetes_and_nobody_else_does() -> None:
    api = {"ports": [6443], "peers": [{"ipBlock": {"cidr": "10.0.0.1/32"}}]}
    manifests = render(all_of(BUILTIN, {"networkPolicy": {"kubernetesApi": api}}))
    egress = _rules(manifests, "egress")
    assert egress["autoscaler"] == DNS | {("redis", 6379), (None, 6443)}
    assert {name for name, rules in egress.items() if (None, 6443) in rules} == {"autoscaler"}
    policy = manifests.one("NetworkPolicy", "ssr-autoscaler")["spec"]
    assert policy["egress"][-1]["to"] == api["peers"]
    assert policy["ingress"] == []


def test_services_send_traces_to_the_collector() -> None:
    manifests = render(values_of(**{"tracing.otlpEndpoint": "https://collector:4318"}))
    egress = _rules(manifests, "egress")
    services = {"orchestrator", "selector", "drafter", "verifier"}
    assert {name for name, rules in egress.items() if (None, 4318) in rules} == services


def test_simulated_engines_call_nobody() -> None:
    egress = _rules(render(preset("kind")), "egress")
    assert egress["engine-draft"] == egress["engine-target"] == set()


def test_an_external_engine_is_reached_on_its_ports_where_it_may_be() -> None:
    peers = [{"ipBlock": {"cidr": "10.0.0.0/8"}}]
    urls = ["https://a/v1", "http://b", "http://c:8000/x", "dns://d:9000", "http://[::1]:81"]
    manifests = render({"engines": {"target": {"kind": "external", "external": {"urls": urls, "peers": peers}}}})
    rule = manifests.one("NetworkPolicy", "ssr-verifier")["spec"]["egress"][-1]
    assert {port["port"] for port in rule["ports"]} == {443, 80, 8000, 9000, 81}
    assert rule["to"] == peers


def test_an_external_redis_is_reached_on_its_ports() -> None:
    values = values_of(
        **{"redis.kind": "external", "redis.external.url": "redis://r:6380/0", "redis.external.ports": [6380]}
    )
    assert _rules(render(values), "egress")["orchestrator"] - DNS == {
        ("selector", 7601),
        ("drafter", 7602),
        ("verifier", 7603),
        (None, 6380),
    }


def test_callers_can_be_named() -> None:
    peer = {"podSelector": {"matchLabels": {"app": "shop"}}}
    policy = render(values_of(**{"networkPolicy.clients": [peer]})).one("NetworkPolicy", "ssr-orchestrator")
    assert peer in policy["spec"]["ingress"][0]["from"]
    assert {"namespaceSelector": {}} not in policy["spec"]["ingress"][0]["from"]
