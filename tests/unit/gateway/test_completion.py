"""What chat completions are made of, as clients read them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from ssr.client import job_to_json
from ssr.core.job import Job, JobStatus
from ssr.core.ledger import ModelUsage, Usage
from ssr.core.run import Path
from ssr.core.types import Options, PathStatus, Source, Step, Strategy
from ssr.core.vote import Vote
from ssr.gateway.answer import Shape, choices
from ssr.gateway.completion import Chunks, completion
from ssr.gateway.replies import to_json
from ssr.gateway.transcript import Transcript

STRATEGY = Strategy("A", "Algebra", "Name the unknowns.")
PATHS = tuple(
    Path(index, STRATEGY, (Step(0, f"So \\boxed{{{answer}}}", Source.DRAFT, 5, 8.0),), PathStatus.ANSWERED, answer)
    for index, answer in enumerate(("42", "42", "7"))
)
JOB = Job(
    "job-a",
    JobStatus.ANSWERED,
    "What?",
    Options(seed=7, max_tokens=900),
    answer="42",
    votes=(Vote("42", (0, 1), 8.0, posterior=0.9), Vote("7", (2,), 8.0)),
    paths=PATHS,
    usage=Usage((ModelUsage("draft", 1_000_000_000, 3, 50, 20, 15),), accepted_tokens=15),
    created=datetime(2026, 11, 1, tzinfo=UTC),
)


def test_the_extension_is_what_the_clients_json_says() -> None:
    (choice,) = choices(JOB, Transcript.of(JOB), Shape(800), 1)
    ssr = json.loads(to_json(completion("ssr", JOB, [choice])))["ssr"]
    told = json.loads(json.dumps(job_to_json(JOB)))
    assert ssr == {name: told[name] for name in ssr}
    assert {"votes", "strategies", "usage", "options", "status", "answer"} <= set(ssr)


def test_each_choice_of_a_stream_has_a_role_and_a_finish_of_its_own() -> None:
    chunks = Chunks("ssr", JOB)
    best = choices(JOB, Transcript.of(JOB), Shape(800), 3)
    sent = [chunks.role(), *(chunks.content(one.content, index) for index, one in enumerate(best))]
    sent.append(chunks.finish([one.finish_reason for one in best], JOB))
    read = [json.loads(line.removeprefix(b"data: ")) for line in b"".join(sent).split(b"\n\n") if line]
    told = [chunk["choices"][0] for chunk in read]
    assert all(len(chunk["choices"]) == 1 for chunk in read), "some clients read the first of a chunk alone"
    assert [choice["index"] for choice in told if "role" in choice["delta"]] == [0, 1]
    assert [choice["index"] for choice in told if choice["finish_reason"]] == [0, 1]
    assert [("ssr" in chunk) for chunk in read] == [False] * 4 + [True]
    heads = [
        {name: chunk[name] for name in ("id", "object", "created", "model", "system_fingerprint")} for chunk in read
    ]
    assert heads == heads[:1] * len(heads)


def test_usage_is_a_chunk_without_choices() -> None:
    (line, _) = Chunks("ssr", replace(JOB, votes=())).usage(JOB, 5).split(b"\n\n")
    chunk = json.loads(line.removeprefix(b"data: "))
    assert chunk["choices"] == []
    assert chunk["usage"]["completion_tokens_details"]["reasoning_tokens"] == 10
