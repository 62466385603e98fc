"""Our clients against a strict server of each kind: nothing is refused, nothing unknown sent, sampling is plain."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from engine_servers import CONTEXT, Fault, status, streamed
from hang_limit import LIMIT_S
from strict_servers import KINDS, StrictServer, strict

from ssr.core.errors import BadReply, CapabilityMissing, InvalidRequest, NotFound, Overloaded, SsrError, Unavailable
from ssr.engines.answer_tokens import spellings
from ssr.engines.base import ChatMessage, Engine, Finish, Origin, Piece, Sampling
from ssr.engines.openai import OpenAiEngine
from ssr.engines.openai_requests import ServerKind
from ssr.engines.rendering import PromptRenderer
from ssr.engines.tgi import TgiEngine

SAMPLING = Sampling(temperature=0.6, top_p=0.95, seed=2**40)
PAGE = (Path(__file__).parents[2] / "docs/reference/engines.md").read_text()
QUESTION = [ChatMessage("user", "What is 17 + 25?")]
OPENAI_LIKE = ("vllm", "sglang", "llamacpp", "openai")


@asynccontextmanager
async def opened(
    kind: str, *, said: bool = False, script: Any = None, **options: Any
) -> AsyncIterator[tuple[Engine, StrictServer]]:
    """The engine and its server; `said` reports the client whose it is, or it has to find that out."""
    async with strict(kind, **(script or {})) as server:
        if said and kind != "tgi":
            options["kind"] = ServerKind(kind)
        client: Engine = TgiEngine(server.url, **options) if kind == "tgi" else OpenAiEngine(server.url, **options)
        async with client as engine:
            yield engine, server


async def read(engine: Engine, **asked: Any) -> list[Piece]:
    async with aclosing(engine.stream("What is 17 + 25? ", **asked)) as pieces:
        return [piece async for piece in pieces]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", [True, False])
async def test_nothing_is_refused_and_nothing_unknown_is_sent(kind: str, said: bool) -> None:
    async with opened(kind, said=said) as (engine, server):
        if kind == "openai":
            await engine.generate("once, to find out", max_tokens=1)
        server.unknown.clear()
        asked: dict[str, Any] = {"max_tokens": 8, "stop": ["\n\n"], "sampling": SAMPLING}
        whole = await engine.generate("What is 17 + 25? ", **asked)
        assert (whole.text, whole.finish, whole.tokens) == ("First step here.", Finish.STOP, 4)
        end = (await read(engine, **asked))[-1].end
        assert end is not None
        assert (end.text, end.finish, end.tokens, end.prompt_tokens) == (
            whole.text,
            whole.finish,
            whole.tokens,
            whole.prompt_tokens,
        )
        assert (await engine.generate("What? ", max_tokens=2)).finish is Finish.LENGTH
        assert (await engine.generate("What? ", max_tokens=99)).finish is Finish.EOS
        assert (await engine.next_token("What? ", top_n=3)).candidates[0].text == "8"
        assert (await engine.next_token("What? ", top_n=3, answers=["7", "8"])).candidates[0].text == "8"
        await engine.likelihood("a ", "b ") if kind not in ("llamacpp", "openai") else None
        assert server.unknown == set()
        sent = {name for _, body, _ in server.requests for name in {**body, **(body.get("parameters") or {})}}
        assert [name for name in sorted(sent - {"parameters"}) if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize("kind", KINDS)
async def test_plain_sampling_is_plain_whatever_the_models_defaults(kind: str) -> None:
    neutral = {"temperature": 1.0, "top_p": 1.0, "top_k": (0, -1), "repetition_penalty": 1, "repeat_penalty": 1}
    neutral |= {"typical_p": 1, "top_n_sigma": -1, "do_sample": True, "details": True}
    async with opened(kind) as (engine, server):
        for _ in range(2):
            await engine.generate("What? ", max_tokens=2, sampling=Sampling(temperature=1.0, top_p=1.0))
        unsaid = {"vllm": 9, "sglang": 9, "llamacpp": 14}.get(kind)
        known = {"vllm": "repeat typical dry xtc mirostat top_n_sigma dynatemp", "llamacpp": "repetition"}
        ignored = known.get("vllm" if kind == "sglang" else kind, "").split()
        used = {n: v for n, v in server.used.items() if not any(n.startswith(i) for i in ignored)}
        assert used
        assert unsaid is None or len(used) >= unsaid - 2
        for name, value in used.items():
            expected = neutral.get(name, 0)
            assert value in expected if isinstance(expected, tuple) else value == expected, name


@pytest.mark.parametrize("kind", ["tgi", "vllm", "sglang", "llamacpp"])
@pytest.mark.parametrize("adds_bos", [False, True])
async def test_dialogues_are_rendered_by_the_server_with_one_beginning(kind: str, adds_bos: bool) -> None:
    async with opened(kind, script={"adds_bos": adds_bos}) as (engine, server):
        prompt = await engine.render(QUESTION)
        assert prompt.endswith("[user] What is 17 + 25? [end] [assistant] ")
        if kind != "llamacpp":
            assert server.ids(prompt).count(1) == 1
        assert await engine.count_tokens(prompt) == len(server.tokens(prompt))


@pytest.mark.parametrize("kind", ["tgi", "vllm", "sglang"])
async def test_the_likelihood_of_a_text(kind: str) -> None:
    async with opened(kind) as (engine, server):
        reported = await engine.likelihood("say it! now and then, as you like ", "One two! three")
        assert reported.logprobs == (-0.5, -1.5, -0.5)
        if kind == "sglang":  # what is before comes from the prefix cache
            assert server.used["logprob_start_len"] == 4
            assert reported.cached_tokens == 4


#: More probable than the answers, as many as are asked for.
_OTHERS = [(f"other{n}", -0.1 - n) for n in range(5)]


@pytest.mark.parametrize("adds_bos", [False, True])
@pytest.mark.parametrize("kind", ["vllm", "sglang"])
async def test_answers_are_reported_however_improbable_they_are(kind: str, adds_bos: bool) -> None:
    script = {"top": [*_OTHERS, ("Yes", -7.5), ("No", -9.25)], "adds_bos": adds_bos}
    async with opened(kind, script=script) as (engine, server):
        for _ in range(2):
            reported = await engine.next_token("Is it right?\n", top_n=5, answers=["Yes", "No"])
            found = {one.text: one.logprob for one in reported.candidates}
            assert (found["Yes"], found["No"]) == (-7.5, -9.25)
            assert reported.candidates[0].logprob == -0.1
            assert found.keys() & {"token_id:0"} == set()
            assert reported.prompt_tokens == 3 + adds_bos
        assert server.unknown == set()
        assert len(server.bodies("/tokenize")) == 1 + 2 * len(spellings("Yes"))  # once for all


async def test_answers_that_are_no_tokens_are_looked_for_among_the_most_probable() -> None:
    async with opened("vllm") as (engine, server):
        reported = await engine.next_token("Which? ", top_n=3, answers=["8", "two words"])
        assert [one.text for one in reported.candidates] == ["8", "7", "9"]
        assert "logprob_token_ids" not in server.bodies("/v1/completions")[-1]


@pytest.mark.parametrize("standard_only", [False, True])
async def test_a_vllm_that_knows_no_ids_gives_the_most_probable_tokens(standard_only: bool) -> None:
    async with opened("vllm", standard_only=standard_only) as (engine, server):
        refusal = {"error": {"message": "Extra inputs are not permitted", "param": "logprob_token_ids", "code": 400}}
        if not standard_only:
            server.faults.append(status(400, refusal))
        for _ in range(2):
            reported = await engine.next_token("Digit: ", top_n=3, answers=["7", "8"])
            assert [one.text for one in reported.candidates] == ["8", "7", "9"]
        asked = ["logprob_token_ids" in body for body in server.bodies("/v1/completions")]
        assert asked == ([False, False] if standard_only else [True, False, False])


async def test_an_sglang_without_its_own_api_gives_the_most_probable_tokens() -> None:
    async with opened("sglang") as (engine, server):
        server.faults.append(status(404, {"detail": "Not Found"}))
        for _ in range(2):
            reported = await engine.next_token("Digit: ", top_n=3, answers=["7", "8"])
            assert [one.text for one in reported.candidates] == ["8", "7", "9"]
        assert len(server.bodies("/generate")) == 1


@pytest.mark.parametrize("name", ["token_ids_logprob", "cache_salt"])
async def test_what_sglangs_own_api_refuses_is_left_out_from_then_on(name: str) -> None:
    async with opened("sglang") as (engine, server):
        server.faults.append(status(400, {"error": {"message": f"Unexpected keyword argument '{name}'"}}))
        for _ in range(2):
            origin = Origin(cache_salt="tenant-1")
            reported = await engine.next_token("Digit: ", top_n=3, answers=["7", "8"], origin=origin)
            assert reported.candidates[0].text == "8"
        bodies = [*server.bodies("/generate"), *server.bodies("/v1/completions")]
        assert [name in body for body in bodies if body is not bodies[0]] == [False] * (len(bodies) - 1)
        assert len(server.bodies("/generate")) == (1 if name == "token_ids_logprob" else 2)


async def test_a_server_without_a_tokenizer_gives_the_most_probable_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened("vllm") as (engine, server):
        monkeypatch.setattr(server, "tokens", lambda text: [])
        reported = await engine.next_token("Digit: ", top_n=3, answers=["7", "8"])
        assert [one.text for one in reported.candidates] == ["8", "7", "9"]


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"output_token_ids_logprobs": []},
        {"output_token_ids_logprobs": [[[0.5, 57, "7"]]]},
        {"output_token_ids_logprobs": [[["x", 57, "7"]]]},
        {"output_token_ids_logprobs": [["7"]]},
        {"output_token_ids_logprobs": [[[-0.5, 57, "7"]]], "prompt_tokens": -3},
    ],
)
async def test_answers_of_sglang_that_cannot_be_are_garbage(meta: dict[str, Any]) -> None:
    async with opened("sglang") as (engine, server):
        server.faults.append(_json({"text": "x", "meta_info": meta}))
        with pytest.raises(BadReply):
            await engine.next_token("Digit: ", top_n=3, answers=["7", "8"])


@pytest.mark.parametrize("kind", ["llamacpp"])
async def test_a_server_that_gives_no_likelihood(kind: str) -> None:
    async with opened(kind) as (engine, _):
        with pytest.raises(CapabilityMissing, match="another scorer"):
            await engine.likelihood("say ", "it")


async def test_a_prompt_of_a_model_without_chat_template_in_tgi() -> None:
    async with opened("tgi", script={"template": False}) as (engine, _):
        with pytest.raises(CapabilityMissing, match=r"never chat_template\.jinja; set chat_template"):
            await engine.render(QUESTION)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("streaming", [False, True])
async def test_a_prompt_that_does_not_fit_is_said_to(kind: str, streaming: bool) -> None:
    """It is what ends a path with what it has (`refusals_as_full`), and not a request that is wrong."""
    async with opened(kind) as (engine, _):
        await engine.info() if kind != "openai" else None
        with pytest.raises(InvalidRequest) as refusal:
            if streaming:
                async with aclosing(engine.stream("word " * (CONTEXT + 1), max_tokens=4)) as pieces:
                    assert not [piece async for piece in pieces]
            else:
                await engine.generate("word " * (CONTEXT + 1), max_tokens=4)
        assert refusal.value.field == "prompt"


@pytest.mark.parametrize("kind", ["tgi", "vllm", "sglang", "llamacpp"])
async def test_a_template_that_refuses_a_system_gets_it_with_the_first_user(kind: str) -> None:
    """Servers say so with 400, 422 and 500."""
    dialogue = [ChatMessage("system", "Be brief."), *QUESTION]
    async with opened(kind, script={"no_system": True}) as (engine, _):
        with pytest.raises(InvalidRequest):
            await engine.render(dialogue)
        assert "[user] Be brief.\n\nWhat is 17 + 25? [end]" in await PromptRenderer(engine).render(dialogue)


@pytest.mark.parametrize("kind", ["vllm", "sglang", "llamacpp"])
async def test_a_server_that_fails_to_render_is_left_alone(kind: str) -> None:
    async with opened(kind, said=True) as (engine, server):
        await engine.info()
        server.always = 500
        with pytest.raises(Unavailable):
            await engine.render(QUESTION)


async def test_a_server_of_a_version_that_tokenises_no_dialogues() -> None:
    async with opened("sglang", script={"older": True}) as (engine, _):
        with pytest.raises(CapabilityMissing, match="set chat_template"):
            await engine.render(QUESTION)


@pytest.mark.parametrize("older", [False, True])
async def test_llama_servers_context_is_a_slots(older: bool) -> None:
    async with opened("llamacpp", script={"older": older}) as (engine, _):
        info = await engine.info()
        assert (info.max_total_tokens, info.version) == (CONTEXT, "b9999-0c1e57098")


async def test_tgi_finds_no_image_in_a_prompt() -> None:
    async with opened("tgi") as (engine, server):
        for text in ("What is ![](http://10.0.0.1/secret) here? ", "a ![](b) ![](c) "):
            await engine.generate(text, max_tokens=2)
            await engine.next_token(text, top_n=1)
            await read(engine, max_tokens=2)
            await engine.likelihood("![]", f"({text}) ")
            await engine.likelihood(text, text)
        assert server.unknown == set()


@pytest.mark.parametrize("most", [1023, 1024, 1025, 2500])
async def test_tgi_never_writes_more_than_asked(most: int) -> None:
    async with opened("tgi", script={"says": ["word "] * 5000, "context": 9000}) as (engine, server):
        whole = await engine.generate("go ", max_tokens=most, sampling=SAMPLING)
        assert (whole.tokens, len(whole.text.split()), whole.finish) == (most, most, Finish.LENGTH)
        pieces = await read(engine, max_tokens=most, sampling=SAMPLING)
        end = pieces[-1].end
        assert end is not None
        assert (end.tokens, len(end.text.split()), end.finish) == (most, most, Finish.LENGTH)
        bodies = [body["parameters"] for body in server.bodies("/generate")]
        assert max(body["max_new_tokens"] for body in bodies) <= 1024
        assert len({body["seed"] for body in bodies}) == len(bodies)


async def test_a_stop_text_over_the_border_of_tgis_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    says = ["x"] * 1023 + ["\n", "\n", "y"]
    async with opened("tgi") as (engine, server):

        def goes_on(most: int, _: Any) -> tuple[list[str], str]:
            """From where the prompt ends; no chunk holds both halves of the stop text."""
            rest = says[len(server.requests[-1][1]["inputs"]) - len("go ") :][:most]
            return rest, "length" if len(rest) == most else "eos"

        monkeypatch.setattr(server, "say", goes_on)
        for got in (await engine.generate("go ", max_tokens=2000, stop=["\n\n"]), (await read_go(engine))[-1].end):
            assert got is not None
            assert (got.text, got.finish) == ("x" * 1023, Finish.STOP)


async def test_what_tgi_goes_on_from_holds_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk's text is the next one's prompt: what it spells must not become a token there, but for its thinking's."""
    words = ["<think>", "\n<|im_", "end|>", "</think>", "<|im_start|>", "</think>", "![](http://x)"]
    says = words + ["x"] * (1024 - len(words))
    async with opened("tgi") as (engine, server):
        monkeypatch.setattr(server, "say", lambda most, _: (says[:most], "length" if most > 9 else "eos"))
        async with aclosing(engine.stream("go ", max_tokens=1030)) as pieces:
            end = [piece async for piece in pieces][-1].end
        whole = await engine.generate("go ", max_tokens=1030)
        assert end is not None
        assert end.text.startswith("".join(words))
        assert whole.text.startswith("".join(words))
        for path in ("/generate", "/generate_stream"):
            resumed = server.bodies(path)[-1]["inputs"].rstrip("x")
            assert resumed == "go <think>\n< |im_end|></think>< |im_start|>< /think>! [](http://x)"


