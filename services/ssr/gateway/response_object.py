"""A response of OpenAI's Responses API: a job in its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ssr.core.job import Job, JobStatus
from ssr.core.ledger import Usage
from ssr.gateway.completion import created, extension
from ssr.gateway.errors import ApiError
from ssr.gateway.joining import MODEL
from ssr.gateway.response_request import METADATA
from ssr.gateway.usage import usage_of

#: A label of every job that is a response: what of it is not the job's own to say, as words.
RESPONSE = "gateway.response"
BACKGROUND, UNSTORED, PLAIN = "background", "unstored", "plain"
EFFORT = "gateway.effort"
_PREFIX, _JOB = "resp_", "job-"
_STATUS = {
    JobStatus.QUEUED: "queued",
    JobStatus.RUNNING: "in_progress",
    JobStatus.ANSWERED: "completed",
    JobStatus.NO_ANSWER: "completed",
    JobStatus.PARTIAL: "incomplete",
    JobStatus.CANCELLED: "cancelled",
}


def response_id(job_id: str) -> str:
    return f"{_PREFIX}{job_id.removeprefix(_JOB)}"


def job_id_of(identifier: str) -> str:
    """Raises: ApiError 404 for what is no response's id."""
    if not identifier.startswith(_PREFIX) or not identifier.isascii():
        raise no_response(identifier)
    return f"{_JOB}{identifier.removeprefix(_PREFIX)}"


def no_response(identifier: str) -> ApiError:
    shown = identifier[:80]
    return ApiError(404, f"Response with id {shown!r} not found: there is none, or it has expired", code="not_found")


def words_of(job: Job) -> frozenset[str] | None:
    """The words of the label RESPONSE; None for a job that is no response."""
    label = dict(job.labels).get(RESPONSE)
    return None if label is None else frozenset(label.split())


def message_id(job: Job) -> str:
    return f"msg_{job.job_id.removeprefix(_JOB)}"


def reasoning_id(job: Job) -> str:
    return f"rs_{job.job_id.removeprefix(_JOB)}"


def reasoning_item(job: Job, text: str, status: str) -> dict[str, Any]:
    summary = [summary_part(text)] if status != "in_progress" else []
    return {"id": reasoning_id(job), "type": "reasoning", "summary": summary, "status": status}


def summary_part(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}


def message_item(job: Job, text: str, status: str) -> dict[str, Any]:
    content = [text_part(text)] if status != "in_progress" else []
    return {"id": message_id(job), "type": "message", "role": "assistant", "status": status, "content": content}


def text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def response_object(job: Job, output: Sequence[Mapping[str, Any]] = (), content_tokens: int = 0) -> dict[str, Any]:
    """The job as a response, with the output that its events report."""
    labels, words = dict(job.labels), words_of(job) or frozenset()
    ended = job.status.final
    return {
        "id": response_id(job.job_id),
        "object": "response",
        "created_at": created(job),
        "completed_at": int(job.finished.timestamp()) if job.finished is not None else None,
        "status": _STATUS.get(job.status, "failed"),
        "background": BACKGROUND in words,
        "error": error_of(job),
        "incomplete_details": {"reason": "max_output_tokens"} if job.status is JobStatus.PARTIAL else None,
        "instructions": None,
        "max_output_tokens": job.options.max_tokens,
        "metadata": {key.removeprefix(METADATA): value for key, value in labels.items() if key.startswith(METADATA)},
        "model": labels.get(MODEL, ""),
        "output": list(output),
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": labels.get(EFFORT), "summary": None},
        "store": UNSTORED not in words,
        "temperature": job.options.temperature,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": job.options.top_p,
        "truncation": "disabled",
        "usage": response_usage(job.usage, content_tokens) if ended else None,
        "user": None,
        **({"ssr": extension(job)} if ended else {}),
    }


def error_of(job: Job) -> dict[str, str] | None:
    """Why a job failed; None for one that did not."""
    if job.status in _STATUS:
        return None
    return {"code": "server_error", "message": f"{job.job_id} failed: {job.error or job.status}"}


def response_usage(usage: Usage, content_tokens: int) -> dict[str, Any]:
    """The ledger, as chat completions have it, under the names of this API."""
    chat = usage_of(usage, content_tokens)
    return {
        "input_tokens": chat["prompt_tokens"],
        "input_tokens_details": {**chat["prompt_tokens_details"], "cache_write_tokens": 0},
        "output_tokens": chat["completion_tokens"],
        "output_tokens_details": chat["completion_tokens_details"],
        "total_tokens": chat["total_tokens"],
    }
