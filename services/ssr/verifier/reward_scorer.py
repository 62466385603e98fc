"""Process reward models as a scorer: another server says how probably each step is right."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ssr.core.control_tokens import neutralised
from ssr.core.errors import BadReply, CapabilityMissing
from ssr.core.thinking import without_tags
from ssr.core.types import MAX_SCORE, PathContext
from ssr.engines.json_connection import JsonConnection
from ssr.verifier.scoring import JudgedStep, Judgement

#: What parts steps for models of the Qwen2.5-Math-PRM family.
SEPARATOR = "<extra_0>"


class RewardApi(StrEnum):
    """How a reward model is asked.

    POOLING: vLLM's POST /pooling with the dialogue; the reply has a value, or the probabilities of (wrong, right), for
    each separator behind a step. CLASSIFY: vLLM's POST /classify with the text; `positive` is the class of right steps.
    GENERIC: POST /score {"problem", "steps"} answered by {"scores": [...]}, 0..1, one a step.
    """

    POOLING = "vllm-pooling"
    CLASSIFY = "vllm-classify"
    GENERIC = "generic"


class RewardSettings(BaseModel):
    """Where a process reward model is, and how it is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Base URL of its server.
    url: str
    #: "vllm-pooling", "vllm-classify" or "generic": see `RewardApi`.
    api: RewardApi = RewardApi.GENERIC
    #: The model to ask for, where the server has several; "" for the generic API.
    model: str = ""
    #: Of vllm-classify: the class that means a right step.
    positive: Annotated[int, Field(ge=0)] = 1
    #: Sent as a bearer token; None sends none.
    api_key: SecretStr | None = None
    #: For a call, in seconds.
    timeout_s: Annotated[float, Field(gt=0)] = 30.0
    #: Calls at a time.
    max_in_flight: Annotated[int, Field(gt=0)] = 64


class HttpRewardModel:
    """Implements `scoring.Rewarding` over HTTP."""

    def __init__(self, settings: RewardSettings, connection: JsonConnection) -> None:
        self._settings, self._connection = settings, connection

    async def right(self, problem: str, steps: Sequence[str]) -> float:
        """The probability that the last step is right, 0..1. Raises: BadReply; the errors of the connection."""
        path, document = self._request(problem, steps)
        reply = (await self._connection.post(path, document)).document()
        try:
            value = float(self._read(reply))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise BadReply(
                f"{self._settings.url}{path} answered {reply!r:.200}, which has no score: {error}"
            ) from error
        if not 0 <= value <= 1:
            raise BadReply(f"{self._settings.url}{path} scored {value:g}; a score must be within 0..1")
        return value

    def _request(self, problem: str, steps: Sequence[str]) -> tuple[str, dict[str, object]]:
        """vLLM tokenises problem and steps with the separators: nothing in them may be one, or a turn's mark."""
        model = self._settings.model
        posed, written = neutralised(problem), [neutralised(without_tags(step)) for step in steps]
        match self._settings.api:
            case RewardApi.POOLING:
                work = "".join(step + SEPARATOR for step in written)
                dialogue = [{"role": "user", "content": posed}, {"role": "assistant", "content": work}]
                return "/pooling", {"model": model, "messages": dialogue}
            case RewardApi.CLASSIFY:
                return "/classify", {"model": model, "input": "\n\n".join((posed, *written))}
        return "/score", {"problem": problem, "steps": list(steps)}

    def _read(self, reply: Any) -> float:
        match self._settings.api:
            case RewardApi.POOLING:
                last = reply["data"][0]["data"][-1]
                return last[-1] if isinstance(last, list) else last  # type: ignore[no-any-return]
            case RewardApi.CLASSIFY:
                return reply["data"][0]["probs"][self._settings.positive]  # type: ignore[no-any-return]
        return reply["scores"][-1]  # type: ignore[no-any-return]


@asynccontextmanager
async def open_reward_model(settings: RewardSettings | None) -> AsyncIterator[HttpRewardModel | None]:
    """The model of these settings, connected until the block ends; None without settings."""
    if settings is None:
        yield None
        return
    key = None if settings.api_key is None else settings.api_key.get_secret_value()
    async with JsonConnection(
        settings.url,
        api_key=key,
        timeout_s=settings.timeout_s,
        connect_timeout_s=5.0,
        max_connections=settings.max_in_flight,
    ) as connection:
        yield HttpRewardModel(settings, connection)


class RewardScorer:
    """9 times the probability that the reward model gives the step."""

    async def judge(self, context: PathContext, step: str, target: JudgedStep) -> Judgement:
        """See `Scorer.judge`. No engine call: the reward model's tokens are not the target's."""
        if target.reward is None:
            raise CapabilityMissing("scorer reward: this verifier has no reward model; set SSR_VERIFIER_REWARD__URL")
        return Judgement(MAX_SCORE * await target.reward.right(context.problem, (*context.steps, step)))
