"""The selector's settings: SSR_SELECTOR_*."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import SettingsConfigDict

from ssr.engines.settings import EngineSettings
from ssr.settings import ReportingSettings


class SelectorSettings(ReportingSettings):
    """The target engine, and the strategy pools beside SSR's own."""

    model_config = SettingsConfigDict(env_prefix="SSR_SELECTOR_")

    engine: EngineSettings
    #: A folder of NAME.yaml strategy pools that add to SSR's own or replace them.
    pools_folder: Path | None = None
