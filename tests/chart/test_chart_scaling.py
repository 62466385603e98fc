"""Who scales what: the built-in autoscaler and its rights, KEDA, waiting for a pool that sleeps, pods by CPU."""

from __future__ import annotations

from typing import Any

import pytest
from chart_manifests import (
    ASLEEP,
    BUILTIN,
    KEDA,
    MANAGED_CERTIFICATES,
    OPEN,
    PODS_BY_CPU,
    SERVICES,
    Manifests,
    all_of,
    preset,
    render,
    values_of,
)

from ssr.autoscaler.policy.settings import ScalingSettings, ScheduledLoad
from ssr.autoscaler.settings import AutoscalerSettings
from ssr.engines.settings import EngineSettings
from ssr.orchestrator.settings import OrchestratorSettings

EXTERNAL_DRAFT = values_of(**{"engines.draft.kind": "external", "engines.draft.external.urls": ["http://a:1"]})
OWN_SELECTOR = values_of(**{"engines.selector.kind": "vllm", "engines.selector.model": "m"})
SCHEDULED = {"name": "maths", "cron": "55 7 * * mon-fri", "duration_s": 2700, "replicas": {"target": 4}, "zone": "UTC"}


def settings_of(manifests: Manifests, monkeypatch: pytest.MonkeyPatch) -> AutoscalerSettings:
    for name, value in manifests.environment("autoscaler").items():
        monkeypatch.setenv(name, value)
    return AutoscalerSettings.from_environment()


def test_by_default_nothing_scales_and_nobody_reports_of_its_load() -> None:
    manifests = render({})
    assert "autoscaler" not in dict(manifests.pods())
    assert not any("REDIS" in name for service in SERVICES[1:] for name in manifests.environment(service))
    assert not any("SCALING" in name or "KEDA" in name for name in manifests.environment("orchestrator"))


def test_the_autoscaler_has_the_least_rights_and_nobody_else_has_any() -> None:
    manifests = render(BUILTIN)
    (role,) = manifests.of("Role")
    engines = ["ssr-engine-draft", "ssr-engine-target"]
    assert role["rules"] == [
        {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": engines, "verbs": ["get"]},
        {"apiGroups": ["apps"], "resources": ["deployments/scale"], "resourceNames": engines, "verbs": ["patch"]},
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": ["ssr-autoscaler"],
            "verbs": ["get", "update"],
        },
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
    ]
    (binding,) = manifests.of("RoleBinding")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "ssr-autoscaler", "namespace": "ssr"}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert manifests.of("ClusterRole") + manifests.of("ClusterRoleBinding") == []
    tokens = {name for name, pod in manifests.pods() if pod["spec"]["automountServiceAccountToken"]}
    assert tokens == {"autoscaler"}


@pytest.mark.parametrize("values", [KEDA, {}])
def test_without_the_built_in_autoscaler_nobody_has_rights_or_a_token(values: dict[str, Any]) -> None:
    manifests = render(values)
    assert manifests.of("Role") + manifests.of("RoleBinding") == []
    assert not any(pod["spec"]["automountServiceAccountToken"] for _, pod in manifests.pods())


def test_the_autoscaler_is_reported_what_it_may_scale_and_how(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {
        "draft": {"min_replicas": 0, "max_replicas": 3, "slots": 16},
        "target": {"utilisation": 0.5},
        "schedule": [SCHEDULED],
    }
    manifests = render(all_of(BUILTIN, {"autoscaling": {"settings": limits, "builtin": {"settings": {"lease_s": 30}}}}))
    settings = settings_of(manifests, monkeypatch)
    (role,) = manifests.of("Role")
    assert list(settings.deployments.of.values()) == role["rules"][0]["resourceNames"]
    assert settings.namespace == "ssr"
    assert [settings.lease] == role["rules"][2]["resourceNames"]
    assert settings.lease_s == 30
    assert (settings.scaling.draft.min_replicas, settings.scaling.draft.max_replicas) == (0, 3)
    assert (settings.scaling.draft.slots, settings.scaling.target.utilisation) == (16, 0.5)
    assert settings.scaling.schedule == (ScheduledLoad.model_validate(SCHEDULED),)
    assert settings.scaling.own_selector_engine is False


def test_defaults_of_scaling_that_the_chart_repeats_are_the_settings_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_of(render(BUILTIN), monkeypatch).scaling == ScalingSettings()


def test_an_external_engine_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = render(all_of(BUILTIN, EXTERNAL_DRAFT))
    settings = settings_of(manifests, monkeypatch)
    assert list(settings.deployments.of.values()) == ["ssr-engine-target"]
    (role,) = manifests.of("Role")
    assert role["rules"][1]["resourceNames"] == ["ssr-engine-target"]


def test_who_reports_of_its_load() -> None:
    shared, own = render(BUILTIN), render(all_of(BUILTIN, OWN_SELECTOR))
    for manifests, reported in ((shared, {"selector", "drafter", "verifier"}), (own, {"drafter", "verifier"})):
        for service in ("selector", "drafter", "verifier"):
            environment = manifests.environment(service)
            assert (f"SSR_{service.upper()}_REDIS_URL" in environment) == (service in reported)
            assert environment[f"SSR_{service.upper()}_REPLICA"] == "field:metadata.name"
    assert shared.environment("autoscaler")["SSR_AUTOSCALER_SCALING__OWN_SELECTOR_ENGINE"] == "false"
    assert own.environment("autoscaler")["SSR_AUTOSCALER_SCALING__OWN_SELECTOR_ENGINE"] == "true"


def test_keda_asks_the_orchestrator_and_does_as_it_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"target": {"min_replicas": 0, "max_replicas": 5}}
    manifests = render(all_of(OPEN, KEDA, {"autoscaling": {"settings": limits}}), namespace="maths")
    spec = manifests.one("ScaledObject", "ssr-engine-target")["spec"]
    assert spec["scaleTargetRef"] == {"name": "ssr-engine-target"}
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 5)
    assert spec["triggers"] == [
        {
            "type": "external-push",
            "metricType": "AverageValue",
            "metadata": {"scalerAddress": "ssr-orchestrator.maths.svc:7600", "pool": "target"},
        }
    ]
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert [behavior[way]["stabilizationWindowSeconds"] for way in ("scaleUp", "scaleDown")] == [0, 0]
    assert behavior["scaleUp"]["policies"][0]["value"] >= spec["maxReplicaCount"], "all at once"
    assert behavior["scaleDown"]["policies"] == [{"type": "Percent", "value": 100, "periodSeconds": 1}]
    for name, value in manifests.environment("orchestrator").items():
        monkeypatch.setenv(name, value)
    settings = OrchestratorSettings.from_environment()
    assert settings.keda
    assert (settings.scaling.target.min_replicas, settings.scaling.target.max_replicas) == (0, 5)
    assert "autoscaler" not in dict(manifests.pods())