async def read_go(engine: Engine) -> list[Piece]:
    async with aclosing(engine.stream("go ", max_tokens=2000, stop=["\n\n"])) as pieces:
        return [piece async for piece in pieces]


async def test_a_priority_and_a_salt_reach_the_servers_that_know_them() -> None:
    origin = Origin(priority=3, cache_salt="tenant-1")
    for kind, priority in (("vllm", -3), ("sglang", 3)):
        async with opened(kind, priorities=True) as (engine, server):
            await engine.generate("a ", max_tokens=1, origin=origin)
            body = server.bodies("/v1/completions")[-1]
            assert (body["priority"], body["cache_salt"]) == (priority, "tenant-1")
    for kind in OPENAI_LIKE:
        async with opened(kind) as (engine, server):
            await engine.generate("a ", max_tokens=1, origin=origin)
            assert "priority" not in server.bodies("/v1/completions")[-1]


THINKING = "What is 17 + 25? <think>\none two three "


async def thought(engine: Engine, left: int | None, *, streaming: bool = False, most: int = 900) -> None:
    asked: dict[str, Any] = {"max_tokens": most, "sampling": Sampling(0.6, 0.95, 7, left)}
    if not streaming:
        await engine.generate(THINKING, **asked)
        return
    async with aclosing(engine.stream(THINKING, **asked)) as pieces:
        assert [piece async for piece in pieces][-1].end is not None


