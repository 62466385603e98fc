"""The calibration file: priors per pair of models and domain.

`ssr bench calibrate` fits and writes it, the orchestrator reads it (SSR_ORCHESTRATOR_CALIBRATION).

    version: 1
    priors:
      - draft: Qwen2.5-Coder-0.5B        # a model's name, or a part of it; absent: any
        target: Qwen2.5-Coder-1.5B
        domain: mathematics              # absent: any
        skills: {draft: {mean: -0.6, spread: 2.4}, verified: {...}, target: {...}}
        correlation: 0.9
        wrong: [[0.2, 1], [0.3, 4], [0.5, 24]]        # weight, concentration
        false_sum: {seen: -2.8, unseen: 0.2}          # log likelihood ratios
        fluency: {draft: {mean: -0.16, slope: 3}, target: {mean: -0.13, slope: 8}}   # a ratio for each nat
        length: {mean: 5.4, spread: 0.5, correlation: 0.4}                           # log of a path's tokens
        suggestion: {draft_paths: 4, paths: 8, confidence: 0.9, min_gain: 0.04}

The first entry that fits a request counts. Fields that are not known are ignored, so that a newer file can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ssr.core.errors import InvalidRequest
from ssr.core.evidence.prior import Fluency, Length, PathAuthor, Prior, Sign, Skill

VERSION = 1
#: Of requests that name none.
DOMAIN = "mathematics"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What pays for this pair: `draft_paths` 0 where drafting does not, and then the target votes alone."""

    draft_paths: int
    paths: int
    confidence: float
    min_gain: float


@dataclass(frozen=True, slots=True)
class Entry:
    """A prior, and what it is for; "" stands for any."""

    prior: Prior
    draft: str = ""
    target: str = ""
    domain: str = ""
    suggestion: Suggestion | None = None
    note: str = ""

    def fits(self, draft: str, target: str, domain: str) -> bool:
        """Whether it is for these; a model that is not named ("") may be any."""
        models = ((self.draft, draft), (self.target, target))
        named = all(not name or part.casefold() in name.casefold() for part, name in models)
        return named and self.domain in ("", domain)


@dataclass(frozen=True, slots=True)
class Calibration:
    """The entries of a file, in its order."""

    entries: tuple[Entry, ...] = ()

    def entry(self, draft: str = "", target: str = "", domain: str = DOMAIN) -> Entry:
        """What is known of a pair in a domain; the defaults where nothing is."""
        return next((one for one in self.entries if one.fits(draft, target, domain)), Entry(Prior()))


def parse_calibration(text: str) -> Calibration:
    """Raises: InvalidRequest naming the field."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidRequest("calibration", f"is not YAML: {error}") from error
    if not isinstance(document, Mapping) or document.get("version") != VERSION:
        raise InvalidRequest("calibration.version", f"must be {VERSION}")
    entries = []
    for number, fields in enumerate(document.get("priors") or ()):
        try:
            entries.append(_entry(fields))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidRequest(
                f"calibration.priors[{number}]", f"is incomplete or of a wrong shape: {error}"
            ) from error
        except InvalidRequest as error:
            raise InvalidRequest(f"calibration.priors[{number}]", str(error)) from error
    return Calibration(tuple(entries))


def calibration_text(calibration: Calibration) -> str:
    """The file's text."""
    document = {"version": VERSION, "priors": [_fields(entry) for entry in calibration.entries]}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


def _entry(fields: Mapping[str, Any]) -> Entry:
    skills = dict(Prior().skills)
    skills |= {
        PathAuthor(name): Skill(float(one["mean"]), float(one["spread"])) for name, one in fields["skills"].items()
    }
    wrong = tuple((float(weight), float(concentration)) for weight, concentration in fields["wrong"])
    sign = Sign(float(fields["false_sum"]["seen"]), float(fields["false_sum"]["unseen"]))
    fluency = {
        PathAuthor(name): Fluency(float(one["mean"]), float(one["slope"]))
        for name, one in (fields.get("fluency") or {}).items()
    }
    length = Length(**{name: float(fields["length"][name]) for name in Length.__dataclass_fields__})
    prior = Prior(skills, float(fields["correlation"]), wrong, sign, fluency, length)
    said = fields.get("suggestion")
    suggestion = None
    if said:
        suggestion = Suggestion(
            int(said["draft_paths"]), int(said["paths"]), float(said["confidence"]), float(said["min_gain"])
        )
    names = {name: str(fields.get(name) or "") for name in ("draft", "target", "domain", "note")}
    return Entry(prior, suggestion=suggestion, **names)


def _fields(entry: Entry) -> dict[str, Any]:
    prior, suggestion = entry.prior, entry.suggestion
    names = {name: text for name in ("draft", "target", "domain", "note") if (text := getattr(entry, name))}
    fields: dict[str, Any] = {
        **names,
        "skills": {str(a): {"mean": round(s.mean, 3), "spread": round(s.spread, 3)} for a, s in prior.skills.items()},
        "correlation": round(prior.correlation, 3),
        "wrong": [[round(weight, 4), concentration] for weight, concentration in prior.wrong],
        "false_sum": {"seen": round(prior.false_sum.seen, 3), "unseen": round(prior.false_sum.unseen, 3)},
        "fluency": {str(a): {"mean": round(f.mean, 4), "slope": round(f.slope, 2)} for a, f in prior.fluency.items()},
    }
    fields["length"] = {name: round(getattr(prior.length, name), 3) for name in Length.__dataclass_fields__}
    if suggestion is not None:
        fields["suggestion"] = {name: getattr(suggestion, name) for name in Suggestion.__dataclass_fields__}
    return fields
