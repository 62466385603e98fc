"""Makes values.schema.json and the table of README.md from values.yaml and the services' settings.

    python helm/generate.py            writes both
    python helm/generate.py --check    exit status 1 when one of them is not up to date

The comment above a key of values.yaml documents it: "# --" begins its description, "# @schema" is JSON that adds to the
schema which the default's type gives, "# @settings NAME" takes the schema from a settings class of the services, and
"# @like PATH" says that the keys below mean what those of PATH mean. "# @k8s NAME" is a schema of Kubernetes,
of the type ("ResourceRequirements"), or of a list of it ("Toleration[]").
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from pydantic import TypeAdapter

from ssr.autoscaler.policy.settings import ScalingSettings
from ssr.autoscaler.settings import AutoscalerSettings
from ssr.consensus.environment import ProposerSettings
from ssr.consensus.settings import ConsensusSettings
from ssr.drafter.settings import DrafterSettings
from ssr.engine_server.simulated.settings import SimulatedSettings
from ssr.engines.settings import EngineSettings
from ssr.gateway.settings import GatewaySettings
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.selector.settings import SelectorSettings
from ssr.verifier.settings import VerifierSettings

CHART = Path(__file__).parent / "ssr"
_BEGIN, _END = "<!-- values -->", "<!-- /values -->"

#: What the chart sets of every service, from values of its own.
_OF_THE_CHART = frozenset(
    {"host", "port", "replica", "log_format", "metrics_port", "health_port", "otlp_endpoint", "tls", "redis_url"}
)
#: Each "@settings" name: its class or classes, and the fields that the chart sets itself.
SETTINGS: Mapping[str, tuple[Any, frozenset[str]]] = {
    "orchestrator": (
        OrchestratorSettings,
        _OF_THE_CHART | {"selector", "drafter", "verifier", "api_keys", "cache_salt_key", "keda", "scaling"},
    ),
    "selector": (SelectorSettings, _OF_THE_CHART | {"engine"}),
    "drafter": (DrafterSettings, _OF_THE_CHART | {"engine"}),
    "verifier": (VerifierSettings, _OF_THE_CHART | {"engine"}),
    "gateway": (GatewaySettings, _OF_THE_CHART | {"orchestrator", "plain_http", "models", "ui"}),
    "autoscaler": (AutoscalerSettings, _OF_THE_CHART | {"namespace", "deployments", "scaling", "lease"}),
    "scaling": (ScalingSettings, frozenset({"own_selector_engine"})),
    "engine": (EngineSettings, frozenset({"kind", "urls", "model", "api_key"})),
    "simulated": (SimulatedSettings, frozenset()),
    "consensus": ((ConsensusSettings, ProposerSettings), frozenset({"max_draft"})),
}

#: The version of Kubernetes whose types are known: the newest, so that no new field is refused.
_KUBERNETES = "v1.37.0-local-strict"
#: The types of these API groups, by their full names.
_STABLE = re.compile(
    r"io\.k8s\.(api\.(core|apps|networking|autoscaling)\.v[12]|apimachinery\.pkg\.(apis\.meta\.v1|api\.resource|util\.intstr))\.\w+"
)
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
_TENANT_LIMITS = {"type": "string", "pattern": "^$|^[^=,]+=[1-9][0-9]*(,[^=,]+=[1-9][0-9]*)*$"}


@dataclass(frozen=True)
class Note:
    """What the comment above a key says."""

    description: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    settings: str = ""
    like: str = ""
    k8s: str = ""


def read_note(lines: list[str], key_line: int) -> Note:
    """The note above line `key_line` (from 0) of a file."""
    above = []
    for line in reversed(lines[:key_line]):
        if not line.lstrip().startswith("#"):
            break
        above.append(line.strip().removeprefix("#").strip())
    found: dict[str, Any] = {}
    for text in reversed(above):
        if text.startswith("-- "):
            found["description"] = text.removeprefix("-- ")
        for mark in ("schema", "settings", "like", "k8s"):
            if text.startswith(f"@{mark} "):
                found[mark] = text.removeprefix(f"@{mark} ")
    if "schema" in found:
        found["schema"] = json.loads(found["schema"])
    return Note(**found)


class Values:
    """The chart's values.yaml with its comments."""

    def __init__(self, text: str) -> None:
        self.defaults: dict[str, Any] = yaml.safe_load(text)
        self._lines = text.splitlines()
        self._notes: dict[str, Note] = {}
        self.written: list[tuple[str, yaml.Node]] = []
        self._collect(yaml.compose(text, Loader=yaml.SafeLoader), "")

    def _collect(self, node: yaml.Node | None, path: str) -> None:
        if not isinstance(node, yaml.MappingNode) or node.flow_style:
            return
        for key, value in node.value:
            if key.value == "<<":
                continue
            below = f"{path}.{key.value}" if path else key.value
            self._notes[below] = read_note(self._lines, key.start_mark.line)
            self.written.append((below, value))
            note = self.note(below)
            if not (note.schema or note.settings or note.k8s):  # what is below those is a value
                self._collect(value, below)

    def note(self, path: str) -> Note:
        """What is said of a key; of one below a "@like", what is said of the other key adds to it."""
        own = self._notes.get(path, Note())
        for root in (path[:end] for end, letter in enumerate(path) if letter == "."):
            like = self._notes.get(root, Note()).like
            if like:
                other = self.note(like + path.removeprefix(root))
                return Note(
                    own.description or other.description,
                    own.schema or other.schema,
                    own.settings or other.settings,
                    k8s=own.k8s or other.k8s,
                )
        return own


