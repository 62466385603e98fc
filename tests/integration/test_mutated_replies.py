"""Replies of every kind of server with one value changed: an error of ours, or something plausible, and no bug."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
import strict_servers
from aiohttp import web
from engine_servers import streamed
from strict_servers import KINDS, StrictServer, strict

from ssr.core.errors import SsrError
from ssr.core.steps import well_formed
from ssr.engines.base import ChatMessage, Engine, Generation, Sampling
from ssr.engines.openai import OpenAiEngine
from ssr.engines.openai_requests import ServerKind
from ssr.engines.tgi import TgiEngine

MOST = 8
ROUNDS = 25
ODD: list[Any] = [
    None, True, False, -1, 0, 3, 10**12, 10**30, 0.5, -0.5, 1.5, 1e308, -1e308, math.nan, math.inf, -math.inf,
    "", "x", "7", "\ud83c", "\ufffd", "x" * 4000, [], {}, [[]], [None], {"a": {}}, [{}], ["x"], {"text": None},
    [[0.5, 1, "x"]],
]  # fmt: skip


def places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a document with a key of it."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        yield document, key
        yield from places(value)


class Mutator:
    """Changes one value of what it is given; `active` while it does."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self.active = False
        self.changed = ""

    def __call__(self, text: str) -> str:
        if not self.active or text == "[DONE]":
            return text
        document = copy.deepcopy(json.loads(text))
        found = list(places(document))
        if not found or self._dice.random() < 0.05:
            document = self._dice.choice(ODD)
        else:
            container, key = self._dice.choice(found)
            if self._dice.random() < 0.15:
                del container[key]
            else:
                container[key] = self._dice.choice(ODD)
        self.changed = json.dumps(document)
        return self.changed

    @web.middleware
    async def around(self, request: web.Request, handler: Any) -> web.StreamResponse:
        response = await handler(request)
        if (
            isinstance(response, web.Response)
            and response.content_type == "application/json"
            and response.status == 200
        ):
            return web.Response(text=self(response.text or ""), content_type="application/json", headers=_own(response))
        return response  # type: ignore[no-any-return]

    async def events(self, request: web.Request, events: list[str], **options: Any) -> web.StreamResponse:
        hit = self._dice.randrange(len(events))
        return await streamed(request, [self(e) if n == hit else e for n, e in enumerate(events)], **options)


def _own(response: web.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name.lower().startswith("x-")}


async def generated(engine: Engine) -> None:
    whole = await engine.generate("What is 17? ", max_tokens=MOST, stop=["\n\n"], sampling=Sampling(0.6, 0.9, 7, 70))
    check(whole)


async def read(engine: Engine) -> None:
    async with aclosing(engine.stream("What is 17? ", max_tokens=MOST, stop=["\n\n"])) as pieces:
        got = [piece async for piece in pieces]
    assert got[-1].end is not None
    check(got[-1].end)
    assert "".join(piece.text for piece in got) == got[-1].end.text


def check(whole: Generation) -> None:
    assert type(whole.text) is str
    assert not whole.text.endswith("\ufffd")
    assert type(whole.tokens) is int
    assert 0 <= whole.tokens <= MOST
    for count in (whole.prompt_tokens, whole.cached_tokens):
        assert count is None or (type(count) is int and 0 <= count < 100)


async def asked(engine: Engine) -> None:
    token = await engine.next_token("Digit: ", top_n=3, answers=["7", "8"])
    assert all(math.isfinite(one.logprob) and one.logprob <= 0 and type(one.text) is str for one in token.candidates)


async def judged(engine: Engine) -> None:
    assert all(math.isfinite(p) and p <= 0 for p in (await engine.likelihood("say it! now ", "One two!")).logprobs)


async def rendered(engine: Engine) -> None:
    prompt = await engine.render([ChatMessage("user", "What is 17?")])
    assert prompt
    assert prompt == well_formed(prompt)


async def counted(engine: Engine) -> None:
    assert 0 <= await engine.count_tokens("What is 17?") < 100


async def described(engine: Engine) -> None:
    info = await engine.info()
    assert 0 < info.max_total_tokens < 2**31
    assert info.parameters is None or 0 < info.parameters < 2**64
    assert (info.model, info.revision) == (well_formed(info.model), well_formed(info.revision))


CALLS: list[Callable[[Engine], Any]] = [generated, read, asked, judged, rendered, counted, described]


@asynccontextmanager
async def mutated(kind: str, seed: int, patch: pytest.MonkeyPatch) -> AsyncIterator[tuple[StrictServer, Mutator]]:
    mutator = Mutator(seed)
    patch.setattr(strict_servers, "streamed", mutator.events)
    made = KINDS[kind]

    def app(server: StrictServer) -> web.Application:
        application = made(server)
        application.middlewares.append(mutator.around)
        return application

    patch.setitem(strict_servers.KINDS, kind, app)
    async with strict(kind, reasoning=True) as server:
        yield server, mutator


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
@pytest.mark.parametrize("kind", KINDS)
async def test_no_value_of_a_reply_is_our_bug(
    kind: str, call: Callable[[Engine], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = set[str]()
    async with mutated(kind, CALLS.index(call), monkeypatch) as (server, mutator):
        for _ in range(ROUNDS):
            said = ServerKind(kind) if kind != "tgi" else None
            client: Engine = OpenAiEngine(server.url, kind=said) if said else TgiEngine(server.url)
            async with client as engine:
                if call is not described:
                    await engine.info()
                mutator.active = True
                try:
                    await call(engine)
                    outcomes.add("served")
                except SsrError as error:
                    outcomes.add(type(error).__name__)
                except BaseException as error:
                    error.add_note(f"after {mutator.changed:.500}")
                    raise
                finally:
                    mutator.active = False
    missing = {"llamacpp": [judged], "openai": [judged, rendered, counted]}
    assert "BadReply" in outcomes or call in missing.get(kind, [])
