"""The calibration file of SSR_ORCHESTRATOR_CALIBRATION, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ssr.core.cascade import CascadeShape
from ssr.core.errors import InvalidRequest
from ssr.core.evidence.calibration import DOMAIN, Calibration, Entry, parse_calibration
from ssr.core.evidence.posterior import Posterior
from ssr.core.types import Options
from ssr.orchestrator.settings import DefaultOptions


def load_calibration(file: Path | None) -> Calibration:
    """The file's; without one, that nothing more is known than what comes with SSR.

    Raises: InvalidRequest naming the file, and the field that is wrong.
    """
    if file is None:
        return Calibration()
    try:
        return parse_calibration(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest("calibration", f"{file} cannot be read ({error}); name a file in UTF-8") from error


class Priors:
    """What the votes are worth, domain by domain, as far as the calibration knows."""

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self._by_domain: dict[str, Posterior] = {}

    def posterior(self, domain: str) -> Posterior:
        """Of a domain; "" is the default one."""
        name = domain or DOMAIN
        if name not in self._by_domain:
            self._by_domain[name] = Posterior(self._calibration.entry(domain=name).prior)
        return self._by_domain[name]


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
