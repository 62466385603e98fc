"""Nothing runs as root, nobody has a token, and no secret is written where it does not belong."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from chart_manifests import (
    BUILTIN,
    KEYS,
    OPEN,
    OWN_CERTIFICATES,
    PRESETS,
    WATCHED,
    all_of,
    over,
    preset,
    render,
    values_of,
)

SECRETS: dict[str, Any] = {
    "engines": {
        "draft": {"hfToken": {"existingSecret": "hf"}},
        "target": {
            "kind": "external",
            "external": {"urls": ["http://a:1"], "apiKey": {"existingSecret": "key", "key": "k"}},
        },
    }
}


@pytest.mark.parametrize("name", PRESETS)
def test_every_container_is_locked_down(name: str) -> None:
    values = preset(name)
    manifests = render(values)
    for component, pod in manifests.pods():
        spec = pod["spec"]
        # TGI's own image keeps its Python under /root: see engines.*.nonRootImage.
        is_tgi = "text-generation-inference" in spec["containers"][0]["image"]
        assert spec["securityContext"]["runAsNonRoot"] is not is_tgi, component
        if values.get("security", {}).get("fixIds", True):
            assert (spec["securityContext"]["runAsUser"] > 0) is not is_tgi
            assert spec["securityContext"]["fsGroup"] > 0
        else:
            assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(spec["securityContext"])
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, component
            assert any(mount["mountPath"] == "/tmp" for mount in container["volumeMounts"])


@pytest.mark.parametrize("name", PRESETS)
def test_nobody_but_the_autoscaler_may_ask_kubernetes_for_anything(name: str) -> None:
    manifests = render(over(preset(name), {"autoscaling": {"kind": "none"}}))
    assert not {manifest["kind"] for manifest in manifests.objects} & {
        "Role",
        "RoleBinding",
        "ClusterRole",
        "ClusterRoleBinding",
    }
    accounts = {account["metadata"]["name"]: account for account in manifests.of("ServiceAccount")}
    assert not any(account["automountServiceAccountToken"] for account in accounts.values())
    for component, pod in manifests.pods():
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["enableServiceLinks"] is False, "SSR_ORCHESTRATOR_PORT would stop the orchestrator"
        expected = "ssr-orchestrator" if component == "test" else f"ssr-{component}"
        assert pod["spec"]["serviceAccountName"] == expected
        assert expected in accounts


def test_every_pod_has_the_account_of_its_component_and_no_service_links() -> None:
    manifests = render(BUILTIN)
    accounts = {account["metadata"]["name"] for account in manifests.of("ServiceAccount")}
    for component, pod in manifests.pods():
        own = "ssr-orchestrator" if component == "test" else f"ssr-{component}"
        assert pod["spec"]["serviceAccountName"] == own
        assert own in accounts
        assert pod["spec"]["enableServiceLinks"] is False
        assert pod["spec"]["automountServiceAccountToken"] is (component == "autoscaler")


def test_secrets_of_others_are_mounted_or_named_and_none_is_written() -> None:
    """With everything on, the chart writes one Secret: the password of Valkey that it made."""
    everything = all_of(BUILTIN, OWN_CERTIFICATES, KEYS, WATCHED, SECRETS)
    manifests = render(everything)
    assert [secret["metadata"]["name"] for secret in manifests.of("Secret")] == ["ssr-redis"]
    for component, pod in manifests.pods():
        for volume in pod["spec"]["volumes"]:
            if "secret" in volume:
                assert volume["secret"]["defaultMode"] == 0o440, component


def test_secrets_are_named_and_never_written() -> None:
    manifests = render(SECRETS)
    assert manifests.environment("engine-draft")["HF_TOKEN"] == "secret:hf/token"
    assert manifests.environment("verifier")["SSR_VERIFIER_ENGINE__API_KEY"] == "secret:key/k"
    assert manifests.environment("selector")["SSR_SELECTOR_ENGINE__API_KEY"] == "secret:key/k"


def test_the_password_of_redis_is_in_its_secret_alone() -> None:
    manifests = render(over(preset("kind"), OPEN))
    (secret,) = manifests.of("Secret")
    password = base64.b64decode(secret["data"]["password"]).decode()
    assert len(password) == 40
    others = [manifest for manifest in manifests.objects if manifest is not secret]
    assert password not in str(others) + manifests.notes
    environment = manifests.environment("orchestrator")
    assert environment["REDIS_PASSWORD"] == "secret:ssr-redis/password"
    assert environment["SSR_ORCHESTRATOR_REDIS_URL"] == "redis://:$(REDIS_PASSWORD)@ssr-redis:6379/0"
    names = list(environment)
    assert names.index("REDIS_PASSWORD") < names.index("SSR_ORCHESTRATOR_REDIS_URL"), "or it would not be expanded"


def test_a_password_of_ones_own_makes_no_secret() -> None:
    manifests = render(over(OPEN, values_of(**{"redis.auth.existingSecret": "mine", "redis.auth.key": "pw"})))
    assert manifests.of("Secret") == []
    assert manifests.environment("orchestrator")["REDIS_PASSWORD"] == "secret:mine/pw"
    assert manifests.environment("redis")["REDISCLI_AUTH"] == "secret:mine/pw"


def test_an_external_redis() -> None:
    by_password = values_of(
        **{
            "redis.kind": "external",
            "redis.external.url": "rediss://:$(REDIS_PASSWORD)@r:6380/0",
            "redis.external.passwordSecret.name": "mine",
        }
    )
    environment = render(by_password).environment("orchestrator")
    assert environment["REDIS_PASSWORD"] == "secret:mine/password"
    assert environment["SSR_ORCHESTRATOR_REDIS_URL"] == "rediss://:$(REDIS_PASSWORD)@r:6380/0"
    whole = render(over(OPEN, values_of(**{"redis.kind": "external", "redis.external.urlSecret.name": "mine"})))
    assert whole.environment("orchestrator")["SSR_ORCHESTRATOR_REDIS_URL"] == "secret:mine/url"
    assert whole.of("StatefulSet") + whole.of("Secret") == []


def test_valkey_keeps_what_it_is_reported() -> None:
    manifests = render(preset("kind"))
    args = manifests.container("redis")["args"]
    assert args[args.index("--appendonly") + 1] == "yes"
    (claim,) = manifests.one("StatefulSet", "ssr-redis")["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"
    assert {"name": "data", "mountPath": "/data"} in manifests.container("redis")["volumeMounts"]


@pytest.mark.parametrize("name", PRESETS)
def test_images_are_pinned(name: str) -> None:
    for component, pod in render(preset(name)).pods():
        (container,) = pod["spec"]["containers"]
        _, _, tag = container["image"].rpartition(":")
        assert tag[0].isdigit() or tag[:2] == "v0", (component, container["image"])


def test_a_digest_goes_before_a_tag() -> None:
    digest = f"sha256:{'a' * 64}"
    image = {"repository": "r/ssr", "tag": "1", "digest": digest, "autoscaler": f"r/ssr-autoscaler@{digest}"}
    manifests = render(over(preset("kind"), {"image": image}))
    assert manifests.container("drafter")["image"] == f"r/ssr@{digest}"
    assert manifests.container("autoscaler")["image"] == f"r/ssr-autoscaler@{digest}"
    plain = render(over(preset("kind"), {"image": {"repository": "r/ssr", "tag": "1"}}))
    assert plain.container("autoscaler")["image"] == "r/ssr-autoscaler:1", "Kubernetes' client is in that one alone"


def test_memory_is_limited_and_cpu_is_not() -> None:
    for component, pod in render({}).pods():
        (container,) = pod["spec"]["containers"]
        assert "memory" in container["resources"]["limits"], component
        assert "cpu" not in container["resources"]["limits"]
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