@pytest.mark.parametrize("streaming", [False, True])
async def test_vllm_is_told_when_thinking_ends(streaming: bool) -> None:
    async with opened("vllm", script={"reasoning": True}) as (engine, server):
        await thought(engine, 200, streaming=streaming)
        budget = server.bodies("/v1/completions")[-1]["thinking_token_budget"]
        assert budget == 4 + 200 - 32  # what is in the prompt counts, too; the end has room
        for left, most in ((None, 900), (40, 900), (900, 900), (200, 100)):
            await thought(engine, left, streaming=streaming, most=most)
            assert "thinking_token_budget" not in server.bodies("/v1/completions")[-1]
        assert server.unknown == set()


@pytest.mark.parametrize("kind", [kind for kind in OPENAI_LIKE if kind != "vllm"])
async def test_other_servers_are_not_told_when_thinking_ends(kind: str) -> None:
    async with opened(kind) as (engine, server):
        await thought(engine, 200)
        assert "thinking_token_budget" not in server.bodies("/v1/completions")[-1]


@pytest.mark.parametrize("streaming", [False, True])
async def test_what_vllm_was_not_started_for_is_left_out_from_then_on(streaming: bool) -> None:
    async with opened("vllm", priorities=True, script={"older": True}) as (engine, server):
        for _ in range(2):
            await thought(engine, 200, streaming=streaming)
            await engine.generate("a ", max_tokens=1, origin=Origin(priority=1))
        bodies = server.bodies("/v1/completions")
        assert ["thinking_token_budget" in body for body in bodies] == [True, *[False] * 5]
        assert ["priority" in body for body in bodies] == [False, False, True, False, False, False]


