"""The connection under TgiEngine, against servers that misbehave below the level of JSON."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

import pytest
import uvloop
from aiohttp import web
from engine_servers import ScriptedServer, scripted
from hang_limit import LIMIT_S

from ssr.core.errors import BadReply, Overloaded, TimedOut, Unavailable
from ssr.engines import event_stream, json_connection
from ssr.engines.json_connection import JsonConnection

Answer = Callable[[asyncio.StreamWriter], None]


def connection(url: str, *, timeout_s: float = 10.0, max_connections: int = 8) -> JsonConnection:
    return JsonConnection(
        url, api_key=None, timeout_s=timeout_s, connect_timeout_s=5.0, max_connections=max_connections
    )


class RawServer:
    """Answers every request's bytes with `answers`' own, and counts the connections that are made and that are open."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.accepted = 0
        self.open = 0
        self.closed = asyncio.Event()
        self.url = ""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open += 1
        try:
            while await reader.read(65536):
                self._answer(writer)
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            self.closed.set()
            writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[RawServer]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self
            # A connection that is over must not stay open on our side: this would wait for ever.
            async with asyncio.timeout(LIMIT_S):
                while self.open:
                    self.closed.clear()
                    await self.closed.wait()


def says(*parts: bytes) -> Answer:
    def answer(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)

    return answer


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


async def test_connections_are_kept_and_closed_at_the_end() -> None:
    async with RawServer(says(OK)).running() as server, connection(server.url) as engine:
        for _ in range(5):
            assert (await engine.post("/generate", {"inputs": "a"})).document() == {}
        assert (server.accepted, server.open) == (1, 1)


async def test_no_more_connections_than_allowed() -> None:
    async with RawServer(says(OK)).running() as server, connection(server.url, max_connections=3) as engine:
        await asyncio.gather(*(engine.get("/info") for _ in range(12)))
        assert server.accepted == 3


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "head", [CHUNKED + b"fffff\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 500 Oh\r\nContent-Length: 9999999\r\n\r\n"]
)
async def test_a_reply_that_is_too_long_is_given_up(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_connection, "MAX_REPLY_BYTES", 100_000)
    async with RawServer(says(head, b"x" * 150_000)).running() as server, connection(server.url) as engine:
        with pytest.raises(BadReply, match="more than 100000 bytes"):
            await engine.get("/info")
        await server.closed.wait()


