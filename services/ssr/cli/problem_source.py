"""Where a problem's text comes from: the command line, a file, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from ssr.core.errors import InvalidRequest
from ssr.core.limits import MAX_PROBLEM_CHARS, check_problem

STDIN = "-"
#: UTF-8 has at most four bytes a character.
_MAX_BYTES = 4 * MAX_PROBLEM_CHARS


def read_problem(argument: str | None, file: Path | None) -> str:
    """The problem's text, checked.

    Raises: InvalidRequest when there is none, there are two, or it cannot be read or is out of its limits.
    """
    if argument is not None and file is not None:
        raise InvalidRequest("problem", "is given twice, as an argument and with --file; give one of them")
    if file is not None:
        problem = _decoded("file", _read_file(file))
    elif argument == STDIN:
        problem = _decoded("problem", sys.stdin.buffer.read(_MAX_BYTES + 1))
    elif argument is not None:
        problem = argument
    else:
        raise InvalidRequest(
            "problem", "is missing; give its text as an argument, a file with --file, or - to read standard input"
        )
    problem = problem.strip()
    check_problem(problem)
    return problem


def tests_in(file: Path) -> str:
    """Raises: InvalidRequest."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest("tests", f"{file} cannot be read ({error})") from error


def _read_file(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InvalidRequest("file", f"{file} cannot be read: {error.strerror or error}; name a text file") from error


def _decoded(field: str, content: bytes) -> str:
    if len(content) > _MAX_BYTES:
        raise InvalidRequest(
            field, f"has over {_MAX_BYTES} bytes; a problem has at most {MAX_PROBLEM_CHARS} characters"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(field, f"is not UTF-8 text (byte {error.start}); convert it") from error