@pytest.mark.parametrize("streaming", [False, True])
async def test_sglang_is_reported_of_a_request_that_is_left(streaming: bool) -> None:
    async with opened("sglang") as (engine, server):
        await engine.info()
        server.open.clear()
        call = asyncio.create_task(read(engine, max_tokens=4) if streaming else engine.generate("a ", max_tokens=4))
        async with asyncio.timeout(LIMIT_S):
            await server.started.wait()
        call.cancel()
        await asyncio.wait([call])
        async with asyncio.timeout(LIMIT_S):
            while not server.aborted:
                await asyncio.sleep(0)
        assert server.aborted == [server.bodies("/v1/completions")[-1]["rid"]]


async def test_sglangs_context_is_what_its_kv_pool_holds() -> None:
    async with opened("sglang", script={"kv_tokens": 100}) as (engine, _):
        assert (await engine.info()).max_total_tokens == 93


@pytest.mark.parametrize("kind", OPENAI_LIKE)
async def test_standard_only_sends_nothing_beyond_openais_api(kind: str) -> None:
    async with opened(kind, standard_only=True) as (engine, server):
        await engine.generate("a ", max_tokens=1, sampling=SAMPLING, origin=Origin(1, "salt"))
        known = {
            "model",
            "prompt",
            "max_tokens",
            "temperature",
            "top_p",
            "seed",
            "presence_penalty",
            "frequency_penalty",
        }
        assert server.bodies("/v1/completions")[-1].keys() - {"rid"} == known