def test_keda_knows_the_orchestrator_over_tls_and_shows_a_certificate_where_one_is_asked_for() -> None:
    for asked, parameters in ((False, ["caCert"]), (True, ["caCert", "tlsClientCert", "tlsClientKey"])):
        manifests = render(all_of(KEDA, MANAGED_CERTIFICATES, values_of(**{"tls.clientCertificates": asked})))
        (authentication,) = manifests.of("TriggerAuthentication")
        references = authentication["spec"]["secretTargetRef"]
        assert [one["parameter"] for one in references] == parameters
        assert {one["name"] for one in references} == {"ssr-client-tls"}
        for scaled in manifests.of("ScaledObject"):
            (trigger,) = scaled["spec"]["triggers"]
            assert trigger["metadata"]["enableTLS"] == "true"
            assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
            host = trigger["metadata"]["scalerAddress"].partition(":")[0]
            assert host in manifests.one("Certificate", "ssr-orchestrator-tls")["spec"]["dnsNames"]


def test_a_call_outwaits_the_start_of_a_pool_that_sleeps() -> None:
    manifests = render(all_of(BUILTIN, ASLEEP, values_of(**{"engines.target.startupSeconds": 3600})))
    orchestrator, verifier = manifests.environment("orchestrator"), manifests.environment("verifier")
    step_s = OrchestratorSettings.model_fields["step_timeout_s"].default
    select_s = OrchestratorSettings.model_fields["select_timeout_s"].default
    call_s = EngineSettings.model_fields["timeout_s"].default
    assert float(orchestrator["SSR_ORCHESTRATOR_STEP_TIMEOUT_S"]) == 3600 + step_s
    assert float(orchestrator["SSR_ORCHESTRATOR_SELECT_TIMEOUT_S"]) == 3600 + select_s
    assert float(verifier["SSR_VERIFIER_ENGINE__TIMEOUT_S"]) == 3600 + call_s
    assert float(manifests.environment("drafter")["SSR_DRAFTER_ENGINE__TIMEOUT_S"]) == 1800 + call_s
    awake = render(BUILTIN)
    assert not any("TIMEOUT_S" in name for service in SERVICES for name in awake.environment(service))


def test_only_a_pool_that_sleeps_is_waited_for() -> None:
    asleep = {"autoscaling": {"settings": {"draft": {"min_replicas": 0}}}}
    manifests = render(all_of(BUILTIN, asleep))
    assert manifests.environment("orchestrator")["SSR_ORCHESTRATOR_STEP_TIMEOUT_S"] == "2100"
    assert "SSR_ORCHESTRATOR_SELECT_TIMEOUT_S" not in manifests.environment("orchestrator")
    assert "SSR_VERIFIER_ENGINE__TIMEOUT_S" not in manifests.environment("verifier")
    external = render(all_of(BUILTIN, ASLEEP, EXTERNAL_DRAFT))
    assert "SSR_DRAFTER_ENGINE__TIMEOUT_S" not in external.environment("drafter"), "nothing puts it to sleep"


def test_waiting_times_that_were_given_stay() -> None:
    given = values_of(
        **{"services.orchestrator.settings.step_timeout_s": 50, "engines.draft.client": {"timeout_s": 40}}
    )
    manifests = render(all_of(BUILTIN, ASLEEP, given))
    assert manifests.environment("orchestrator")["SSR_ORCHESTRATOR_STEP_TIMEOUT_S"] == "50"
    assert manifests.environment("drafter")["SSR_DRAFTER_ENGINE__TIMEOUT_S"] == "40"


def test_services_scale_by_cpu_where_that_is_wanted() -> None:
    manifests = render(all_of(PODS_BY_CPU, values_of(**{"services.drafter.autoscaling.maxReplicas": 20})))
    assert len(manifests.of("HorizontalPodAutoscaler")) == len(SERVICES)
    drafter = manifests.one("HorizontalPodAutoscaler", "ssr-drafter")["spec"]
    assert (drafter["minReplicas"], drafter["maxReplicas"]) == (2, 20)
    assert drafter["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "ssr-drafter"}
    assert manifests.container("drafter")["resources"]["requests"]["cpu"], "utilisation is of the request"


def test_the_simulated_preset_shows_scaling(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(render(preset("kind")), monkeypatch)
    assert {pool: (one.min_replicas, one.max_replicas) for pool, one in settings.scaling.pools.items()} == {
        "draft": (1, 3),
        "target": (1, 3),
    }
