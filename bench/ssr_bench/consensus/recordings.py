"""Recorded samples: lines of {"problem", "sample", "tokens": [ids]}, or "text"; "prompt" and "logprobs" if known.

Where there are tokens, a text is for people alone.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssr.core.errors import InvalidRequest

#: A word with the space before it in pieces of at most 6 letters, a digit, a run of white space, any other character.
_PIECE = re.compile(r" ?[^\W\d_]{1,6}|\d|\s+|[\W_]", re.UNICODE)


@dataclass(frozen=True, slots=True)
class RecordedText:
    """What a model wrote once: token ids. `probabilities` are the model's own, where they were recorded."""

    name: str
    tokens: tuple[int, ...]
    prompt: tuple[int, ...] = ()
    probabilities: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class RecordedProblem:
    """The recorded samples of one problem, in the order of the file."""

    name: str
    recordings: tuple[RecordedText, ...]


class Pieces:
    """Token ids for texts, where a recording has no ids of its model.

    A simple reversible splitter: real tokenizers make fewer, longer tokens, so figures from texts are only for
    comparing drafters with each other.
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._texts: list[str] = []

    def ids(self, text: str) -> tuple[int, ...]:
        return tuple(self._id(piece) for piece in _PIECE.findall(text))

    def text(self, ids: Iterable[int]) -> str:
        return "".join(self._texts[one] for one in ids)

    def _id(self, piece: str) -> int:
        known = self._ids.get(piece)
        if known is None:
            known = self._ids[piece] = len(self._texts)
            self._texts.append(piece)
        return known


def read_recordings(path: Path) -> tuple[RecordedProblem, ...]:
    """The problems of a file, in its order. Raises: InvalidRequest naming the file and the line."""
    pieces = Pieces()
    problems: dict[str, list[RecordedText]] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest("file", f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            problem, recording = _recording(line, f"{path}:{number}", pieces)
            problems.setdefault(problem, []).append(recording)
    if not problems:
        raise InvalidRequest("file", f"{path} holds no recording")
    return tuple(RecordedProblem(name, tuple(recordings)) for name, recordings in problems.items())


def _recording(line: str, where: str, pieces: Pieces) -> tuple[str, RecordedText]:
    try:
        item = json.loads(line)
    except ValueError as error:
        raise InvalidRequest("file", f"{where} is no JSON: {error}") from error
    if not isinstance(item, dict) or "problem" not in item or not {"tokens", "text"} & item.keys():
        raise InvalidRequest("file", f"{where}: give an object with problem, sample, and tokens or text")
    prompt = _ids(item.get("prompt", ()), f"{where}: prompt", pieces)
    tokens = _ids(item.get("tokens", item.get("text")), f"{where}: tokens", pieces)
    name = str(item.get("sample", ""))
    return str(item["problem"]), RecordedText(name, tokens, prompt, _probabilities(item, len(tokens), where))


def _ids(value: Any, where: str, pieces: Pieces) -> tuple[int, ...]:
    if isinstance(value, str):
        return pieces.ids(value)
    if isinstance(value, Sequence) and all(type(one) is int and one >= 0 for one in value):
        return tuple(value)
    raise InvalidRequest("file", f"{where} must be token ids, which are not negative")


def _probabilities(item: dict[str, Any], count: int, where: str) -> tuple[float, ...] | None:
    logprobs = item.get("logprobs")
    if logprobs is None:
        return None
    if not isinstance(logprobs, list) or len(logprobs) != count:
        raise InvalidRequest("file", f"{where}: logprobs must be as many as there are tokens")
    return tuple(math.exp(min(0.0, float(one))) for one in logprobs)