async def test_a_refused_field_is_left_out_from_then_on() -> None:
    async with opened("openai") as (engine, server):
        for _ in range(2):
            await read(engine, max_tokens=4, sampling=SAMPLING)
        bodies = server.bodies("/v1/completions")
        assert [len(body.keys() & {"top_k", "min_p", "repetition_penalty"}) for body in bodies] == [3, 2, 1, 0, 0]
        assert bodies[-1]["seed"] == SAMPLING.seed


REFUSALS = [
    (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "top_k"], "msg": "Extra inputs are not permitted"}]}),
    (400, {"object": "error", "message": "[{'loc': ('body', 'top_k'), 'msg': 'Extra inputs'}]", "code": 400}),
    (400, {"error": {"message": "Unknown parameter", "param": "top_k", "code": "unknown_parameter"}}),
    (400, {"message": "additional properties are not allowed"}),
    (400, {"error": {"message": "Bad Request"}}),
    (400, "<html><style>p {margin: 0}</style><p>Bad Request</p></html>"),
    (400, ""),
]


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_servers_refuse_fields_in_many_words(refusal: tuple[int, Any]) -> None:
    async with strict("vllm") as server:
        server.faults.append(status(*refusal))
        async with OpenAiEngine(server.url, model="no card") as unknown:
            with pytest.raises(NotFound):  # served without the field; the model is not there
                await unknown.generate("a ", max_tokens=1)
        first, second = server.bodies("/v1/completions")
        assert "top_k" in first
        assert "top_k" not in second


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_server_that_refuses_openais_own_fields_without_a_word_why(streaming: bool) -> None:
    async with opened("openai") as (engine, server):
        server.faults += [status(400, {"error": {"message": "Invalid request body"}})] * 2
        for _ in range(2):
            await (read(engine, max_tokens=4) if streaming else engine.generate("a ", max_tokens=4))
        sent = [body.keys() & {"min_p", "presence_penalty"} for body in server.bodies("/v1/completions")]
        assert sent == [{"min_p", "presence_penalty"}, {"presence_penalty"}, set(), set()]


