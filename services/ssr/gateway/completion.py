"""Chat completions and their chunks, as OpenAI's clients read them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

import orjson

from ssr import __version__
from ssr.client.job_json import options_to_json, strategies_to_json, usage_to_json, votes_to_json
from ssr.core.job import Job
from ssr.core.types import Options
from ssr.gateway.answer import AnswerChoice
from ssr.gateway.usage import usage_of

#: What of the options a fingerprint is of.
_OPTIONS = tuple(sorted(name for name in Options.__dataclass_fields__ if name != "seed"))
_fingerprinted = attrgetter(*_OPTIONS)
#: Requests mostly have the options of a model.
_FINGERPRINTS = 256


def completion(model: str, job: Job, choices: Sequence[AnswerChoice]) -> dict[str, Any]:
    """The whole reply of a job that has ended."""
    return {
        **head(model, job, "chat.completion"),
        "choices": [
            {
                "index": index,
                "message": {
                    "role": "assistant",
                    "content": choice.content,
                    "refusal": None,
                    **reasoning(choice.reasoning),
                },
                "logprobs": None,
                "finish_reason": choice.finish_reason,
            }
            for index, choice in enumerate(choices)
        ],
        "usage": usage_of(job.usage, sum(choice.tokens for choice in choices)),
        "ssr": extension(job),
    }


def head(model: str, job: Job, kind: str) -> dict[str, Any]:
    """What all chunks of a reply begin with."""
    return {
        "id": f"chatcmpl-{job.job_id.removeprefix('job-')}",
        "object": kind,
        "created": created(job),
        "model": model,
        "system_fingerprint": fingerprint(job),
    }


def created(job: Job) -> int:
    return 0 if job.created is None else int(job.created.timestamp())


def fingerprint(job: Job) -> str:
    """Equal for the same version and options, whatever the seed."""
    return _fingerprint(_fingerprinted(job.options))


@lru_cache(_FINGERPRINTS)
def _fingerprint(values: tuple[object, ...]) -> str:
    options = list(zip(_OPTIONS, map(str, values), strict=True))
    return f"fp_{hashlib.sha256(f'{__version__}{options}'.encode()).hexdigest()[:10]}"


def reasoning(text: str) -> dict[str, str]:
    """Under both names that clients read; no text, no names."""
    return {"reasoning_content": text, "reasoning": text} if text else {}


def extension(job: Job) -> dict[str, Any]:
    """What of a job goes with a reply, as `ssr`."""
    return {
        "job_id": job.job_id,
        "status": str(job.status),
        "reason": job.reason,
        "answer": job.answer,
        "votes": votes_to_json(job),
        "strategies": strategies_to_json(job),
        "usage": usage_to_json(job.usage),
        "options": options_to_json(job.options),
        "tenant": job.tenant,
    }


class Chunks:
    """The chunks of one stream, as lines of server-sent events."""

    def __init__(self, model: str, job: Job) -> None:
        self._head = head(model, job, "chat.completion.chunk")

    def role(self) -> bytes:
        return self.delta({"role": "assistant", "content": ""})

    def reasoning(self, text: str) -> bytes:
        return self.delta(reasoning(text))

    def content(self, text: str, index: int = 0) -> bytes:
        return self.delta({"content": text}, index)

    def empty(self) -> bytes:
        """For clients that count chunks while nothing happens."""
        return self.delta({})

    def delta(self, delta: Mapping[str, Any], index: int = 0) -> bytes:
        return self._chunk([{"index": index, "delta": delta, "finish_reason": None}])

    def finish(self, reasons: Sequence[str], job: Job) -> bytes:
        choices = [{"index": i, "delta": {}, "finish_reason": reason} for i, reason in enumerate(reasons)]
        return self._chunk(choices, {"ssr": extension(job)})

    def usage(self, job: Job, content_tokens: int) -> bytes:
        return self._chunk([], {"usage": usage_of(job.usage, content_tokens)})

    def _chunk(self, choices: Sequence[Mapping[str, Any]], more: Mapping[str, Any] | None = None) -> bytes:
        return data({**self._head, "choices": choices, **(more or {})})


DONE = b"data: [DONE]\n\n"


def data(value: object) -> bytes:
    """One server-sent event."""
    return b"data: " + to_json(value) + b"\n\n"


def to_json(value: object) -> bytes:
    """As JSON in UTF-8."""
    return orjson.dumps(value)
