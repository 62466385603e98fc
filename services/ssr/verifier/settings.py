"""The verifier's settings: SSR_VERIFIER_*."""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from ssr.core.acceptance import ScorerName
from ssr.engines.settings import EngineSettings
from ssr.runtime.settings import ReportingSettings


class VerifierSettings(ReportingSettings):
    """The target engine, and how steps are scored where a request does not say."""

    model_config = SettingsConfigDict(env_prefix="SSR_VERIFIER_")

    engine: EngineSettings
    #: "expected" (mean digit), "greedy" (the paper's digit), "judge" (P(Yes)), "likelihood" (of the step; many engines
    #: cannot report it), "arithmetic" (only rejects false equations), "arithmetic+" and one of these, or "none".
    scorer: ScorerName = ScorerName.ARITHMETIC_JUDGE
