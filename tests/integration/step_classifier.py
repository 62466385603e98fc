"""A small classifier of steps, fitted to recorded drafts, and served as vLLM serves classifiers and reward models.

It is a logistic regression on what a step's text shows: numbers that nothing gives, false sums, lengths. A real model
in that its weights are fitted and its verdicts are better than chance; of no use beyond tests.
"""

from __future__ import annotations

import gzip
import json
import math
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from ssr.core.agreement import results
from ssr.core.arithmetic import false_claim
from ssr.verifier.reward_scorer import SEPARATOR
from ssr_bench.evaluation.score_curves import fit_logistic

#: Drafts of a 0.5B for problems of GSM8K and SVAMP (both under the MIT licence), and whether their answers are right.
DRAFTS = Path(__file__).with_name("data") / "drafts.jsonl.gz"
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Draft:
    problem: str
    steps: tuple[str, ...]
    right: bool


def recorded_drafts() -> list[list[Draft]]:
    """The drafts of each problem."""
    lines = gzip.decompress(DRAFTS.read_bytes()).decode().splitlines()
    problems = [json.loads(line) for line in lines]
    return [[Draft(one["problem"], tuple(d["steps"]), d["right"]) for d in one["drafts"]] for one in problems]


@dataclass(frozen=True)
class StepClassifier:
    """`weights` of `features`."""

    weights: Sequence[float]

    @classmethod
    def fitted(cls, drafts: Sequence[Draft]) -> StepClassifier:
        """To all beginnings of these drafts: whether they end right."""
        return cls(
            fit_logistic(
                [
                    (features(draft.problem, draft.steps[: count + 1]), float(draft.right), 1.0)
                    for draft in drafts
                    for count in range(len(draft.steps))
                ]
            )
        )

    def right(self, problem: str, steps: Sequence[str]) -> float:
        value = sum(a * x for a, x in zip(self.weights, features(problem, steps), strict=True))
        return 1 / (1 + math.exp(-value))


def features(problem: str, steps: Sequence[str]) -> tuple[float, ...]:
    given, told = _numbers(problem), set[str]().union(*map(results, steps))
    said = _numbers("\n".join(steps))
    return (
        1.0,
        len(given - said) / max(1, len(given)),
        math.log1p(len(said - given - told - set("1234567890"))),
        math.log1p(sum(map(len, steps))) - 6,
        float(any(false_claim(step) for step in steps)),
        len(steps) / 10,
        len(given) / 5,
        float("boxed" in steps[-1]),
        math.log1p(len(problem)) - 5,
    )


def _numbers(text: str) -> set[str]:
    return {found.replace(",", "").rstrip(".") for found in _NUMBER.findall(text)}


@asynccontextmanager
async def serving_classifier(classifier: StepClassifier) -> AsyncIterator[str]:
    """Its URL, with vLLM's /classify and /pooling and the generic /score."""

    async def classify(request: web.Request) -> web.Response:
        problem, *steps = (await request.json())["input"].split("\n\n")
        right = classifier.right(problem, steps)
        entry = {
            "index": 0,
            "label": "right" if right > 0.5 else "wrong",
            "probs": [1 - right, right],
            "num_classes": 2,
        }
        return web.json_response({"id": "classify-1", "object": "list", "model": "steps", "data": [entry]})

    async def pool(request: web.Request) -> web.Response:
        asked, work = (turn["content"] for turn in (await request.json())["messages"])
        steps = work.split(SEPARATOR)[:-1]
        values = [classifier.right(asked, steps[: count + 1]) for count in range(len(steps))]
        data = [{"index": 0, "object": "pooling", "data": [[1 - value, value] for value in values]}]
        return web.json_response({"id": "pool-1", "object": "list", "model": "steps", "data": data})

    async def score(request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        steps = body["steps"]
        scores = [classifier.right(body["problem"], steps[: count + 1]) for count in range(len(steps))]
        return web.json_response({"scores": scores})

    app = web.Application()
    app.add_routes([web.post("/classify", classify), web.post("/pooling", pool), web.post("/score", score)])
    async with TestServer(app) as server:
        yield str(server.make_url("/"))
