"""A method to replay: how many drafts and target paths there may be, and the rule that stops them.

Written NAME:KEY=VALUE,...; the names are presets of one rule (`core.evidence.rule`), the keys its settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from ssr.core.errors import InvalidRequest
from ssr.core.evidence.rule import Estimate, EvidenceRule, check_estimate

#: No estimate reaches it.
NEVER = 2.0


class Oracle(StrEnum):
    """A stop rule that knows the right answer: what no rule can exceed."""

    NO = ""
    STOP = "stop"  #: ends at the first moment at which the leader is right; at once, if it never will be


@dataclass(frozen=True, slots=True)
class ReplayMethod:
    """`drafts` paths of the draft model begin first, all together; then `targets` of the target's, as the rule says."""

    name: str
    rule: EvidenceRule = EvidenceRule()  # noqa: RUF009 - frozen
    drafts: int = 0
    targets: int = 4
    oracle: Oracle = Oracle.NO

    @property
    def label(self) -> str:
        """Its name and the settings in which it differs from its preset."""
        preset = PRESETS.get(self.name, self)
        changed = [
            f"{field.name}={getattr(self.rule, field.name)}"
            for field in fields(EvidenceRule)
            if getattr(self.rule, field.name) != getattr(preset.rule, field.name)
        ]
        changed += [
            f"{name}={getattr(self, name)}"
            for name in ("drafts", "targets")
            if getattr(self, name) != getattr(preset, name)
        ]
        return f"{self.name}:{','.join(changed)}" if changed else self.name


PRESETS: Mapping[str, ReplayMethod] = {
    one.name: one
    for one in (
        ReplayMethod("cascade", EvidenceRule(), drafts=3),
        ReplayMethod("target-evidence", EvidenceRule()),
        ReplayMethod("adaptive-consistency", EvidenceRule(Estimate.BETA, 0.8, 0.0)),
        ReplayMethod("esc", EvidenceRule(Estimate.UNANIMOUS, 1.0, 0.0, batch=2, first=2)),
        ReplayMethod("deepconf", EvidenceRule(Estimate.SHARE, 0.95, 0.0, first=2)),
        ReplayMethod("fixed", EvidenceRule(Estimate.BETA, NEVER, 0.0)),
        ReplayMethod("target-alone", EvidenceRule(Estimate.BETA, NEVER, 0.0), targets=1),
        ReplayMethod("drafts-alone", EvidenceRule(Estimate.BETA, NEVER, 0.0), drafts=4, targets=0),
        ReplayMethod("oracle", EvidenceRule(), drafts=3, oracle=Oracle.STOP),
    )
}

_READ: Mapping[str, Callable[[str], Any]] = {
    "estimate": str,
    "confidence": float,
    "min_gain": float,
    "first": int,
    "batch": int,
    "drafts": int,
    "targets": int,
}


def read_method(text: str) -> ReplayMethod:
    """Raises: InvalidRequest naming the preset or setting that is wrong."""
    name, _, rest = text.partition(":")
    if name not in PRESETS:
        raise InvalidRequest("method", f"{name!r} is unknown; known are {', '.join(PRESETS)}")
    method = PRESETS[name]
    for part in filter(None, rest.split(",")):
        key, _, value = part.partition("=")
        if key not in _READ:
            raise InvalidRequest("method", f"{key!r} is no setting of {name}; settings are {', '.join(_READ)}")
        try:
            given = {key: _READ[key](value)}
        except ValueError:
            raise InvalidRequest("method", f"{key}: {value!r} is no value of it") from None
        if key in ("drafts", "targets"):
            method = replace(method, **given)
        else:
            method = replace(method, rule=replace(method.rule, **given))
    check_estimate(method.rule.estimate)
    if method.drafts < 0 or method.targets < 0 or method.drafts + method.targets < 1 or method.rule.batch < 1:
        raise InvalidRequest("method", f"{text!r} needs at least one path, and a batch of at least 1")
    return method
