"""Requests of the inner services (selection, drafting, verification): checked, and taken apart."""

from __future__ import annotations

from functools import lru_cache

from ssr.core.errors import InvalidRequest
from ssr.core.limits import MAX_PATHS, check_options, check_problem
from ssr.core.steps import RepeatRule
from ssr.core.types import Mode, Options, PathContext
from ssr.runtime.rpc.step_wire import context_from_wire
from ssr.v1 import step_pb2

MAX_JOB_ID_CHARS = 64


def check_job_id(job_id: str) -> None:
    """Raises: InvalidRequest."""
    if not 1 <= len(job_id) <= MAX_JOB_ID_CHARS:
        raise InvalidRequest("job_id", f"must have 1..{MAX_JOB_ID_CHARS} characters; got {len(job_id)}")


#: Engines take a thousand; ours are digests.
MAX_CACHE_SALT_CHARS = 128


def checked_context(message: step_pb2.PathContext) -> PathContext:
    """Raises: InvalidRequest naming the field that is out of its limits."""
    check_job_id(message.job_id)
    check_problem(message.problem)
    if message.path >= MAX_PATHS:
        raise InvalidRequest("path", f"must be within 0..{MAX_PATHS - 1}; got {message.path}")
    check_cache_salt(message.cache_salt)
    return context_from_wire(message)


def check_cache_salt(salt: str) -> None:
    """Raises: InvalidRequest."""
    if len(salt) > MAX_CACHE_SALT_CHARS:
        raise InvalidRequest("cache_salt", f"has {len(salt)} characters, at most {MAX_CACHE_SALT_CHARS} are allowed")


def checked_options(
    sampling: step_pb2.Sampling,
    max_tokens: int,
    threshold: float = 0.0,
    scorer: str = "",
    *,
    max_path_tokens: int = 0,
    repeat_rule: str = RepeatRule.EARLIER,
) -> Options:
    """The options that one step needs, or a stream of them, which has a `max_path_tokens`.

    Raises: InvalidRequest naming the field that is out of its limits.
    """
    thinking = sampling.max_thinking_tokens if sampling.HasField("max_thinking_tokens") else None
    return _step_options(
        sampling.temperature, sampling.top_p, max_tokens, thinking, threshold, scorer, max_path_tokens, repeat_rule
    )


@lru_cache(maxsize=256)  # the steps of a job all ask for the same
def _step_options(
    temperature: float,
    top_p: float,
    max_tokens: int,
    thinking: int | None,
    threshold: float,
    scorer: str,
    max_path_tokens: int,
    repeat_rule: str,
) -> Options:
    options = Options(
        mode=Mode.SSD,
        paths=1,
        temperature=temperature,
        top_p=top_p,
        max_step_tokens=max_tokens,
        max_path_tokens=max_path_tokens or max_tokens,
        max_thinking_tokens=thinking,
        threshold=threshold,
        scorer=scorer,
        repeat_rule=repeat_rule,
    )
    check_options(options)
    return options