def schema_of(values: Values, value: Any, path: str) -> dict[str, Any]:
    """The schema of the key `path`, whose default is `value`."""
    note = values.note(path)
    about = {"description": note.description} if note.description else {}
    if note.settings:
        return {**about, **settings_schema(note.settings, value)}
    if note.k8s:
        return {**about, **kubernetes_schema(note.k8s)}
    if note.schema or not isinstance(value, dict):
        base: dict[str, Any] = {"type": _TYPES[type(value)]}
        return {**about, **base, **note.schema}
    below = {name: schema_of(values, default, f"{path}.{name}".strip(".")) for name, default in value.items()}
    return {**about, "type": "object", "additionalProperties": False, "properties": below, "required": sorted(below)}


def kubernetes_schema(name: str) -> dict[str, Any]:
    """The schema of one of Kubernetes' types, or of a list ("NAME[]"), by reference."""
    reference = {"$ref": f"#/definitions/{name.removesuffix('[]')}"}
    return {"type": "array", "items": reference} if name.endswith("[]") else reference


def kubernetes_definitions(schema: Any) -> dict[str, Any]:
    """Kubernetes' types that a schema refers to, and those that they refer to, without descriptions."""
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / _KUBERNETES
    known = json.loads((folder / "_definitions.json").read_text())["$defs"]
    by_name = {name.rsplit(".", 1)[-1]: of for name, of in known.items() if _STABLE.fullmatch(name)}
    found: dict[str, Any] = {}
    missing = set(_referred(schema))
    while missing:
        name = missing.pop()
        found[name] = _plain(by_name[name])
        missing |= set(_referred(found[name])) - set(found)
    return dict(sorted(found.items()))


def _referred(schema: Any) -> Iterator[str]:
    """The names that a schema refers to."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield str(schema["$ref"]).rsplit("/", 1)[-1]
        for below in schema.values():
            yield from _referred(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from _referred(below)


def _plain(schema: Any) -> Any:
    """What a schema checks: no descriptions, extensions or formats; references to "#/definitions"."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": f"#/definitions/{schema['$ref'].rsplit('/', 1)[-1].rsplit('.', 1)[-1]}"}
    if "properties" in schema:  # whose names are not words of JSON Schema
        below = {name: _plain(of) for name, of in schema["properties"].items()}
        rest = {name: of for name, of in schema.items() if name in ("required", "additionalProperties", "type")}
        return {**rest, "properties": below}
    kept = {n: of for n, of in schema.items() if n not in ("description", "format") and not n.startswith("x-")}
    return {name: _plain(of) for name, of in kept.items()}


