"""What the chart sets is known to the services, and what they can be told can be set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from chart_manifests import CHART, PRESETS, over, preset, render

from ssr.drafting.settings import DrafterSettings
from ssr.engines.server_settings import EngineServerSettings
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.selection.settings import SelectorSettings
from ssr.settings import ServiceSettings
from ssr.verification.settings import VerifierSettings

SETTINGS: dict[str, type[ServiceSettings]] = {
    "orchestrator": OrchestratorSettings,
    "selector": SelectorSettings,
    "drafter": DrafterSettings,
    "verifier": VerifierSettings,
    "engine-draft": EngineServerSettings,
}
#: A replica's name comes from the pod's; the chart runs no embedded engines, and simulated ones only for trying it out.
NOT_OFFERED = {"SSR_ORCHESTRATOR_REPLICA", "SSR_ENGINE_MODEL", "SSR_ENGINE_LOG_LEVEL"}

EVERYTHING: dict[str, Any] = {
    "services": {
        "orchestrator": {
            "settings": {
                "grace_s": 2.5,
                "log_level": "DEBUG",
                "defaults": {
                    "paths": 3,
                    "threshold": 6.5,
                    "strategy_pool": "school",
                    "max_step_tokens": 64,
                    "max_path_tokens": 1024,
                    "lookahead": 1,
                },
                "max_paths": 2048,
                "batch_paths": 1024,
                "max_unfinished": 1_000_000,
                "tenant_jobs": 7,
                "tenant_limits": "acme=200,school-7=20",
                "max_takeovers": 3,
                "lease_s": 15,
                "retention_s": 3600,
                "step_timeout_s": 60,
                "select_timeout_s": 61,
            }
        },
        "selector": {"settings": {"grace_s": 3, "log_level": "INFO", "pools_folder": "/pools"}},
        "drafter": {"settings": {"grace_s": 3, "log_level": "INFO"}},
        "verifier": {"settings": {"grace_s": 3, "log_level": "INFO", "scorer": "judge"}},
    },
    "engines": {
        "draft": {
            "client": {
                "parameters": 1_500_000_000,
                "max_in_flight": 8,
                "timeout_s": 30.5,
                "connect_timeout_s": 1,
                "attempts": 2,
                "refresh_s": 3,
                "chat_template": "/templates/chat.jinja",
            },
            "simulated": {"seed": 5, "parameters": 32_000_000_000, "latency": {"time_scale": 0}},
        },
        "target": {
            "kind": "external",
            "model": "m",
            "external": {"urls": ["http://a:1"], "apiKey": {"existingSecret": "s"}},
        },
    },
}


def _read(component: str, environment: dict[str, str], patch: pytest.MonkeyPatch) -> ServiceSettings:
    """The settings as the process would have them."""
    for name, value in environment.items():
        patch.setenv(name, value.replace("$(REDIS_PASSWORD)", "password"))
    if environment.get("SSR_ORCHESTRATOR_REDIS_URL", "").startswith("secret:"):
        patch.setenv("SSR_ORCHESTRATOR_REDIS_URL", "redis://r")
    return SETTINGS[component].from_environment()


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("component", ["orchestrator", "selector", "drafter", "verifier"])
def test_services_read_what_presets_tell_them(name: str, component: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _read(component, render(preset(name)).environment(component), monkeypatch)
    assert settings.host == "0.0.0.0"
    assert settings.port in (7600, 7601, 7602, 7603)


def test_every_setting_arrives_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = render(over(preset("kind"), EVERYTHING))
    orchestrator = _read("orchestrator", manifests.environment("orchestrator"), monkeypatch)
    assert isinstance(orchestrator, OrchestratorSettings)
    given = EVERYTHING["services"]["orchestrator"]["settings"]
    told = orchestrator.model_dump(include=set(given))
    assert told == given | {"tenant_limits": {"acme": 200, "school-7": 20}}
    drafter = _read("drafter", manifests.environment("drafter"), monkeypatch)
    assert isinstance(drafter, DrafterSettings)
    client = EVERYTHING["engines"]["draft"]["client"]
    assert drafter.engine.model_dump(mode="json", include=set(client)) == client
    engine = _read("engine-draft", manifests.environment("engine-draft"), monkeypatch)
    assert isinstance(engine, EngineServerSettings)
    assert (engine.kind, engine.role) == ("simulated", "draft")
    assert (engine.simulated.seed, engine.simulated.parameters) == (5, 32_000_000_000)
    assert engine.simulated.latency.time_scale == 0


@pytest.mark.parametrize("component", ["orchestrator", "selector", "drafter", "verifier"])
def test_everything_a_service_can_be_told_can_be_set(component: str) -> None:
    manifests = render(over(preset("kind"), EVERYTHING))
    # The client's settings are shown by the draft's engine, those of an external one by the target's.
    both = {**manifests.environment("drafter"), **manifests.environment("verifier")}
    engine = {f"SSR_{component.upper()}_ENGINE__{name.split('_ENGINE__')[1]}" for name in both if "_ENGINE__" in name}
    assert set(_variables(SETTINGS[component])) <= {*manifests.environment(component), *engine, *NOT_OFFERED}


def _variables(settings: type[ServiceSettings]) -> Iterator[str]:
    prefix = str(settings.model_config["env_prefix"])
    for name, field in settings.model_fields.items():
        below = getattr(field.annotation, "model_fields", None)
        if below is None:
            yield f"{prefix}{name.upper()}"
        else:
            yield from (f"{prefix}{name.upper()}__{inner.upper()}" for inner in below)


def test_the_engine_server_is_told_all_but_what_it_does_not_need() -> None:
    environment = set(render(over(preset("kind"), EVERYTHING)).environment("engine-draft"))
    plain = {name for name in _variables(EngineServerSettings) if "__" not in name}
    assert plain - environment <= NOT_OFFERED


def test_defaults_that_the_chart_repeats_are_the_settings_own() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name in ("orchestrator", "selector", "drafter", "verifier"):
        assert values["services"][name]["settings"] == {"grace_s": SETTINGS[name].model_fields["grace_s"].default}


def test_pods_outlive_their_drains() -> None:
    manifests = render({"preStopSeconds": 7, "services": {"orchestrator": {"settings": {"grace_s": 40.5}}}})
    assert manifests.pod("orchestrator")["terminationGracePeriodSeconds"] > 7 + 2 * 40.5
    assert manifests.pod("drafter")["terminationGracePeriodSeconds"] > 7 + 20
    assert manifests.container("orchestrator")["lifecycle"]["preStop"] == {"sleep": {"seconds": 7}}
    engine = render({"engines": {"draft": {"preStopSeconds": 11, "graceSeconds": 13}}}).pod("engine-draft")
    assert engine["terminationGracePeriodSeconds"] > 11 + 13
