"""The calibration file of SSR_ORCHESTRATOR_CALIBRATION and SSR_VERIFIER_CALIBRATION."""

from __future__ import annotations

from pathlib import Path

from ssr.core.errors import InvalidRequest
from ssr.core.evidence.calibration import Calibration, parse_calibration


def load_calibration(file: Path | None, option: str = "calibration") -> Calibration:
    """The file's; without one, that nothing more is known than what comes with SSR.

    Raises: InvalidRequest naming the file, and the field that is wrong; `option` where the file cannot be read.
    """
    if file is None:
        return Calibration()
    try:
        return parse_calibration(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(option, f"{file} cannot be read ({error}); name a file in UTF-8") from error