def settings_schema(name: str, rendered_always: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a map of settings; those in `rendered_always` are required."""
    classes, of_the_chart = SETTINGS[name]
    schemas = [TypeAdapter(one).json_schema() for one in (classes if isinstance(classes, tuple) else (classes,))]
    definitions = {of: schema for whole in schemas for of, schema in whole.get("$defs", {}).items()}
    properties = {field: of for whole in schemas for field, of in whole["properties"].items()}
    fields = {field: of for field, of in properties.items() if field not in of_the_chart}
    if "tenant_limits" in fields:  # as it is written in the environment
        fields["tenant_limits"] = _TENANT_LIMITS
    schema = _closed({"type": "object", "properties": {n: _inlined(of, definitions) for n, of in fields.items()}})
    return _requiring(schema, rendered_always)


def _requiring(schema: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a map that must have the keys of `given`, at all depths: templates count on them."""
    if not given:
        return schema
    maps = {name: _requiring(schema["properties"][name], v) for name, v in given.items() if isinstance(v, Mapping)}
    return {**schema, "properties": {**schema["properties"], **maps}, "required": sorted(given)}


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """A schema without references, titles, defaults and formats."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    if "properties" in schema:
        below = {name: _inlined(of, definitions) for name, of in schema["properties"].items()}
        return _closed({"type": "object", "properties": below})
    kept = {name: of for name, of in schema.items() if name not in ("title", "default", "format")}
    return {name: _inlined(of, definitions) for name, of in kept.items()}


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "additionalProperties": False}


def rows(values: Values) -> Iterator[str]:
    """The README's table, a line each: the leaves that values.yaml writes out."""
    yield "| value | default | means |"
    yield "|---|---|---|"
    for path, node in values.written:
        note = values.note(path)
        branch = (
            isinstance(node, yaml.MappingNode)
            and not node.flow_style
            and not note.schema
            and not note.settings
            and not note.k8s
        )
        if branch and not (note.description and values._notes[path].like):
            continue
        default = "" if branch else f"`{json.dumps(_at(values.defaults, path))}`"
        yield f"| `{path}` | {default} | {note.description} |".replace("||", "|")


def _at(values: Any, path: str) -> Any:
    for name in path.split("."):
        values = values[name]
    return values


def generated(chart: Path) -> dict[Path, str]:
    """What the generated files of a chart should hold."""
    values = Values((chart / "values.yaml").read_text())
    schema = {
        "$schema": "https://json-schema.org/draft-07/schema#",
        "$comment": "Made by helm/generate.py: do not edit.",
        **schema_of(values, values.defaults, ""),
    }
    schema["properties"]["global"] = {"type": "object"}  # what Helm adds where this is a dependency
    schema["definitions"] = kubernetes_definitions(schema)
    readme = (chart / "README.md").read_text()
    before, rest = readme.split(_BEGIN)
    after = rest.split(_END)[1]
    table = "\n".join(rows(values))
    return {
        chart / "values.schema.json": json.dumps(schema, indent=2) + "\n",
        chart / "README.md": f"{before}{_BEGIN}\n{table}\n{_END}{after}",
    }


def main(arguments: list[str]) -> int:
    stale = [path for path, text in generated(CHART).items() if not path.exists() or path.read_text() != text]
    if arguments == ["--check"]:
        for path in stale:
            print(f"{path} is not up to date: run `make chart`", file=sys.stderr)  # noqa: T201
        return 1 if stale else 0
    for path in stale:
        path.write_text(generated(CHART)[path])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
