"""What the chart sets is known to the services, and what they can be returned can be set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
import typer
import yaml
from chart_manifests import (
    CHART,
    GATEWAY,
    KEYS,
    MANAGED_CERTIFICATES,
    PRESETS,
    WATCHED,
    all_of,
    preset,
    render,
    values_of,
)
from pydantic import BaseModel

from ssr.autoscaler.settings import AutoscalerSettings
from ssr.cli.app import app
from ssr.drafter.settings import DrafterSettings
from ssr.engine_server.settings import EngineServerSettings
from ssr.gateway.settings import GatewaySettings
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.runtime.settings import ServiceSettings
from ssr.selector.settings import SelectorSettings
from ssr.verifier.settings import VerifierSettings

SETTINGS: dict[str, type[ServiceSettings]] = {
    "orchestrator": OrchestratorSettings,
    "selector": SelectorSettings,
    "drafter": DrafterSettings,
    "verifier": VerifierSettings,
    "gateway": GatewaySettings,
    "autoscaler": AutoscalerSettings,
    "engine-draft": EngineServerSettings,
}
#: Nobody calls the autoscaler, so it needs no TLS, and its one port is good for probes.
NOT_OFFERED = {
    "SSR_AUTOSCALER_HEALTH_PORT",
    "SSR_VERIFIER_REWARD__API_KEY",  # a secret: by services.verifier.env
    "SSR_ORCHESTRATOR_CACHE_SALT_KEY",  # a secret: by services.orchestrator.envFrom
    *(f"SSR_AUTOSCALER_TLS__{name}" for name in ("CERTIFICATE", "KEY", "AUTHORITY", "CLIENTS")),
}
#: The chart runs no embedded engines, and simulated ones only for trying it out; their metrics are beside their API.
NOT_OFFERED_BY_ENGINES = {
    f"SSR_ENGINE_{name}"
    for name in ("MODEL", "LOG_LEVEL", "LOG_TEXTS", "METRICS_PORT", "HEALTH_PORT", "OTLP_ENDPOINT", "TLS")
}
POOL: dict[str, Any] = {
    "min_replicas": 2,
    "max_replicas": 9,
    "slots": 32,
    "cache_tokens": 200_000,
    "slot_tokens_per_s": 40,
    "utilisation": 0.5,
    "tolerance": 0.2,
    "startup_s": 90,
    "drain_s": 20,
    "up_factor": 3,
    "up_step": 2,
    "up_period_s": 10,
    "up_window_s": 20,
    "down_window_s": 200,
    "down_fraction": 0.5,
    "down_step": 2,
    "down_period_s": 30,
    "idle_s": 600,
}
SCHEDULED = {
    "name": "maths",
    "cron": "55 7 * * mon-fri",
    "duration_s": 60,
    "replicas": {"target": 4},
    "zone": "Europe/Berlin",
}

REWARD = {
    "url": "http://rewards:8000",
    "api": "vllm-classify",
    "model": "prm",
    "positive": 0,
    "timeout_s": 3,
    "max_in_flight": 8,
}

EVERYTHING: dict[str, Any] = {
    "services": {
        "orchestrator": {
            "settings": {
                "grace_s": 2.5,
                "subtenants_apart": True,
                "log_level": "DEBUG",
                "log_texts": True,
                "defaults": {
                    "paths": 3,
                    "threshold": 6.5,
                    "strategy_set": "school",
                    "max_step_tokens": 64,
                    "max_path_tokens": 1024,
                    "max_thinking_tokens": 512,
                    "lookahead": 1,
                    "max_waste": 0.1,
                    "reserve": 2,
                    "confidence": 0.8,
                    "min_gain": 0.02,
                    "batch": 2,
                },
                "calibration": "/calibration/pair.yaml",
                "max_paths": 2048,
                "batch_paths": 1024,
                "max_unfinished": 1_000_000,
                "tenant_jobs": 7,
                "tenant_limits": "acme=200,school-7=20",
                "administrator": "operations",
                "tenant_rates": "*=jobs:60/paths:300",
                "caller_rates": "acme=jobs:600/tokens:1000000",
                "caller_jobs": 500,
                "max_takeovers": 3,
                "lease_s": 15,
                "files": {
                    "max_bytes": 1_000_000,
                    "tenant_bytes": 10_000_000,
                    "tenant_files": 50,
                    "total_bytes": 100_000_000,
                    "kept_s": 86_400,
                },
                "retention_s": 3600,
                "step_timeout_s": 60,
                "select_timeout_s": 61,
                "stagger_s": 0.5,
                "report_s": 3,
                "equivalence": {
                    "workers": 2,
                    "limit_s": 3,
                    "quick_s": 0.2,
                    "start_limit_s": 30,
                    "memory_mib": 600,
                    "cache_size": 100,
                },
            }
        },
        "selector": {
            "settings": {
                "grace_s": 3,
                "log_level": "INFO",
                "log_texts": True,
                "report_s": 3,
                "strategy_sets_folder": "/pools",
            }
        },
        "drafter": {"settings": {"grace_s": 3, "log_level": "INFO", "log_texts": True, "report_s": 3}},
        "verifier": {
            "settings": {
                "calibration": "/calibration/pair.yaml",
                "grace_s": 3,
                "log_level": "INFO",
                "log_texts": True,
                "report_s": 3,
                "scorer": "judge",
                "reward": REWARD,
            }
        },
        "gateway": {
            "settings": {
                "grace_s": 60,
                "log_level": "INFO",
                "log_texts": True,
                "max_body_bytes": 2_000_000,
                "max_file_bytes": 4_000_000,
                "task_prefixes": ["### Task:", "Title, please"],
                "small_talk": "hi|bye",
                "join_s": 6,
                "join_retry_s": 100.5,
                "linger_s": 2,
                "comment_s": 9,
                "chunk_s": 40,
                "timeout_s": 1800,
                "content_chars": 900,
                "cors_origins": ["https://chat.example.com"],
            }
        },
    },
    "autoscaling": {
        "settings": {"draft": POOL, "target": POOL, "schedule": [SCHEDULED], "report_ttl_s": 30, "interval_s": 4},
        "builtin": {
            "settings": {
                "grace_s": 3,
                "log_level": "INFO",
                "log_texts": True,
                "lease_s": 30,
                "renew_s": 20,
                "retry_s": 4,
                "api_timeout_s": 3,
            }
        },
    },
    "engines": {
        "draft": {
            "client": {
                "parameters": 1_500_000_000,
                "seeded": False,
                "standard_only": True,
                "priorities": True,
                "max_in_flight": 8,
                "timeout_s": 30.5,
                "connect_timeout_s": 1,
                "attempts": 2,
                "refresh_s": 3,
                "gather_jobs": False,
                "logprobs": True,
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


#: All that the chart can switch on; of the actuators, one at a time.
SWITCHED_ON = all_of(
    preset("kind"),
    EVERYTHING,
    MANAGED_CERTIFICATES,
    values_of(**{"tls.clientCertificates": True, "gateway.https": False}),
    KEYS,
    WATCHED,
    GATEWAY,
    {"gateway": {"models": {"quick": {"options": {"mode": "baseline"}}}}},
)
ASKED_BY_KEDA = all_of(SWITCHED_ON, values_of(**{"autoscaling.kind": "keda"}))


def _read(component: str, environment: dict[str, str], patch: pytest.MonkeyPatch) -> ServiceSettings:
    """The settings as the process would have them."""
    for name, value in environment.items():
        patch.setenv(name, value.replace("$(REDIS_PASSWORD)", "password").replace("field:", ""))
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
    manifests = render(ASKED_BY_KEDA)
    orchestrator = _read("orchestrator", manifests.environment("orchestrator"), monkeypatch)
    assert isinstance(orchestrator, OrchestratorSettings)
    given = EVERYTHING["services"]["orchestrator"]["settings"]
    returned = orchestrator.model_dump(include=set(given))
    returned["calibration"] = str(returned["calibration"])
    assert returned == given | {"tenant_limits": {"acme": 200, "school-7": 20}}
    assert orchestrator.tls is not None
    assert str(orchestrator.tls.clients) == "/tls/ca.crt"
    assert (orchestrator.metrics_port, orchestrator.health_port, orchestrator.log_format) == (9464, 7609, "json")
    assert orchestrator.otlp_endpoint == "http://collector.monitoring:4317"
    assert str(orchestrator.api_keys) == "/keys"
    assert orchestrator.scaling.draft.model_dump() == POOL
    assert [load.model_dump(mode="json") for load in orchestrator.scaling.schedule] == [SCHEDULED]
    drafter = _read("drafter", manifests.environment("drafter"), monkeypatch)
    assert isinstance(drafter, DrafterSettings)
    client = EVERYTHING["engines"]["draft"]["client"]
    assert drafter.engine.model_dump(mode="json", include=set(client)) == client
    gateway = _read("gateway", manifests.environment("gateway"), monkeypatch)
    given = EVERYTHING["services"]["gateway"]["settings"]
    assert gateway.model_dump(mode="json", include=set(given)) == given
    engine = _read("engine-draft", manifests.environment("engine-draft"), monkeypatch)
    assert isinstance(engine, EngineServerSettings)
    assert (engine.kind, engine.role) == ("simulated", "draft")
    assert (engine.simulated.seed, engine.simulated.parameters) == (5, 32_000_000_000)
    assert engine.simulated.latency.time_scale == 0


@pytest.mark.parametrize("component", ["orchestrator", "selector", "drafter", "verifier", "gateway", "autoscaler"])
def test_everything_a_service_reads_can_be_set(component: str) -> None:
    manifests = render(ASKED_BY_KEDA if component == "orchestrator" else SWITCHED_ON)
    # The client's settings are shown by the draft's engine, those of an external one by the target's.
    both = {**manifests.environment("drafter"), **manifests.environment("verifier")}
    engine = {f"SSR_{component.upper()}_ENGINE__{name.split('_ENGINE__')[1]}" for name in both if "_ENGINE__" in name}
    # One of the pools is external here, and not scaled.
    shown = {*manifests.environment(component), *engine, "SSR_AUTOSCALER_DEPLOYMENTS__TARGET"}
    assert set(_variables(SETTINGS[component])) <= shown | NOT_OFFERED


@pytest.mark.parametrize("values", [SWITCHED_ON, ASKED_BY_KEDA])
@pytest.mark.parametrize("component", SETTINGS)
def test_a_service_knows_everything_that_is_set(
    values: dict[str, Any], component: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = render(values)
    if component in dict(manifests.pods()):
        _read(component, manifests.environment(component), monkeypatch)


def _variables(settings: type[ServiceSettings]) -> Iterator[str]:
    prefix = str(settings.model_config["env_prefix"])
    return (f"{prefix}{name.upper()}" for name in _names(settings))


def _names(settings: type[BaseModel]) -> Iterator[str]:
    """The settings' names, of nested ones all parts."""
    for name, field in settings.model_fields.items():
        annotation = field.annotation
        models = [one for one in (annotation, *get_args(annotation)) if hasattr(one, "model_fields")]
        # A tuple of maps is one variable, in JSON.
        if models and getattr(annotation, "__origin__", None) is not tuple:
            yield from (f"{name}__{inner}" for inner in _names(models[0]))
        else:
            yield name


