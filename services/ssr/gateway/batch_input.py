"""The lines of a batch's input file: checked like the requests that they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ssr.client import BatchItem
from ssr.core.job import Priority
from ssr.gateway import fields
from ssr.gateway.asking import Ask, ask, fingerprint_of
from ssr.gateway.chat_request import read_chat
from ssr.gateway.conversation import PlainRule
from ssr.gateway.errors import ApiError, refused
from ssr.gateway.joining import MODEL
from ssr.gateway.models import Models
from ssr.gateway.response_object import EFFORT, PLAIN, RESPONSE
from ssr.gateway.response_request import METADATA, read_response

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
ENDPOINTS = (CHAT, RESPONSES)
MAX_LINES = 1000
_MAX_CUSTOM_ID = 128
#: Errors that are reported of one file.
_MAX_ERRORS = 100
#: Of a job of a batch whose line is a chat completion: what of it is not the job's own to say, as words.
CHAT_LINE = "gateway.chat"
_N, _STOPS = "n=", "stop"


@dataclass(frozen=True, slots=True)
class Line:
    """One request: what it is called by its caller, and what of it is a job's."""

    custom_id: str
    item: BatchItem


@dataclass(frozen=True, slots=True)
class LineError:
    """`line` from 1; None: of the file as a whole."""

    line: int | None
    code: str
    message: str
    param: str | None = None

    def fields(self) -> dict[str, Any]:
        return {"code": self.code, "line": self.line, "message": self.message, "param": self.param}


def read_lines(content: bytes, endpoint: str, models: Models, plain: PlainRule) -> tuple[list[Line], list[LineError]]:
    """The requests of a file, and what is wrong with it; with an error there is no batch."""
    given = [(number, line) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
    if not given:
        return [], [LineError(None, "empty_file", "the file has no lines")]
    if len(given) > MAX_LINES:
        message = f"the file has {len(given)} lines; at most {MAX_LINES} are allowed: make several batches"
        return [], [LineError(None, "too_many_lines", message)]
    lines: list[Line] = []
    errors: list[LineError] = []
    seen: set[str] = set()
    for number, text in given:
        try:
            line = _line(text, endpoint, models, plain)
            if line.custom_id in seen:
                raise refused("custom_id", f"{line.custom_id!r} is in an earlier line, too", "duplicate_custom_id")
        except ApiError as error:
            errors.append(LineError(number, error.code or "invalid_request", error.message, error.param))
            continue
        seen.add(line.custom_id)
        lines.append(line)
    return lines, errors[:_MAX_ERRORS]


def _line(text: bytes, endpoint: str, models: Models, plain: PlainRule) -> Line:
    whole = fields.read_json(text)
    fields.check_known(whole, ("custom_id", "method", "url", "body"), {})
    custom_id = fields.text(whole, "custom_id")
    if not custom_id or len(custom_id) > _MAX_CUSTOM_ID:
        raise refused("custom_id", f"must be a text of 1..{_MAX_CUSTOM_ID} characters")
    if whole.get("method") != "POST":
        raise refused("method", "must be POST")
    if whole.get("url") != endpoint:
        raise refused("url", f"must be the batch's endpoint, {endpoint}")
    body = whole.get("body")
    if not isinstance(body, dict):
        raise refused("body", "must be an object")
    if fields.truth(body, "stream"):
        raise refused("stream", "is not for batches", "unsupported_parameter")
    asked, labels = _asked(body, endpoint, models, plain)
    if asked.user:
        raise refused("user", "is not for batches: their jobs are of one tenant", "unsupported_parameter")
    priority = Priority.BATCH if "priority" not in (body.get("ssr") or {}) else asked.priority
    labels = {**asked.labels, **labels, MODEL: asked.model}
    return Line(custom_id, BatchItem(asked.problem, asked.options, labels, priority))


def _asked(body: dict[str, Any], endpoint: str, models: Models, plain: PlainRule) -> tuple[Ask, dict[str, str]]:
    """A line's request, and the labels that its reply is made by."""
    if endpoint == CHAT:
        chat = read_chat(body, models)
        asked = ask(chat.asked, plain, fingerprint_of("", "", body))
        if asked.stops:
            raise refused(_STOPS, "is not for batches", "unsupported_parameter")
        return asked, {CHAT_LINE: " ".join([f"{_N}{asked.n}", *([PLAIN] if asked.plain else [])])}
    read = read_response(body, models)
    if read.background:
        raise refused("background", "is not for batches", "unsupported_parameter")
    asked = ask(read.asked, plain, fingerprint_of("", "", body))
    labels = {RESPONSE: " ".join(["response", *([PLAIN] if asked.plain else [])])}
    labels |= {EFFORT: read.asked.effort} if read.asked.effort else {}
    return asked, labels | {f"{METADATA}{key}": value for key, value in read.metadata.items()}


def chat_shape(words: Sequence[str]) -> tuple[int, bool]:
    """n, and whether no solution was asked for, of a label CHAT_LINE."""
    n = next((int(word.removeprefix(_N)) for word in words if word.startswith(_N)), 1)
    return n, PLAIN in words