async def test_a_small_reply_that_unpacks_to_a_huge_one_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_connection, "MAX_REPLY_BYTES", 100_000)
    packed = gzip.compress(b"x" * 1_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with RawServer(says(head, packed)).running() as server, connection(server.url) as engine:
        with pytest.raises(BadReply, match="more than"):
            await engine.get("/info")


async def test_a_reply_that_never_ends_times_out() -> None:
    answer = says(CHUNKED, b"1\r\nx\r\n")
    async with RawServer(answer).running() as server, connection(server.url, timeout_s=0.1) as engine:
        with pytest.raises(TimedOut, match=r"within 0\.1 s"):
            await engine.get("/info")
        await server.closed.wait()


@pytest.mark.parametrize(
    "answer",
    [b"\x00\x00\x18\x04 no HTTP at all\r\n\r\n", CHUNKED + b"no size\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 99_999],
)
async def test_what_is_no_http_is_a_broken_engine(answer: bytes) -> None:
    async with RawServer(says(answer)).running() as server, connection(server.url) as engine:
        with pytest.raises(Unavailable):
            await engine.get("/info")


@pytest.mark.parametrize("body", [b'{"generated_text": "half a te', b"", b"\xff\xfe"])
async def test_a_whole_reply_that_is_no_json(body: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with RawServer(says(answer)).running() as server, connection(server.url) as engine:
        with pytest.raises(BadReply, match="no JSON"):
            (await engine.get("/info")).document()


async def test_json_that_is_too_deep_is_garbage() -> None:
    body = b"[" * 200_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with RawServer(says(answer)).running() as server, connection(server.url) as engine:
        with pytest.raises(BadReply, match="no JSON"):
            (await engine.get("/info")).document()


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


async def read(engine: JsonConnection) -> list[bytes]:
    async with aclosing(engine.events("/generate_stream", {"inputs": "a"})) as events:
        return [event async for together in events for event in together]


@pytest.mark.parametrize("line", [b"data: ", b": comment ", b""])
async def test_a_line_that_never_ends_is_given_up(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_EVENT_BYTES", 100_000)
    async with RawServer(says(EVENTS, line, b"x" * 1_000_000)).running() as server, connection(server.url) as engine:
        with pytest.raises(BadReply, match="more than 100000 bytes"):
            await read(engine)
        await server.closed.wait()


@pytest.mark.parametrize("kind", [b"text/plain", b"application/octet-stream", b"text/event-stream;charset=utf-8"])
@pytest.mark.parametrize("begin", [b"", b": hello\n\n", b"\n\xef\xbb\xbf", b"event: message\n"])
async def test_a_stream_is_one_whatever_its_type_says(kind: bytes, begin: bytes) -> None:
    head = EVENTS.replace(b"text/event-stream", kind)
    async with RawServer(says(head, begin + b"data: 1\n\n")).running() as server, connection(server.url) as engine:
        events = engine.events("/generate_stream", {})
        async with aclosing(events):
            assert await anext(events) == [b"1"]


async def test_a_stream_of_too_many_bytes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_connection, "MAX_REPLY_BYTES", 100_000)
    async with RawServer(says(EVENTS, b"data: 1\n\n" * 20_000)).running() as server, connection(server.url) as engine:
        with pytest.raises(BadReply, match="more than 100000 bytes"):
            await read(engine)


@pytest.mark.parametrize("signs", [b"", b": still here\n\n", b"event: ping\n\n"])
async def test_a_stream_without_data_times_out_whatever_else_comes(signs: bytes) -> None:
    sent = asyncio.Event()

    class Pinging(RawServer):
        async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.open += 1
            await reader.readuntil(b"}")
            writer.write(EVENTS + b"data: 1\n\n")
            with contextlib.suppress(ConnectionError):
                while not reader.at_eof() and not writer.is_closing():
                    writer.write(signs)
                    await writer.drain()
                    sent.set()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.02):
                            await reader.read(1)
            self.open -= 1
            self.closed.set()
            writer.close()

    async with Pinging(says()).running() as server, connection(server.url, timeout_s=0.2) as engine:
        with pytest.raises(TimedOut):
            await read(engine)
        assert sent.is_set()


async def test_a_stream_that_is_left_closes_its_connection() -> None:
    async with RawServer(says(EVENTS, b"data: 1\n\n")).running() as server, connection(server.url) as engine:
        async with aclosing(engine.events("/generate_stream", {})) as events:
            assert await anext(events) == [b"1"]
        async with asyncio.timeout(LIMIT_S):
            await server.closed.wait()


async def test_an_error_in_place_of_a_stream() -> None:
    answer = b"HTTP/1.1 429 Full\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n"
    async with RawServer(says(answer)).running() as server, connection(server.url) as engine:
        with pytest.raises(Overloaded) as raised:
            await read(engine)
        assert raised.value.delay_s == 3


async def test_what_we_cannot_send_is_our_bug_and_no_bad_reply() -> None:
    async with RawServer(says(OK)).running() as server, connection(server.url) as engine:
        with pytest.raises(TypeError):
            await engine.post("/generate", {"inputs": object()})


async def test_a_connection_that_broke_is_counted() -> None:
    async with connection("http://127.0.0.1:9") as engine:
        with pytest.raises(Unavailable):
            await engine.get("/info")
        assert engine.losses == 1


async def test_interim_replies_are_passed_over() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Type: text/plain\r\n\r\n"
    async with RawServer(says(hints, OK)).running() as server, connection(server.url) as engine:
        for _ in range(2):
            reply = await engine.get("/info")
            assert (reply.document(), dict(reply.headers)) == ({}, {"Content-Length": "2"})
        assert server.accepted == 1


async def test_a_reply_that_ends_with_its_connection() -> None:
    def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n[1]")
        writer.close()

    async with RawServer(answer).running() as server, connection(server.url) as engine:
        assert [(await engine.get("/info")).document() for _ in range(2)] == [[1], [1]]
        assert server.accepted == 2


@pytest.mark.parametrize("head", [CHUNKED + b"5\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", CHUNKED[:9]])
async def test_a_reply_that_is_cut_off_is_a_broken_connection(head: bytes) -> None:
    def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head + b"[")
        writer.close()

    async with RawServer(answer).running() as server, connection(server.url) as engine:
        with pytest.raises(Unavailable, match="before its answer was complete"):
            await engine.get("/info")
        assert engine.losses == 1


async def test_a_second_reply_is_nobodys() -> None:
    """It must not become the answer to the next request on the connection."""
    secret = b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\nX-Its: 1\r\n\r\n"secret"'
    async with RawServer(says(OK + secret)).running() as server, connection(server.url) as engine:
        for _ in range(3):
            reply = await engine.get("/info")
            assert (reply.document(), "x-its" in reply.headers) == ({}, False)
        assert server.accepted == 3


@pytest.mark.parametrize("keep", [b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"HTTP/1.0 200 OK\r\n"])
async def test_a_connection_that_the_engine_will_close_is_not_used_again(keep: bytes) -> None:
    async with (
        RawServer(says(keep + b"Content-Length: 2\r\n\r\n{}")).running() as server,
        connection(server.url) as engine,
    ):
        for _ in range(3):
            assert (await engine.get("/info")).document() == {}
        assert server.accepted == 3


async def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_connection, "_KEEP_ALIVE_S", 0.01)
    async with RawServer(says(OK)).running() as server, connection(server.url) as engine:
        await asyncio.gather(*(engine.get("/info") for _ in range(3)))
        async with asyncio.timeout(LIMIT_S):
            while server.open:
                server.closed.clear()
                await server.closed.wait()
        assert (await engine.get("/info")).document() == {}


