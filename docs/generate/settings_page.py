"""The page of settings: every variable of every service, from its class.

A setting's text is what the code says above or below its field ("#:" comment, docstring or description); its limits and
default are those of its class.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pieces import MADE, cell, table
from pydantic import TypeAdapter

from ssr.autoscaler.policy.settings import ScalingLimits, ScalingSettings, ScheduledLoad
from ssr.autoscaler.settings import AutoscalerSettings
from ssr.consensus.environment import ProposerSettings
from ssr.consensus.settings import ConsensusSettings
from ssr.drafter.settings import DrafterSettings
from ssr.engine_server.settings import EngineServerSettings
from ssr.engines.settings import EngineSettings
from ssr.gateway.settings import GatewaySettings
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.runtime.settings import ServiceSettings
from ssr.selector.settings import SelectorSettings
from ssr.verifier.settings import VerifierSettings


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page of settings: the fields of some classes, and what stands before them in the variables."""

    title: str
    prefix: str
    what: str
    classes: tuple[type, ...]


SECTIONS = (
    Section("Every service", "SSR_<SERVICE>_", "`SERVICE` is one of the names below.", (ServiceSettings,)),
    Section("Orchestrator", "SSR_ORCHESTRATOR_", "`ssr serve orchestrator`.", (OrchestratorSettings,)),
    Section("Selector", "SSR_SELECTOR_", "`ssr serve selector`.", (SelectorSettings,)),
    Section("Drafter", "SSR_DRAFTER_", "`ssr serve drafter`.", (DrafterSettings,)),
    Section("Verifier", "SSR_VERIFIER_", "`ssr serve verifier`.", (VerifierSettings,)),
    Section(
        "Engine pools",
        "SSR_<SERVICE>_ENGINE__",
        "The engines that selector, drafter and verifier call.",
        (EngineSettings,),
    ),
    Section("Gateway", "SSR_GATEWAY_", "`ssr serve gateway`.", (GatewaySettings,)),
    Section("Autoscaler", "SSR_AUTOSCALER_", "`ssr serve autoscaler`.", (AutoscalerSettings,)),
    Section(
        "Scaling",
        "SSR_AUTOSCALER_SCALING__",
        "With KEDA the orchestrators decide, and these are `SSR_ORCHESTRATOR_SCALING__*`.",
        (ScalingSettings,),
    ),
    Section("Scaling of a pool", "SSR_AUTOSCALER_SCALING__<POOL>__", "`POOL` is DRAFT or TARGET.", (ScalingLimits,)),
    Section("Scheduled loads", "", "The fields of each item of `SCALING__SCHEDULE`.", (ScheduledLoad,)),
    Section("Engine", "SSR_ENGINE_", "`ssr serve engine`, an engine of SSR's own.", (EngineServerSettings,)),
    Section(
        "Consensus drafting",
        "SSR_CONSENSUS_",
        "Of the proposer in vLLM, where the default of `HISTORY_WEIGHT` is 0.",
        (ConsensusSettings, ProposerSettings),
    ),
)
#: Set by others: MODEL sets both unless MODEL_ID is given.
_NOT_SET = frozenset({"SSR_ENGINE_EMBEDDED__MODEL_PATH"})
#: Classes that have a section of their own, and are no rows where they are a field.
_ELSEWHERE = {
    section.classes[0]: section.title for section in SECTIONS if "<" in section.prefix or "SCALING" in section.prefix
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A row: the variable's name, its values and default as Markdown, and what it means."""

    name: str
    values: str
    default: str
    text: str


def settings_page() -> str:
    """Every setting of every service, from its class."""
    parts = [
        "# Settings",
        MADE,
        "Each service reads its settings once, at its start, from environment variables; nested ones have `__` between "
        "their names. A value that is wrong stops the start with the variable's name, and so does a variable with a "
        "service's prefix that is no setting of it. In the chart they are `services.*.settings`, with the names in "
        "small letters and nested maps.",
        "Units are in the names (`_s`, `_tokens`, `_mib`). Lists are comma-separated or JSON.",
    ]
    for section in SECTIONS:
        rows = [row for cls in section.classes for row in _rows(cls, section.prefix)]
        cells = [(f"`{row.name}`", row.values, row.default, row.text) for row in rows]
        parts += [f"## {section.title}", section.what, table(("variable", "values", "default", "means"), cells)]
    return "\n\n".join(parts) + "\n"


def _rows(cls: type, prefix: str) -> Iterator[Setting]:
    schema = TypeAdapter(cls).json_schema()
    inherited = set(ServiceSettings.model_fields) if cls is not ServiceSettings else set()
    own = {name: field for name, field in schema["properties"].items() if name not in inherited}
    yield from _rows_of({**schema, "properties": own}, schema.get("$defs", {}), _classes(cls), prefix, {})


def _rows_of(
    schema: Mapping[str, Any],
    defs: Mapping[str, Any],
    classes: Mapping[str, type],
    prefix: str,
    given: Mapping[str, Any],
) -> Iterator[Setting]:
    """The rows of a class; `given` are defaults that go before its own."""
    texts = field_texts(classes[schema["title"]])
    for name, field in schema["properties"].items():
        resolved = _resolved(field, defs)
        variable = prefix + name.upper() if prefix else name
        default = given.get(name, field.get("default"))
        text = cell(texts.get(name) or field.get("description", ""))
        if elsewhere := _ELSEWHERE.get(classes.get(resolved.get("title", ""), object)):
            anchor = elsewhere.lower().replace(" ", "-")
            yield Setting(f"{variable}__*", f"[{elsewhere}](#{anchor})", "", text)
        elif "properties" in resolved:
            inner = default if isinstance(default, Mapping) else {}
            yield from _rows_of(resolved, defs, classes, f"{variable}__", inner)
        else:
            required = name in schema.get("required", ()) and name not in given
            needed = "required" if not prefix.endswith("TLS__") else "required with TLS"
            if variable not in _NOT_SET:
                yield Setting(variable, _values(resolved), needed if required else _default(default), text)


def _resolved(field: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema behind references, and of an optional value the one that is not null."""
    if "$ref" in field:
        return _resolved(defs[field["$ref"].rpartition("/")[2]], defs)
    for key in ("anyOf", "oneOf", "allOf"):
        if options := [option for option in field.get(key, ()) if option.get("type") != "null"]:
            return _resolved(options[0], defs)
    return field


def _values(schema: Mapping[str, Any]) -> str:
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = {"integer": "int", "number": "float", "boolean": "bool", "string": "text", "array": "list", "object": "map"}
    least, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    most, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    limits = [f"from {least:,}"] if least is not None else [f"above {above:,}"] if above is not None else []
    limits += [f"to {most:,}"] if most is not None else [f"below {below:,}"] if below is not None else []
    what = "path" if schema.get("format") == "path" else kind.get(schema.get("type", ""), "")
    return " ".join([what, *limits]).strip()


def _default(value: Any) -> str:
    if value is None or value == "" or value == [] or value == {}:
        return ""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _classes(cls: type) -> dict[str, type]:
    """The class, and every class that a field of it can hold, by name."""
    found = {cls.__name__: cls}
    for hint in _hints(cls):
        if isinstance(hint, type) and hint.__module__.startswith("ssr.") and not issubclass(hint, Enum):
            found |= _classes(hint) if hint.__name__ not in found else {}
    return found


def _hints(cls: type) -> Iterator[Any]:
    """All classes inside the annotations of a class's fields."""
    fields = getattr(cls, "model_fields", None)
    pending: list[Any] = [field.annotation for field in fields.values()] if fields else []
    while pending:
        hint = pending.pop()
        yield hint
        pending += getattr(hint, "__args__", ())


def field_texts(cls: type) -> dict[str, str]:
    """What the code says about each field: a "#:" comment above it, or a docstring below it.

    A field without either is of the comment above the field before it, or of its class's docstring.
    """
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("ssr."):
            texts |= _own_texts(base)
    return texts


def _own_texts(cls: type) -> dict[str, str]:
    source = textwrap.dedent(inspect.getsource(cls))
    lines, texts, last = source.splitlines(), {}, (inspect.getdoc(cls) or "").partition("\n")[0]
    [definition] = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    for node, after in zip(definition.body, [*definition.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            described = any(word.arg == "description" for word in getattr(node.value, "keywords", ()))
            last = "" if described else _above(lines, node.lineno - 1) or _text_of(after) or last
            texts[node.target.id] = last
    return texts


def _above(lines: Sequence[str], line: int) -> str:
    """The "#:" comment that ends right above a line (from 0)."""
    comment: list[str] = []
    while (above := lines[line - 1 - len(comment)].strip()).startswith("#:"):
        comment.insert(0, above.removeprefix("#:").strip())
    return " ".join(comment)


def _text_of(node: ast.stmt | None) -> str:
    """A docstring's text; "" for any other statement."""
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
    return ""
