"""Secrets that the chart makes stay over upgrades; what was looked up rolls what reads it once."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart_manifests import CHART, SERVICES, Manifest, Manifests, all_of, component_of, helm, values_of
from secrets_api import SecretsApi, running_secrets_api

NAMESPACE = "school"


class Cluster:
    """Helm at a cluster that knows Secrets."""

    def __init__(self, api: SecretsApi, config: Any) -> None:
        self.api, self._config = api, config

    def upgrade(self, values: Mapping[str, Any] | None = None) -> Manifests:
        """What `helm upgrade --install` would send; its Secrets are in the cluster then."""
        chart = helm().Chart.load(CHART)
        files = self._config.render(chart, dict(values or {}), name="maths", namespace=NAMESPACE)
        texts = (text for path, text in files.items() if path.endswith(".yaml"))
        objects = tuple(document for text in texts for document in yaml.safe_load_all(text) if document)
        found = Manifests(objects, "")
        self.api.keep(*found.of("Secret"))
        return found


def _kubeconfig(url: str) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": {"server": url}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
            "users": [{"name": "me", "user": {}}],
            "current-context": "here",
        }
    )


@pytest.fixture
def clusters() -> Iterator[Any]:
    """Makes a cluster."""
    with ExitStack() as stack:

        def make() -> Cluster:
            api = stack.enter_context(running_secrets_api())
            config = helm().Config(kubeconfig_content=_kubeconfig(api.url), namespace=NAMESPACE)
            return Cluster(api, stack.enter_context(config))

        yield make


def secrets_of(manifests: Manifests) -> dict[str, dict[str, str]]:
    return {one["metadata"]["name"]: one["data"] for one in manifests.of("Secret")}


def templates(manifests: Manifests) -> dict[str, Manifest]:
    return {component_of(pod): pod for _, pod in manifests.pods()}


def test_an_upgrade_changes_no_secret_and_no_pod(clusters: Any) -> None:
    cluster = clusters()
    first = cluster.upgrade()
    made = secrets_of(first)
    assert set(made) == {
        "maths-ssr-redis",
        "maths-ssr-api-keys",
        "maths-ssr-authority",
        *(f"maths-ssr-{name}-tls" for name in (*SERVICES, "client")),
    }
    second = cluster.upgrade()
    assert secrets_of(second) == made
    assert templates(second) == templates(first)
    assert secrets_of(clusters().upgrade()) != made, "another release has others"


def test_a_caller_that_was_added_stays(clusters: Any) -> None:
    cluster = clusters()
    cluster.upgrade()
    keys = cluster.api.secrets[NAMESPACE, "maths-ssr-api-keys"]
    keys["data"]["shop"] = base64.b64encode(b"k" * 32).decode()
    assert secrets_of(cluster.upgrade())["maths-ssr-api-keys"] == keys["data"]
    assert set(keys["data"]) == {"default", "helm-test", "shop"}
    assert all(len(base64.b64decode(key)) >= 32 for key in keys["data"].values())


def test_a_new_name_makes_one_certificate_anew_under_the_same_authority(clusters: Any, tmp_path: Path) -> None:
    cluster = clusters()
    first = secrets_of(cluster.upgrade())
    named = secrets_of(cluster.upgrade(values_of(**{"tls.dnsNames": ["ssr.example.com"]})))
    assert {name for name in first if named[name] != first[name]} == {"maths-ssr-orchestrator-tls"}
    for name in ("orchestrator", "drafter"):
        for entry, data in named[f"maths-ssr-{name}-tls"].items():
            (tmp_path / f"{name}-{entry}").write_bytes(base64.b64decode(data))
    for host in ("ssr.example.com", "maths-ssr-orchestrator.school.svc", "localhost"):
        shake_hands(tmp_path, host)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(tmp_path, "maths-ssr-drafter")


def shake_hands(folder: Path, host: str) -> None:
    """The orchestrator serves as `host`, and the drafter calls: each shows its certificate."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context, name in ((server, "orchestrator"), (client, "drafter")):
        context.load_cert_chain(folder / f"{name}-tls.crt", folder / f"{name}-tls.key")
        context.load_verify_locations(folder / f"{name}-ca.crt")
    server.verify_mode = ssl.CERT_REQUIRED
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server, server_hostname=host), server.wrap_bio(to_server, to_client, True)]
    done = [False, False]
    while not all(done):
        for index, end in enumerate(ends):
            try:
                end.do_handshake()
                done[index] = True
            except ssl.SSLWantReadError:
                pass


def test_a_certificate_near_its_end_is_made_anew(clusters: Any) -> None:
    cluster = clusters()
    first = secrets_of(cluster.upgrade())
    about = cluster.api.secrets[NAMESPACE, "maths-ssr-drafter-tls"]["metadata"]["annotations"]
    about["ssr/good-until"] = str(int(about["ssr/good-until"]) - 560 * 86400)
    renewed = secrets_of(cluster.upgrade())
    assert {name for name in first if renewed[name] != first[name]} == {"maths-ssr-drafter-tls"}
    assert renewed["maths-ssr-drafter-tls"]["ca.crt"] == first["maths-ssr-drafter-tls"]["ca.crt"]


def test_a_changed_secret_rolls_who_reads_it_once(clusters: Any) -> None:
    cluster = clusters()
    values = values_of(
        **{
            "engines.draft.hfToken.existingSecret": "hf",
            "engines.draft.apiKey.existingSecret": "engine",
            "redis.auth.existingSecret": "valkey",
        }
    )
    for name, entry in (("hf", "token"), ("engine", "api-key"), ("valkey", "password")):
        cluster.api.keep(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "data": {entry: "b2xk"},
            }
        )
    before = templates(cluster.upgrade(values))
    rolled = {
        "hf": {"engine-draft"},
        "engine": {"engine-draft", "drafter"},
        "valkey": {"orchestrator", "redis"},
    }
    for name, components in rolled.items():
        (entry,) = cluster.api.secrets[NAMESPACE, name]["data"]
        cluster.api.secrets[NAMESPACE, name]["data"][entry] = "bmV3"
        after = templates(cluster.upgrade(values))
        assert {component for component in after if after[component] != before[component]} == components, name
        before = after


def test_a_new_model_rolls_the_services_that_learnt_of_the_old_one(clusters: Any) -> None:
    cluster = clusters()
    before = templates(cluster.upgrade())
    after = templates(cluster.upgrade(values_of(**{"engines.target.model": "Qwen/Qwen3-32B"})))
    changed = {component for component in after if after[component] != before[component]}
    assert changed == {"engine-target", "selector", "verifier"}
    tuned = templates(cluster.upgrade(values_of(**{"engines.target.args": ["--quantize=awq"]})))
    assert {component for component in tuned if tuned[component] != before[component]} == {"engine-target"}


def test_what_is_open_makes_no_secret(clusters: Any) -> None:
    opened = clusters().upgrade(all_of({"tls": {"kind": "none"}, "api": {"keys": "none"}}))
    assert set(secrets_of(opened)) == {"maths-ssr-redis"}
