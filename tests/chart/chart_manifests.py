"""What the Helm chart renders to, by Helm's own engine."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "ssr"
PRESETS = tuple(sorted(path.stem for path in (CHART / "presets").glob("*.yaml")))
SERVICES = ("orchestrator", "selector", "drafter", "verifier")

#: Changes of the values that are made from several: parts of combinations.
SCALABLE = {"engines": {"draft": {"cache": {"enabled": False}}, "target": {"cache": {"enabled": False}}}}
BUILTIN = {**SCALABLE, "autoscaling": {"kind": "builtin"}}
KEDA = {**SCALABLE, "autoscaling": {"kind": "keda"}}
ASLEEP = {"autoscaling": {"settings": {"draft": {"min_replicas": 0}, "target": {"min_replicas": 0}}}}
#: Neither TLS nor API keys, as on a machine of one's own.
OPEN = {"tls": {"kind": "none"}, "api": {"keys": "none"}}
OWN_CERTIFICATES = {"tls": {"kind": "secrets", "secrets": {name: f"{name}-cert" for name in (*SERVICES, "client")}}}
MANAGED_CERTIFICATES = {"tls": {"kind": "certManager"}}
WATCHED = {
    "metrics": {"enabled": True},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}, "alertLabels": {"team": "maths"}},
    "dashboard": {"enabled": True},
    "logs": {"format": "json"},
    "tracing": {"otlpEndpoint": "http://collector.monitoring:4317"},
}
GATEWAY = {
    "gateway": {
        "enabled": True,
        "route": {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["openai.example.com"]},
        "ingress": {"enabled": True, "hosts": ["openai.example.com"]},
    }
}
KEYS = {"api": {"keysSecret": "keys"}, "test": {"apiKeySecret": {"name": "key"}}}
PODS_BY_CPU = {"services": {name: {"autoscaling": {"enabled": True}} for name in SERVICES}}

Values = Mapping[str, Any]
Manifest = dict[str, Any]


def helm() -> Any:
    """Helm's engine; without it the test is skipped."""
    return pytest.importorskip("helm_python", reason="the tests of the chart need helm-python-sdk (make test has it)")


def preset(name: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((CHART / "presets" / f"{name}.yaml").read_text())
    return values


def values_of(**settings: Any) -> dict[str, Any]:
    """Values from dotted names: values_of(**{"redis.kind": "external"})."""
    values: dict[str, Any] = {}
    for path, value in settings.items():
        *folders, last = path.split(".")
        place = values
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = value
    return values


def over(base: Values, changes: Values) -> dict[str, Any]:
    """`base` with the changes put over it, at all depths, as Helm does with several values files."""
    merged = dict(base)
    for name, change in changes.items():
        old = merged.get(name)
        both = isinstance(old, Mapping) and isinstance(change, Mapping)
        merged[name] = over(old, change) if both else change  # type: ignore[arg-type]
    return merged


def all_of(*changes: Values) -> dict[str, Any]:
    """Several changes, each over those before."""
    return functools.reduce(over, changes, {})


@dataclass(frozen=True)
class Manifests:
    """The objects of one release."""

    objects: tuple[Manifest, ...]
    notes: str

    def of(self, kind: str) -> list[Manifest]:
        return [manifest for manifest in self.objects if manifest["kind"] == kind]

    def one(self, kind: str, name: str) -> Manifest:
        (found,) = (manifest for manifest in self.of(kind) if manifest["metadata"]["name"] == name)
        return found

    def pods(self) -> Iterator[tuple[str, Manifest]]:
        """Component and pod template of everything that runs."""
        for manifest in self.objects:
            pod = manifest["spec"].get("template") if manifest["kind"] in ("Deployment", "StatefulSet") else None
            if manifest["kind"] == "Pod":
                pod = manifest
            if pod:
                yield component_of(pod), pod

    def pod(self, component: str) -> Manifest:
        """spec of the component's pod."""
        (spec,) = (pod["spec"] for name, pod in self.pods() if name == component)
        return spec  # type: ignore[no-any-return]

    def container(self, component: str) -> Manifest:
        (container,) = self.pod(component)["containers"]
        return container  # type: ignore[no-any-return]

    def environment(self, component: str) -> dict[str, str]:
        """The variables with their values; others as "secret:NAME/KEY" and "field:PATH"."""
        return {one["name"]: _value(one) for one in self.container(component).get("env", [])}


def _value(variable: Manifest) -> str:
    if "value" in variable:
        return str(variable["value"])
    source = variable["valueFrom"]
    if "fieldRef" in source:
        return f"field:{source['fieldRef']['fieldPath']}"
    secret = source["secretKeyRef"]
    return f"secret:{secret['name']}/{secret['key']}"


def component_of(manifest: Manifest) -> str:
    return str(manifest["metadata"]["labels"]["app.kubernetes.io/component"])


@functools.cache
def _chart() -> Any:
    return helm().Chart.load(CHART)


@functools.cache
def _rendered(values: str, name: str, namespace: str) -> str:
    chart = _chart()
    chart.validate_schema(json.loads(values))
    return json.dumps(chart.render(json.loads(values), name=name, namespace=namespace))


@functools.cache  # most files are the same in most renderings
def _parsed(text: str) -> str:
    documents = yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return json.dumps([document for document in documents if document])


def render(values: Values, *, name: str = "ssr", namespace: str = "ssr") -> Manifests:
    """The release's objects.

    Raises: HelmError where the values are wrong.
    """
    files: dict[str, str] = json.loads(_rendered(json.dumps(values), name, namespace))
    parsed = (json.loads(_parsed(text)) for path, text in files.items() if path.endswith(".yaml"))
    notes = next(text for path, text in files.items() if path.endswith("NOTES.txt"))
    return Manifests(tuple(itertools.chain.from_iterable(parsed)), notes)
