"""Engines: GPUs, arguments, caches, and who asks which."""

from __future__ import annotations

import pytest
from chart_manifests import Manifests, over, preset, render, values_of


def gpus(manifests: Manifests, component: str, resource: str = "nvidia.com/gpu") -> tuple[int | None, int | None]:
    resources = manifests.container(component)["resources"]
    return resources["requests"].get(resource), resources["limits"].get(resource)


@pytest.mark.parametrize(
    ("name", "draft", "target"), [("paper", (1, 1), (2, 2)), ("qwen3", (1, 1), (2, 2)), ("small", (1, 1), (1, 1))]
)
def test_presets_ask_for_their_gpus(name: str, draft: tuple[int, int], target: tuple[int, int]) -> None:
    manifests = render(preset(name))
    assert gpus(manifests, "engine-draft") == draft
    assert gpus(manifests, "engine-target") == target


def test_the_simulated_preset_asks_for_no_gpu_and_no_volume_but_that_of_redis() -> None:
    manifests = render(preset("kind"))
    assert all("gpu" not in str(pod["spec"]) for _, pod in manifests.pods())
    assert manifests.of("PersistentVolumeClaim") == []


def test_a_shared_gpu_has_its_own_name() -> None:
    manifests = render(values_of(**{"engines.draft.gpuResource": "nvidia.com/gpu.shared"}))
    assert gpus(manifests, "engine-draft", "nvidia.com/gpu.shared") == (1, 1)
    assert gpus(manifests, "engine-draft") == (None, None)


def test_tgi_listens_on_all_addresses_and_queues() -> None:
    manifests = render({})
    args = manifests.container("engine-target")["args"]
    assert "--hostname=0.0.0.0" in args, "HOSTNAME is the pod's name in Kubernetes, and TGI listens there"
    assert "--model-id=Qwen/QwQ-32B" in args
    assert "--num-shard=2" in args
    assert "--max-top-n-tokens=20" in args
    assert "--max-concurrent-requests=1024" in args
    assert "command" not in manifests.container("engine-target"), "the image's own entry point sets its libraries up"


def test_more_pods_of_a_service_do_not_restart_its_engine() -> None:
    few, many = (render(values_of(**{"services.verifier.replicas": count})) for count in (1, 9))
    assert few.one("Deployment", "ssr-engine-target") == many.one("Deployment", "ssr-engine-target")


def test_tgi_takes_the_limit_that_was_given() -> None:
    args = render(values_of(**{"engines.draft.args": ["--max-concurrent-requests=9"]})).container("engine-draft")[
        "args"
    ]
    assert [arg for arg in args if arg.startswith("--max-concurrent-requests")] == ["--max-concurrent-requests=9"]


def test_vllm_is_asked_as_vllm() -> None:
    manifests = render(preset("qwen3"))
    engine = manifests.container("engine-target")
    assert engine["command"] == ["vllm", "serve"]
    assert engine["args"][0] == "Qwen/Qwen3-32B"
    assert "--tensor-parallel-size=2" in engine["args"]
    assert manifests.environment("verifier")["SSR_VERIFIER_ENGINE__KIND"] == "vllm"
    assert manifests.environment("drafter")["SSR_DRAFTER_ENGINE__KIND"] == "vllm"


def test_services_find_all_addresses_of_their_engine() -> None:
    manifests = render({})
    urls = {name: manifests.environment(name)[f"SSR_{name.upper()}_ENGINE__URLS"] for name in ("drafter", "verifier")}
    assert urls == {"drafter": "dns://ssr-engine-draft:8080", "verifier": "dns://ssr-engine-target:8080"}
    for name in ("ssr-engine-draft", "ssr-engine-target", "ssr-selector", "ssr-drafter", "ssr-verifier"):
        assert manifests.one("Service", name)["spec"]["clusterIP"] == "None"
    orchestrator = manifests.environment("orchestrator")
    assert orchestrator["SSR_ORCHESTRATOR_DRAFTER"] == "dns:///ssr-drafter:7602"


def test_the_selector_asks_the_targets_engine_unless_it_has_its_own() -> None:
    shared = render({})
    assert shared.environment("selector")["SSR_SELECTOR_ENGINE__URLS"] == "dns://ssr-engine-target:8080"
    assert not any(component == "engine-selector" for component, _ in shared.pods())
    own = render(values_of(**{"engines.selector.kind": "vllm", "engines.selector.model": "Qwen/Qwen3-4B"}))
    assert own.environment("selector")["SSR_SELECTOR_ENGINE__URLS"] == "dns://ssr-engine-selector:8080"
    assert own.environment("selector")["SSR_SELECTOR_ENGINE__KIND"] == "vllm"
    assert own.container("engine-selector")["args"][0] == "Qwen/Qwen3-4B"


def test_an_external_engine_is_only_asked() -> None:
    external = {"kind": "external", "model": "m", "external": {"urls": ["http://a:1", "http://b:2"], "api": "openai"}}
    manifests = render({"engines": {"target": external}})
    asked = manifests.environment("verifier")
    assert asked["SSR_VERIFIER_ENGINE__URLS"] == "http://a:1,http://b:2"
    assert asked["SSR_VERIFIER_ENGINE__MODEL"] == "m"
    assert {name for name, _ in manifests.pods()} & {"engine-target", "engine-draft"} == {"engine-draft"}


def test_an_engine_has_shared_memory_and_its_models_on_a_claim() -> None:
    manifests = render({})
    volumes = {volume["name"]: volume for volume in manifests.pod("engine-target")["volumes"]}
    assert volumes["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Gi"}
    assert volumes["models"]["persistentVolumeClaim"]["claimName"] == "ssr-engine-target"
    claim = manifests.one("PersistentVolumeClaim", "ssr-engine-target")
    assert claim["spec"]["resources"]["requests"]["storage"] == "100Gi"


def test_without_a_cache_models_are_kept_in_the_pod() -> None:
    manifests = render(values_of(**{"engines.target.cache.enabled": False}))
    volumes = {volume["name"]: volume for volume in manifests.pod("engine-target")["volumes"]}
    assert volumes["models"]["emptyDir"] == {}
    assert [one["metadata"]["name"] for one in manifests.of("PersistentVolumeClaim")] == ["ssr-engine-draft"]


def test_an_engine_has_time_to_load_its_model() -> None:
    manifests = render(values_of(**{"engines.target.startupSeconds": 3601}))
    probe = manifests.container("engine-target")["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 3601
    deployment = manifests.one("Deployment", "ssr-engine-target")
    assert deployment["spec"]["progressDeadlineSeconds"] > 3601


def test_placement_of_an_engine() -> None:
    placed = {
        "runtimeClassName": "nvidia",
        "nodeSelector": {"gpu": "h100"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
    }
    pod = render(over(preset("paper"), {"engines": {"target": placed}})).pod("engine-target")
    assert {name: pod[name] for name in placed} == placed


def test_services_and_engines_spread_over_nodes() -> None:
    for component, pod in render({}).pods():
        if component not in ("redis", "test"):
            spread = {one["topologyKey"]: one for one in pod["spec"]["topologySpreadConstraints"]}
            assert set(spread) == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