@pytest.mark.parametrize("code", [500, 501])
@pytest.mark.parametrize("streaming", [False, True])
async def test_a_server_that_fails_for_a_field_it_does_not_know(code: int, streaming: bool) -> None:
    async with opened("openai") as (engine, server):
        words = "create_completion() got an unexpected keyword argument 'min_p'"
        server.faults.append(status(code, {"error": {"message": words, "type": "internal_server_error"}}))
        await (read(engine, max_tokens=4) if streaming else engine.generate("a ", max_tokens=4))
        first, *others = server.bodies("/v1/completions")
        assert "min_p" in first
        assert not any("min_p" in body for body in others)


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_server_that_fails_otherwise_is_left_alone(streaming: bool) -> None:
    async with opened("openai") as (engine, server):
        server.faults.append(status(500, {"error": {"message": "unexpected end of the world: min 5 p"}}))
        with pytest.raises(Unavailable):
            await (read(engine, max_tokens=4) if streaming else engine.generate("a ", max_tokens=4))
        assert len(server.bodies("/v1/completions")) == 1


@pytest.mark.parametrize(
    "words",
    [
        "Invalid 'logprobs': integer above maximum value. Expected a value <= 5, but got {} instead.",
        "[{{'loc': ('body', 'logprobs'), 'msg': 'Input should be less than or equal to 5', 'input': {}}}]",
        "logprobs: {} is too much",
        "logprobs out of range",
    ],
)
async def test_a_server_that_gives_fewer_candidates(words: str) -> None:
    async with opened("openai", script={"top_n_refusal": words}) as (engine, server):
        for _ in range(2):
            assert len((await engine.next_token("a ", top_n=20)).candidates) == 4
        assert (await engine.info()).max_top_n == 5
        asked = [body["logprobs"] for body in server.bodies("/v1/completions") if "top_k" not in body]
        assert asked[-3:] == [20, 5, 5]


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_refusal_about_something_else_is_the_callers(streaming: bool) -> None:
    async with opened("openai") as (engine, server):
        server.faults.append(status(400, {"error": {"message": "maximum context length is 200 tokens"}}))
        with pytest.raises(InvalidRequest):
            await (read(engine, max_tokens=4) if streaming else engine.generate("a ", max_tokens=4))
        assert len(server.requests) == 2  # the models, and this one


