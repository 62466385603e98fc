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
    scores:                              # a scorer's scores as probabilities: core.evidence.curve
      - scorer: judge                    # also asked for as arithmetic+judge and agreement+judge
        draft: Qwen2.5-Coder-0.5B        # as above
        isotonic: [[2.1, 0.08], [6.3, 0.31], [8.7, 0.6]]
      - scorer: expected
        logistic: {intercept: -2.1, slope: 0.31}

The first entry that fits a request counts. Fields that are not known are ignored, so that a newer file can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ssr.core.errors import InvalidRequest
from ssr.core.evidence.curve import Isotonic, Logistic, ScoreCurve
from ssr.core.evidence.prior import Fluency, Length, PathAuthor, Prior, Sign, Skill

VERSION = 1
#: Of requests that name none.
DOMAIN = "mathematics"
_NAMES = ("draft", "target", "domain", "note")


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


@dataclass(frozen=True, slots=True)
class ScoreEntry:
    """A scorer's curve, and what it is for; "" stands for any."""

    scorer: str
    curve: ScoreCurve
    draft: str = ""
    target: str = ""
    domain: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The entries of a file, in its order."""

    entries: tuple[Entry, ...] = ()
    scores: tuple[ScoreEntry, ...] = ()

    def curve(self, scorer: str, draft: str = "", target: str = "", domain: str = DOMAIN) -> ScoreCurve | None:
        """That of a scorer, or of the part of it that scores what its first part lets pass; None: scores stand as they
        are."""
        names = (scorer, scorer.partition("+")[2])
        found = (one for name in names if name for one in self.scores if one.scorer == name)
        return next((one.curve for one in found if _fits(one, draft, target, domain)), None)

    def entry(self, draft: str = "", target: str = "", domain: str = DOMAIN) -> Entry:
        """What is known of a pair in a domain; the defaults where nothing is."""
        return next((one for one in self.entries if _fits(one, draft, target, domain)), Entry(Prior()))


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
    return Calibration(tuple(entries), _scores(document.get("scores") or ()))


def calibration_text(calibration: Calibration) -> str:
    """The file's text."""
    document: dict[str, Any] = {"version": VERSION, "priors": [_fields(entry) for entry in calibration.entries]}
    if calibration.scores:
        document["scores"] = [_score_fields(entry) for entry in calibration.scores]
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


def _fits(entry: Entry | ScoreEntry, draft: str, target: str, domain: str) -> bool:
    """Whether it is for these; a model that is not named ("") may be any."""
    models = ((entry.draft, draft), (entry.target, target))
    named = all(not name or part.casefold() in name.casefold() for part, name in models)
    return named and entry.domain in ("", domain)


def _scores(entries: Any) -> tuple[ScoreEntry, ...]:
    """Raises: InvalidRequest naming the entry. One whose kind of curve is not known is left out."""
    found = []
    for number, fields in enumerate(entries):
        field = f"calibration.scores[{number}]"
        try:
            if "isotonic" in fields:
                curve: ScoreCurve = Isotonic(tuple((float(s), float(p)) for s, p in fields["isotonic"]))
            elif "logistic" in fields:
                curve = Logistic(float(fields["logistic"]["intercept"]), float(fields["logistic"]["slope"]))
            else:
                continue
            names = {name: str(fields.get(name) or "") for name in _NAMES}
            found.append(ScoreEntry(str(fields["scorer"]), curve, **names))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidRequest(field, f"is incomplete or of a wrong shape: {error}") from error
        except InvalidRequest as error:
            raise InvalidRequest(field, str(error)) from error
    return tuple(found)


def _score_fields(entry: ScoreEntry) -> dict[str, Any]:
    fields: dict[str, Any] = {"scorer": entry.scorer}
    fields |= {name: text for name in _NAMES if (text := getattr(entry, name))}
    match entry.curve:
        case Isotonic(knots):
            fields["isotonic"] = [[round(score, 3), round(chance, 4)] for score, chance in knots]
        case Logistic(intercept, slope):
            fields["logistic"] = {"intercept": round(intercept, 4), "slope": round(slope, 4)}
    return fields


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
    names = {name: str(fields.get(name) or "") for name in _NAMES}
    return Entry(prior, suggestion=suggestion, **names)


def _fields(entry: Entry) -> dict[str, Any]:
    prior, suggestion = entry.prior, entry.suggestion
    names = {name: text for name in _NAMES if (text := getattr(entry, name))}
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
