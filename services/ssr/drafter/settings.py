"""The drafter's settings: SSR_DRAFTER_*."""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from ssr.engines.settings import EngineSettings
from ssr.runtime.settings import ReportingSettings


class DrafterSettings(ReportingSettings):
    """The draft engine."""

    model_config = SettingsConfigDict(env_prefix="SSR_DRAFTER_")

    engine: EngineSettings