def _choice(**choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": "6 + 7 = 13", "finish_reason": "stop", **choice}]}


USAGE = {"prompt_tokens": 2, "completion_tokens": 5}
ODD_REPLIES = [
    (_choice() | {"usage": None}, "6 + 7 = 13", Finish.STOP),
    (_choice(), "6 + 7 = 13", Finish.STOP),
    (_choice(text=None) | {"usage": USAGE | {"completion_tokens": 0}}, "", Finish.EOS),
    (_choice(finish_reason="content_filter") | {"usage": USAGE}, "6 + 7 = 13", Finish.EOS),
    (_choice(finish_reason="stop_sequence") | {"usage": USAGE}, "6 + 7 = 13", Finish.STOP),
    (_choice(finish_reason="eos_token") | {"usage": {"completion_tokens": 9}}, "6 + 7 = 13", Finish.EOS),
    ({"choices": [{"index": 0, "finish_reason": "stop"}]} | {"usage": {"completion_tokens": 0}}, "", Finish.EOS),
    (_choice(finish_reason="repetition") | {"usage": USAGE}, "6 + 7 = 13", Finish.EOS),
    (_choice(finish_reason=None) | {"usage": USAGE}, "6 + 7 = 13", Finish.EOS),
    (_choice(finish_reason="max_tokens") | {"usage": USAGE}, "6 + 7 = 13", Finish.LENGTH),
    (_choice(finish_reason="novel") | {"usage": {"completion_tokens": 9}}, "6 + 7 = 13", Finish.LENGTH),
    (_choice(logprobs=None, stop_reason=None) | {"usage": USAGE, "error": None}, "6 + 7 = 13", Finish.EOS),
    (_choice(text="6 + 7\n\nmore") | {"usage": USAGE}, "6 + 7", Finish.STOP),
    (_choice(text="half \ufffd") | {"usage": USAGE}, "half ", Finish.STOP),
]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(("reply", "text", "finish"), ODD_REPLIES)
async def test_replies_that_lack_something(reply: dict[str, Any], text: str, finish: Finish, streaming: bool) -> None:
    async with opened("openai") as (engine, server):
        server.faults.append(_events(reply) if streaming else status(200, reply))
        asked: dict[str, Any] = {"max_tokens": 9, "stop": ["\n\n"]}
        got = (await read(engine, **asked))[-1].end if streaming else await engine.generate("6 + 7? ", **asked)
        assert got is not None
        assert (got.text, got.finish) == (text, finish)
        assert 0 <= got.tokens <= 9


SAID = [_choice(text="6 + 7", finish_reason=None), _choice(text=" = 13", finish_reason=None)]
ENDED = _choice(text="")


@pytest.mark.parametrize(
    "events",
    [
        [{"choices": [], "prompt_filter_results": []}, *SAID, ENDED],
        [*SAID, {"choices": [], "usage": None}, ENDED, {"usage": USAGE}],
        [*SAID, ENDED, {"choices": None, "usage": USAGE}],
        [*SAID, {"choices": [{"index": 0, "finish_reason": "stop"}]}],
        [SAID[0] | {"usage": USAGE}, SAID[1] | {"usage": None}, ENDED],
        [*SAID, ENDED, "[DONE]", "garbage"],
        [*SAID, ENDED, "[DONE] "],
        [*SAID, "", ENDED],
    ],
)
@pytest.mark.parametrize("packets", [False, True])
async def test_streams_of_an_unusual_form(events: list[Any], packets: bool) -> None:
    data = [event if isinstance(event, str) else json.dumps(event) for event in events]
    apart = asyncio.Event()

    async def reply(request: Any) -> Any:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        sent = [f"data: {one}\n\n".encode() for one in data]
        for packet in sent if packets else [b"".join(sent)]:
            await response.write(packet)
            await asyncio.sleep(0)
        if data[-1] == "garbage":  # and the connection stays: the end is where the server says it
            await apart.wait()
        return response

    async with opened("openai") as (engine, server):
        server.faults.append(reply)
        async with asyncio.timeout(LIMIT_S):
            end = (await read(engine, max_tokens=9))[-1].end
        apart.set()
        assert end is not None
        assert (end.text, end.finish) == ("6 + 7 = 13", Finish.EOS)


async def test_counted_tokens_never_become_fewer() -> None:
    """A server that streams by characters says at the end that these were fewer tokens than events."""
    async with opened("openai") as (engine, server):
        letters = [_choice(text=letter, finish_reason=None) for letter in "6+7=13"]
        server.faults.append(_events(*letters, ENDED, {"choices": [], "usage": USAGE | {"completion_tokens": 2}}))
        counts = [piece.tokens for whole in await read(engine, max_tokens=9) for piece in whole.parted()]
        assert counts == sorted(counts)


async def test_a_stream_may_have_more_events_than_tokens_but_not_blank_ones() -> None:
    async with opened("openai") as (engine, server):
        letters = "a long word of one token".ljust(100, ".")
        server.faults.append(_events(*(_choice(text=letter, finish_reason=None) for letter in letters), ENDED))
        end = (await read(engine, max_tokens=9))[-1].end
        assert end is not None
        assert (end.text, end.tokens) == (letters, 9)
        server.faults.append(_events(*[_choice(text="", finish_reason=None)] * 100, ENDED))
        with pytest.raises(BadReply, match="blank events"):
            await read(engine, max_tokens=9)


def _events(*documents: Any) -> Fault:
    async def reply(request: Any) -> Any:
        return await streamed(request, [*map(json.dumps, documents), "[DONE]"], newline="\r\n")

    return reply


IMPOSSIBLE = [
    _choice() | {"usage": {"completion_tokens": -5}},
    _choice() | {"usage": {"completion_tokens": 10**12}},
    _choice() | {"usage": {"completion_tokens": "5"}},
    _choice() | {"usage": {"completion_tokens": 5, "prompt_tokens": -7}},
    _choice() | {"usage": {"completion_tokens": 5, "prompt_tokens": 10**12}},
    _choice(text="x" * 5000) | {"usage": {"completion_tokens": 5}},
    _choice(text=["x"]) | {"usage": USAGE},
    _choice(matched_stop="NaN happened") | {"usage": USAGE},
    {"choices": []},
    {"choices": [], "usage": USAGE},
    {"choices": [{"delta": {"content": "6"}, "finish_reason": "stop"}], "usage": USAGE},
    {"choices": [{"text": "no reason and no usage"}]},
    {"choices": "none"},
    [],
]


@pytest.mark.parametrize("reply", IMPOSSIBLE)
async def test_replies_that_cannot_be_are_garbage(reply: Any) -> None:
    async with opened("openai") as (engine, server):
        server.faults.append(_json(reply))
        with pytest.raises(BadReply):
            await engine.generate("6 + 7? ", max_tokens=9, stop=["\n\n"])


@pytest.mark.parametrize("reply", IMPOSSIBLE[:11])
async def test_streams_that_cannot_be_are_garbage(reply: Any) -> None:
    async with opened("openai") as (engine, server):
        server.faults.append(_events(reply))
        with pytest.raises(BadReply):
            await read(engine, max_tokens=9, stop=["\n\n"])


def _json(document: Any) -> Fault:
    async def reply(_: Any) -> Any:
        return web.json_response(document)

    return reply


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"error": {"message": "The request queue is full.", "code": 503}}, Overloaded),
        ({"error": {"message": "too long", "code": 400}}, InvalidRequest),
        ({"object": "error", "message": "died", "code": 500}, Unavailable),
        (_choice(finish_reason="abort") | {"usage": USAGE}, Unavailable),
    ],
)
async def test_errors_inside_a_stream(event: Any, error: type[SsrError]) -> None:
    async with opened("vllm") as (engine, server):
        server.faults.append(_events({"choices": [{"index": 0, "text": "6 "}]}, event))
        with pytest.raises(error):
            await read(engine, max_tokens=9)


