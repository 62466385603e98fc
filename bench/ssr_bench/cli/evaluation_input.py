"""What an evaluation's command line says, read: lists, options of a job, and the machine it is measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

from ssr.core.errors import InvalidRequest


def names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def numbers(field: str, text: str, kind: Callable[[str], Any]) -> tuple[Any, ...]:
    """Raises: InvalidRequest naming `field`."""
    try:
        return tuple(kind(part) for part in names(text))
    except ValueError:
        raise InvalidRequest(field, f"{text!r} is no list of numbers; give such as 1,3,5") from None


def job_option(text: str) -> tuple[str, Any]:
    """Name and value of an option of a job. Raises: InvalidRequest."""
    from ssr.client import SolveOptions

    name, is_given, value = text.partition("=")
    kinds = get_type_hints(SolveOptions)
    if name not in kinds or not is_given:
        raise InvalidRequest("option", f"{text!r} is no NAME=VALUE; names are {', '.join(kinds)}")
    try:
        return name, _reader(kinds[name])(value)
    except (KeyError, ValueError):
        raise InvalidRequest(name, f"{value!r} is no value of it") from None


_READ: dict[Any, Callable[[str], Any]] = {
    int: int,
    float: float,
    bool: {"true": True, "false": False}.__getitem__,
}


def _reader(kind: Any) -> Callable[[str], Any]:
    """Of an option's type; one that may be None (leave it out for that) is read as what it is otherwise."""
    return next((_READ[one] for one in (kind, *get_args(kind)) if one in _READ), str)


def machine() -> str:
    """The machine in words."""
    return f"{platform.platform()}, {os.cpu_count()} logical CPUs ({_processor()})"


def commit() -> str:
    """The commit of the checkout that this program runs from, "+" behind it where files are changed; "" elsewhere."""
    folder = Path(__file__).resolve().parents[3]
    if not (folder / ".git").exists():
        return ""
    try:
        head, changes = (
            subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=True).stdout
            for words in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return head.strip() + ("+" if changes.strip() else "")


def _processor() -> str:
    """The processor by name, as far as the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
