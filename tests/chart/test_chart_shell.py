"""The shell for operators: off by default; with the administrator's key and the certificates, and with nothing more."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from chart_manifests import KEYS, OPEN, OWN_CERTIFICATES, all_of, component_of, render, values_of

ON = values_of(**{"shell.enabled": True})
OWN_KEYS = all_of(
    ON,
    KEYS,
    values_of(
        **{"shell.apiKeySecret.name": "ops-key", "services.orchestrator.settings.administrator": "ops"},
    ),
)


def volumes(values: dict[str, Any]) -> dict[str, Any]:
    return {volume["name"]: volume for volume in render(values).pod("shell")["volumes"]}


def test_there_is_none_unless_it_is_asked_for() -> None:
    manifests = render({})
    assert not [manifest for manifest in manifests.objects if component_of(manifest) == "shell"]
    assert "shell" not in manifests.notes
    (keys,) = (secret for secret in manifests.of("Secret") if secret["metadata"]["name"] == "ssr-api-keys")
    assert set(keys["data"]) == {"default", "helm-test"}


def test_the_administrators_key_is_made_and_mounted_as_a_file_that_follows_its_secret() -> None:
    manifests = render(ON)
    keys = manifests.one("Secret", "ssr-api-keys")["data"]
    assert len(base64.b64decode(keys["operators"])) == 40
    assert manifests.environment("orchestrator")["SSR_ORCHESTRATOR_ADMINISTRATOR"] == "operators"
    environment = manifests.environment("shell")
    assert environment == {
        "SSR_SERVER": "ssr-orchestrator:7600",
        "SSR_TLS_CA": "/tls/ca.crt",
        "SSR_API_KEY_FILE": "/keys/api-key",
    }
    assert volumes(ON)["keys"]["secret"]["secretName"] == "ssr-api-keys"
    assert volumes(ON)["keys"]["secret"]["items"] == [{"key": "operators", "path": "api-key"}]
    assert volumes(ON)["tls"]["secret"]["secretName"] == "ssr-client-tls"
    mounts = {mount["name"]: mount for mount in manifests.container("shell")["volumeMounts"]}
    assert {name: mount["mountPath"] for name, mount in mounts.items()} == {
        "tmp": "/tmp",
        "tls": "/tls",
        "keys": "/keys",
    }
    assert mounts["tls"]["readOnly"]
    assert mounts["keys"]["readOnly"]


def test_an_administrator_of_the_settings_keeps_that_name() -> None:
    named = all_of(ON, values_of(**{"services.orchestrator.settings.administrator": "ops"}))
    manifests = render(named)
    assert manifests.environment("orchestrator")["SSR_ORCHESTRATOR_ADMINISTRATOR"] == "ops"
    assert "ops" in manifests.one("Secret", "ssr-api-keys")["data"]
    assert volumes(named)["keys"]["secret"]["items"] == [{"key": "ops", "path": "api-key"}]


def test_keys_of_ones_own_need_the_administrators() -> None:
    assert volumes(OWN_KEYS)["keys"]["secret"]["secretName"] == "ops-key"
    assert volumes(OWN_KEYS)["keys"]["secret"]["items"] == [{"key": "api-key", "path": "api-key"}]
    with pytest.raises(Exception, match=r"shell\.apiKeySecret\.name is empty"):
        render(all_of(ON, KEYS))
    with pytest.raises(Exception, match=r"settings\.administrator is empty"):
        render(all_of(OWN_KEYS, values_of(**{"services.orchestrator.settings.administrator": ""})))
    with pytest.raises(Exception, match=r"nobody asks for a key"):
        render(all_of(ON, OPEN, values_of(**{"shell.apiKeySecret.name": "ops-key"})))


def test_it_does_nothing_and_ends_when_it_is_told_to() -> None:
    """A first process without a handler of SIGTERM would wait for SIGKILL."""
    assert render(ON).container("shell")["command"] == ["sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"]


def test_without_tls_and_keys_there_is_nothing_to_mount() -> None:
    assert set(volumes(all_of(ON, OPEN))) == {"tmp"}
    assert render(all_of(ON, OPEN)).environment("shell") == {"SSR_SERVER": "ssr-orchestrator:7600"}


def test_with_mutual_tls_it_shows_the_callers_certificate() -> None:
    mutual = all_of(ON, OWN_CERTIFICATES, values_of(**{"tls.clientCertificates": True}))
    environment = render(mutual).environment("shell")
    assert (environment["SSR_TLS_CERT"], environment["SSR_TLS_KEY"]) == ("/tls/tls.crt", "/tls/tls.key")
    assert volumes(mutual)["tls"]["secret"]["secretName"] == "client-cert"


@pytest.mark.parametrize("fixed", [True, False])
def test_it_passes_the_restricted_pod_security_standard(fixed: bool) -> None:
    """kubernetes.io, "Pod Security Standards", restricted."""
    pod = render(all_of(ON, values_of(**{"security.fixIds": fixed}))).pod("shell")
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == "ssr-shell"
    assert {kind for volume in pod["volumes"] for kind in volume if kind != "name"} <= {"emptyDir", "secret"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"].get("runAsUser", 1) > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert not any("hostPort" in port for port in container.get("ports", []))


def test_it_calls_the_orchestrator_alone_and_nobody_calls_it() -> None:
    manifests = render(ON)
    own = manifests.one("NetworkPolicy", "ssr-shell")["spec"]
    assert own["ingress"] == []
    called = [peer["podSelector"]["matchLabels"] for rule in own["egress"] for peer in rule.get("to", [])]
    assert [labels["app.kubernetes.io/component"] for labels in called] == ["orchestrator"]
    callers = manifests.one("NetworkPolicy", "ssr-orchestrator")["spec"]["ingress"][0]["from"]
    assert any(
        peer.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/component") == "shell"
        for peer in callers
    )


def test_the_notes_say_how_to_use_it_and_who_is_the_administrator_then() -> None:
    notes = render(ON).notes
    assert "kubectl -n ssr exec -it deploy/ssr-shell -- bash" in notes
    assert "the administrator    is operators" in notes
    assert "so does whoever may exec into the shell's pod" in notes