async def test_a_stream_that_breaks_off_is_an_engine_that_went_away() -> None:
    async with opened("vllm") as (engine, server):

        async def half(request: Any) -> Any:
            return await streamed(request, ['{"choices": [{"index": 0, "text": "6 "}]}'])

        server.faults.append(half)
        with pytest.raises(Unavailable, match="ended before"):
            await read(engine, max_tokens=9)


async def test_a_server_that_does_not_stream_answers_in_one_piece() -> None:
    async with opened("openai") as (engine, server):
        server.faults.append(status(200, _choice() | {"usage": USAGE}))
        pieces = await read(engine, max_tokens=9)
        assert [piece.text for piece in pieces if piece.text] == ["6 + 7 = 13"]
        assert pieces[-1].tokens == 5


LOGPROBS = [
    {"tokens": ["7"], "token_logprobs": [-0.5], "top_logprobs": None},
    {"tokens": ["7"], "token_logprobs": [-0.5]},
    {"tokens": ["7"], "token_logprobs": [-0.5], "top_logprobs": [{"7": -0.5, "8": None}]},
    {"content": [{"token": "7", "logprob": -0.5, "top_logprobs": []}]},
]


@pytest.mark.parametrize("logprobs", LOGPROBS)
async def test_log_probabilities_in_all_shapes(logprobs: Any) -> None:
    async with opened("openai") as (engine, server):
        server.faults.append(status(200, _choice(logprobs=logprobs) | {"usage": USAGE}))
        (candidate,) = (await engine.next_token("a ", top_n=5)).candidates
        assert (candidate.text, candidate.logprob) == ("7", -0.5)


@pytest.mark.parametrize("logprob", [1.0, float("nan"), "x"])
async def test_log_probabilities_that_cannot_be(logprob: Any) -> None:
    async with opened("openai") as (engine, server):
        server.faults.append(_json(_choice(logprobs={"top_logprobs": [{"7": logprob}]}) | {"usage": USAGE}))
        with pytest.raises(BadReply):
            await engine.next_token("a ", top_n=5)


async def test_no_log_probabilities() -> None:
    async with opened("openai") as (engine, server):
        server.faults.append(status(200, _choice(logprobs=None) | {"usage": USAGE}))
        with pytest.raises(CapabilityMissing):
            await engine.next_token("a ", top_n=5)


async def test_another_model_behind_the_same_url_is_noticed() -> None:
    async with opened("vllm") as (engine, server):
        assert (await engine.info()).max_total_tokens == 200
        asks = len(server.requests)
        await engine.info()
        assert len(server.requests) == asks

        async def dies(request: Any) -> Any:
            request.transport.close()
            await asyncio.Event().wait()

        server.faults.append(dies)
        with pytest.raises(Unavailable):
            await engine.generate("a ", max_tokens=1)
        asks = len(server.requests)
        await engine.info()
        assert "/v1/models" in [request[0] for request in server.requests[asks:]]
