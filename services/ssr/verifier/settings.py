"""The verifier's settings: SSR_VERIFIER_*."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator
from pydantic_settings import SettingsConfigDict

from ssr.core.acceptance import ScorerName, check_scorer
from ssr.core.errors import InvalidRequest
from ssr.engines.settings import EngineSettings
from ssr.runtime.settings import ReportingSettings
from ssr.verifier.reward_scorer import RewardSettings


def _known(scorer: str) -> str:
    """Raises: ValueError."""
    try:
        check_scorer(scorer)
    except InvalidRequest as error:
        raise ValueError(str(error)) from error
    return scorer


class VerifierSettings(ReportingSettings):
    """The target engine, and how steps are scored where a request does not say."""

    model_config = SettingsConfigDict(env_prefix="SSR_VERIFIER_")

    engine: EngineSettings
    #: "expected" (mean digit), "greedy" (most probable digit), "validity" (the paper's digit, which is not about
    #: usefulness), "judge" (P(Yes)), "likelihood" (of the step; many engines cannot report it), "arithmetic" (only
    #: rejects false equations), "arithmetic+" and one of these, or "none". "reward" asks the reward model; "agreement"
    #: and "agreement+" another leave agreement to the orchestrator; or the name of an installed scorer (`ssr methods`).
    scorer: Annotated[str, AfterValidator(_known)] = ScorerName.ARITHMETIC_JUDGE
    #: A process reward model, for the scorers reward and arithmetic+reward. None: there is none.
    reward: RewardSettings | None = None
    #: A file with scorers' scores as probabilities (`ssr bench calibrate` writes it): the score of a step is then 9
    #: times the probability that its path ends right, so that thresholds mean the same whoever judges. None: scores
    #: stand.
    calibration: Path | None = None
