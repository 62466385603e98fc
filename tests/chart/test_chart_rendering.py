"""Every preset and many combinations render to objects that Kubernetes knows."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from typing import Any

import pytest
import yaml
from chart_crds import CRDS, validate_custom
from chart_manifests import (
    ASLEEP,
    BUILTIN,
    CHART,
    GATEWAY,
    KEDA,
    KEYS,
    MANAGED_CERTIFICATES,
    OPEN,
    OWN_CERTIFICATES,
    PODS_BY_CPU,
    PRESETS,
    ROOT,
    WATCHED,
    Manifest,
    all_of,
    helm,
    over,
    preset,
    render,
    values_of,
)

#: Combinations of options, beside the presets.
COMBINATIONS: dict[str, dict[str, Any]] = {
    "vllm": values_of(**{"engines.target.kind": "vllm", "engines.draft.kind": "vllm"}),
    "tgi and vllm": values_of(**{"engines.target.kind": "vllm", "engines.target.revision": "v1"}),
    "consensus drafting": values_of(
        **{"engines.target.kind": "vllm", "engines.target.consensus.enabled": True, "metrics.enabled": True}
    ),
    "external engines": {
        "engines": {
            "draft": {"kind": "external", "model": "", "external": {"urls": ["http://gpu-1:8080", "http://gpu-2"]}},
            "target": {
                "kind": "external",
                "external": {
                    "urls": ["https://models.example.com/v1"],
                    "api": "openai",
                    "apiKey": {"existingSecret": "key"},
                    "peers": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
                },
            },
        }
    },
    "an engine for the selector": values_of(
        **{"engines.selector.kind": "tgi", "engines.selector.model": "Qwen/QwQ-32B", "engines.selector.replicas": 1}
    ),
    "an external engine for the selector": values_of(
        **{"engines.selector.kind": "external", "engines.selector.external.urls": ["dns://models.other:8080"]}
    ),
    "a shell": values_of(**{"shell.enabled": True, "shell.nodeSelector": {"pool": "small"}}),
    "external redis": values_of(
        **{
            "redis.kind": "external",
            "redis.external.url": "rediss://:$(REDIS_PASSWORD)@redis.example.com:6380/0",
            "redis.external.passwordSecret.name": "redis",
            "redis.external.ports": [6380],
        }
    ),
    "sentinels": values_of(
        **{
            "redis.kind": "external",
            "redis.external.url": "redis+sentinel://a:26379,b:26379/main/0",
            "redis.external.ports": [6379, 26379],
            "redis.external.peers": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
        }
    ),
    "redis by a secret": values_of(**{"redis.kind": "external", "redis.external.urlSecret.name": "redis"}),
    "a password of one's own": values_of(**{"redis.auth.existingSecret": "redis", "redis.auth.key": "pw"}),
    "replicas": values_of(
        **{
            "services.orchestrator.replicas": 3,
            "services.drafter.replicas": 4,
            "engines.target.replicas": 3,
            "engines.target.cache.accessMode": "ReadWriteMany",
            "engines.target.cache.storageClassName": "nfs",
        }
    ),
    "no cache": values_of(
        **{"engines.target.cache.enabled": False, "engines.target.replicas": 2, "engines.draft.gpus": 0}
    ),
    "a claim that exists": values_of(**{"engines.target.cache.existingClaim": "models", "engines.target.replicas": 2}),
    "placement": {
        "imagePullSecrets": [{"name": "registry"}],
        "labels": {"team": "maths", "app.kubernetes.io/name": "mine"},
        "image": {"repository": "registry.example.com/ssr", "digest": f"sha256:{'0' * 64}"},
        "services": {"orchestrator": {"nodeSelector": {"pool": "cpu"}, "podAnnotations": {"a": "b"}}},
        "engines": {
            "target": {
                "runtimeClassName": "nvidia",
                "nodeSelector": {"gpu": "h100"},
                "tolerations": [],
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}]
                        }
                    }
                },
                "hfToken": {"existingSecret": "hf"},
                "env": {"CUDA_GRAPHS": "1,2"},
                "args": ["--quantize=awq"],
                "shmSize": "2Gi",
            }
        },
        "redis": {"nodeSelector": {"pool": "cpu"}, "storage": {"storageClassName": "fast"}},
    },
    "fences down": values_of(
        **{
            "networkPolicy.enabled": False,
            "podDisruptionBudgets.enabled": False,
            "api.serviceType": "LoadBalancer",
            "api.annotations": {"a": "b"},
            "preStopSeconds": 0,
        }
    ),
    "long names": {"fullnameOverride": "a" * 40, "nameOverride": "b" * 70},
    "settings": {
        "services": {
            "orchestrator": {
                "settings": {"grace_s": 2.5, "max_unfinished": 1_000_000, "tenant_limits": "a=1,b=2"},
                "extraVolumes": [{"name": "pools", "configMap": {"name": "pools"}}],
                "extraVolumeMounts": [{"name": "pools", "mountPath": "/pools"}],
            }
        },
    },
}
_SCHEDULED = {"name": "maths", "cron": "55 7 * * mon-fri", "duration_s": 2700, "replicas": {"draft": 2, "target": 4}}
COMBINATIONS |= {
    "the built-in autoscaler": BUILTIN,
    "it, with a schedule and one pool that is external": all_of(
        BUILTIN,
        {
            "autoscaling": {
                "settings": {"schedule": [_SCHEDULED | {"zone": "Europe/Berlin"}]},
                "builtin": {"replicas": 3},
            }
        },
        values_of(**{"engines.draft.kind": "external", "engines.draft.external.urls": ["http://gpu-1:8080"]}),
    ),
    "it, from zero": all_of(BUILTIN, ASLEEP),
    "it, and a selector with an engine of its own": all_of(
        BUILTIN, values_of(**{"engines.selector.kind": "vllm", "engines.selector.model": "Qwen/Qwen3-4B"})
    ),
    "keda": KEDA,
    "keda over mutual tls, from zero": all_of(
        KEDA,
        ASLEEP,
        MANAGED_CERTIFICATES,
        values_of(**{"tls.clientCertificates": True, "autoscaling.keda.tolerance": "0"}),
    ),
    "certificates of one's own": OWN_CERTIFICATES,
    "certificates of an issuer": all_of(
        MANAGED_CERTIFICATES,
        values_of(
            **{
                "tls.certManager.issuer": {"name": "inner", "kind": "ClusterIssuer"},
                "tls.dnsNames": ["ssr.example.com"],
            }
        ),
    ),
    "api keys": KEYS,
    "watched": WATCHED,
    "pods by cpu": PODS_BY_CPU,
    "redis with certificates": values_of(
        **{
            "redis.kind": "external",
            "redis.external.url": "rediss://redis.example.com:6380/0",
            "redis.external.tlsSecret": {"name": "redis-ca", "clientCertificate": True},
            "redis.external.ports": [6380],
        }
    ),
    "the gateway": GATEWAY,
    "the gateway, with models of one's own, without tls": all_of(
        GATEWAY, OPEN, {"gateway": {"models": {"quick": {"options": {"mode": "baseline"}}}, "page": True}}
    ),
    "everything": all_of(
        BUILTIN,
        ASLEEP,
        MANAGED_CERTIFICATES,
        KEYS,
        WATCHED,
        PODS_BY_CPU,
        GATEWAY,
        values_of(**{"tls.clientCertificates": True, "services.gateway.autoscaling.enabled": True}),
    ),
    "everything, with keda and long names": all_of(
        KEDA,
        ASLEEP,
        OWN_CERTIFICATES,
        KEYS,
        WATCHED,
        PODS_BY_CPU,
        GATEWAY,
        values_of(fullnameOverride="a" * 40, **{"tls.secrets.gateway": "gateway-cert"}),
    ),
}
CASES: dict[str, dict[str, Any]] = (
    {"the defaults": {}} | {f"preset {name}": preset(name) for name in PRESETS} | COMBINATIONS
)
#: Those that have every template in them between them: each is rendered again for these tests.
WHOLE = [case for case in CASES if case not in COMBINATIONS or case.startswith("everything")]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("version", ["1.30", "1.34"])
def test_kubernetes_knows_all_objects_and_fields(case: str, version: str) -> None:
    manifests = render(CASES[case])
    assert len(manifests.objects) > 20
    for manifest in manifests.objects:
        _validate(json.dumps(manifest, sort_keys=True), version)


@pytest.mark.parametrize(
    ("kind", "values"), [("Service", {}), ("ScaledObject", KEDA), ("Certificate", MANAGED_CERTIFICATES)]
)
def test_a_field_that_kubernetes_does_not_know_is_found(kind: str, values: dict[str, Any]) -> None:
    manifest = render(values).of(kind)[0]
    manifest["spec"]["selectors"] = {}
    with pytest.raises(Exception, match="selectors"):
        _validate(json.dumps(manifest), "1.30")


@functools.cache
def _kubernetes() -> Any:
    """kubernetes-validate, which reads every schema once (alone, it reads all definitions again for every object)."""
    utils = pytest.importorskip("kubernetes_validate.utils", reason="needs kubernetes-validate (make test has it)")
    utils.schema_contents = functools.cache(utils.schema_contents)
    return utils


@functools.cache  # most objects are the same in most cases
def _validate(manifest: str, version: str) -> None:
    whole = json.loads(manifest)
    if own := CRDS.get((whole["apiVersion"], whole["kind"])):
        validate_custom(whole, own)
    else:
        _kubernetes().validate(whole, version, strict=True)


@pytest.mark.parametrize("case", WHOLE)
def test_lint_has_nothing_to_say(case: str) -> None:
    report = helm().lint(CHART, CASES[case], strict=True, namespace="ssr")
    said = [message for message in report["messages"] if "icon is recommended" not in message["error"]]
    assert report["errors"] == []
    assert said == []


@pytest.mark.parametrize("case", WHOLE)
def test_every_object_is_named_once_and_in_the_namespace(case: str) -> None:
    manifests = render(CASES[case], name="one", namespace="two")
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests.objects]
    assert len(names) == len(set(names))
    assert all(len(name) <= 63 for _, name in names)
    assert {manifest["metadata"]["namespace"] for manifest in manifests.objects} == {"two"}


@pytest.mark.parametrize("case", CASES)
def test_selectors_have_only_what_never_changes(case: str) -> None:
    manifests = render(CASES[case])
    fixed = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}
    selectors = [one["spec"]["selector"]["matchLabels"] for one in _selecting(manifests.objects)]
    selectors += [service["spec"]["selector"] for service in manifests.of("Service")]
    assert all(set(selector) == fixed for selector in selectors)
    later = render(over(CASES[case], {"labels": {"release": "next"}, "image": {"tag": "9"}}))
    assert [one["spec"]["selector"] for one in _selecting(later.objects)] == [
        one["spec"]["selector"] for one in _selecting(manifests.objects)
    ]


@pytest.mark.parametrize("case", CASES)
def test_every_selector_finds_its_pods(case: str) -> None:
    manifests = render(CASES[case])
    labels = [pod["metadata"]["labels"] for _, pod in manifests.pods()]
    selectors = [one["spec"]["selector"]["matchLabels"] for one in _selecting(manifests.objects)]
    selectors += [service["spec"]["selector"] for service in manifests.of("Service")]
    for selector in selectors:
        assert sum(selector.items() <= one.items() for one in labels) == 1


def _selecting(objects: tuple[Manifest, ...]) -> list[Manifest]:
    kinds = ("Deployment", "StatefulSet", "PodDisruptionBudget")
    return [manifest for manifest in objects if manifest["kind"] in kinds]


@pytest.mark.parametrize("case", CASES)
def test_a_number_of_pods_is_set_by_one_alone(case: str) -> None:
    """The chart, the autoscaler, KEDA or a HorizontalPodAutoscaler."""
    manifests = render(CASES[case])
    setters = [one["spec"]["scaleTargetRef"]["name"] for kind in SCALERS for one in manifests.of(kind)]
    setters += [name for role in manifests.of("Role") for name in _patched(role)]
    setters += [one["metadata"]["name"] for one in manifests.of("Deployment") if "replicas" in one["spec"]]
    assert sorted(setters) == sorted(one["metadata"]["name"] for one in manifests.of("Deployment"))


SCALERS = ("ScaledObject", "HorizontalPodAutoscaler")


def _patched(role: Manifest) -> list[str]:
    """The Deployments whose scale the role lets be patched."""
    (names,) = [rule["resourceNames"] for rule in role["rules"] if "patch" in rule["verbs"]]
    return [str(name) for name in names]


def test_the_generated_files_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "helm" / "generate.py", "--check"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_the_chart_is_of_the_same_version_as_the_services() -> None:
    from ssr import __version__

    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert about["appVersion"] == about["version"] == __version__


def test_the_notes_say_how_to_call_it_and_what_is_open() -> None:
    notes = render(over(preset("kind"), values_of(**{"networkPolicy.enabled": False}))).notes
    assert "kubectl -n ssr port-forward svc/ssr-orchestrator 7600" in notes
    assert "helm test ssr -n ssr" in notes
    assert "OPEN: engines, Redis can be called by every pod of the cluster, because networkPolicy.enabled" in notes
    assert "Engines are scaled by: its own autoscaler, draft 1 to 3, target 1 to 3" in notes
    assert "callers              show an API key: an entry of the Secret ssr-api-keys each" in notes
    assert "get secret ssr-api-keys -o jsonpath='{.data.default}'" in notes
    assert "calls                are encrypted; the parts show each other certificates (made by the chart)" in notes
    opened = render(over(preset("kind"), OPEN)).notes
    assert "OPEN: callers        are not asked who they are, because api.keys is none" in opened
    assert "OPEN: calls          are not encrypted, because tls.kind is none" in opened
    assert "ssr solve --server 127.0.0.1:7600" in opened


def test_the_notes_say_how_to_call_it_over_tls() -> None:
    notes = render(all_of(MANAGED_CERTIFICATES, KEYS, values_of(**{"api.serviceType": "LoadBalancer"}))).notes
    assert "ssr solve --server localhost:7600" in notes, "a name that the certificate has"
    assert "get secret ssr-client-tls" in notes
    assert "WARNING" not in notes
