"""The limits of a request, checked once where it enters the system."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from enum import StrEnum

from ssr.core.acceptance import check_scorer
from ssr.core.errors import InvalidRequest, Violations, echoed, plain
from ssr.core.evidence.rule import check_estimate
from ssr.core.presets import check_preset
from ssr.core.steps import RepeatRule
from ssr.core.types import MAX_SCORE, Mode, Options, SelectionRule
from ssr.core.vote_rule import VoteRule

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
MAX_LABELS = 16
MAX_LABEL_CHARS = 256
_LABEL = re.compile(r"[A-Za-z0-9._/-]{1,63}")
#: Labels that the server gives.
OWN_LABELS = "ssr/"
_TENANT = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: Categories of characters that show nothing: separators, and controls and formats, those of zero width among them.
_BLANK = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
#: Characters of other categories that show nothing: fillers of Hangul and Braille, and marks that vary what is before.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {chr(c) for c in range(0xFE00, 0xFE10)}


def check_problem(problem: str) -> None:
    """Raises: InvalidRequest."""
    check_text("problem", problem)
    if all(character in _BLANKS or unicodedata.category(character) in _BLANK for character in problem):
        raise InvalidRequest("problem", "is empty; send the problem's text")
    if len(problem) > MAX_PROBLEM_CHARS:
        raise InvalidRequest("problem", f"has {len(problem)} characters; at most {MAX_PROBLEM_CHARS} are allowed")


def check_text(field: str, text: str) -> None:
    """Whether it can be sent and kept as it is. Raises: InvalidRequest."""
    if "\0" in text:
        raise InvalidRequest(field, f"has a null byte, as its character {text.index(chr(0)) + 1}; leave it out")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            field, f"is not Unicode text: its character {error.start + 1} is half of a pair (a lone surrogate)"
        ) from None


def check_options(options: Options) -> None:
    """Raises: InvalidRequest with every field that is out of its limits."""
    with Violations() as gather:
        gather(check_within, "paths", options.paths, 1, MAX_PATHS)
        gather(_check_single_path, options)
        gather(check_within, "threshold", options.threshold, 0, MAX_SCORE)
        gather(check_within, "temperature", options.temperature, 0, MAX_TEMPERATURE)
        gather(_check_top_p, options.top_p)
        gather(check_within, "max_step_tokens", options.max_step_tokens, 1, MAX_STEP_TOKENS)
        gather(check_within, "max_path_tokens", options.max_path_tokens, 1, MAX_PATH_TOKENS)
        gather(_check_thinking, options.max_thinking_tokens)
        gather(check_within, "seed", options.seed, 0, MAX_SEED)
        gather(_check_ends, options)
        gather(check_within, "max_steps", options.max_steps, 1, MAX_STEPS)
        gather(check_within, "lookahead", options.lookahead or 0, 0, MAX_LOOKAHEAD)
        gather(check_within, "max_waste", options.max_waste, 0, 1)
        gather(_check_reserve, options)
        gather(_check_draft_paths, options)
        gather(_check_repair_paths, options)
        gather(_check_evidence, options)
        gather(check_text, "domain", options.domain)
        gather(_check_tests, options.tests)
        gather(check_text, "strategy_set", options.strategy_set)
        gather(_check_scorer, options.scorer)
        gather(check_member, "selection", options.selection, SelectionRule)
        gather(check_member, "repeat_rule", options.repeat_rule, RepeatRule)
        gather(check_preset, options.preset)


def _check_single_path(options: Options) -> None:
    if options.mode.single_path and options.paths != 1:
        raise InvalidRequest("paths", f"must be 1 in mode {options.mode}, which has one path; got {options.paths}")


def _check_top_p(top_p: float) -> None:
    if not 0 < top_p <= 1:
        raise InvalidRequest("top_p", f"must be over 0 and at most 1; got {plain(top_p)}")


def _check_thinking(tokens: int | None) -> None:
    if tokens is not None:
        check_within("max_thinking_tokens", tokens, 0, MAX_PATH_TOKENS)


def _check_ends(options: Options) -> None:
    if options.deadline_s is not None and not 0 < options.deadline_s < math.inf:
        raise InvalidRequest("deadline_s", f"must be over 0; got {plain(options.deadline_s)}")
    if options.max_tokens is not None and options.max_tokens < 1:
        raise InvalidRequest("max_tokens", f"must be at least 1; got {options.max_tokens}")


def _check_scorer(scorer: str) -> None:
    if scorer:
        check_scorer(scorer)


def _check_reserve(options: Options) -> None:
    reserve, paths = options.reserve, options.paths
    if reserve and options.mode is not Mode.SSR:
        raise InvalidRequest("reserve", f"must be 0 in mode {options.mode}: only ssr has one; got {reserve}")
    if reserve and not 0 <= reserve < paths:
        raise InvalidRequest("reserve", f"must be within 0..{paths - 1}, below paths={paths}; got {reserve}")


def _check_draft_paths(options: Options) -> None:
    drafts, paths = options.draft_paths, options.paths
    if drafts and options.mode is not Mode.CASCADE:
        raise InvalidRequest("draft_paths", f"must be 0 in mode {options.mode}: only cascade has them; got {drafts}")
    if options.mode is Mode.CASCADE:
        check_within("draft_paths", drafts, 0, paths)


def _check_repair_paths(options: Options) -> None:
    repairs = options.repair_paths
    if repairs and options.mode is not Mode.CASCADE:
        raise InvalidRequest("repair_paths", f"must be 0 in mode {options.mode}: only cascade has them; got {repairs}")
    if repairs and options.draft_paths < 2:
        raise InvalidRequest(
            "repair_paths", f"must be 0 with fewer than 2 draft_paths, which share nothing; got {repairs}"
        )
    check_within("repair_paths", repairs, 0, max(0, options.paths - options.draft_paths))


def _check_tests(tests: str) -> None:
    check_text("tests", tests)
    if len(tests) > MAX_PROBLEM_CHARS:
        raise InvalidRequest("tests", f"has {len(tests)} characters; at most {MAX_PROBLEM_CHARS} are allowed")


def _check_evidence(options: Options) -> None:
    if not 0 < options.confidence <= 1:
        raise InvalidRequest("confidence", f"must be over 0 and at most 1; got {plain(options.confidence)}")
    check_estimate(options.estimate)
    check_within("min_gain", options.min_gain, 0, 1)
    check_within("batch", options.batch, 1, MAX_PATHS)
    if options.vote:
        VoteRule.named(options.vote)


def check_member(field: str, name: str, kind: type[StrEnum]) -> None:
    """Raises: InvalidRequest naming the known ones."""
    if name not in tuple(kind):
        raise InvalidRequest(field, f"{echoed(name)} is unknown; known are {', '.join(kind)}")


def check_key(key: str) -> None:
    """Raises: InvalidRequest."""
    check_text("idempotency_key", key)
    if len(key) > MAX_KEY_CHARS:
        raise InvalidRequest("idempotency_key", f"has {len(key)} characters; at most {MAX_KEY_CHARS} are allowed")


def check_labels(labels: Mapping[str, str], field: str = "labels") -> None:
    """Raises: InvalidRequest with every label that is wrong."""
    with Violations() as gather:
        gather(_check_count, field, len(labels))
        for key, value in labels.items():
            gather(_check_label, field, key, value)


def _check_count(field: str, labels: int) -> None:
    if labels > MAX_LABELS:
        raise InvalidRequest(field, f"are {labels}; at most {MAX_LABELS} are allowed")


def _check_label(field: str, key: str, value: str) -> None:
    if not _LABEL.fullmatch(key) or key.startswith(OWN_LABELS):
        raise InvalidRequest(
            field, f"the key {echoed(key)} is none; give 1..63 of A-Z a-z 0-9 . _ / -, not beginning with {OWN_LABELS}"
        )
    check_text(field, value)
    if len(value) > MAX_LABEL_CHARS:
        raise InvalidRequest(field, f"{key} has {len(value)} characters; at most {MAX_LABEL_CHARS} are allowed")


def check_tenant(tenant: str) -> None:
    """Raises: InvalidRequest."""
    if not _TENANT.fullmatch(tenant):
        raise InvalidRequest("tenant", f"{echoed(tenant)} is none; send 1..64 of the characters A-Z a-z 0-9 . _ -")


def check_within(field: str, value: float, low: float, high: float) -> None:
    """Raises: InvalidRequest naming the field and its limits."""
    if not (math.isfinite(value) and low <= value <= high):
        raise InvalidRequest(field, f"must be within {plain(low)}..{plain(high)}; got {plain(value)}")
