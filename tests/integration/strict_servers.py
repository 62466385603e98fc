"""One scripted server for each kind of engine, as strict as the real one: it refuses what that refuses.

Fields that the real server does not know are kept in `StrictServer.unknown`, whether it ignores or refuses them; what a
generation was sampled with, the model's own defaults included, is in `used`. docs/reference/engines.md has the sources.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from engine_servers import BOS, CONTEXT, NAME, ScriptedServer, streamed, templated, tgi_events

#: A model whose generation_config.json is full of opinions.
DEFAULTS = {
    "temperature": 0.9,
    "top_p": 0.8,
    "top_k": 20,
    "min_p": 0.1,
    "repetition_penalty": 1.05,
    "repeat_penalty": 1.05,
    "presence_penalty": 1.5,
    "frequency_penalty": 0.2,
    "typical_p": 0.9,
    "dry_multiplier": 0.5,
    "xtc_probability": 0.5,
    "mirostat": 2,
    "top_n_sigma": 2.0,
    "dynatemp_range": 0.3,
}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OPENAI = _names(
    """
    model prompt max_tokens temperature top_p n stream stream_options logprobs echo stop presence_penalty
    frequency_penalty best_of logit_bias user seed suffix
    """
)
_VLLM = _OPENAI | _names(
    """
    use_beam_search top_k min_p repetition_penalty length_penalty stop_token_ids include_stop_str_in_output
    ignore_eos min_tokens skip_special_tokens spaces_between_special_tokens truncate_prompt_tokens
    allowed_token_ids prompt_logprobs logprob_token_ids add_special_tokens response_format priority
    request_id return_token_ids return_tokens_as_token_ids cache_salt kv_transfer_params vllm_xargs
    thinking_token_budget stream_interval
    """
)
_SGLANG = _OPENAI | _names(
    """
    top_k min_p min_tokens repetition_penalty regex ebnf json_schema stop_token_ids stop_regex no_stop_trim
    ignore_eos skip_special_tokens lora_path session_params rid extra_key cache_salt priority custom_params
    return_token_ids return_hidden_states response_format
    """
)
_SGLANG_NATIVE = _names(
    """
    text sampling_params return_logprob logprob_start_len top_logprobs_num token_ids_logprob return_text_in_logprobs
    stream rid extra_key cache_salt priority
    """
)
_LLAMACPP = _names(
    """
    model prompt max_tokens n_predict temperature dynatemp_range dynatemp_exponent top_k top_p min_p
    top_n_sigma xtc_probability xtc_threshold typical_p repeat_last_n repeat_penalty presence_penalty
    frequency_penalty dry_multiplier dry_base mirostat mirostat_tau mirostat_eta stop seed logprobs n_probs
    echo stream stream_options cache_prompt id_slot grammar json_schema ignore_eos logit_bias verbose
    response_fields return_tokens timings_per_token samplers n_keep lora
    """
)
_TGI = _names(
    """
    adapter_id best_of decoder_input_details details do_sample frequency_penalty grammar max_new_tokens
    repetition_penalty return_full_text seed stop temperature top_k top_n_tokens top_p truncate typical_p
    watermark
    """
)


#: What templates raise.
_NO_SYSTEM = "Conversation roles must alternate user/assistant/user/assistant/..."


class Refused(Exception):
    """What the server answers."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(body)
        self.status, self.body = status, body


