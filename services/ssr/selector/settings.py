"""The selector's settings: SSR_SELECTOR_*."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import SettingsConfigDict

from ssr.engines.settings import EngineSettings
from ssr.runtime.settings import ReportingSettings


class SelectorSettings(ReportingSettings):
    """The target engine, and the strategy sets beside SSR's own."""

    model_config = SettingsConfigDict(env_prefix="SSR_SELECTOR_")

    engine: EngineSettings
    #: A folder of NAME.yaml strategy sets that add to SSR's own or replace them.
    strategy_sets_folder: Path | None = None
