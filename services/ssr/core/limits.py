"""The limits of a request, checked once where it enters the system."""

from __future__ import annotations

import math
import re

from ssr.core.acceptance import ScorerName
from ssr.core.errors import InvalidRequest
from ssr.core.types import MAX_SCORE, Mode, Options

MAX_PROBLEM_CHARS = 20_000
MAX_PATHS = 16
MAX_STEP_TOKENS = 4096
MAX_PATH_TOKENS = 65_536
MAX_TEMPERATURE = 2.0
MAX_SEED = 2**63 - 1
MAX_KEY_CHARS = 128
#: Of all paths together: with it, what a job leaves behind is bounded.
MAX_STEPS = 4096
MAX_LOOKAHEAD = 4
_TENANT = re.compile(r"[A-Za-z0-9._-]{1,64}")


def check_problem(problem: str) -> None:
    """Raises: InvalidRequest."""
    if not problem.strip():
        raise InvalidRequest("problem", "is empty; send the problem's text")
    if len(problem) > MAX_PROBLEM_CHARS:
        raise InvalidRequest("problem", f"has {len(problem)} characters; at most {MAX_PROBLEM_CHARS} are allowed")


def check_options(options: Options) -> None:
    """Raises: InvalidRequest naming the first field that is out of its limits."""
    check_within("paths", options.paths, 1, MAX_PATHS)
    if options.mode.single_path and options.paths != 1:
        raise InvalidRequest("paths", f"must be 1 in mode {options.mode}, which has one path; got {options.paths}")
    check_within("threshold", options.threshold, 0, MAX_SCORE)
    check_within("temperature", options.temperature, 0, MAX_TEMPERATURE)
    if not 0 < options.top_p <= 1:
        raise InvalidRequest("top_p", f"must be over 0 and at most 1; got {options.top_p:g}")
    check_within("max_step_tokens", options.max_step_tokens, 1, MAX_STEP_TOKENS)
    check_within("max_path_tokens", options.max_path_tokens, 1, MAX_PATH_TOKENS)
    check_within("seed", options.seed, 0, MAX_SEED)
    if options.deadline_s is not None and not 0 < options.deadline_s < math.inf:
        raise InvalidRequest("deadline_s", f"must be over 0; got {options.deadline_s:g}")
    if options.max_tokens is not None and options.max_tokens < 1:
        raise InvalidRequest("max_tokens", f"must be at least 1; got {options.max_tokens}")
    check_within("max_steps", options.max_steps, 1, MAX_STEPS)
    check_within("lookahead", options.lookahead, 0, MAX_LOOKAHEAD)
    _check_reserve(options)
    if options.scorer:
        ScorerName.named(options.scorer)


def _check_reserve(options: Options) -> None:
    reserve, paths = options.reserve, options.paths
    if reserve and options.mode is not Mode.SSR:
        raise InvalidRequest("reserve", f"must be 0 in mode {options.mode}: only ssr has one; got {reserve}")
    if not 0 <= reserve < paths:
        raise InvalidRequest("reserve", f"must be within 0..{paths - 1}, below paths={paths}; got {reserve}")


def check_key(key: str) -> None:
    """Raises: InvalidRequest."""
    if len(key) > MAX_KEY_CHARS:
        raise InvalidRequest("idempotency_key", f"has {len(key)} characters; at most {MAX_KEY_CHARS} are allowed")


def check_tenant(tenant: str) -> None:
    """Raises: InvalidRequest."""
    if not _TENANT.fullmatch(tenant):
        raise InvalidRequest("tenant", f"{tenant[:80]!r} is none; send 1..64 of the characters A-Z a-z 0-9 . _ -")


def check_within(field: str, value: float, low: float, high: float) -> None:
    """Raises: InvalidRequest naming the field and its limits."""
    if not (math.isfinite(value) and low <= value <= high):
        raise InvalidRequest(field, f"must be within {low:g}..{high:g}; got {value:g}")