@dataclass
class StrictServer(ScriptedServer):
    unknown: set[str] = field(default_factory=set)
    used: dict[str, Any] = field(default_factory=dict)
    aborted: list[str] = field(default_factory=list)
    template: bool = True  #: TGI: whether it found a chat template
    reasoning: bool = False  #: vLLM: --reasoning-parser
    context: int = CONTEXT  #: TGI: --max-total-tokens
    always: int = 0  #: a status that everything is answered with
    no_system: bool = False  #: the model's template refuses a system role
    #: OpenAI: what it says to `logprobs` above its limit
    top_n_refusal: str = "Invalid 'logprobs': integer above maximum value. Expected a value <= 5, but got {} instead."
    #: SGLang tokenises no dialogues, llama-server's models have no n_ctx, vLLM wants --scheduling-policy for priorities
    older: bool = False
    kv_tokens: int = 100  #: SGLang: what its KV pool holds

    def render(self, dialogue: Mapping[str, Any], refusal: Refused) -> str:
        """The dialogue in the template. Raises: the refusal."""
        if self.no_system and any(turn["role"] == "system" for turn in dialogue["messages"]):
            raise refusal
        return templated(dict(dialogue))

    def by_id(self, body: Mapping[str, Any]) -> list[tuple[int, str, float]]:
        """The most probable token and those asked for by their ids: id, text and log probability, in order."""
        known = {2 + sum(text.encode()): (text, p) for text, p in self.top}
        best = max(known, key=lambda number: known[number][1])
        asked = dict.fromkeys([best, *(body.get("logprob_token_ids") or body.get("token_ids_logprob") or [])])
        return [(number, *known.get(number, ("", -20.0))) for number in asked]

    def note(self, asked: Mapping[str, Any], known: frozenset[str], defaults: Mapping[str, Any]) -> None:
        self.unknown |= asked.keys() - known
        self.used = {name: value if asked.get(name) is None else asked[name] for name, value in defaults.items()}


def _typed(
    body: Mapping[str, Any], types: Mapping[str, type | tuple[type, ...]], refuse: Callable[[str], Refused]
) -> None:
    for name, kind in types.items():
        value = body.get(name)
        if value is not None and (not isinstance(value, kind) or (kind is not bool and isinstance(value, bool))):
            raise refuse(f"`{name}` has the wrong type")


_NUMBER = (int, float)
_COMPLETION_TYPES: Mapping[str, Any] = {
    "model": str,
    "prompt": str,
    "max_tokens": int,
    "temperature": _NUMBER,
    "top_p": _NUMBER,
    "top_k": int,
    "min_p": _NUMBER,
    "seed": int,
    "logprobs": int,
    "stop": list,
    "stream_options": dict,
    "priority": int,
    "cache_salt": str,
    "rid": str,
}


# --- TGI 3.3.7 ---------------------------------------------------------------------------------------------------


def _tgi_refusal(message: str, kind: str = "validation") -> Refused:
    said = f"Input validation error: {message}" if kind == "validation" else message
    return Refused(422, {"error": said, "error_type": kind})


def _tgi_check(server: StrictServer, prompt: str, asked: Mapping[str, Any]) -> None:
    _typed(
        asked,
        {"stop": list, "max_new_tokens": int, "seed": int, "temperature": _NUMBER, "top_p": _NUMBER, "details": bool},
        lambda message: Refused(422, f"Failed to deserialize the JSON body into the target type: {message}"),
    )
    top_n, stops = asked.get("top_n_tokens") or 0, asked.get("stop") or []
    checks = {
        "`inputs` cannot be empty": bool(prompt),
        f"`inputs` tokens + `max_new_tokens` must be <= {server.context}.": len(server.tokens(prompt))
        <= server.context,
        "`temperature` must be strictly positive": asked.get("temperature", 1) > 0,
        "`top_p` must be > 0.0 and < 1.0": 0 < asked.get("top_p", 0.5) < 1,
        "`top_k` must be strictly positive": asked.get("top_k", 1) > 0,
        "`max_new_tokens` must be strictly positive": asked.get("max_new_tokens", 1) > 0,
        f"`stop` supports up to 4 stop sequences. Given: {len(stops)}": len(stops) <= 4,
        f"`top_n_tokens` must be >= 0 and <= {server.top_n_limit}. Given: {top_n}": 0 <= top_n <= server.top_n_limit,
        "`seed` is no u64": 0 <= (asked.get("seed") or 0) < 2**64,
    }
    for message, holds in checks.items():
        if not holds:
            raise _tgi_refusal(message)


