"""TLS between the parts: whose certificate is where, what it names, who asks for one, and who probes without it."""

from __future__ import annotations

from typing import Any

import pytest
from chart_manifests import (
    BUILTIN,
    KEYS,
    MANAGED_CERTIFICATES,
    OPEN,
    OWN_CERTIFICATES,
    SERVICES,
    Manifest,
    Manifests,
    all_of,
    render,
    values_of,
)

from ssr.runtime.redis.url import read_redis_url

MUTUAL = values_of(**{"tls.clientCertificates": True})


def mounted(manifests: Manifests, component: str) -> dict[str, str]:
    """Folder -> Secret."""
    pod = manifests.pod(component)
    secrets = {one["name"]: one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one}
    mounts = [one for one in manifests.container(component)["volumeMounts"] if one["name"] in secrets]
    assert all(one["readOnly"] for one in mounts)
    return {one["mountPath"]: secrets[one["name"]] for one in mounts}


@pytest.mark.parametrize(("values", "secret"), [(OWN_CERTIFICATES, "{}-cert"), (MANAGED_CERTIFICATES, "ssr-{}-tls")])
def test_every_service_has_its_certificate_and_asks_for_those_of_callers(values: dict[str, Any], secret: str) -> None:
    manifests = render(values)
    for service in SERVICES:
        assert mounted(manifests, service)["/tls"] == secret.format(service)
        reported = {
            name.removeprefix(f"SSR_{service.upper()}_TLS__"): value
            for name, value in manifests.environment(service).items()
            if "_TLS__" in name
        }
        asks = {} if service == "orchestrator" else {"CLIENTS": "/tls/ca.crt"}
        assert reported == {"CERTIFICATE": "/tls/tls.crt", "KEY": "/tls/tls.key", "AUTHORITY": "/tls/ca.crt"} | asks
    mutual = render(all_of(values, MUTUAL)).environment("orchestrator")
    assert mutual["SSR_ORCHESTRATOR_TLS__CLIENTS"] == "/tls/ca.crt"


@pytest.mark.parametrize("values", [MANAGED_CERTIFICATES, OPEN], ids=["TLS", "no TLS"])
def test_probes_go_where_no_tls_is_and_the_answer_comes_at_once(values: dict[str, Any]) -> None:
    manifests = render(all_of(BUILTIN, values))
    for service in SERVICES:
        assert probed(manifests.container(service)) == {
            int(manifests.environment(service)[f"SSR_{service.upper()}_HEALTH_PORT"])
        }
    assert probed(manifests.container("autoscaler")) == {7604}, "nobody calls it: it has no TLS"
    assert not any("TLS" in name for name in manifests.environment("autoscaler"))


