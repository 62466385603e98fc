"""What every `Engine` does alike: TGI's, OpenAI's, and a pool, over scripted servers and real models."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from engine_servers import ScriptedServer, scripted, status, tgi_app, truncated, vllm_app
from hang_limit import LIMIT_S

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
from ssr.engines.attempts import PoolLimits
from ssr.engines.base import ChatMessage, Engine, Finish, Sampling
from ssr.engines.connect import open_engine
from ssr.engines.openai import OpenAiEngine
from ssr.engines.pool import EnginePool
from ssr.engines.replicas import FixedReplicas
from ssr.engines.settings import EngineSettings
from ssr.engines.tgi import TgiEngine

QUESTION = [ChatMessage("user", "What is 17 + 25?")]
MODELS = Path(os.environ.get("SSR_MODELS_DIR", "~/.cache/ssr/models")).expanduser()
SMOL = MODELS / "SmolLM2-135M-Instruct.Q4_1.gguf"
SCRIPTED = ("tgi", "openai", "pool")
REAL = ("embedded", "llama-server")


@dataclass
class Case:
    engine: Engine
    server: ScriptedServer
    path: str


def _engine(kind: str, url: str, **options: Any) -> Engine:
    if kind == "openai":
        return OpenAiEngine(url, **options)
    if kind == "tgi":
        return TgiEngine(url, **options)
    return EnginePool(FixedReplicas([url]), lambda at: TgiEngine(at, **options), PoolLimits(attempts=1))


@asynccontextmanager
async def _case(kind: str, script: dict[str, Any] | None = None, **options: Any) -> AsyncIterator[Case]:
    app, path = (vllm_app, "/v1/completions") if kind == "openai" else (tgi_app, "/generate")
    async with scripted(app, **(script or {})) as server, _engine(kind, server.url, **options) as engine:
        yield Case(engine, server, path)


@pytest.fixture(params=SCRIPTED)
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    async with _case(request.param) as case:
        yield case


@asynccontextmanager
async def _real(kind: str) -> AsyncIterator[Engine]:
    if not SMOL.exists():
        pytest.skip(f"the model is not at {SMOL}")
    xllamacpp = pytest.importorskip("xllamacpp")
    async with AsyncExitStack() as stack:
        if kind == "embedded":
            from ssr.engine_server.embedded.backend import EmbeddedBackend
            from ssr.engine_server.embedded.settings import EmbeddedSettings
            from ssr.engine_server.server.serving import running_server

            settings = EmbeddedSettings(
                model_path=SMOL,
                model_id="SmolLM2-135M-Instruct",
                slots=2,
                threads=1,
                context_tokens=1024,
                max_total_tokens=512,
            )
            url = await stack.enter_async_context(running_server(EmbeddedBackend(settings)))
            yield await stack.enter_async_context(TgiEngine(url))
        else:
            params = xllamacpp.CommonParams()
            params.model.path, params.model_alias = str(SMOL), {"SmolLM2-135M-Instruct"}
            params.n_ctx, params.n_parallel, params.port, params.verbosity = 1024, 2, 0, -1
            params.use_jinja, params.warmup, params.ui = True, False, False
            params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
            server = await asyncio.to_thread(xllamacpp.Server, params)  # runs until it is collected
            yield await stack.enter_async_context(OpenAiEngine(server.listening_address))


@pytest_asyncio.fixture(params=[*SCRIPTED, *REAL], scope="module", loop_scope="module")
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    if request.param in REAL:
        async with _real(request.param) as engine:
            yield engine
    else:
        async with _case(request.param) as case:
            yield case.engine


module_loop = pytest.mark.asyncio(loop_scope="module")


@module_loop
class TestEveryEngine:
    async def test_stop_text_is_cut_off_and_reported(self, engine: Engine) -> None:
        prompt = await engine.render(QUESTION)
        whole = (await engine.generate(prompt, max_tokens=8)).text
        stop = whole[4:6]
        assert stop
        answer = await engine.generate(prompt, max_tokens=8, stop=[stop, "never said"])
        assert (answer.text, answer.finish) == (whole[: whole.index(stop)], Finish.STOP)

    async def test_max_tokens_end_with_length(self, engine: Engine) -> None:
        answer = await engine.generate(await engine.render(QUESTION), max_tokens=2)
        assert (answer.tokens, answer.finish) == (2, Finish.LENGTH)

    async def test_end_of_turn_is_reported_apart_from_a_stop_text(self, engine: Engine) -> None:
        answer = await engine.generate(await engine.render(QUESTION), max_tokens=100, stop=["never said"])
        assert answer.finish is Finish.EOS
        assert answer.text
        assert "<|im_end|>" not in answer.text

    @pytest.mark.parametrize("stop", [[], ["never said"], ["Sec"], [" "]])
    async def test_a_stream_is_the_generation_piece_by_piece(self, engine: Engine, stop: list[str]) -> None:
        prompt = await engine.render(QUESTION)
        whole = await engine.generate(prompt, max_tokens=8, stop=stop)
        async with aclosing(engine.stream(prompt, max_tokens=8, stop=stop)) as pieces:
            got = [piece async for piece in pieces]
        assert "".join(piece.text for piece in got) == whole.text
        assert [piece.end for piece in got[:-1]] == [None] * (len(got) - 1)
        end = got[-1].end
        assert end is not None
        assert (end.text, end.finish) == (whole.text, whole.finish)
        if end.tokens == whole.tokens:
            assert end.prompt_tokens == whole.prompt_tokens
        else:  # TGI went on past a stop text inside a token; the stream was closed there
            assert stop in ([" "], ["Sec"])
            assert end.tokens < whole.tokens
        assert end.tokens == got[-1].tokens
        counts = [piece.tokens for piece in got]
        assert counts == sorted(counts)

    async def test_greedy_repeats_itself(self, engine: Engine) -> None:
        prompt = await engine.render(QUESTION)
        texts = {(await engine.generate(prompt, max_tokens=8)).text for _ in range(3)}
        assert len(texts) == 1

    async def test_sampling_without_top_p(self, engine: Engine) -> None:
        prompt = await engine.render(QUESTION)
        sampling = Sampling(temperature=1.0, top_p=1.0, seed=7)
        assert (await engine.generate(prompt, max_tokens=4, sampling=sampling)).tokens <= 4

    async def test_next_tokens_are_ranked_and_bounded(self, engine: Engine) -> None:
        reported = await engine.next_token(await engine.render(QUESTION), top_n=3)
        logprobs = [candidate.logprob for candidate in reported.candidates]
        assert len(logprobs) == 3
        assert logprobs == sorted(logprobs, reverse=True)
        assert all(logprob <= 0 for logprob in logprobs)

    async def test_more_next_tokens_than_the_engine_gives(self, engine: Engine) -> None:
        reported = await engine.next_token(await engine.render(QUESTION), top_n=64)
        assert 3 < len(reported.candidates) <= (await engine.info()).max_top_n

    async def test_how_likely_a_text_is(self, engine: Engine) -> None:
        prompt = await engine.render(QUESTION)
        try:
            reported = await engine.likelihood(prompt, "It is 42, of course.")
        except CapabilityMissing as error:
            assert "likelihood" in str(error)  # noqa: PT017 - says what to do without
            return
        assert 5 <= len(reported.logprobs) <= 12
        assert all(logprob <= 0 for logprob in reported.logprobs)
        assert reported.prompt_tokens is not None
        assert reported.prompt_tokens > len(reported.logprobs)

    async def test_too_long_prompt_is_the_callers_fault(self, engine: Engine) -> None:
        with pytest.raises(InvalidRequest):
            await engine.generate("a b c " * 1000, max_tokens=4)

    async def test_too_many_stop_texts(self, engine: Engine) -> None:
        with pytest.raises(InvalidRequest, match="at most 4"):
            await engine.generate("a", max_tokens=1, stop=list("abcde"))

    async def test_counted_tokens_are_those_of_the_prompt(self, engine: Engine) -> None:
        prompt = await engine.render(QUESTION)
        assert QUESTION[0].content in prompt
        answer = await engine.generate(prompt, max_tokens=2)
        assert answer.prompt_tokens == await engine.count_tokens(prompt)
        assert answer.cached_tokens is not None

    async def test_info(self, engine: Engine) -> None:
        info = await engine.info()
        assert "Instruct" in info.model
        assert info.parameters in (1_500_000_000, 134_515_008, 135_000_000)
        assert 0 < info.max_total_tokens <= 1024


FAULTS = [
    (status(429, {"error": "Model is overloaded", "error_type": "overloaded"}, {"Retry-After": "7"}), Overloaded),
    (status(422, {"error": "Input validation error: `inputs` too long", "error_type": "validation"}), InvalidRequest),
    (status(400, {"error": {"message": "no", "type": "BadRequestError", "param": "prompt"}}), InvalidRequest),
    (status(424, {"error": "Request failed during generation", "error_type": "generation"}), Unavailable),
    (status(500, {"error": "Incomplete generation", "error_type": "incomplete_generation"}), Unavailable),
    (status(502, "<html>bad gateway</html>"), Unavailable),
    (status(503, {"error": "unhealthy", "error_type": "healthcheck"}), Unavailable),
    (status(504), TimedOut),
    (status(401, {"error": "unauthorized"}), CapabilityMissing),
    (status(404), NotFound),
    (status(418, "teapot"), BadReply),
    (status(200, "I am no JSON"), BadReply),
    (status(200, {"generated_text": "but no details", "choices": []}), BadReply),
    (status(200, {"generated_text": 7, "details": {}, "choices": [{"text": "x"}]}), BadReply),
    (truncated, Unavailable),
]


@pytest.mark.parametrize(("fault", "error"), FAULTS)
async def test_failures_are_our_errors(case: Case, fault: Any, error: type[SsrError]) -> None:
    case.server.faults.append(fault)
    with pytest.raises(error) as raised:
        await case.engine.generate("a", max_tokens=4)
    assert type(raised.value) is error


async def test_the_engines_delay_is_passed_on(case: Case) -> None:
    case.server.faults.append(FAULTS[0][0])
    with pytest.raises(Overloaded) as raised:
        await case.engine.generate("a", max_tokens=4)
    assert raised.value.delay_s == 7


async def test_the_field_at_fault_has_our_name(case: Case) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await case.engine.generate("word " * 300, max_tokens=4)
    assert raised.value.field == "prompt"


@pytest.mark.parametrize("kind", SCRIPTED)
async def test_a_silent_engine_times_out(kind: str) -> None:
    async with _case(kind, timeout_s=0.1) as case:
        case.server.open.clear()
        with pytest.raises(TimedOut, match=r"0\.1 s"):
            await case.engine.generate("a", max_tokens=4)


@pytest.mark.parametrize("kind", SCRIPTED)
async def test_nobody_listens(kind: str) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        async with _engine(kind, f"http://127.0.0.1:{held.getsockname()[1]}") as engine:
            with pytest.raises(Unavailable):
                await engine.generate("a", max_tokens=4)


async def test_cancelling_closes_the_request(case: Case) -> None:
    case.server.open.clear()
    call = asyncio.create_task(case.engine.generate("a", max_tokens=4))
    async with asyncio.timeout(LIMIT_S):
        await case.server.started.wait()
    call.cancel()
    async with asyncio.timeout(LIMIT_S):
        await case.server.disconnected.wait()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_the_connection_serves_again_after_a_cancellation(case: Case) -> None:
    await test_cancelling_closes_the_request(case)
    case.server.open.set()
    assert (await case.engine.generate("a", max_tokens=1)).text == "First"


async def test_more_calls_at_a_time_than_a_client_keeps_by_default() -> None:
    async with _case("tgi", max_connections=120) as case:
        case.server.open.clear()
        async with asyncio.TaskGroup() as group:
            for _ in range(120):
                group.create_task(case.engine.generate("a", max_tokens=1))
            async with asyncio.timeout(LIMIT_S):
                await case.server.reached(120)
            case.server.open.set()
    assert case.server.peak == 120


@pytest.mark.parametrize("kind", SCRIPTED)
async def test_only_the_configured_key_is_sent(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "hf_from_the_environment")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with _case(kind) as case:
        await case.engine.generate("a", max_tokens=1)
        assert all("Authorization" not in headers for _, _, headers in case.server.requests)
    async with _case(kind, api_key="ours") as case:
        await case.engine.generate("a", max_tokens=1)
        assert all(headers["Authorization"] == "Bearer ours" for _, _, headers in case.server.requests)


async def test_what_a_sampled_request_says(case: Case) -> None:
    sampling = Sampling(temperature=0.6, top_p=0.9, seed=11)
    await case.engine.generate("a", max_tokens=4, stop=["\n\n"], sampling=sampling)
    body = case.server.bodies(case.path)[-1]
    asked = body.get("parameters", body)
    assert {name: asked[name] for name in ("temperature", "top_p", "seed", "stop")} == {
        "temperature": 0.6,
        "top_p": 0.9,
        "seed": 11,
        "stop": ["\n\n"],
    }


@pytest.mark.parametrize("kind", ["tgi", "openai"])
async def test_an_engine_that_cannot_take_seeds_gets_none(kind: str) -> None:
    async with _case(kind, seeded=False) as case:
        await case.engine.generate("a", max_tokens=4, sampling=Sampling(temperature=0.6, top_p=0.9, seed=11))
        body = case.server.bodies(case.path)[-1]
        assert "seed" not in body.get("parameters", body)


async def test_what_a_token_said_past_the_stop_text_is_cut_off() -> None:
    async with _case("tgi", {"says": ["One", ".\n\nTwo", ".\n\n", "Three"]}) as case:
        answer = await case.engine.generate("a", max_tokens=8, stop=["\n\n"])
        assert (answer.text, answer.finish, answer.tokens) == ("One.", Finish.STOP, 3)


async def test_greedy_tgi_requests_leave_out_what_tgi_refuses() -> None:
    async with _case("tgi") as case:
        await case.engine.generate("a", max_tokens=4, sampling=Sampling(temperature=0.0, top_p=1.0, seed=3))
        await case.engine.generate("a", max_tokens=4, sampling=Sampling(temperature=0.5, top_p=1.0))
        greedy, sampled = (body["parameters"] for body in case.server.bodies("/generate"))
        assert greedy["do_sample"] is False
        assert not {"temperature", "top_p", "seed", "decoder_input_details"} & greedy.keys()
        assert sampled["do_sample"] is True
        assert "top_p" not in sampled


@pytest.mark.parametrize("kind", ["tgi", "openai"])
async def test_the_limit_of_top_tokens_is_learnt_once(kind: str) -> None:
    async with _case(kind, {"top_n_limit": 2}) as case:
        for _ in range(2):
            reported = await case.engine.next_token("a", top_n=10)
            assert [candidate.text for candidate in reported.candidates] == ["8", "7"]
        bodies = [body.get("parameters", body) for body in case.server.bodies(case.path)]
        assert [body.get("top_n_tokens", body.get("logprobs")) for body in bodies] == [10, 2, 2]
        assert (await case.engine.info()).max_top_n == 2


@pytest.mark.parametrize("kind", ["tgi", "openai"])
async def test_callers_at_once_all_learn_the_limit_of_top_tokens(kind: str) -> None:
    async with _case(kind, {"top_n_limit": 2}) as case:
        reported = await asyncio.gather(*(case.engine.next_token("a", top_n=10) for _ in range(4)))
        assert [len(token.candidates) for token in reported] == [2] * 4


async def test_an_engine_without_top_tokens() -> None:
    async with _case("tgi", {"top_n_limit": 0}) as case:
        for _ in range(2):
            with pytest.raises(CapabilityMissing, match="--max-top-n-tokens"):
                await case.engine.next_token("a", top_n=3)
        assert (await case.engine.info()).max_top_n == 0


@pytest.mark.parametrize(("adds_bos", "begins"), [(True, "[user]"), (False, "<s>[user]")])
@pytest.mark.parametrize("kind", SCRIPTED)
async def test_the_beginning_of_sequence_is_there_once(kind: str, adds_bos: bool, begins: str) -> None:
    async with _case(kind, {"adds_bos": adds_bos}) as case:
        for _ in range(2):
            prompt = await case.engine.render(QUESTION)
            assert prompt.startswith(begins)
            assert prompt.endswith("[assistant] ")
        assert case.server.ids(prompt).count(1) == 1


def _reply(**choice: Any) -> Callable[..., Any]:
    verbose = {"__verbose": {"stop_type": choice.pop("stop_type")}} if "stop_type" in choice else {}
    usage = {"completion_tokens": 2, "prompt_tokens": 1}
    return status(200, {"choices": [{"text": "x", "finish_reason": "stop", **choice}], "usage": usage, **verbose})


@pytest.mark.parametrize(
    ("reply", "finish"),
    [
        (_reply(stop_reason=None), Finish.EOS),
        (_reply(stop_reason="\n\n"), Finish.STOP),
        (_reply(stop_reason=151645), Finish.EOS),
        (_reply(matched_stop="\n\n"), Finish.STOP),
        (_reply(matched_stop=2), Finish.EOS),
        (_reply(stop_type="word"), Finish.STOP),
        (_reply(stop_type="eos"), Finish.EOS),
        (_reply(finish_reason="length"), Finish.LENGTH),
        (_reply(), Finish.STOP),
        (_reply(text=""), Finish.EOS),
    ],
)
async def test_why_an_openai_server_stopped(reply: Any, finish: Finish) -> None:
    async with _case("openai") as case:
        case.server.faults.append(reply)
        answer = await case.engine.generate("a", max_tokens=4, stop=["\n\n"])
        assert answer.finish is finish
        assert (answer.prompt_tokens, answer.cached_tokens) == (1, None)


async def test_an_aborted_openai_generation_may_be_tried_again() -> None:
    async with _case("openai") as case:
        case.server.faults.append(_reply(finish_reason="abort"))
        with pytest.raises(Unavailable):
            await case.engine.generate("a", max_tokens=4)


async def test_a_model_that_is_not_served() -> None:
    async with _case("openai", model="other") as case:
        with pytest.raises(NotFound, match=r"Scripted-1\.5B"):
            await case.engine.info()


async def test_an_openai_server_that_renders_nothing() -> None:
    async with scripted(lambda _: web.Application()) as server, OpenAiEngine(server.url, model="m") as engine:
        with pytest.raises(CapabilityMissing, match="set chat_template"):
            await engine.render(QUESTION)
        with pytest.raises(CapabilityMissing, match="/tokenize"):
            await engine.count_tokens("a")


@pytest.mark.parametrize(("kind", "app"), [("tgi", tgi_app), ("openai", vllm_app)])
async def test_an_engine_opened_from_settings_survives_a_replica(kind: str, app: Any, tmp_path: Path) -> None:
    template = tmp_path / "chat_template.jinja"
    template.write_text("ours: {{ messages[0].content }}")
    async with scripted(app) as dying, scripted(app) as living:
        urls = f"{dying.url},{living.url}"
        settings = EngineSettings.model_validate(
            {"kind": kind, "urls": urls, "chat_template": template, "parameters": 9}
        )
        async with open_engine(settings) as engine:
            assert await engine.render(QUESTION) == "ours: What is 17 + 25?"
            assert (await engine.info()).parameters == 9
            dying.faults.extend([truncated] * 9)
            for path in range(32):
                assert (await engine.generate("a", max_tokens=1, affinity=str(path))).text == "First"
            assert len(dying.faults) < 9


@pytest.mark.parametrize("kind", SCRIPTED)
@pytest.mark.parametrize("adds_bos", [False, True])
async def test_the_likelihood_is_that_of_the_texts_own_tokens(kind: str, adds_bos: bool) -> None:
    async with _case(kind, {"adds_bos": adds_bos}) as case:
        reported = await case.engine.likelihood("say it! now\n\n", "One two! three")
        assert reported.logprobs == (-0.5, -1.5, -0.5)
        assert reported.prompt_tokens == len(case.server.tokens("say it! now\n\nOne two! three"))
        straddling = await case.engine.likelihood("say it! no", "w two")  # the server's token is "now "
        assert straddling.logprobs == (-0.5, -0.5)


@pytest.mark.parametrize("kind", SCRIPTED)
async def test_an_engine_that_reports_nothing_of_its_prompt(kind: str) -> None:
    async with _case(kind, {"prompt_logprobs": False}) as case:
        with pytest.raises(CapabilityMissing, match="another scorer than likelihood"):
            await case.engine.likelihood("say", " it")


REFUSALS = [
    (
        "tgi",
        status(422, {"error": "Input validation error: `decoder_input_details` is off", "error_type": "validation"}),
    ),
    ("openai", status(400, {"error": {"message": "Only no echo is supported", "type": "invalid_request_error"}})),
    ("openai", status(500, {"error": {"message": "Only no echo is supported", "type": "server_error"}})),
]


@pytest.mark.parametrize(("kind", "refusal"), REFUSALS)
async def test_an_engine_that_refuses_to_report(kind: str, refusal: Any) -> None:
    async with _case(kind) as case:
        case.server.faults.append(refusal)
        with pytest.raises(CapabilityMissing, match="another scorer than likelihood"):
            await case.engine.likelihood("say", " it")


async def test_other_refusals_of_a_likelihood_stay_what_they_are(case: Case) -> None:
    with pytest.raises(InvalidRequest):
        await case.engine.likelihood("word " * 300, "and more")
