"""What a model's name says about its size."""

from __future__ import annotations

import re

_UNITS = {"m": 1e6, "b": 1e9, "t": 1e12}
_SIZE = re.compile(
    r"(?<![a-z0-9.])(?P<active>a?)(?P<number>\d{1,6}(?:\.\d{1,6})?)(?P<unit>[mbt])(?![a-z0-9])", re.IGNORECASE
)


def parameters_from_name(model: str) -> int | None:
    """The parameters that work on each token: "Qwen2.5-1.5B-Instruct" has 1.5e9, "Qwen3-30B-A3B" has 3e9.

    None when the name does not say it, which includes mixtures named like "8x7B".
    """
    name = model.rstrip("/").rsplit("/", 1)[-1]
    sizes = list(_SIZE.finditer(name))
    if not sizes:
        return None
    chosen = next((size for size in sizes if size["active"]), sizes[0])
    return round(float(chosen["number"]) * _UNITS[chosen["unit"].lower()])