async def _tgi_reply(
    server: StrictServer, request: web.Request, prompt: str, asked: Mapping[str, Any]
) -> web.StreamResponse:
    most, said = asked["max_new_tokens"], list[str]()
    stops, why = asked.get("stop") or [], "length"
    while len(said) < most and why == "length":  # whole chunks, with stop texts matched anew in each
        chunk, why = server.say(min(most, 1024), lambda text: any(text.endswith(stop) for stop in stops))
        said += chunk
    reason = {"stop": "stop_sequence", "length": "length", "eos": "eos_token"}[why]
    details: dict[str, Any] = {"finish_reason": reason, "generated_tokens": len(said), "seed": None}
    size = len(server.tokens(prompt))
    if request.path == "/generate_stream":
        return await streamed(request, tgi_events(said, details | {"input_length": size}))
    details |= {"prefill": [], "tokens": [{"id": 5, "text": t, "logprob": -0.1, "special": False} for t in said]}
    if asked.get("decoder_input_details"):
        details["prefill"] = [{"id": 7, "text": t, "logprob": p} for t, p in server.prefill(prompt)]
    if top_n := asked.get("top_n_tokens"):
        ranked = [{"id": 6, "text": t, "logprob": p, "special": False} for t, p in server.top[:top_n]]
        details["top_tokens"] = [ranked for _ in said]
    reply = {"generated_text": "".join(said), "details": details if asked.get("details") else None}
    return web.json_response(reply, headers={"x-prompt-tokens": str(size)})


