"""How TGI, vLLM and SGLang are started: as users that their images know, with what SSR needs of them."""

from __future__ import annotations

from typing import Any

import pytest
from chart_manifests import all_of, preset, render, values_of

ROLES = ("draft", "target")


def engines(**settings: Any) -> dict[str, Any]:
    return {"engines": {role: values_of(**settings) for role in ROLES}}


def test_tgi_runs_as_root_without_rights_because_its_python_is_under_root() -> None:
    manifests = render(preset("paper"))
    pod = manifests.pod("engine-target")
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsNonRoot"]) == (0, False)
    assert pod["securityContext"]["fsGroup"] == 1000, "its claim's files are its group's"
    security = manifests.container("engine-target")["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    derived = render(engines(nonRootImage=True)).pod("engine-target")["securityContext"]
    assert (derived["runAsUser"], derived["runAsNonRoot"]) == (1000, True)


@pytest.mark.parametrize("kind", ["tgi", "vllm", "sglang"])
def test_a_server_starts_in_a_folder_that_it_may_write_to(kind: str) -> None:
    container = render(engines(kind=kind)).container("engine-target")
    folder = container["workingDir"]
    (mount,) = [one for one in container["volumeMounts"] if one["mountPath"] == folder]
    assert "readOnly" not in mount
    reported = {one["name"]: one.get("value") for one in container["env"]}
    assert reported["HOME"] == folder
    assert reported["HF_HOME"] == "/data"
    assert reported["TRITON_CACHE_DIR"].startswith("/data/"), "what is compiled stays"
    without = render(engines(kind=kind, **{"cache.compile": False})).environment("engine-target")
    assert not any(name.endswith("CACHE_DIR") for name in without)


@pytest.mark.parametrize("kind", ["tgi", "vllm"])
def test_a_server_ends_when_its_grace_does(kind: str) -> None:
    flag = {"tgi": "--graceful-termination-timeout", "vllm": "--shutdown-timeout"}[kind]
    manifests = render(engines(kind=kind, graceSeconds=77, preStopSeconds=10))
    assert f"{flag}=77" in manifests.container("engine-target")["args"]
    assert manifests.pod("engine-target")["terminationGracePeriodSeconds"] > 10 + 77
    own = render(engines(kind=kind, args=[f"{flag}=5"])).container("engine-target")["args"]
    assert [argument for argument in own if argument.startswith(flag)] == [f"{flag}=5"]


def test_tgi_makes_graphs_for_what_the_services_send() -> None:
    args = render({}).container("engine-target")["args"]
    assert "--cuda-graphs=1,2,4,8,16,32,64" in args
    assert not any(
        "cuda-graphs" in argument for argument in render(engines(cudaGraphs=[])).container("engine-draft")["args"]
    )


def test_sglang_is_started_and_asked_as_its_own_server_is() -> None:
    manifests = render(preset("paper-sglang"))
    container = manifests.container("engine-target")
    assert container["command"] == ["python3", "-m", "sglang.launch_server"]
    args = container["args"]
    assert {"--model-path=Qwen/QwQ-32B", "--host=0.0.0.0", "--port=8080", "--tp-size=2"} <= set(args)
    assert {"--enable-cache-report", "--enable-metrics"} <= set(args)
    assert container["startupProbe"]["httpGet"]["path"] == container["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health"
    assert container["livenessProbe"]["timeoutSeconds"] >= 20, "it generates a token for that"
    assert manifests.environment("verifier")["SSR_VERIFIER_ENGINE__KIND"] == "sglang"
    assert manifests.pod("engine-target")["securityContext"]["runAsUser"] == 1000


@pytest.mark.parametrize(
    ("kind", "flags"),
    [("vllm", {"--scheduling-policy=priority"}), ("sglang", {"--enable-priority-scheduling"})],
)
def test_priorities_inside_the_server(kind: str, flags: set[str]) -> None:
    manifests = render(engines(kind=kind, priority=True))
    assert flags <= set(manifests.container("engine-target")["args"])
    assert manifests.environment("verifier")["SSR_VERIFIER_ENGINE__PRIORITIES"] == "true", "they send them"
    assert not flags & set(render(engines(kind=kind)).container("engine-target")["args"])


@pytest.mark.parametrize(
    ("kind", "variable"), [("tgi", "API_KEY"), ("vllm", "VLLM_API_KEY"), ("sglang", "ENGINE_API_KEY")]
)
def test_an_engine_and_its_services_share_a_key(kind: str, variable: str) -> None:
    manifests = render(engines(kind=kind, **{"apiKey.existingSecret": "engine"}))
    assert manifests.environment("engine-target")[variable] == "secret:engine/api-key"
    for service in ("selector", "drafter", "verifier"):
        reported = manifests.environment(service)
        assert reported[f"SSR_{service.upper()}_ENGINE__API_KEY"] == "secret:engine/api-key"
    args = manifests.container("engine-target")["args"]
    assert ("--api-key=$(ENGINE_API_KEY)" in args) is (kind == "sglang")


def test_the_same_pair_on_every_server() -> None:
    models = [
        [render(preset(name)).pod(f"engine-{role}")["containers"][0]["args"] for role in ROLES]
        for name in ("paper", "paper-vllm", "paper-sglang")
    ]
    for draft, target in models:
        assert any("DeepSeek-R1-Distill-Qwen-1.5B" in argument for argument in draft)
        assert any("QwQ-32B" in argument for argument in target)


def test_kinds_may_be_mixed() -> None:
    mixed = all_of(preset("paper"), values_of(**{"engines.draft.kind": "vllm"}))
    manifests = render(mixed)
    assert manifests.pod("engine-draft")["securityContext"]["runAsUser"] == 1000
    assert manifests.pod("engine-target")["securityContext"]["runAsUser"] == 0
    assert manifests.environment("drafter")["SSR_DRAFTER_ENGINE__KIND"] == "vllm"
    assert manifests.environment("verifier")["SSR_VERIFIER_ENGINE__KIND"] == "tgi"