def probed(container: Manifest) -> set[int]:
    return {container[probe]["grpc"]["port"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}


def test_certificates_have_all_names_by_which_services_are_called() -> None:
    manifests = render(all_of(MANAGED_CERTIFICATES, values_of(**{"tls.dnsNames": ["ssr.example.com"]})))
    called = {
        value.removeprefix("dns:///").partition(":")[0]
        for name, value in manifests.environment("orchestrator").items()
        if name.removeprefix("SSR_ORCHESTRATOR_") in ("SELECTOR", "DRAFTER", "VERIFIER")
    }
    assert called == {"ssr-selector", "ssr-drafter", "ssr-verifier"}
    for host in called:
        names = manifests.one("Certificate", f"{host}-tls")["spec"]["dnsNames"]
        assert names == [host, f"{host}.ssr", f"{host}.ssr.svc", f"{host}.ssr.svc.cluster.local", "localhost"]
    public = manifests.one("Certificate", "ssr-orchestrator-tls")["spec"]
    assert {"ssr-orchestrator", "ssr-orchestrator.ssr.svc", "ssr-orchestrator-headless.ssr", "localhost"} <= set(
        public["dnsNames"]
    )
    assert "ssr.example.com" in public["dnsNames"]
    assert public["usages"] == ["digital signature", "server auth", "client auth"]
    client = manifests.one("Certificate", "ssr-client-tls")["spec"]
    assert "server auth" not in client["usages"]


def test_an_authority_of_its_own_signs_unless_an_issuer_is_named() -> None:
    own = render(MANAGED_CERTIFICATES)
    authority = own.one("Certificate", "ssr-ca")["spec"]
    assert authority["isCA"]
    assert own.one("Issuer", "ssr-ca")["spec"] == {"ca": {"secretName": authority["secretName"]}}
    assert own.one("Issuer", authority["issuerRef"]["name"])["spec"] == {"selfSigned": {}}
    leaves = [one for one in own.of("Certificate") if one is not own.one("Certificate", "ssr-ca")]
    assert {one["spec"]["issuerRef"]["name"] for one in leaves} == {"ssr-ca"}
    named = {"tls": {"certManager": {"issuer": {"name": "inner", "kind": "ClusterIssuer"}}}}
    other = render(all_of(MANAGED_CERTIFICATES, named))
    assert other.of("Issuer") == []
    assert [one["spec"]["issuerRef"] for one in other.of("Certificate")] == [
        {"name": "inner", "kind": "ClusterIssuer", "group": "cert-manager.io"}
    ] * 5


def test_secrets_of_ones_own_need_no_cert_manager() -> None:
    manifests = render(OWN_CERTIFICATES)
    assert manifests.of("Certificate") + manifests.of("Issuer") == []


def test_the_test_calls_as_callers_must() -> None:
    assert "--tls-ca" not in render(OPEN).container("test")["command"]
    manifests = render(all_of(MANAGED_CERTIFICATES, MUTUAL, KEYS))
    command = manifests.container("test")["command"]
    assert command[command.index("--tls-ca") + 1] == "/tls/ca.crt"
    assert command[command.index("--tls-cert") + 1] == "/tls/tls.crt"
    assert command[command.index("--tls-key") + 1] == "/tls/tls.key"
    assert mounted(manifests, "test") == {"/tls": "ssr-client-tls"}
    assert manifests.environment("test") == {"SSR_API_KEY": "secret:key/api-key"}
    (server,) = [command[index + 1] for index, word in enumerate(command) if word == "--server"]
    names = manifests.one("Certificate", "ssr-orchestrator-tls")["spec"]["dnsNames"]
    assert server.partition(":")[0] in names


def test_the_service_of_callers_says_what_it_speaks() -> None:
    (port,) = render(OPEN).one("Service", "ssr-orchestrator")["spec"]["ports"]
    assert port["appProtocol"] == "kubernetes.io/h2c"
    (port,) = render(MANAGED_CERTIFICATES).one("Service", "ssr-orchestrator")["spec"]["ports"]
    assert "appProtocol" not in port, "h2c is without TLS"


def test_api_keys_are_files_of_the_orchestrator_alone() -> None:
    manifests = render(all_of(OPEN, KEYS, values_of(**{"api.keys": "secret"})))
    assert manifests.environment("orchestrator")["SSR_ORCHESTRATOR_API_KEYS"] == "/keys"
    assert mounted(manifests, "orchestrator") == {"/keys": "keys"}
    assert not any(mounted(manifests, service) for service in SERVICES[1:])


def test_the_certificates_of_redis_are_where_redis_is_called() -> None:
    redis = values_of(
        **{
            "redis.kind": "external",
            "redis.external.url": "rediss://r:6380/0?ssl_check_hostname=false",
            "redis.external.tlsSecret": {"name": "redis-ca", "clientCertificate": True},
        }
    )
    manifests = render(all_of(OPEN, BUILTIN, redis))
    for component in ("orchestrator", "autoscaler", "drafter", "verifier", "selector"):
        assert mounted(manifests, component) == {"/redis-tls": "redis-ca"}
        assert manifests.environment(component)[f"SSR_{component.upper()}_REDIS_URL"] == (
            "rediss://r:6380/0?ssl_check_hostname=false&ssl_ca_certs=/redis-tls/ca.crt"
            "&ssl_certfile=/redis-tls/tls.crt&ssl_keyfile=/redis-tls/tls.key"
        )
        read = read_redis_url(manifests.environment(component)[f"SSR_{component.upper()}_REDIS_URL"])
        assert read.options["ssl_ca_certs"] == "/redis-tls/ca.crt"
    alone = render(all_of(OPEN, redis))
    assert mounted(alone, "orchestrator") == {"/redis-tls": "redis-ca"}
    assert mounted(alone, "drafter") == {}
