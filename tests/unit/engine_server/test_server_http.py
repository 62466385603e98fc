"""The TGI-shaped HTTP face over a backend that says what a test has it say."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import aiohttp
import pytest

from ssr.core.errors import BadReply, InvalidRequest, Overloaded, Unavailable
from ssr.engine_server.server.backend import (
    BackendInfo,
    BackendMetrics,
    FinishReason,
    GenerateRequest,
    GenerationEnd,
    Token,
    TokenEvent,
    TokenPiece,
)
from ssr.engine_server.server.serving import running_server
from ssr.engines.base import ChatMessage

INFO = BackendInfo("fake/model", parameters=7, max_input_tokens=9, max_total_tokens=20, max_concurrent_requests=2)
WORDS = ("Forty", "-two", ".\n\n")


@dataclass
class FakeBackend:
    """One character is one token. Says WORDS and the end of the turn, or fails before word `fail_at`.

    `together`: everything is ready at once.
    """

    error: Exception | None = None
    fail_at: int = 0
    blocked: bool = False
    together: bool = False
    sick: bool = False
    prefills: bool = False
    requests: list[GenerateRequest] = field(default_factory=list)
    started: asyncio.Queue[GenerateRequest] = field(default_factory=asyncio.Queue)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    proceed: asyncio.Event = field(default_factory=asyncio.Event)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Sequence[TokenEvent], None]:
        self.requests.append(request)
        prefill = tuple(Token(ord(c), c, -0.25) for c in request.inputs) if request.prefill else ()
        end = GenerationEnd(
            FinishReason.EOS_TOKEN, request.input_length, cached_tokens=3, queue_s=0.25, prefill=prefill
        )
        last = TokenEvent(Token(99, "<end>", -0.5, special=True), end=end)
        try:
            if self.together:
                yield [*(self._event(index, word, request) for index, word in enumerate(WORDS)), last]
                return
            for index, word in enumerate(WORDS):
                if index == self.fail_at and self.error is not None:
                    raise self.error
                yield [self._event(index, word, request)]
                self.started.put_nowait(request)
                if self.blocked:
                    await self.proceed.wait()
            yield [last]
        finally:
            self.closed.set()

    def _event(self, index: int, word: str, request: GenerateRequest) -> TokenEvent:
        top = tuple(Token(index + n, word, -1.0 - n) for n in range(request.top_n_tokens))
        return TokenEvent(Token(index, word, -1.0), top)

    async def render(self, messages: Sequence[ChatMessage], *, add_generation_prompt: bool = True) -> str:
        return "".join(f"<{m.role}>{m.content}" for m in messages) + "<assistant>" * add_generation_prompt

    async def tokenize(self, text: str, *, add_special: bool = True) -> list[TokenPiece]:
        pieces = [TokenPiece(ord(c), c, i, i + 1) for i, c in enumerate(text)]
        return [TokenPiece(1, "<s>", 0, 0), *pieces] if add_special else pieces

    def info(self) -> BackendInfo:
        return replace(INFO, prefill_logprobs=self.prefills)

    async def healthy(self) -> bool:
        return not self.sick

    def metrics(self) -> BackendMetrics:
        return BackendMetrics(queued=4, running=3)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
async def http(backend: FakeBackend) -> AsyncIterator[aiohttp.ClientSession]:
    async with running_server(backend, grace_s=1) as url, aiohttp.ClientSession(url) as session:
        yield session


async def post(http: aiohttp.ClientSession, path: str, body: Any) -> tuple[int, Any]:
    async with http.post(path, json=body) as response:
        return response.status, await response.json()


async def stream(http: aiohttp.ClientSession, body: Any, path: str = "/generate_stream") -> list[dict[str, Any]]:
    async with http.post(path, json=body) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        lines = (await response.text()).splitlines()
    return [json.loads(line.removeprefix("data:")) for line in lines if line]


def request(**parameters: Any) -> dict[str, Any]:
    return {"inputs": "2+2?", "parameters": parameters}


async def test_a_whole_reply_has_text_details_and_headers(http: aiohttp.ClientSession) -> None:
    async with http.post("/generate", json=request(details=True, top_n_tokens=2)) as response:
        reply, headers = await response.json(), response.headers
    details = reply["details"]
    assert reply["generated_text"] == "Forty-two.\n\n"
    assert (details["finish_reason"], details["generated_tokens"], details["seed"]) == ("eos_token", 4, None)
    assert details["prefill"] == []
    assert details["tokens"][-1] == {"id": 99, "text": "<end>", "logprob": -0.5, "special": True}
    assert [len(top) for top in details["top_tokens"]] == [2, 2, 2, 0]
    assert (headers["x-prompt-tokens"], headers["x-generated-tokens"], headers["x-cached-tokens"]) == ("5", "4", "3")
    assert headers["x-queue-time"] == "250"
    assert headers["x-compute-characters"] == "4"


async def test_details_and_prompt_come_only_when_asked_for(http: aiohttp.ClientSession) -> None:
    assert await post(http, "/generate", request()) == (200, {"generated_text": "Forty-two.\n\n"})
    full = await post(http, "/generate", request(return_full_text=True))
    assert full == (200, {"generated_text": "2+2?Forty-two.\n\n"})


@pytest.mark.parametrize("together", [False, True])
async def test_a_stream_sends_a_token_an_event_and_the_text_in_the_last(
    http: aiohttp.ClientSession, backend: FakeBackend, together: bool
) -> None:
    backend.together = together
    events = await stream(http, request(details=True, do_sample=True, seed=11))
    assert [event["token"]["text"] for event in events] == [*WORDS, "<end>"]
    assert [event["index"] for event in events] == [1, 2, 3, 4]
    assert [event["generated_text"] for event in events] == [None, None, None, "Forty-two.\n\n"]
    assert events[-1]["details"] == {
        "finish_reason": "eos_token",
        "generated_tokens": 4,
        "input_length": 5,
        "cached_length": 3,
        "seed": 11,
    }


async def test_the_root_answers_with_a_list_or_a_stream(http: aiohttp.ClientSession) -> None:
    assert await post(http, "/", request()) == (200, [{"generated_text": "Forty-two.\n\n"}])
    events = await stream(http, request() | {"stream": True}, path="/")
    assert events[-1]["generated_text"] == "Forty-two.\n\n"


async def test_leaving_out_the_parameters_samples_and_empty_ones_do_not(
    http: aiohttp.ClientSession, backend: FakeBackend
) -> None:
    await post(http, "/generate", {"inputs": "hi", "unknown": 1})
    await post(http, "/generate", {"inputs": "hi", "parameters": {"unknown": 1}})
    await post(http, "/generate", {"inputs": "hi", "parameters": {"temperature": 0.6}})
    assert [r.greedy for r in backend.requests] == [False, True, False]
    assert backend.requests[0].max_new_tokens == INFO.max_total_tokens - 3


async def test_truncate_keeps_the_end_of_the_prompt(http: aiohttp.ClientSession, backend: FakeBackend) -> None:
    await post(http, "/generate", {"inputs": "a long prompt", "parameters": {"truncate": 6}})
    assert (backend.requests[0].inputs, backend.requests[0].input_length) == ("prompt", 6)


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": -1}, "temperature"),
        ({"top_p": 1.0}, "top_p"),
        ({"top_p": 0.0}, "top_p"),
        ({"typical_p": 1.0}, "typical_p"),
        ({"top_k": 0}, "top_k"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"frequency_penalty": 2.5}, "frequency_penalty"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"max_new_tokens": 16}, "`inputs` tokens + `max_new_tokens` must be <= 20"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "up to 4 stop sequences"),
        ({"top_n_tokens": 21}, "top_n_tokens"),
        ({"truncate": 10}, "truncate"),
        ({"best_of": 2, "do_sample": True}, "best_of"),
        ({"decoder_input_details": True}, "decoder_input_details"),
        ({"grammar": {"type": "regex", "value": "[0-9]"}}, "grammar"),
        ({"watermark": True}, "watermark"),
        ({"adapter_id": "x"}, "adapter_id"),
    ],
)
async def test_a_parameter_out_of_its_limits_is_a_validation_error(
    http: aiohttp.ClientSession, parameters: dict[str, Any], names: str
) -> None:
    status, reply = await post(http, "/generate", request(**parameters))
    assert (status, reply["error_type"]) == (422, "validation")
    assert reply["error"].startswith("Input validation error: ")
    assert names in reply["error"]


async def test_the_prompts_own_tokens(backend: FakeBackend, http: aiohttp.ClientSession) -> None:
    backend.prefills = True
    wanted = request(details=True, decoder_input_details=True)
    status, reply = await post(http, "/generate", wanted)
    assert status == 200
    assert reply["details"]["prefill"][:2] == [
        {"id": ord("2"), "text": "2", "logprob": None},
        {"id": ord("+"), "text": "+", "logprob": -0.25},
    ]
    assert len(reply["details"]["prefill"]) == 4
    (error,) = await stream(http, wanted)
    assert "not supported when streaming" in error["error"]


async def test_the_prompt_has_limits_of_its_own(http: aiohttp.ClientSession) -> None:
    status, reply = await post(http, "/generate", {"inputs": "ten tokens", "parameters": {"max_new_tokens": 1}})
    assert (status, "less than 9 tokens" in reply["error"]) == (422, True)
    assert (await post(http, "/generate", {"inputs": ""}))[0] == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [(b'{"inputs": ', 400), (b'{"inputs": 3}', 422), (b"[]", 422), (b"{}", 422), (b"x" * 2_000_001, 413)]
    + [(json.dumps({"inputs": "a", "parameters": p}).encode(), 422) for p in (None, {"temperature": "1"})],
)
async def test_what_is_no_request_is_refused_in_the_shape_of_all_errors(
    http: aiohttp.ClientSession, body: bytes, status: int
) -> None:
    async with http.post("/generate_stream", data=io.BytesIO(body)) as response:
        assert response.status == status
        assert (await response.json())["error_type"] == "validation"


FAILURES = [
    (InvalidRequest("inputs", "no"), 422, "validation"),
    (Overloaded("full"), 429, "overloaded"),
    (Unavailable("gone"), 503, "healthcheck"),
    (BadReply("odd"), 424, "generation"),
    (ZeroDivisionError(), 424, "generation"),
]


@pytest.mark.parametrize(("error", "status", "kind"), FAILURES)
async def test_a_failing_backend_has_a_status_and_inside_a_stream_an_event(
    http: aiohttp.ClientSession, backend: FakeBackend, error: Exception, status: int, kind: str
) -> None:
    backend.error, backend.fail_at = error, 1
    whole = await post(http, "/generate", request())
    assert (whole[0], whole[1]["error_type"]) == (status, kind)
    first, last = await stream(http, request())
    assert first["token"]["text"] == "Forty"
    assert last == whole[1]


async def test_a_stream_answers_200_even_to_a_request_out_of_limits(http: aiohttp.ClientSession) -> None:
    [event] = await stream(http, request(temperature=0))
    assert event["error_type"] == "validation"


async def test_a_generation_without_an_end_is_incomplete(
    http: aiohttp.ClientSession, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_: GenerateRequest) -> AsyncGenerator[Sequence[TokenEvent], None]:
        return
        yield

    monkeypatch.setattr(backend, "generate", nothing)
    assert (await post(http, "/generate", request()))[0] == 500
    [event] = await stream(http, request())
    assert event["error_type"] == "incomplete_generation_stream"


async def test_one_request_too_many_is_refused_at_once(http: aiohttp.ClientSession, backend: FakeBackend) -> None:
    backend.blocked = True
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(post(http, "/generate", request())) for _ in range(2)]
        for _ in running:
            await backend.started.get()
        refused = await post(http, "/generate", request())
        [event] = await stream(http, request())
        backend.proceed.set()
    assert refused == (429, {"error": "Model is overloaded", "error_type": "overloaded"})
    assert event == refused[1]
    assert [task.result()[0] for task in running] == [200, 200]


@pytest.mark.parametrize("path", ["/generate", "/generate_stream"])
async def test_a_client_that_goes_away_ends_the_work_and_frees_its_place(
    http: aiohttp.ClientSession, backend: FakeBackend, path: str
) -> None:
    backend.blocked = True
    for _ in range(INFO.max_concurrent_requests + 1):
        backend.closed.clear()
        call = asyncio.create_task(post(http, path, request()))
        await backend.started.get()
        call.cancel()
        async with asyncio.timeout(5):
            await backend.closed.wait()
    backend.blocked = False
    assert (await post(http, "/generate", request()))[0] == 200


async def serve(backend: FakeBackend, ready: asyncio.Queue[str], grace_s: float = 10.0) -> None:
    async with running_server(backend, grace_s=grace_s) as url:
        ready.put_nowait(url)
        await asyncio.Event().wait()


async def test_stopping_lets_requests_in_flight_finish(backend: FakeBackend) -> None:
    backend.blocked = True
    ready: asyncio.Queue[str] = asyncio.Queue()
    server = asyncio.create_task(serve(backend, ready))
    url = await ready.get()
    async with aiohttp.ClientSession(url) as http:
        call = asyncio.create_task(post(http, "/generate", request()))
        await backend.started.get()
        server.cancel()
        await asyncio.sleep(0)
        backend.proceed.set()
        assert (await call)[0] == 200
        with pytest.raises(asyncio.CancelledError):
            await server
        with pytest.raises(aiohttp.ClientConnectionError):
            await post(http, "/generate", request())


async def test_stopping_cancels_what_does_not_finish_in_time(backend: FakeBackend) -> None:
    backend.blocked = True
    async with running_server(backend, grace_s=0.05) as url:
        http = aiohttp.ClientSession(url)
        call = asyncio.create_task(post(http, "/generate", request()))
        await backend.started.get()
    assert backend.closed.is_set()
    with pytest.raises(aiohttp.ClientConnectionError):
        await call
    await http.close()


async def test_tokens_and_dialogues(http: aiohttp.ClientSession) -> None:
    assert await post(http, "/tokenize", {"inputs": "a"}) == (
        200,
        [{"id": 1, "text": "<s>", "start": 0, "stop": 0}, {"id": 97, "text": "a", "start": 0, "stop": 1}],
    )
    content = [{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]
    status, reply = await post(http, "/chat_tokenize", {"messages": [{"role": "user", "content": content}]})
    assert (status, reply["templated_text"]) == (200, "<user>hi<assistant>")
    assert len(reply["tokenize_response"]) == len("<user>hi<assistant>")  # no second beginning-of-text token
    assert (await post(http, "/chat_tokenize", {"messages": [{"role": "tool", "content": "x"}]}))[0] == 422
    assert (await post(http, "/chat_tokenize", {"messages": []}))[0] == 422


async def test_info_health_and_metrics(http: aiohttp.ClientSession, backend: FakeBackend) -> None:
    await post(http, "/generate", request())
    await post(http, "/generate", request(temperature=0))
    async with http.get("/info") as response:
        info = await response.json()
    assert (info["model_id"], info["max_total_tokens"], info["max_concurrent_requests"]) == ("fake/model", 20, 2)
    async with http.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    assert {"tgi_request_count 2", "tgi_request_success 1", 'tgi_request_failure{err="validation"} 1'} <= set(lines)
    assert {"tgi_queue_size 4", "tgi_batch_current_size 3", "tgi_request_generated_tokens_sum 4.0"} <= set(lines)
    async with http.get("/health") as response:
        assert response.status == 200
    backend.sick = True
    async with http.get("/health") as response:
        assert (response.status, await response.json()) == (503, {"error": "unhealthy", "error_type": "healthcheck"})


async def test_other_endpoints_say_what_to_use(http: aiohttp.ClientSession) -> None:
    status, reply = await post(http, "/v1/completions", {})
    assert (status, "/generate" in reply["error"]) == (404, True)
    async with http.get("/generate") as response:
        assert (response.status, response.headers["allow"]) == (405, "POST")
        assert set(await response.json()) == {"error", "error_type"}
