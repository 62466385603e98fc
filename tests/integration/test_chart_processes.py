"""The containers of the simulated preset as processes of this machine solve a job, open and guarded."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from certificates import authority, issue
from chart_machine import NOT_HERE, RELEASE, Machine, run_test, running, solve
from chart_manifests import KEYS, OWN_CERTIFICATES, ROOT, all_of, component_of, preset, render, values_of
from hang_limit import LIMIT_S
from redis import Redis
from redis.exceptions import RedisError


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(render(preset("kind"), name=RELEASE), tmp_path)


#: What callers and parts have to show each other, and what is watched, all on.
GUARDED = all_of(
    preset("kind"),
    OWN_CERTIFICATES,
    KEYS,
    values_of(
        **{
            "tls.clientCertificates": True,
            "metrics.enabled": True,
            "gateway.enabled": True,
            "tls.secrets.gateway": "gateway-cert",
        }
    ),
)


@pytest.fixture
def guarded(tmp_path: Path) -> Machine:
    """With Secrets of certificates for this machine's address, and of one caller's API key."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    signer = authority(secrets)
    for name in GUARDED["tls"]["secrets"].values():
        issue(signer, secrets / name)
    for name, entry in (("keys", "shop"), ("key", "api-key")):
        (secrets / name).mkdir()
        (secrets / name / entry).write_text("k" * 32)
    return Machine(render(GUARDED, name=RELEASE), tmp_path, secrets=secrets)


def ask_gateway(machine: Machine, port: int, key: str) -> dict[str, Any]:
    """A chat completion, over HTTPS with the certificate of callers. Raises: HTTPError."""
    context = ssl.create_default_context(cafile=str(machine.secrets / "client-cert" / "ca.crt"))
    own = machine.secrets / "client-cert"
    context.load_cert_chain(own / "tls.crt", own / "tls.key")
    body = {"model": "ssr", "messages": [{"role": "user", "content": "What is (12 * 7) + 19?"}]}
    request = Request(
        f"https://127.0.0.1:{port}/v1/chat/completions",
        json.dumps(body).encode(),
        {"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    with urlopen(request, timeout=LIMIT_S, context=context) as reply:
        answered: dict[str, Any] = json.load(reply)
    return answered


def test_the_release_solves_a_job_and_ends_in_order(machine: Machine) -> None:
    with running(machine) as release:
        components = {component_of(one) for one in machine.manifests.of("Deployment")} | {"redis"}
        assert set(release) == components - set(NOT_HERE)
        for one in release.values():
            one.until("readinessProbe")
            assert one.passes("livenessProbe"), one.component

        for component in ("orchestrator", "engine-draft"):
            one = release[component]
            check = subprocess.run(
                [sys.executable, ROOT / "deploy" / "healthcheck.py"], env=one.environment, timeout=LIMIT_S
            )
            assert check.returncode == 0, component
        with Redis(port=release["redis"].port) as client, pytest.raises(RedisError):
            client.hlen("ssr:probe")  # without the password

        assert solve(machine)["status"] == "answered"

        for component in ("orchestrator", "selector", "drafter", "verifier", "engine-draft", "engine-target"):
            one = release[component]
            one.process.send_signal(signal.SIGTERM)
            assert one.process.wait(one.pod["terminationGracePeriodSeconds"]) == 0, one.log.read_text()


def test_with_certificates_and_keys_the_release_solves_a_job_and_tells_of_it(guarded: Machine) -> None:
    with running(guarded) as release:
        for one in release.values():
            one.until("readinessProbe")
        assert solve(guarded)["status"] == "answered"
        assert 'ssr_jobs_ended_total{mode="ssr",status="answered"} 1.0' in release["orchestrator"].metrics()
        for component in ("selector", "drafter", "verifier"):
            assert f'ssr_build_info{{service="{component}"' in release[component].metrics()

        reply = ask_gateway(guarded, release["gateway"].port, "k" * 32)
        assert reply["ssr"]["answer"] == "103"
        assert "103" in run_test(guarded, "test-gateway")
        with pytest.raises(HTTPError, match="401"):
            ask_gateway(guarded, release["gateway"].port, "another")
        assert "ssr_gateway_requests_total" in release["gateway"].metrics()
        check = [sys.executable, str(ROOT / "deploy" / "healthcheck.py")]
        assert subprocess.run(check, env=release["gateway"].environment, timeout=LIMIT_S).returncode == 0

        (guarded.secrets / "key" / "api-key").write_text("another")
        with pytest.raises(AssertionError, match="(?i)key"):
            solve(guarded)
        with pytest.raises(AssertionError, match="401"):
            run_test(guarded, "test-gateway")
        (guarded.secrets / "client-cert" / "ca.crt").write_bytes(
            authority(guarded.secrets, "stranger").certificate.read_bytes()
        )
        with pytest.raises(AssertionError, match="(?i)certificate|reached"):
            solve(guarded)
