from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ssr.core.errors import InvalidRequest
from ssr.engine_server.settings import EngineServerSettings
from ssr.engine_server.simulated.settings import SimulatedSettings


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Settings from these SSR_ENGINE_* variables."""

    def read(**variables: str) -> EngineServerSettings:
        for name, value in variables.items():
            monkeypatch.setenv(f"SSR_ENGINE_{name}", value)
        return EngineServerSettings.from_environment(os.environ)

    return read


def test_a_model_by_name(read: Any) -> None:
    settings = read(MODEL="smollm2-135m", EMBEDDED__CONTEXT_TOKENS="8192")
    assert settings.embedded.model_id == "smollm2-135m"
    assert settings.embedded.context_tokens == 8192


def test_a_model_by_path(read: Any) -> None:
    settings = read(MODEL="~/models/tiny.gguf").embedded
    assert (settings.model_path, settings.model_id) == (Path.home() / "models/tiny.gguf", "tiny")


def test_a_models_name_can_be_given(read: Any) -> None:
    assert read(MODEL="tiny.gguf", EMBEDDED__MODEL_ID="acme/Tiny").embedded.model_id == "acme/Tiny"


def test_knobs_change_single_values_of_a_role(read: Any) -> None:
    settings = read(KIND="simulated", ROLE="draft", SIMULATED__SEED="7", SIMULATED__LATENCY__TIME_SCALE="0").simulated
    draft = SimulatedSettings.draft()
    assert settings == draft.model_copy(
        update={"seed": 7, "latency": draft.latency.model_copy(update={"time_scale": 0})}
    )


def test_the_target_is_the_role_unless_reported(read: Any) -> None:
    assert read(KIND="simulated").simulated == SimulatedSettings.target()


@pytest.mark.parametrize(
    ("variables", "reported"),
    [
        ({}, "SSR_ENGINE_MODEL: .*ssr models list"),
        ({"KIND": "magic"}, "SSR_ENGINE_KIND: "),
        ({"MODEL": "x", "EMBEDDED__SLOTS": "0"}, "SSR_ENGINE_EMBEDDED__SLOTS: "),
        ({"MODEL": "x", "EMBEDDED__MODEL_PATH": "y"}, "SSR_ENGINE_EMBEDDED: .*SSR_ENGINE_MODEL"),
        ({"KIND": "simulated", "SIMULATED__LATENCY__TIME_SCAL": "1"}, "SSR_ENGINE_SIMULATED__LATENCY__TIME_SCAL: "),
        ({"KIND": "simulated", "SIMULATE": "1"}, "SSR_ENGINE_SIMULATE: no such setting"),
    ],
)
def test_what_is_wrong_is_named(read: Any, variables: dict[str, str], reported: str) -> None:
    with pytest.raises(InvalidRequest, match=reported):
        read(**variables)
