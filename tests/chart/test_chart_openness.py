"""What platforms ask for: identities, routes, registries, spread, extra objects, servers that span nodes."""

from __future__ import annotations

from typing import Any

import pytest
from chart_manifests import (
    BUILTIN,
    KEDA,
    SERVICES,
    WATCHED,
    Manifest,
    all_of,
    preset,
    render,
    values_of,
)

ENV: list[Manifest] = [{"name": "EXTRA", "value": "1"}]
#: Everything that a pod may be given, whose effect is looked for below.
POD: dict[str, Any] = {
    "priorityClassName": "urgent",
    "podAnnotations": {"note": "kept"},
    "podLabels": {"cost": "maths"},
    "serviceAccount": {"annotations": {"iam": "role"}, "labels": {"team": "maths"}},
    "podSecurityContext": {"supplementalGroups": [7]},
    "securityContext": {"seLinuxOptions": {"level": "s0"}},
    "extraEnv": ENV,
    "envFrom": [{"configMapRef": {"name": "more"}}],
    "extraVolumes": [{"name": "more", "configMap": {"name": "more"}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    "initContainers": [{"name": "before", "image": "busybox:1.37"}],
    "topologySpreadConstraints": [
        {"topologyKey": "rack", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
    ],
}
COMPONENTS = (*SERVICES, "autoscaler", "engine-draft", "engine-target", "redis")


def test_every_pod_takes_what_a_platform_asks_for() -> None:
    values = {
        "services": {name: POD for name in SERVICES},
        "autoscaling": {"builtin": POD},
        "engines": {"draft": POD, "target": POD},
        "redis": POD,
    }
    manifests = render(all_of(BUILTIN, values))
    pods = dict(manifests.pods())
    for component in COMPONENTS:
        pod = pods[component]
        spec, metadata = pod["spec"], pod["metadata"]
        (container,) = spec["containers"]
        assert spec["priorityClassName"] == "urgent", component
        assert metadata["annotations"]["note"] == "kept"
        assert metadata["labels"]["cost"] == "maths"
        assert spec["securityContext"]["supplementalGroups"] == [7]
        assert "runAsNonRoot" in spec["securityContext"], "put over the chart's, not in its place"
        assert container["securityContext"]["seLinuxOptions"] == {"level": "s0"}
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert ENV[0] in container["env"]
        assert container["envFrom"] == POD["envFrom"]
        assert {"name": "more", "mountPath": "/more"} in container["volumeMounts"]
        assert POD["extraVolumes"][0] in spec["volumes"]
        assert spec["initContainers"] == POD["initContainers"]
        assert spec["topologySpreadConstraints"] == POD["topologySpreadConstraints"]
        account = manifests.one("ServiceAccount", f"ssr-{component}")["metadata"]
        assert account["annotations"] == {"iam": "role"}
        assert account["labels"]["team"] == "maths"


def test_an_account_of_ones_own_is_used_and_none_is_made() -> None:
    own = values_of(**{"autoscaling.builtin.serviceAccount.name": "mine", "engines.draft.serviceAccount.name": "gpu"})
    manifests = render(all_of(BUILTIN, own))
    assert manifests.pod("autoscaler")["serviceAccountName"] == "mine"
    assert manifests.pod("engine-draft")["serviceAccountName"] == "gpu"
    names = {account["metadata"]["name"] for account in manifests.of("ServiceAccount")}
    assert not names & {"ssr-autoscaler", "ssr-engine-draft"}
    (binding,) = manifests.of("RoleBinding")
    assert [subject["name"] for subject in binding["subjects"]] == ["mine"]


def test_rollouts_are_as_they_are_wanted() -> None:
    def strategy(values: dict[str, Any]) -> Manifest:
        found: Manifest = render(values).one("Deployment", "ssr-engine-target")["spec"]["strategy"]
        return found

    assert strategy({}) == {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    whole = values_of(**{"engines.target.strategy.rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    assert strategy(whole) == {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert strategy(values_of(**{"engines.target.strategy.type": "Recreate"})) == {"type": "Recreate"}


def test_a_mirror_takes_the_place_of_every_registry() -> None:
    manifests = render(all_of(BUILTIN, values_of(imageRegistry="mirror.example:5000/all")))
    images = {component: container["image"] for component, container in _containers(manifests)}
    assert images["engine-target"] == "mirror.example:5000/all/huggingface/text-generation-inference:3.3.7"
    assert images["redis"].startswith("mirror.example:5000/all/valkey/valkey:")
    assert images["drafter"] == "mirror.example:5000/all/ssr:0.2.0"
    assert all(image.startswith("mirror.example:5000/all/") for image in images.values())


def _containers(manifests: Any) -> list[tuple[str, Manifest]]:
    return [(component, pod["spec"]["containers"][0]) for component, pod in manifests.pods()]


def test_ways_in() -> None:
    ways = values_of(
        **{
            "api.serviceType": "LoadBalancer",
            "api.loadBalancerClass": "service.k8s.aws/nlb",
            "api.loadBalancerSourceRanges": ["10.0.0.0/8"],
            "api.route": {"enabled": True, "parentRefs": [{"name": "edge"}], "hostnames": ["ssr.example.com"]},
            "api.ingress": {"enabled": True, "className": "nginx", "hosts": ["ssr.example.com"]},
        }
    )
    manifests = render(ways)
    service = manifests.one("Service", "ssr-orchestrator")["spec"]
    assert service["loadBalancerClass"] == "service.k8s.aws/nlb"
    assert service["loadBalancerSourceRanges"] == ["10.0.0.0/8"]
    (route,) = manifests.of("GRPCRoute")
    backend = {"name": "ssr-orchestrator", "port": 7600}
    assert route["spec"] == {
        "parentRefs": [{"name": "edge"}],
        "hostnames": ["ssr.example.com"],
        "rules": [{"backendRefs": [backend]}],
    }
    (ingress,) = manifests.of("Ingress")
    assert ingress["spec"]["ingressClassName"] == "nginx"
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"] == {"name": "ssr-orchestrator", "port": {"number": 7600}}


def test_objects_of_ones_own_are_part_of_the_release() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-a'}\n"
    whole = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "b", "labels": {"of": "{{ .Release.Name }}"}},
    }
    found = render(values_of(extraObjects=[text, whole]), name="maths").of("ConfigMap")
    assert [one["metadata"]["name"] for one in found] == ["maths-a", "b"]
    assert found[1]["metadata"]["labels"] == {"of": "maths"}


def test_valkey_refuses_writes_before_its_container_is_killed() -> None:
    def maxmemory(values: dict[str, Any]) -> str:
        args = render(values).container("redis")["args"]
        assert args[args.index("--maxmemory-policy") + 1] == "noeviction"
        return str(args[args.index("--maxmemory") + 1]) if "--maxmemory" in args else ""

    assert maxmemory({}) == str(3 * 2**30)
    assert maxmemory(preset("kind")) == str(384 * 2**20)
    assert maxmemory(values_of(**{"redis.resources.limits": {"memory": "2G"}})) == "1500000000"
    assert maxmemory(values_of(**{"redis.maxmemory": "3gb"})) == "3gb"


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
def test_a_target_that_needs_several_nodes(kind: str) -> None:
    spanning = values_of(
        **{
            "engines.target.kind": kind,
            "engines.target.gpus": 8,
            "engines.target.multiNode.size": 2,
            "engines.target.replicas": 3,
        }
    )
    manifests = render(spanning)
    (group,) = manifests.of("LeaderWorkerSet")
    assert "ssr-engine-target" not in {one["metadata"]["name"] for one in manifests.of("Deployment")}
    template = group["spec"]["leaderWorkerTemplate"]
    assert (group["spec"]["replicas"], template["size"]) == (3, 2)
    leader, worker = (template[f"{role}Template"]["spec"]["containers"][0] for role in ("leader", "worker"))
    for container in (leader, worker):
        assert "--nnodes=2" in container["args"]
        assert "--node-rank=$(LWS_WORKER_INDEX)" in container["args"]
        assert any("$(LWS_LEADER_ADDRESS)" in argument for argument in container["args"])
        assert container["resources"]["limits"]["nvidia.com/gpu"] == 8
    assert ("--tp-size=16" if kind == "sglang" else "--tensor-parallel-size=8") in leader["args"]
    assert ("--headless" in worker["args"]) is (kind == "vllm")
    assert "--headless" not in leader["args"]
    assert "readinessProbe" in leader
    assert "readinessProbe" not in worker, "it serves nothing"
    selected = manifests.one("Service", "ssr-engine-target")["spec"]["selector"]
    assert selected["leaderworkerset.sigs.k8s.io/worker-index"] == "0", "leaders alone answer"
    policy = manifests.one("NetworkPolicy", "ssr-engine-target")["spec"]
    own = {"podSelector": {"matchLabels": {k: v for k, v in selected.items() if k.startswith("app.")}}}
    assert {"from": [own]} in policy["ingress"], "pods of a group call each other"
    assert {"to": [own]} in policy["egress"]
    scaled = render(all_of(KEDA, spanning)).one("ScaledObject", "ssr-engine-target")["spec"]["scaleTargetRef"]
    assert scaled["kind"] == "LeaderWorkerSet"


def test_a_paper_sized_preset_scales() -> None:
    for base in ("paper", "paper-vllm", "paper-sglang", "qwen3"):
        for scaling in (preset("autoscaled"), BUILTIN, KEDA, {"autoscaling": {"kind": "builtin"}}):
            manifests = render(all_of(preset(base), scaling))
            for claim in manifests.of("PersistentVolumeClaim"):
                assert claim["spec"]["accessModes"] == ["ReadWriteMany"], "several pods mount it"
    plain = render(preset("paper")).one("PersistentVolumeClaim", "ssr-engine-target")
    assert plain["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert plain["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_start_up_times_are_the_same_in_defaults_and_presets() -> None:
    def starts(values: dict[str, Any]) -> list[float]:
        manifests = render(values)
        probes = [manifests.container(f"engine-{role}")["startupProbe"] for role in ("draft", "target")]
        return [probe["periodSeconds"] * probe["failureThreshold"] for probe in probes]

    for name in ("paper", "paper-vllm", "paper-sglang", "qwen3", "small", "autoscaled", "openshift", "air-gapped"):
        assert starts(preset(name)) == starts({}), name


def test_openshift_chooses_users_and_names_are_found_there() -> None:
    manifests = render(all_of(preset("paper"), preset("openshift"), BUILTIN, WATCHED))
    for component, pod in manifests.pods():
        context = pod["spec"]["securityContext"]
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(context), component
        assert context["runAsNonRoot"] is True
    ports = {port["port"] for port in manifests.one("NetworkPolicy", "ssr-drafter")["spec"]["egress"][0]["ports"]}
    assert ports == {53, 5353}


def test_without_the_internet_nobody_may_call_out() -> None:
    manifests = render(all_of(preset("paper-vllm"), preset("air-gapped")))
    for role in ("draft", "target"):
        reported = manifests.environment(f"engine-{role}")
        assert (reported["HF_HUB_OFFLINE"], reported["TRANSFORMERS_OFFLINE"]) == ("1", "1")
        (dns,) = manifests.one("NetworkPolicy", f"ssr-engine-{role}")["spec"]["egress"]
        assert {port["port"] for port in dns["ports"]} == {53}
        claim = manifests.pod(f"engine-{role}")["volumes"][2]["persistentVolumeClaim"]
        assert claim == {"claimName": f"ssr-models-{role}"}
    assert manifests.of("PersistentVolumeClaim") == []


def test_engines_get_their_models_through_a_proxy_or_from_a_mirror() -> None:
    manifests = render(
        values_of(**{"proxy.https": "http://proxy.corp:3128", "networkPolicy.engineDownloads.ports": [8443]})
    )
    reported = manifests.environment("engine-draft")
    assert reported["HTTPS_PROXY"] == reported["https_proxy"] == "http://proxy.corp:3128"
    assert ".svc" in reported["NO_PROXY"].split(",")
    _, downloads, proxy = manifests.one("NetworkPolicy", "ssr-engine-draft")["spec"]["egress"]
    assert [port["port"] for port in downloads["ports"]] == [8443]
    assert [port["port"] for port in proxy["ports"]] == [3128]


def test_weights_from_nodes_and_from_images() -> None:
    on_node = render(values_of(**{"engines.target.cache.hostPath": "/models"}))
    volumes = {volume["name"]: volume for volume in on_node.pod("engine-target")["volumes"]}
    assert volumes["models"]["hostPath"] == {"path": "/models", "type": "Directory"}
    assert "ssr-engine-target" not in {one["metadata"]["name"] for one in on_node.of("PersistentVolumeClaim")}
    image = values_of(**{"engines.target.cache.image": "r.example/qwq:1", "engines.target.model": "/weights"})
    manifests = render(image)
    volumes = {volume["name"]: volume for volume in manifests.pod("engine-target")["volumes"]}
    assert volumes["weights"]["image"]["reference"] == "r.example/qwq:1"
    assert {"name": "weights", "mountPath": "/weights", "readOnly": True} in manifests.container("engine-target")[
        "volumeMounts"
    ]


def test_the_clusters_domain_is_in_the_certificates() -> None:
    managed = values_of(**{"tls.kind": "certManager", "clusterDomain": "corp.internal"})
    names = render(managed).one("Certificate", "ssr-drafter-tls")["spec"]["dnsNames"]
    assert "ssr-drafter.ssr.svc.corp.internal" in names