def strict_tgi(server: StrictServer) -> web.Application:
    async def generate(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        asked, prompt = body.get("parameters") or {}, body["inputs"]
        server.note(asked, _TGI, {"do_sample": True, "details": False})
        if "![](" in prompt:
            server.unknown.add("an image to fetch")
        try:
            _tgi_check(server, prompt, asked)
        except Refused as refusal:
            if request.path == "/generate_stream":  # it has answered 200 before it looks
                return await streamed(request, [json.dumps(refusal.body)])
            raise
        return await _tgi_reply(server, request, prompt, asked)

    async def tokenize(request: web.Request) -> web.StreamResponse:
        text = (await request.json())["inputs"]
        pairs = zip(server.ids(text), server.tokens(text), strict=True)
        return web.json_response([{"id": number, "text": token, "start": 0, "stop": 0} for number, token in pairs])

    async def chat_tokenize(request: web.Request) -> web.StreamResponse:
        if not server.template:
            raise _tgi_refusal("Template error: template not found", "template_error")
        text = server.render(await request.json(), _tgi_refusal(f"Template error: {_NO_SYSTEM}", "template_error"))
        return web.json_response({"templated_text": text, "tokenize_response": []})

    async def info(_: web.Request) -> web.StreamResponse:
        return web.json_response({"model_id": NAME, "model_sha": "abc123", "max_total_tokens": server.context})

    return _app(
        server,
        [web.post("/generate", generate), web.post("/generate_stream", generate), web.post("/tokenize", tokenize)],
        [web.post("/chat_tokenize", chat_tokenize), web.get("/info", info)],
    )


# --- OpenAI's API ------------------------------------------------------------------------------------------------


def _vllm_refusal(message: str, param: str | None = None) -> Refused:
    error = {"message": message, "type": "BadRequestError", "param": param, "code": 400}
    return Refused(400, {"error": error})


def _sglang_refusal(message: str) -> Refused:
    return Refused(400, {"object": "error", "message": message, "type": "BadRequest", "param": None, "code": 400})


def _llamacpp_refusal(message: str) -> Refused:
    return Refused(400, {"error": {"code": 400, "message": message, "type": "invalid_request_error"}})


def _vllm_check(server: StrictServer, body: Mapping[str, Any]) -> None:
    if body.get("model") not in (None, NAME):
        message = f"The model `{body['model']}` does not exist."
        raise Refused(404, {"error": {"message": message, "type": "NotFoundError", "param": "model", "code": 404}})
    if body.get("priority") and server.older:
        raise _vllm_refusal("Got priority but Priority scheduling is not enabled.")
    if (salt := body.get("cache_salt")) is not None and not 1 <= len(salt) <= 1024:
        raise _vllm_refusal("cache_salt: String should have 1 to 1024 characters")
    if (top_n := body.get("logprobs") or 0) > server.top_n_limit:
        raise _vllm_refusal(
            f"Requested sample logprobs of {top_n}, which is greater than max allowed: {server.top_n_limit}"
        )
    if body.get("stream_options") and not body.get("stream"):
        raise _vllm_refusal("Stream options can only be defined when `stream=True`.")
    if body.get("thinking_token_budget") is not None and not server.reasoning:
        raise _vllm_refusal(
            "thinking_token_budget is set but reasoning_config is not configured. Please set --reasoning-parser "
            "and/or --reasoning-config to use thinking_token_budget."
        )
    if (ids := body.get("logprob_token_ids")) is not None:
        if body.get("logprobs") is None:
            raise _vllm_refusal("when using `logprob_token_ids`, `logprobs` must be set.", "logprob_token_ids")
        if not ids or len(ids) > 128 or not all(type(number) is int and number >= 0 for number in ids):
            raise _vllm_refusal("`logprob_token_ids` must not be an empty list.", "logprob_token_ids")


def _too_long(server: StrictServer, body: Mapping[str, Any]) -> int:
    """How many tokens a prompt has that does not fit, or 0."""
    size = len(server.tokens(body["prompt"]))
    return size if size > CONTEXT else 0


async def _complete(
    server: StrictServer, request: web.Request, body: Mapping[str, Any], ends: Callable[[str | None], dict[str, Any]]
) -> web.StreamResponse:
    """What all of them answer alike; `ends` is what reports a stop text (None: the end of the turn) in a choice."""
    size, stops, most = len(server.tokens(body["prompt"])), body.get("stop") or [], body.get("max_tokens") or 16
    said, why = server.say(most, lambda text: any(stop in text for stop in stops))
    whole = "".join(said)
    hit = next((stop for stop in stops if stop in whole), None)
    text = whole.split(hit)[0] if hit else whole
    choice: dict[str, Any] = {"index": 0, "text": text, "finish_reason": "length" if why == "length" else "stop"}
    choice |= {"logprobs": None, **(ends(hit) if why != "length" else {})}
    if top_n := body.get("logprobs"):
        choice["logprobs"] = {
            "top_logprobs": [dict(server.top[:top_n])],
            "tokens": said,
            "token_logprobs": [-0.1] * len(said),
        }
    if body.get("logprob_token_ids"):
        choice["logprobs"]["top_logprobs"] = [{f"token_id:{i}": p for i, _, p in server.by_id(body)}]
    if body.get("echo"):
        prefill = server.prefill(body["prompt"])
        tokens = [token for token, _ in prefill] + said
        choice["logprobs"] = {"tokens": tokens, "token_logprobs": [p for _, p in prefill] + [-0.1] * len(said)}
    usage = {"prompt_tokens": size, "completion_tokens": len(said), "total_tokens": size + len(said)}
    more = choice.pop("__more", {})
    if not body.get("stream"):
        return web.json_response({"object": "text_completion", "choices": [choice], "usage": usage, **more})
    events: list[Any] = [{"choices": [{"index": 0, "text": t, "finish_reason": None}]} for t in (text[:3], text[3:])]
    events[-1]["choices"][0] |= {name: value for name, value in choice.items() if name not in ("text", "index")}
    events[-1] |= more
    if (body.get("stream_options") or {}).get("include_usage"):
        events.append({"choices": [], "usage": usage})
    return await streamed(request, [*map(json.dumps, events), "[DONE]"], newline="\r\n")


def _models(owner: str | None, **card: Any) -> Any:
    async def models(_: web.Request) -> web.StreamResponse:
        owned = {"owned_by": owner} if owner else {}
        return web.json_response({"object": "list", "data": [{"id": NAME, "object": "model", **owned, **card}]})

    return web.get("/v1/models", models)


def _tokenizing(server: StrictServer, text_key: str, refusal: Refused, *, keeps_special: bool) -> list[web.RouteDef]:
    """/tokenize of a prompt or of messages, and /detokenize, as vLLM and SGLang have them."""
    vocabulary: dict[int, str] = {1: BOS}

    async def tokenize(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if server.older and "prompt" not in body:
            raise _sglang_refusal("[{'type': 'missing', 'loc': ('body', 'prompt'), 'msg': 'Field required'}]")
        if ("prompt" in body) == ("messages" in body):
            raise _sglang_refusal("Exactly one of 'prompt' or 'messages' must be given")
        text = body["prompt"] if "prompt" in body else server.render(body, refusal)
        bare = "messages" in body or body.get("add_special_tokens") is False
        tokens = server.tokens(text)[server.adds_bos and bare :]
        numbers = [1 if token in ("", BOS) else 2 + sum(token.encode()) for token in tokens]
        vocabulary.update({n: t for n, t in zip(numbers, tokens, strict=True) if n != 1})
        return web.json_response({"tokens": numbers, "count": len(numbers), "max_model_len": CONTEXT})

    async def detokenize(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        skip = body.get("skip_special_tokens", not keeps_special)
        return web.json_response({text_key: "".join("" if skip and n == 1 else vocabulary[n] for n in body["tokens"])})

    return [web.post("/tokenize", tokenize), web.post("/detokenize", detokenize)]


def strict_vllm(server: StrictServer) -> web.Application:
    async def complete(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        server.note(body, _VLLM, DEFAULTS)
        _typed(body, _COMPLETION_TYPES, _vllm_refusal)
        if size := _too_long(server, body):
            message = f"This model's maximum context length is {CONTEXT} tokens. However, your prompt contains {size}"
            raise _vllm_refusal(message, "input_tokens")
        _vllm_check(server, body)
        return await _complete(server, request, body, lambda hit: {"stop_reason": hit})

    routes = _tokenizing(server, "prompt", _vllm_refusal(_NO_SYSTEM), keeps_special=True)
    return _app(
        server, [web.post("/v1/completions", complete), _models("vllm", root=NAME, max_model_len=CONTEXT)], routes
    )


def strict_sglang(server: StrictServer) -> web.Application:
    async def complete(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        server.note(body, _SGLANG, DEFAULTS)
        _typed(body, _COMPLETION_TYPES, _sglang_refusal)
        if size := _too_long(server, body):
            raise _sglang_refusal(
                f"The input ({size} tokens) is longer than the model's context length ({CONTEXT} tokens)."
            )
        if not body["prompt"]:
            raise _sglang_refusal("Prompt cannot be empty")
        return await _complete(server, request, body, lambda hit: {"matched_stop": 151645 if hit is None else hit})

    async def generate(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        server.unknown |= body.keys() - _SGLANG_NATIVE
        prefill = server.prefill(body["text"])
        start = min(body.get("logprob_start_len", len(prefill)), len(prefill))
        entries = [[p if at else None, 7, t] for at, (t, p) in enumerate(prefill[start:])]
        server.used = {"logprob_start_len": start}
        meta: dict[str, Any] = {"prompt_tokens": len(prefill), "cached_tokens": start, "input_token_logprobs": entries}
        if body.get("token_ids_logprob"):
            (chosen, text, best), *_ = ranked = server.by_id(body)
            meta["output_token_logprobs"] = [[best, chosen, text]]
            meta["output_token_ids_logprobs"] = [[[p, i, t] for i, t, p in ranked if i in body["token_ids_logprob"]]]
        return web.json_response({"text": "x", "meta_info": meta})

    async def abort(request: web.Request) -> web.StreamResponse:
        server.aborted.append((await request.json())["rid"])
        return web.Response()

    async def info(_: web.Request) -> web.StreamResponse:
        return web.json_response({"max_total_num_tokens": server.kv_tokens, "version": "0.5.23"})

    words = f"Internal server error during tokenization: {_NO_SYSTEM}"
    failure = Refused(500, {"object": "error", "message": words, "type": "InternalServerError", "code": 500})
    own = [web.post("/generate", generate), web.post("/abort_request", abort), web.get("/server_info", info)]
    routes = [web.post("/v1/completions", complete), _models("sglang", max_model_len=CONTEXT)]
    return _app(server, routes, own, _tokenizing(server, "text", failure, keeps_special=False))


def strict_llamacpp(server: StrictServer) -> web.Application:
    async def complete(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        server.note(body, _LLAMACPP, DEFAULTS)
        _typed(body, _COMPLETION_TYPES, _llamacpp_refusal)
        if _too_long(server, body):
            said = "the request exceeds the available context size, try increasing it"
            raise Refused(400, {"error": {"code": 400, "message": said, "type": "exceed_context_size_error"}})
        if body.get("echo"):
            raise _llamacpp_refusal("Only no echo is supported")

        def ends(hit: str | None) -> dict[str, Any]:
            return {"__more": {"__verbose": {"stop_type": "word" if hit else "eos"}} if body.get("verbose") else {}}

        return await _complete(server, request, body, ends)

    async def apply_template(request: web.Request) -> web.StreamResponse:
        said = {"code": 500, "message": f"Jinja Exception: {_NO_SYSTEM}", "type": "server_error"}
        return web.json_response(
            {"prompt": server.render(await request.json(), Refused(500, {"error": said})).removeprefix(BOS)}
        )

    async def tokenize(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        return web.json_response({"tokens": server.ids(body["content"]) if body.get("add_special") else []})

    async def props(_: web.Request) -> web.StreamResponse:
        return web.json_response({"default_generation_settings": {"n_ctx": CONTEXT}, "build_info": "b9999-0c1e57098"})

    context = {} if server.older else {"n_ctx": CONTEXT}
    return _app(
        server,
        [web.post("/v1/completions", complete), web.post("/apply-template", apply_template), web.get("/props", props)],
        [web.post("/tokenize", tokenize), _models("llamacpp", meta={**context, "n_params": 1_500_000_000})],
    )


def strict_openai(server: StrictServer) -> web.Application:
    """Refuses every field that OpenAI's API does not have, one after the other."""

    async def complete(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        server.note(body, _OPENAI, {"presence_penalty": 1.5, "frequency_penalty": 0.2})
        if _too_long(server, body):
            said = "This model's maximum context length is 200 tokens."
            raise Refused(400, {"error": {"message": said, "param": "messages", "code": "context_length_exceeded"}})
        if extra := sorted(body.keys() - _OPENAI):
            message = f"Unrecognized request argument supplied: {extra[0]}"
            raise Refused(400, {"error": {"message": message, "type": "invalid_request_error", "param": None}})
        if (top_n := body.get("logprobs") or 0) > server.top_n_limit:
            raise Refused(400, {"error": {"message": server.top_n_refusal.format(top_n), "param": "logprobs"}})
        return await _complete(server, request, body, lambda hit: {})

    return _app(server, [web.post("/v1/completions", complete), _models(None)])


def _app(server: StrictServer, *routes: list[web.RouteDef]) -> web.Application:
    @web.middleware
    async def refuse(request: web.Request, handler: Any) -> web.StreamResponse:
        if server.always:
            return web.json_response({"error": {"message": "out of memory"}}, status=server.always)
        try:
            response: web.StreamResponse = await handler(request)
        except Refused as refusal:
            if isinstance(refusal.body, str):
                return web.Response(status=refusal.status, text=refusal.body)
            return web.json_response(refusal.body, status=refusal.status)
        return response

    app = web.Application(middlewares=[server.observe, refuse])
    for some in routes:
        app.add_routes(some)
    return app


KINDS: Mapping[str, Callable[[StrictServer], web.Application]] = {
    "tgi": strict_tgi,
    "vllm": strict_vllm,
    "sglang": strict_sglang,
    "llamacpp": strict_llamacpp,
    "openai": strict_openai,
}


@asynccontextmanager
async def strict(kind: str, **script: Any) -> AsyncIterator[StrictServer]:
    """A running server of this kind."""
    server = StrictServer(**script)
    runner = web.AppRunner(KINDS[kind](server), handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