async def test_a_packed_reply() -> None:
    packed = gzip.compress(b'{"text": "' + b"x" * 500_000 + b'"}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with RawServer(says(head, packed)).running() as server, connection(server.url) as engine:
        for _ in range(2):
            assert len((await engine.get("/info")).document()["text"]) == 500_000
        assert server.accepted == 1


async def test_a_packing_that_nobody_asked_for() -> None:
    answer = says(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx")
    async with RawServer(answer).running() as server, connection(server.url) as engine:
        with pytest.raises(Unavailable, match="before its answer was complete"):
            await engine.get("/info")


def test_calls_and_streams_under_the_loop_that_services_run_on() -> None:
    async def called() -> None:
        async with RawServer(says(OK)).running() as server, connection(server.url) as engine:
            assert [(await engine.get("/info")).document() for _ in range(2)] == [{}, {}]
            assert server.accepted == 1
        async with RawServer(says(EVENTS, b"data: 1\n\n")).running() as server, connection(server.url) as engine:
            events = engine.events("/generate_stream", {})
            assert await anext(events) == [b"1"]
            await events.aclose()

    uvloop.run(called())


async def test_redirects_are_not_followed_and_cookies_not_kept() -> None:
    async def elsewhere(_: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": "/secret", "Set-Cookie": "a=b"})

    def app(server: ScriptedServer) -> web.Application:
        made = web.Application(middlewares=[server.observe])
        made.add_routes([web.route("*", "/{path:.*}", elsewhere)])
        return made

    async with scripted(app) as server, connection(server.url) as engine:
        for _ in range(2):
            with pytest.raises(BadReply, match="307"):
                await engine.post("/tokenize", {"inputs": "a"})
        assert [path for path, _, _ in server.requests] == ["/tokenize"] * 2
        assert all("Cookie" not in headers for _, _, headers in server.requests)


async def test_a_host_that_does_not_exist() -> None:
    async with connection("http://engine.invalid:1") as engine:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await engine.get("/info")


async def test_a_url_that_is_none() -> None:
    async with connection("http://[::1") as engine:
        with pytest.raises(BadReply, match="no URL"):
            await engine.get("/info")


async def test_it_must_be_entered() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await connection("http://127.0.0.1:1").get("/info")
