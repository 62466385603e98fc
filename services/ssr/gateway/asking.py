"""What a request asks of SSR, whichever of the APIs it came by: a problem, options, and how it is answered."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from ssr.client.request import SolveOptions, resolved
from ssr.core.errors import InvalidRequest
from ssr.core.job import Priority
from ssr.core.limits import MAX_PROBLEM_CHARS, check_problem
from ssr.gateway import fields
from ssr.gateway.conversation import PlainRule, Turn, problem_of
from ssr.gateway.errors import ApiError, from_ssr, refused
from ssr.gateway.models import Model

_TENANT_PART = re.compile(r"[A-Za-z0-9_-]{1,24}")
_MAX_UINT32 = 2**32 - 1
#: Of what type an option's JSON value is.
_NUMBERS, _WHOLE = ("float",), ("int",)


@dataclass(frozen=True, slots=True)
class Ask:
    """A checked request.

    `options` are those of the gRPC API; `params` is what fields of that API are called in the request. `plain`: it asks
    for no solution, and is answered with the path's text. `fingerprint` is the same for the same request by the same
    caller. `user`: "" or the part of a tenant's name below the caller's.
    """

    model: str
    problem: str
    options: SolveOptions
    fingerprint: str
    plain: bool = False
    user: str = ""
    n: int = 1
    stops: tuple[str, ...] = ()
    priority: Priority = Priority.INTERACTIVE
    labels: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CommonRequest:
    """What of a request is said in the same way in all APIs."""

    model: Model
    turns: tuple[Turn, ...]
    effort: str | None
    #: Options by name, and what each is called in the request.
    options: Mapping[str, Any]
    params: Mapping[str, str]
    ssr: object
    user: str | None
    n: int = 1
    stops: tuple[str, ...] = ()


def ask(asked: CommonRequest, plain: PlainRule, fingerprint: str) -> Ask:
    """Raises: ApiError with what is wrong."""
    own, priority, labels = own_options(asked.ssr, "ssr")
    chosen = asked.model.at(asked.effort, asked.params.get("effort", "reasoning_effort"))
    is_plain = not own and plain.applies(asked.turns)
    options = {**({"mode": "baseline"} if is_plain else chosen), **asked.options, **own}
    params = {
        "problem": "messages",
        **{name: f"ssr.{name}" for name in own},
        **{field_: param for field_, param in asked.params.items() if field_ not in own},
        "labels": "ssr.labels",
        "priority": "ssr.priority",
    }
    try:
        complete = resolved(cast(SolveOptions, options))
    except InvalidRequest as error:
        raise from_ssr(error, params) from None
    if asked.n > 1 and not is_plain and ("paths" in options or complete.mode.single_path) and asked.n > complete.paths:
        raise refused("n", f"must be at most the number of paths, which is {complete.paths}; got {asked.n}")
    problem = problem_of(asked.turns)
    try:
        check_problem(problem)
    except InvalidRequest as error:
        code = "context_length_exceeded" if len(problem) > MAX_PROBLEM_CHARS else "invalid_value"
        raise refused(params["problem"], error.violations[0].message, code) from None
    return Ask(
        model=asked.model.name,
        problem=problem,
        options=cast(SolveOptions, options),
        fingerprint=fingerprint,
        plain=is_plain,
        user=_tenant_part(asked.user),
        n=asked.n,
        stops=asked.stops,
        priority=priority,
        labels=labels,
        params=params,
    )


def fingerprint_of(api_key: str, idempotency_key: str, body: Mapping[str, Any]) -> str:
    """A name of the request, of 32 characters; with an idempotency key that says which request it is.

    Whether it is answered as a stream is no part of it. Raises: ApiError for a body that is nested too deeply.
    """
    about_job = {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
    try:
        said = idempotency_key.encode() or orjson.dumps(about_job, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise ApiError(400, f"the body cannot be read: {error}", code="invalid_json") from None
    kind = "key" if idempotency_key else "body"
    return hashlib.sha256(f"{kind}\n{api_key}\n".encode() + said).hexdigest()[:32]


def own_options(given: object, param: str) -> tuple[SolveOptions, Priority, dict[str, str]]:
    """The options of the gRPC API, priority and labels that the field `param` has. Raises: ApiError."""
    if given is None:
        return SolveOptions(), Priority.INTERACTIVE, {}
    if not isinstance(given, dict):
        raise refused(param, "must be an object with options of SSR")
    options = {name: value for name, value in given.items() if name not in ("labels", "priority") and value is not None}
    for name, value in options.items():
        _check_type(name, value, f"{param}.{name}")
    labels = given.get("labels") or {}
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise refused(f"{param}.labels", "must be an object with texts")
    priority = given.get("priority") or Priority.INTERACTIVE
    if priority not in tuple(Priority):
        raise refused(f"{param}.priority", f"must be one of {', '.join(Priority)}", "unsupported_value")
    return cast(SolveOptions, options), Priority(priority), labels


def _check_type(name: str, value: object, param: str) -> None:
    wanted = str(SolveOptions.__annotations__.get(name, ""))
    kinds = {kind for kind in ("int", "float", "bool", "str") if kind in wanted}
    if not kinds:
        raise refused(param, "is unknown", "unknown_parameter")
    body = {param: value}
    if "float" in kinds:
        fields.number(body, param)
    elif "int" in kinds:
        fields.integer(body, param, 0, _MAX_UINT32 if name == "max_tokens" else 2**63 - 1)
    elif "bool" in kinds:
        fields.truth(body, param)
    else:
        fields.text(body, param)


def _tenant_part(user: str | None) -> str:
    """A user as a part of a tenant's name: itself where it can be, else a digest."""
    if not user:
        return ""
    if _TENANT_PART.fullmatch(user):
        return user
    return f"u-{hashlib.sha256(user.encode('utf-8', 'surrogatepass')).hexdigest()[:22]}"


def problem_error(error: InvalidRequest, params: Mapping[str, str]) -> ApiError:
    """A refused problem that we took is one that leaves no room in the models' context."""
    api_error = from_ssr(error, params)
    if error.field == "problem":
        return ApiError(400, api_error.message, api_error.type, api_error.param, "context_length_exceeded")
    return api_error
