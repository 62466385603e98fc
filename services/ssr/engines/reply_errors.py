"""What an engine's error replies mean.

They are told apart by HTTP status, then by the structured error in the body, never by the wording of a message.
"""

from __future__ import annotations

import json
import re

from ssr.core.errors import (
    BadReply,
    CapabilityMissing,
    InvalidRequest,
    NotFound,
    Overloaded,
    SsrError,
    TimedOut,
    Unavailable,
)

_QUOTED = re.compile(r"`(\w+)`")
#: An engine's name for a field of the request -> ours.
_FIELDS = {
    "inputs": "prompt",
    "input_tokens": "prompt",
    "exceed_context_size_error": "prompt",
    "max_new_tokens": "max_tokens",
    "top_n_tokens": "top_n",
    "logprobs": "top_n",
}


def reply_error(url: str, status: int, body: bytes, retry_after: str | None = None) -> SsrError:
    """What an HTTP error reply means. `body` is TGI's {error, error_type} or OpenAI's {error: {message, ...}}."""
    message, kind, field = _described(body)
    said = f"{url} answered {status}: {message or 'no explanation'}"
    if status == 429 or kind == "overloaded":
        return Overloaded(said, _seconds(retry_after))
    if status in (408, 504):
        return TimedOut(said)
    if status in (401, 403):
        return CapabilityMissing(f"{said} (set the engine's api_key to one it accepts)")
    if status in (404, 405):
        return NotFound(f"{said} (check the engine's URL, its kind and the model's name)")
    if status == 501:
        return CapabilityMissing(said)
    if status == 424 or status >= 500:
        return Unavailable(said)
    if status in (400, 413, 422):
        return InvalidRequest(field, said)
    return BadReply(said)


def _described(body: bytes) -> tuple[str, str, str]:
    """The message, the kind and the field (in our words, "request" when it does not tell) of an error's body."""
    text = body.decode(errors="replace")
    try:
        document = json.loads(text)
    except ValueError:
        return text[:200], "", "request"
    if not isinstance(document, dict):
        return text[:200], "", "request"
    error = document.get("error")
    if isinstance(error, dict):  # OpenAI's shape; older vLLM has it without the envelope
        document, error = error, error.get("message")
    message = str(error or document.get("message") or text)[:1000]
    kind = str(document.get("error_type") or document.get("type") or "")
    quoted = _QUOTED.search(message)
    named = str(document.get("param") or (quoted[1] if quoted else kind))
    return message, kind, _FIELDS.get(named, named if quoted or document.get("param") else "request")


def _seconds(retry_after: str | None) -> float:
    try:
        return max(0.0, float(retry_after or ""))
    except ValueError:
        return 1.0
