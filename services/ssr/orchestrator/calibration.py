"""What follows from the calibration file for the pair of models that is served."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from ssr.core.agreement import DEFAULT_CURVE
from ssr.core.cascade import CascadeShape
from ssr.core.errors import SsrError
from ssr.core.evidence.calibration import DOMAIN, Calibration, Entry
from ssr.core.evidence.curve import ScoreCurve
from ssr.core.evidence.posterior import Posterior
from ssr.core.types import Options
from ssr.orchestrator.settings import DefaultOptions
from ssr.v1 import step_pb2

#: How long the services have to say which models they have, and when they are asked again, in seconds.
_ASK_S, _SOON_S, _LATER_S = 3.0, 2.0, 60.0

_Measure = Callable[[str], Awaitable[step_pb2.MeasureResponse]]


class Priors:
    """What votes and scores are worth for a pair, domain by domain, as far as the calibration knows.

    `draft` and `target` are the models' names, "" until they are known: then entries of any models fit, the first ones
    first.
    """

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self.draft = self.target = ""
        self._posteriors: dict[int, Posterior] = {}

    @property
    def depend_on_models(self) -> bool:
        """Whether it makes a difference which models are served."""
        priors, scores = self._calibration.entries, self._calibration.scores
        return any(one.draft or one.target for one in priors) or any(one.draft or one.target for one in scores)

    def entry(self, domain: str) -> Entry:
        """Of a domain; "" is the default one."""
        return self._calibration.entry(self.draft, self.target, domain or DOMAIN)

    def posterior(self, domain: str) -> Posterior:
        """Of a domain; "" is the default one. It remembers, so there is one for each entry."""
        entry = self.entry(domain)
        place = next((number for number, one in enumerate(self._calibration.entries) if one is entry), -1)
        if place not in self._posteriors:
            self._posteriors[place] = Posterior(entry.prior)
        return self._posteriors[place]

    def agreement(self, domain: str) -> ScoreCurve:
        """That of the scorer agreement."""
        known = self._calibration.curve("agreement", self.draft, self.target, domain or DOMAIN)
        return DEFAULT_CURVE if known is None else known


async def learn_models(priors: Priors, draft: _Measure, target: _Measure) -> None:
    """Keep the names of the models up to date, until it is cancelled; a service that is away keeps its last name."""
    while True:
        priors.draft = await _name(draft) or priors.draft
        priors.target = await _name(target) or priors.target
        await asyncio.sleep(_LATER_S if priors.draft and priors.target else _SOON_S)


async def _name(measure: _Measure) -> str:
    """ "" where nobody says within the time."""
    try:
        async with asyncio.timeout(_ASK_S):
            return (await measure("1")).model
    except (SsrError, TimeoutError):
        return ""


def calibrated(defaults: DefaultOptions, entry: Entry) -> Options:
    """The defaults, with what the calibration suggests where the settings do not say."""
    options, said = defaults.options(), entry.suggestion
    if said is None:
        return options
    if "confidence" not in defaults.model_fields_set:
        options = replace(options, confidence=said.confidence)
    return options if "min_gain" in defaults.model_fields_set else replace(options, min_gain=said.min_gain)


def cascade_shape(entry: Entry) -> CascadeShape:
    """What the calibration suggests for mode cascade."""
    said = entry.suggestion
    return CascadeShape() if said is None else CascadeShape(said.paths, said.draft_paths)
