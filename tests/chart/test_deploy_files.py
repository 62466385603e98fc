"""The files of deploy/ agree with the services and with the chart."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from types import ModuleType
from typing import Any

import pytest
import yaml
from chart_manifests import CHART, ROOT

from ssr.drafter.settings import DrafterSettings
from ssr.engine_server.settings import EngineKind, EngineServerSettings
from ssr.gateway.settings import GatewaySettings
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.runtime.settings import ServiceSettings
from ssr.selector.settings import SelectorSettings
from ssr.verifier.settings import VerifierSettings

DEPLOY = ROOT / "deploy"
SETTINGS: dict[str, type[ServiceSettings]] = {
    "orchestrator": OrchestratorSettings,
    "selector": SelectorSettings,
    "drafter": DrafterSettings,
    "verifier": VerifierSettings,
    "gateway": GatewaySettings,
}


class Compose(yaml.SafeLoader):
    """YAML with Compose's own tag: `!reset` takes away what the file below has."""


Compose.add_constructor("!reset", lambda loader, node: None)


def services(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((DEPLOY / name).read_text(), Compose)["services"]
    return found


@pytest.mark.parametrize("vllm", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_compose_tells_services_what_they_know(name: str, vllm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    returned = dict(services("compose.yaml")[name]["environment"])
    if vllm:
        returned |= services("compose.vllm.yaml").get(name, {}).get("environment", {})
    for variable, value in returned.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv(f"SSR_{name.upper()}_LOG_FORMAT", "text")  # what Compose makes of ${SSR_LOG_FORMAT:-text}
    assert returned[f"SSR_{name.upper()}_LOG_FORMAT"] == "${SSR_LOG_FORMAT:-text}"
    settings = SETTINGS[name].from_environment()
    assert settings.metrics_port == 9464
    assert settings.host == "0.0.0.0"
    engine = getattr(settings, "engine", None)
    assert engine is None or engine.kind == ("openai" if vllm else "tgi")


def test_compose_runs_the_images_of_the_chart() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    plain = services("compose.yaml")
    assert plain["redis"]["image"] == values["redis"]["image"]
    assert plain["target-engine"]["image"] == plain["draft-engine"]["image"] == values["engineImages"]["tgi"]
    vllm = services("compose.vllm.yaml")
    assert vllm["target-engine"]["image"] == vllm["draft-engine"]["image"] == values["engineImages"]["vllm"]
    assert plain["orchestrator"]["image"] == f"${{SSR_IMAGE:-ssr:{about['appVersion']}}}"


@pytest.mark.parametrize("role", ["draft", "target"])
def test_compose_with_simulated_engines_needs_no_gpu(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = services("compose.simulated.yaml")[f"{role}-engine"]
    assert engine["image"] == services("compose.yaml")["orchestrator"]["image"]
    assert engine["deploy"] is None
    for variable, value in engine["environment"].items():
        monkeypatch.setenv(variable, value)
    settings = EngineServerSettings.from_environment()
    assert (settings.kind, settings.role, settings.host, settings.port) == (EngineKind.SIMULATED, role, "0.0.0.0", 8080)


def test_compose_listens_on_loopback_only() -> None:
    published = [port for service in services("compose.yaml").values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:7600:7600", "127.0.0.1:7680:7680"]


def test_compose_calls_services_that_there_are() -> None:
    plain = services("compose.yaml")
    called = set(re.findall(r"(?://|: )([a-z-]+):\d+", (DEPLOY / "compose.yaml").read_text()))
    assert called <= set(plain), called - set(plain)
    assert {"redis", "draft-engine", "target-engine", "drafter"} <= called


def test_the_image_copies_what_there_is_and_does_not_run_as_root() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    assert all((ROOT / path).exists() for paths in copied for path in paths)
    assert "USER 10001:10001" in lines, "the user that the chart runs it as"
    (base,) = (line.partition("=")[2] for line in lines if line.startswith("ARG BASE="))
    assert re.fullmatch(r"docker\.io/library/python:3\.13\.\d+-slim-[a-z]+@sha256:[0-9a-f]{64}", base)
    assert any(line.startswith("HEALTHCHECK ") for line in lines)


@pytest.mark.parametrize("name", ["services", "autoscaler", "build"])
def test_what_the_image_installs_has_hashes_and_the_versions_of_the_constraints(name: str) -> None:
    constraints = _versions((ROOT / "constraints.txt").read_text())
    text = (DEPLOY / "requirements" / f"{name}.txt").read_text()
    locked = _versions(text)
    assert len(locked) > 5
    assert {
        package: version for package, version in locked.items() if constraints.get(package, version) != version
    } == {}
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=\S)", text.strip()))
    assert ("kubernetes" in locked) is (name == "autoscaler"), "only where it is needed"


def _versions(text: str) -> dict[str, str]:
    return {
        name.lower(): version for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)
    }


def test_the_images_have_all_that_services_are_declared_to_need() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = declared["optional-dependencies"]
    needed = {
        "services": [*declared["dependencies"], *extras["traces"], *extras["gateway"]],
        "autoscaler": extras["cluster"],
    }
    for name, requirements in needed.items():
        locked = _versions((DEPLOY / "requirements" / f"{name}.txt").read_text())
        packages = {re.split(r"[\[<>=]", one)[0].lower() for one in requirements} - {"ssr-serve"}
        assert packages <= set(locked), packages - set(locked)


def test_the_image_ignores_all_that_it_does_not_copy() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    copied = {
        path
        for line in (DEPLOY / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for path in line.split()[1:-1]
    }
    assert ignored[0] == "*"
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied


@pytest.fixture
def healthcheck() -> ModuleType:
    spec = importlib.util.spec_from_file_location("healthcheck", DEPLOY / "healthcheck.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("environment", [{}, {"SSR_DRAFTER_PORT": "1", "SSR_ENGINE_PORT": "2"}])
def test_a_container_is_of_one_service(healthcheck: ModuleType, environment: dict[str, str]) -> None:
    with pytest.raises(LookupError):
        healthcheck.healthy(environment)


def test_an_engine_that_does_not_answer_is_not_healthy(healthcheck: ModuleType) -> None:
    with pytest.raises(OSError):
        healthcheck.healthy({"SSR_ENGINE_PORT": "1"})
