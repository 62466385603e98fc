"""A program with the endpoints of a vLLM that `ssr bench consensus` asks, whose every count can be computed by hand.

An answer has TOKENS tokens, or max_tokens if fewer: one from the first pass, then each pass verifies a draft of
num_speculative_tokens and accepts ACCEPTED[method] of them. As with vLLM, the last pass may accept more than the text
has room for, and counters are behind: what was answered since the last /metrics is in the next one.

Environment: FAKE_VLLM_DIES, _FAILS, _CRASHES, _HANGS: the method that ends at its start; that answers a sample with
HTTP 500, ends, or never answers. VLLM_API_KEY: the key that /v1 asks for.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

TOKENS = 10
ACCEPTED = {"none": 0, "ngram": 1, "suffix": 2, "custom_class": 3}
SEEN, COUNTS, PENDING = (web.AppKey(name, Counter) for name in ("seen", "counts", "pending"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--speculative-config", type=json.loads, default={"method": "none"})
    given = parser.parse_args()
    method = given.speculative_config["method"]
    reported(f"serves {method}, pid {os.getpid()}")
    if os.environ.get("FAKE_VLLM_DIES") == method:
        sys.exit("ImportError: no such drafter")
    if "model" in given.speculative_config:
        module, _, name = given.speculative_config["model"].rpartition(".")
        assert hasattr(importlib.import_module(module), name)
        reported(f"proposer of {sys.modules[module].__file__}, counters {os.environ['PROMETHEUS_MULTIPROC_DIR']}")
    web.run_app(
        application(method, given.speculative_config),
        host="127.0.0.1",
        port=given.port,
        print=None,
        shutdown_timeout=0.1,
    )
    reported("ended in order")


def reported(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@web.middleware
async def guarded(request: web.Request, handler: Callable[[web.Request], Awaitable[web.Response]]) -> web.Response:
    key = os.environ.get("VLLM_API_KEY")
    if key and request.path.startswith("/v1") and request.headers.get("Authorization") != f"Bearer {key}":
        return web.json_response({"error": "Unauthorized"}, status=401)
    return await handler(request)


def application(method: str, speculation: dict[str, object]) -> web.Application:
    app = web.Application(middlewares=[guarded])  # type: ignore[list-item]
    app[SEEN], app[COUNTS], app[PENDING] = Counter(), Counter({"tokens": 0}), Counter()

    async def health(_: web.Request) -> web.Response:
        return web.Response()

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "a-model"}]})

    async def metrics(_: web.Request) -> web.Response:
        text = exposition(app[COUNTS])
        app[COUNTS].update(app[PENDING])  # type: ignore[index]
        app[PENDING].clear()
        return web.Response(text=text)

    async def chat(request: web.Request) -> web.Response:
        asked = await request.json()
        if os.environ.get("FAKE_VLLM_HANGS") == method and asked["max_tokens"] > 8:
            reported("hangs")
            await asyncio.Event().wait()
        if os.environ.get("FAKE_VLLM_CRASHES") == method:
            os._exit(1)
        if os.environ.get("FAKE_VLLM_FAILS") == method:
            return web.json_response({"error": {"message": "EngineCore died"}}, status=500)
        return web.json_response(answered(app, asked, method, int(str(speculation.get("num_speculative_tokens", 0)))))

    app.add_routes([web.get("/health", health), web.get("/v1/models", models), web.get("/metrics", metrics)])
    app.add_routes([web.post("/v1/chat/completions", chat)])
    return app


def answered(app: web.Application, asked: dict[str, Any], method: str, drafted: int) -> dict[str, Any]:
    tokens = min(TOKENS, asked["max_tokens"])
    accepted = ACCEPTED[method]
    later = -(-(tokens - 1) // (accepted + 1))
    count = Counter({"tokens": tokens, "first": 1, "later": later, "steps": 1})
    if drafted:
        count.update({"drafts": later, "drafted": later * drafted, "accepted": later * accepted})
        count.update({f"at{position}": later * (position < accepted) for position in range(drafted)})
    if method == "custom_class":
        count.update({"sibling+": later * 2, "sibling": later * 3, "own+": later, "own": later * (drafted - 3)})
    app[PENDING].update(count)
    problem = asked["messages"][-1]["content"]
    app[SEEN][problem] += 1
    ids = [1000 * app[SEEN][problem] + place for place in range(tokens)]
    choice: dict[str, Any] = {"message": {"content": "words"}, "token_ids": ids if asked["return_token_ids"] else None}
    if asked.get("logprobs"):
        choice["logprobs"] = {"content": [{"token": "word", "logprob": -0.25} for _ in ids]}
    return {
        "choices": [choice],
        "prompt_token_ids": [7, 7, 7],
        "usage": {"completion_tokens": tokens},
    }


def exposition(counts: Counter[str]) -> str:
    labels = 'engine="0",model_name="a-model"'
    names = {
        "tokens": "vllm:generation_tokens_total",
        "first": "vllm:time_to_first_token_seconds_count",
        "later": "vllm:inter_token_latency_seconds_count",
        "steps": "vllm:iteration_tokens_total_count",
        "drafts": "vllm:spec_decode_num_drafts_total",
        "drafted": "vllm:spec_decode_num_draft_tokens_total",
        "accepted": "vllm:spec_decode_num_accepted_tokens_total",
    }
    lines = [f"{name}{{{labels}}} {counts[key]}.0" for key, name in names.items() if key in counts]
    for key, count in counts.items():
        if key.startswith("at"):
            position = f'{labels},position="{key[2:]}"'
            lines.append(f"vllm:spec_decode_num_accepted_tokens_per_pos_total{{{position}}} {count}.0")
        elif key.rstrip("+") in ("own", "sibling"):
            name = "accepted" if key.endswith("+") else "drafted"
            lines.append(f'ssr_consensus_{name}_tokens_total{{position="0",source="{key.rstrip("+")}"}} {count}.0')
    return "\n".join([*lines, "python_info 1.0", ""])


if __name__ == "__main__":
    main()
