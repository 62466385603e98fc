"""Settings from environment variables, SSR_CONSENSUS_ and the field's name: an engine passes on nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from ssr.consensus.settings import ConsensusSettings
from ssr.core.errors import InvalidRequest

_PREFIX = "SSR_CONSENSUS_"

#: Inside an engine tenants cannot be distinguished, so nothing is taken from one problem to another unless asked for.
_DEFAULTS = {"history_weight": 0.0}

Settings = TypeVar("Settings")


@dataclass(frozen=True, slots=True)
class ProposerSettings:
    """How requests are distinguished and belong together. Raises: InvalidRequest naming the field."""

    prefix_share: float = 1.0
    """Of the shorter prompt that two requests of a group share at least; at 1 one equals or continues the other."""
    prefix_tokens: int = 16
    """That two different prompts of one group share at least; equal ones may be shorter."""
    request_idle_s: float = 30.0
    """After which a request that is in no batch any more counts as finished; until then it may be preempted."""
    group_idle_s: float = 120.0
    """After which a group of which nothing runs has ended."""
    log_s: float = 60.0
    """Between two log lines with the counts; 0 for none."""
    group_until: str = ""
    """A text, such as "Approach:", that stands at the beginning of a line of a prompt where the problem is over.

    Requests whose prompts are equal up to there are one group, whatever follows; prompts without it as above.
    """
    pass_budget: int = 0
    """Draft tokens of all requests of a pass together, those most likely accepted; 0: no bound but each one's."""
    min_gain: float = 1.0
    """Drafting rests while a pass with drafts yields less than so many times the tokens a second of one without.

    Both are measured all the time, for each size of batch; 0 never rests, nor do workers in tensor parallel.
    """

    def __post_init__(self) -> None:
        if not 0.0 < self.prefix_share <= 1.0:
            raise InvalidRequest("prefix_share", "must be above 0, and at most 1")
        for field in ("prefix_tokens", "request_idle_s", "group_idle_s", "log_s", "pass_budget", "min_gain"):
            if not 0 <= getattr(self, field) < float("inf"):
                raise InvalidRequest(field, "must not be negative")


def settings_from(environment: Mapping[str, str]) -> tuple[ConsensusSettings, ProposerSettings]:
    """Both kinds of settings. Raises: InvalidRequest naming the variable that is unknown or not of its type."""
    known = {field.name for kind in (ConsensusSettings, ProposerSettings) for field in fields(kind)}
    for name in environment:
        if name.startswith(_PREFIX) and name.removeprefix(_PREFIX).lower() not in known:
            raise InvalidRequest(name, "is no setting")
    return _read(ConsensusSettings, environment, _DEFAULTS), _read(ProposerSettings, environment, {})


def _read(kind: type[Settings], environment: Mapping[str, str], defaults: Mapping[str, Any]) -> Settings:
    values = dict(defaults)
    for field in fields(kind):  # type: ignore[arg-type]  # both kinds are dataclasses
        text = environment.get(_PREFIX + field.name.upper())
        if text is not None:
            values[field.name] = _value(_PREFIX + field.name.upper(), text, type(field.default))
    return kind(**values)


def _value(name: str, text: str, kind: type) -> Any:
    try:
        if kind is tuple:
            return tuple(int(part) for part in text.strip("[]").split(","))
        return kind(text)
    except ValueError:
        raise InvalidRequest(name, f"{text!r} is no {'list of numbers' if kind is tuple else kind.__name__}") from None
