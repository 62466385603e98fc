"""What a caller asks for, as keyword arguments, and the message it becomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypedDict, TypeVar, cast

from ssr.core.cascade import CascadeShape, stop_rule_of, strategy_set_of
from ssr.core.errors import InvalidRequest, echoed
from ssr.core.job import JobStatus, Priority
from ssr.core.limits import MAX_SEED, check_key, check_labels, check_options, check_problem
from ssr.core.presets import preset_options
from ssr.core.types import Mode, Options, StopRule, choices, chosen
from ssr.runtime.rpc.job_wire import PRIORITY, status_number
from ssr.runtime.rpc.options_wire import options_to_wire
from ssr.v1 import reasoning_pb2

Member = TypeVar("Member", bound=StrEnum)


#: Options that are not checked again: callers ask for the same ones again and again, with other seeds.
_REMEMBERED = 64
#: Where no server has set others.
_DEFAULTS = Options()
NO_LABELS: Mapping[str, str] = MappingProxyType({})


class SolveOptions(TypedDict, total=False):
    """How to solve a problem; what is left out is the server's default (`Options` in proto/ssr/v1/reasoning.proto).

    `mode` and `stop_rule` may be the names on the command line ("parallel-spm", "fast-1").
    """

    mode: Mode | str
    paths: int
    stop_rule: StopRule | str
    threshold: float
    strategy_set: str
    scorer: str
    seed: int
    early_stop: bool
    temperature: float
    top_p: float
    max_step_tokens: int
    max_path_tokens: int
    max_thinking_tokens: int
    deadline_s: float
    max_tokens: int
    max_steps: int
    lookahead: int | None
    max_waste: float
    reserve: int
    draft_paths: int
    repair_paths: int
    confidence: float
    min_gain: float
    batch: int
    estimate: str
    vote: str
    domain: str
    tests: str
    selection: str
    repeat_rule: str
    preset: str


def with_preset(given: SolveOptions) -> SolveOptions:
    """The options with those of their preset in place of what is not given.

    A server that does not know the preset is thus asked for what it knows of it. Raises: InvalidRequest.
    """
    mode = _member(Mode, "mode", given["mode"]) if "mode" in given else None
    return cast(SolveOptions, {**preset_options(given.get("preset", ""), mode), **given})


def resolved(given: SolveOptions) -> Options:
    """The options with every default filled in (the seed, which the server chooses, as 0).

    Raises: InvalidRequest naming the option that is unknown or out of its limits.
    """
    complete, _ = _checked(given)
    return replace(complete, seed=given["seed"]) if "seed" in given else complete


def _checked(given: SolveOptions) -> tuple[Options, reasoning_pb2.Options]:
    """The options with every default, and the message of those that are given; both without the seed.

    Raises: InvalidRequest.
    """
    seed = given.get("seed", 0)
    known = {name: value for name, value in given.items() if name != "seed"}
    if isinstance(seed, int) and 0 <= seed <= MAX_SEED:
        try:
            return _remembered(tuple(known), *known.values())
        except TypeError:  # a value that cannot be a key is wrong, and is said to be
            pass
    return _with_message(given)


@lru_cache(_REMEMBERED, typed=True)
def _remembered(names: tuple[str, ...], *values: object) -> tuple[Options, reasoning_pb2.Options]:
    return _with_message(cast(SolveOptions, dict(zip(names, values, strict=True))))


def _with_message(given: SolveOptions) -> tuple[Options, reasoning_pb2.Options]:
    given = with_preset(given)
    complete = _resolved(given)
    every, message = options_to_wire(complete), reasoning_pb2.Options()
    for name in given:
        setattr(message, name, getattr(every, name))
    return complete, message


def _resolved(given: SolveOptions) -> Options:
    fields: dict[str, Any] = dict(given)
    for name in fields:
        if name not in Options.__dataclass_fields__:
            raise InvalidRequest(name, f"is no option; known are {', '.join(Options.__dataclass_fields__)}")
    fields["mode"] = mode = _member(Mode, "mode", given.get("mode", _DEFAULTS.mode))
    fields["stop_rule"] = _member(StopRule, "stop_rule", given.get("stop_rule", stop_rule_of(mode, _DEFAULTS)))
    shape = CascadeShape().fill(mode, given.get("paths"), given.get("draft_paths"), _DEFAULTS.paths)
    fields["paths"], fields["draft_paths"] = shape
    fields.setdefault("strategy_set", strategy_set_of(given.get("domain", ""), _DEFAULTS))
    options = Options(**fields)
    check_options(options)
    return options


def solve_request(
    problem: str,
    key: str,
    given: SolveOptions,
    priority: Priority | str = Priority.INTERACTIVE,
    labels: Mapping[str, str] = NO_LABELS,
) -> reasoning_pb2.SolveRequest:
    """The message, with only the given options in it.

    Raises: InvalidRequest naming the field that is out of its limits.
    """
    check_problem(problem)
    check_key(key)
    check_labels(labels)
    number = PRIORITY.number(checked_priority(priority))
    request = reasoning_pb2.SolveRequest(
        problem=problem, options=_checked(given)[1], idempotency_key=key, priority=number, labels=labels
    )
    if "seed" in given:
        request.options.seed = given["seed"]
    return request


def list_request(
    limit: int,
    page_token: str,
    tenant: str,
    statuses: Iterable[JobStatus | str],
    labels: Mapping[str, str],
    created: tuple[datetime | None, datetime | None],
) -> reasoning_pb2.ListRequest:
    """`created`: from and before. Raises: InvalidRequest for a status that is none."""
    request = reasoning_pb2.ListRequest(limit=limit, page_token=page_token, tenant=tenant, labels=labels)
    request.statuses.extend(status_number(_member(JobStatus, "status", status)) for status in statuses)
    since, before = created
    if since is not None:
        request.created_from.FromDatetime(since)
    if before is not None:
        request.created_before.FromDatetime(before)
    return request


def checked_priority(priority: Priority | str) -> Priority:
    """Raises: InvalidRequest."""
    return _member(Priority, "priority", priority)


def _member(kind: type[Member], field: str, value: str) -> Member:
    try:
        return chosen(kind, value)
    except ValueError:
        raise InvalidRequest(field, f"{echoed(value)} is unknown; known are {', '.join(choices(kind))}") from None