def test_the_flags_of_the_test_are_those_of_the_command() -> None:
    command = render(SWITCHED_ON).container("test")["command"]
    known = typer.main.get_command(app).commands["solve"].params  # type: ignore[attr-defined]
    flags = {word for word in command if word.startswith("--")}
    assert "--tls-ca" in flags
    assert flags <= {flag for parameter in known for flag in parameter.opts}


def test_the_engine_server_is_told_all_but_what_it_does_not_need() -> None:
    environment = set(render(SWITCHED_ON).environment("engine-draft"))
    plain = {name.split("__")[0] for name in _variables(EngineServerSettings)} - {
        "SSR_ENGINE_EMBEDDED",
        "SSR_ENGINE_SIMULATED",
    }
    assert plain - environment <= NOT_OFFERED_BY_ENGINES


def test_defaults_that_the_chart_repeats_are_the_settings_own() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name in ("orchestrator", "selector", "drafter", "verifier"):
        assert values["services"][name]["settings"] == {"grace_s": SETTINGS[name].model_fields["grace_s"].default}
    grace_s = AutoscalerSettings.model_fields["grace_s"].default
    assert values["autoscaling"]["builtin"]["settings"] == {"grace_s": grace_s}


def test_pods_outlive_their_drains() -> None:
    manifests = render({"preStopSeconds": 7, "services": {"orchestrator": {"settings": {"grace_s": 40.5}}}})
    assert manifests.pod("orchestrator")["terminationGracePeriodSeconds"] > 7 + 2 * 40.5
    assert manifests.pod("drafter")["terminationGracePeriodSeconds"] > 7 + 20
    assert manifests.container("orchestrator")["lifecycle"]["preStop"] == {"sleep": {"seconds": 7}}
    engine = render({"engines": {"draft": {"preStopSeconds": 11, "graceSeconds": 13}}}).pod("engine-draft")
    assert engine["terminationGracePeriodSeconds"] > 11 + 13
