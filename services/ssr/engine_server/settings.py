"""The settings of an engine of SSR's own as a server: SSR_ENGINE_*."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from ssr.engine_server.embedded.settings import EmbeddedSettings
from ssr.engine_server.simulated.settings import SimulatedSettings
from ssr.runtime.settings import ServiceSettings


class EngineKind(StrEnum):
    """What computes the tokens."""

    EMBEDDED = "embedded"  #: llama.cpp in this process
    SIMULATED = "simulated"  #: no model at all


class Role(StrEnum):
    """What a simulated engine is good for."""

    DRAFT = "draft"  #: small and fast, often wrong
    TARGET = "target"  #: large and slow, seldom wrong


class EngineServerSettings(ServiceSettings):
    """One engine behind TGI's HTTP API."""

    model_config = SettingsConfigDict(env_prefix="SSR_ENGINE_")

    kind: EngineKind = EngineKind.EMBEDDED
    #: For "embedded": a model's name in `ssr models list`, or the path of a GGUF file.
    model: str = Field(default="", validate_default=True)
    #: For "embedded": its other knobs, as SSR_ENGINE_EMBEDDED__CONTEXT_TOKENS; the model's name is `model` unless
    #: SSR_ENGINE_EMBEDDED__MODEL_ID is set.
    embedded: EmbeddedSettings = Field(default={}, validate_default=True)
    #: For "simulated": whose defaults its other knobs have.
    role: Role = Role.TARGET
    #: For "simulated": its knobs, as SSR_ENGINE_SIMULATED__LATENCY__TIME_SCALE.
    simulated: SimulatedSettings = Field(default={}, validate_default=True)

    @field_validator("tls", "health_port")
    @classmethod
    def _no_grpc(cls, given: object) -> None:
        if given is not None:
            raise ValueError("is of gRPC, and an engine speaks HTTP, without TLS; put an end of TLS before it")

    @field_validator("model")
    @classmethod
    def _model_is_named(cls, model: str, info: ValidationInfo) -> str:
        if not model and info.data.get("kind") is EngineKind.EMBEDDED:
            raise ValueError("name a model (see `ssr models list`), or give the path of a GGUF file")
        return model

    @field_validator("embedded", mode="before")
    @classmethod
    def _embedded_model(cls, knobs: Any, info: ValidationInfo) -> Any:
        if not isinstance(knobs, Mapping):
            return knobs
        if "model_path" in knobs:
            raise ValueError("MODEL_PATH is not set here: set SSR_ENGINE_MODEL")
        model = info.data.get("model", "")
        return {"model_id": Path(model).name.removesuffix(".gguf"), **knobs, "model_path": Path(model).expanduser()}

    @field_validator("simulated", mode="before")
    @classmethod
    def _simulated_role(cls, knobs: Any, info: ValidationInfo) -> Any:
        if not isinstance(knobs, Mapping):
            return knobs
        role = SimulatedSettings.draft() if info.data.get("role") is Role.DRAFT else SimulatedSettings.target()
        return _overlaid(role.model_dump(), knobs)


def _overlaid(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the changes put over it, at all depths."""
    merged = dict(base)
    for name, change in changes.items():
        old = merged.get(name)
        if isinstance(old, Mapping) and isinstance(change, Mapping):
            merged[name] = _overlaid(old, change)
        else:
            merged[name] = change
    return merged
