"""Wrong values are refused at install, with a sentence that says what to do."""

from __future__ import annotations

from typing import Any

import pytest
from chart_manifests import SERVICES, helm, render, values_of

EXTERNAL_REDIS = {"redis.kind": "external"}
EXTERNAL_ENGINES = {
    **{f"engines.{pool}.kind": "external" for pool in ("draft", "target")},
    **{f"engines.{pool}.external.urls": ["http://a:1"] for pool in ("draft", "target")},
}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"engines.target.model": ""}, "engines.target.model is empty: name a model"),
        ({"engines.draft.kind": "external"}, "engines.draft.external.urls is empty: give the engine's URL"),
        ({"engines.selector.kind": "vllm"}, "engines.selector.model is empty"),
        (
            {"engines.target.replicas": 2, "engines.target.cache.accessMode": "ReadWriteOnce"},
            "engines.target may have 2 replicas and has one cache that only one node may mount",
        ),
        (
            {"autoscaling.kind": "keda", "engines.draft.cache.accessMode": "ReadWriteOncePod"},
            "engines.draft may have 8 replicas and has one cache that only one node may mount",
        ),
        ({"autoscaling.kind": "builtin", **EXTERNAL_ENGINES}, "no engine that it could scale runs in this release"),
        (
            {"autoscaling.settings.draft.min_replicas": 9},
            "autoscaling.settings.draft: min_replicas 9 is over max_replicas 8",
        ),
        (
            {"services.drafter.autoscaling": {"enabled": True, "minReplicas": 9}},
            "services.drafter.autoscaling: minReplicas 9 is over maxReplicas 8",
        ),
        ({"tls.kind": "secrets"}, "tls.secrets.client is empty: name a Secret with its certificate"),
        ({"tls.secrets.drafter": "mine"}, "tls.secrets.drafter is set, and tls.kind is auto"),
        ({"tls.kind": "none", "tls.clientCertificates": True}, "tls.clientCertificates is true, and tls.kind is none"),
        ({"serviceMonitor.enabled": True}, "metrics.enabled is false"),
        ({"prometheusRule.enabled": True, "metrics.enabled": True}, "serviceMonitor.enabled is false"),
        ({"api.keys": "none", "test.apiKeySecret.name": "key"}, "api.keys is none"),
        ({"api.keys": "secret"}, "api.keysSecret is empty"),
        ({"api.keys": "none", "api.keysSecret": "mine"}, "api.keysSecret is set, and api.keys is none"),
        ({"api.route.enabled": True}, "api.route.parentRefs is empty"),
        ({"api.ingress.enabled": True}, "api.ingress.hosts is empty"),
        ({"api.loadBalancerClass": "x"}, "api.serviceType is ClusterIP"),
        ({"gateway.enabled": True, "gateway.route.enabled": True}, "gateway.route.parentRefs is empty"),
        ({"gateway.enabled": True, "gateway.ingress.enabled": True}, "gateway.ingress.hosts is empty"),
        ({"gateway.loadBalancerSourceRanges": ["10.0.0.0/8"]}, "gateway.serviceType is ClusterIP"),
        (
            {"gateway.ingress": {"enabled": True, "hosts": ["a.example"]}},
            "gateway.ingress.enabled is true, and gateway.enabled is false",
        ),
        (
            {
                "gateway.enabled": True,
                "tls.kind": "secrets",
                **{f"tls.secrets.{name}": name for name in (*SERVICES, "client")},
            },
            "tls.secrets.gateway is empty",
        ),
        ({"engines.draft.priority": True}, "only vllm and sglang have priorities"),
        ({"engines.target.multiNode.size": 2}, "only vllm and sglang span nodes"),
        (
            {"engines.target.kind": "vllm", "engines.target.multiNode.size": 2, "autoscaling.kind": "builtin"},
            "set autoscaling.kind=keda",
        ),
        (
            {"engines.target.cache": {"existingClaim": "a", "hostPath": "/models"}},
            "engines.target.cache has an existingClaim and a hostPath",
        ),
        (
            {**EXTERNAL_REDIS, "redis.external.url": "redis://r", "redis.external.tlsSecret.name": "ca"},
            "begin it with rediss",
        ),
        (
            {
                **EXTERNAL_REDIS,
                "redis.external.url": "rediss://r",
                "redis.external.tlsSecret.clientCertificate": True,
            },
            "redis.external.tlsSecret.name is empty",
        ),
        ({"engines.draft.args": ["--port=1"]}, "engines.draft.args has --port, which the chart sets"),
        ({"engines.draft.args": ["--model-id", "x"]}, "engines.draft.args has --model-id"),
        ({"engines.draft.env": {"HF_TOKEN": "hunter2"}}, "put it into a Secret"),
        (EXTERNAL_REDIS, "set either redis.external.url or redis.external.urlSecret.name"),
        (
            {**EXTERNAL_REDIS, "redis.external.url": "redis://r", "redis.external.urlSecret.name": "s"},
            "set either redis.external.url or redis.external.urlSecret.name",
        ),
        ({**EXTERNAL_REDIS, "redis.external.url": "redis://:hunter2@r:1/0"}, "has a password in it"),
        ({**EXTERNAL_REDIS, "redis.external.url": "redis://me:hunter2@r:1/0"}, "has a password in it"),
        ({**EXTERNAL_REDIS, "redis.external.url": "redis://r:1/0?password=hunter2"}, "has a password in it"),
        (
            {**EXTERNAL_REDIS, "redis.external.url": "redis://:$(REDIS_PASSWORD)@r:1/0"},
            "redis.external.passwordSecret.name is empty",
        ),
    ],
)
def test_combinations_that_make_no_sense(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(helm().HelmRenderError) as refused:
        render(values_of(**values))
    assert sentence in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"engines.target.modell": "x"}, "/engines/target"),
        ({"engine.target.model": "x"}, "engine"),
        ({"engines.third.model": "x"}, "/engines"),
        ({"engines.target.kind": "ollama"}, "/engines/target/kind"),
        ({"engines.target.resources": {"requets": {"cpu": "1"}}}, "/engines/target/resources"),
        ({"services.drafter.resources.limits": {"memory": ["1Gi"]}}, "/services/drafter/resources/limits/memory"),
        ({"services.drafter.tolerations": [{"kye": "gpu"}]}, "/services/drafter/tolerations/0"),
        ({"services.drafter.affinity.nodeAfinity": {}}, "/services/drafter/affinity"),
        ({"services.drafter.extraEnv": [{"name": "A", "valueFromm": {}}]}, "/services/drafter/extraEnv/0"),
        ({"services.drafter.initContainers": [{"name": "a", "imagee": "b"}]}, "/services/drafter/initContainers/0"),
        ({"services.drafter.podSecurityContext.runAsRoot": True}, "/services/drafter/podSecurityContext"),
        ({"redis.extraVolumes": [{"name": "a", "configmap": {}}]}, "/redis/extraVolumes/0"),
        ({"redis.maxmemory": "3 GB"}, "/redis/maxmemory"),
        ({"autoscaling.builtin.resources": {"limit": {}}}, "/autoscaling/builtin/resources"),
        ({"networkPolicy.clients": [{"podSelektor": {}}]}, "/networkPolicy/clients/0"),
        ({"api.keys": "any"}, "/api/keys"),
        ({"gateway.route.timeout": "soon"}, "/gateway/route/timeout"),
        ({"services.gateway.settings.max_body_bytes": 1}, "/services/gateway/settings/max_body_bytes"),
        ({"engines.draft.kind": "target"}, "/engines/draft/kind"),
        ({"engines.draft.gpus": -1}, "/engines/draft/gpus"),
        ({"engines.draft.runAsUser": 0}, "/engines/draft/runAsUser"),
        ({"engines.draft.external.urls": ["http://me:secret@host"]}, "/engines/draft/external/urls"),
        ({"engines.draft.client.urls": "http://x"}, "/engines/draft/client"),
        ({"engines.draft.client.attempts": 0}, "/engines/draft/client/attempts"),
        ({"services.orchestrator.replicas": 0}, "/services/orchestrator/replicas"),
        ({"services.orchestrator.settings.lease": 3}, "/services/orchestrator/settings"),
        ({"services.orchestrator.settings.lease_s": "ten"}, "/services/orchestrator/settings/lease_s"),
        ({"services.orchestrator.settings.defaults.paths": 17}, "/services/orchestrator/settings/defaults/paths"),
        ({"services.orchestrator.settings.tenant_limits": "acme"}, "/services/orchestrator/settings/tenant_limits"),
        ({"services.orchestrator.settings.redis_url": "redis://x"}, "/services/orchestrator/settings"),
        ({"services.verifier.settings.scorer": 3}, "/services/verifier/settings/scorer"),
        ({"redis.kind": "memory"}, "/redis/kind"),
        ({"redis.external.url": "http://x"}, "/redis/external/url"),
        ({"autoscaling.enabled": True}, "autoscaling"),
        ({"autoscaling.kind": "hpa"}, "/autoscaling/kind"),
        ({"autoscaling.settings.draft.min_replicas": -1}, "/autoscaling/settings/draft/min_replicas"),
        ({"autoscaling.settings.draft.max_replicas": None}, "/autoscaling/settings/draft"),
        ({"autoscaling.settings.draft.replicas": 1}, "/autoscaling/settings/draft"),
        ({"autoscaling.settings.own_selector_engine": True}, "/autoscaling/settings"),
        ({"autoscaling.settings.schedule": [{"name": "a", "when": "noon"}]}, "/autoscaling/settings/schedule/0"),
        ({"autoscaling.builtin.settings.lease_s": "long"}, "/autoscaling/builtin/settings/lease_s"),
        ({"autoscaling.builtin.settings.namespace": "x"}, "/autoscaling/builtin/settings"),
        ({"services.drafter.autoscaling.enabled": "yes"}, "/services/drafter/autoscaling/enabled"),
        ({"services.drafter.settings.tls": {"key": "/k"}}, "/services/drafter/settings"),
        ({"tls.kind": "letsencrypt"}, "/tls/kind"),
        ({"tls.certManager.duration": "90d"}, "/tls/certManager/duration"),
        ({"tracing.otlpEndpoint": "collector:4317"}, "/tracing/otlpEndpoint"),
        ({"logs.format": "xml"}, "/logs/format"),
        ({"serviceMonitor.interval": "often"}, "/serviceMonitor/interval"),
        ({"image.digest": "abc"}, "/image/digest"),
        ({"fullnameOverride": "a" * 41}, "/fullnameOverride"),
    ],
)
def test_values_that_the_schema_does_not_know(values: dict[str, Any], place: str) -> None:
    with pytest.raises(helm().HelmValuesError) as refused:
        render(values_of(**values))
    assert place in str(refused.value)
