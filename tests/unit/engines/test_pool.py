"""The pool: where calls wait, go, and go again."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Self

import pytest

from ssr.core.errors import BadReply, InvalidRequest, NoEngine, Overloaded, SsrError, TimedOut, Unavailable
from ssr.engines.attempts import PoolLimits
from ssr.engines.base import (
    ANYONE,
    BATCH_PRIORITY,
    GREEDY,
    ChatMessage,
    Engine,
    EngineInfo,
    Finish,
    Generation,
    Likelihood,
    NextToken,
    Origin,
    Piece,
    Sampling,
    work_of,
)
from ssr.engines.pool import EnginePool
from ssr.engines.pool_state import PoolLoad
from ssr.engines.replicas import FixedReplicas

LIMITS = PoolLimits(max_in_flight=2, attempts=3, timeout_s=5.0, backoff_s=0.0, refresh_s=3600.0)


class FakeEngine(Engine):
    """A replica whose generations hang while `open` is clear, or fail."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.open = asyncio.Event()
        self.open.set()
        self.failure: SsrError | None = None
        self.calls: list[str] = []
        self.closed = False
        self.streaming = 0
        self.fails_after = 0

    async def stream(
        self,
        prompt: str,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        sampling: Sampling = GREEDY,
        affinity: str = "",
        origin: Origin = ANYONE,
    ) -> AsyncGenerator[Piece, None]:
        self.calls.append(prompt)
        self.streaming += 1
        try:
            for number in range(max_tokens - 1):
                if number >= self.fails_after and self.failure:
                    raise self.failure
                await self.open.wait()
                yield Piece(self.url, number + 1)
            yield Piece("", max_tokens, Generation(self.url * (max_tokens - 1), max_tokens, Finish.EOS))
        finally:
            self.streaming -= 1

    async def generate(
        self,
        prompt: str,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        sampling: Sampling = GREEDY,
        affinity: str = "",
        origin: Origin = ANYONE,
    ) -> Generation:
        self.calls.append(prompt)
        await self.open.wait()
        if self.failure:
            raise self.failure
        return Generation(text=self.url, tokens=1, finish=Finish.EOS)

    async def next_token(
        self, prompt: str, *, top_n: int, answers: Sequence[str] = (), affinity: str = "", origin: Origin = ANYONE
    ) -> NextToken:
        return NextToken(())

    async def likelihood(self, prompt: str, text: str, *, affinity: str = "", origin: Origin = ANYONE) -> Likelihood:
        self.calls.append(prompt + text)
        return Likelihood((-0.5,))

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        return messages[0].content

    async def count_tokens(self, text: str) -> int:
        return len(text)

    async def info(self) -> EngineInfo:
        return EngineInfo(self.url, None, 1, 1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.closed = True


class Replicas:
    """A resolver whose answer the test changes; and the engines that were made."""

    changes = True

    def __init__(self, *urls: str) -> None:
        self.urls: list[str] = list(urls)
        self.engines: dict[str, FakeEngine] = {}
        self.fails = False

    async def resolve(self) -> Sequence[str]:
        if self.fails:
            raise Unavailable("no DNS")
        return self.urls

    def connect(self, url: str) -> Engine:
        self.engines[url] = FakeEngine(url)
        return self.engines[url]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def opened(
    *urls: str, now: Callable[[], float] | None = None, **limits: Any
) -> AsyncIterator[tuple[EnginePool, Replicas]]:
    replicas = Replicas(*urls)
    pool = EnginePool(
        replicas,
        replicas.connect,
        PoolLimits(**{name: getattr(LIMITS, name) for name in LIMITS.__slots__} | limits),
        rng=random.Random(0),
        now=now or time.monotonic,
    )
    async with pool:
        yield pool, replicas


async def ask(pool: EnginePool, prompt: str = "p", affinity: str = "") -> str:
    return (await pool.generate(prompt, max_tokens=1, affinity=affinity)).text


async def settled() -> None:
    """Lets every task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_path_stays_with_its_replica() -> None:
    async with opened("a", "b", "c", "d") as (pool, _):
        homes = {path: {await ask(pool, affinity=path) for _ in range(5)} for path in "stuvwxyz"}
        assert all(len(home) == 1 for home in homes.values())
        assert len(set.union(*homes.values())) > 1


async def test_calls_wait_for_room_in_their_order_and_can_be_seen() -> None:
    async with opened("a", max_in_flight=1) as (pool, replicas):
        engine = replicas.engines["a"]
        engine.open.clear()
        calls = [asyncio.create_task(ask(pool, str(n))) for n in range(4)]
        await settled()
        state = pool.snapshot()
        assert (state.waiting, state.running) == (3, 1)
        assert [(r.url, r.running, r.healthy) for r in state.replicas] == [("a", 1, True)]
        engine.open.set()
        await asyncio.gather(*calls)
        assert engine.calls == ["0", "1", "2", "3"]
        assert (pool.snapshot().waiting, pool.snapshot().running) == (0, 0)


async def test_batch_work_waits_behind_the_rest_and_has_a_share() -> None:
    async with opened("a", max_in_flight=1) as (pool, replicas):
        engine = replicas.engines["a"]
        engine.open.clear()

        async def batch(name: str) -> None:
            with work_of(batch=True):
                await ask(pool, name)

        running = asyncio.create_task(ask(pool, "running"))
        await settled()
        calls: list[asyncio.Task[Any]] = [asyncio.create_task(batch(f"b{n}")) for n in range(2)]
        await settled()
        calls += [asyncio.create_task(ask(pool, f"i{n}")) for n in range(6)]
        await settled()
        assert pool.snapshot().waiting == 8
        engine.open.set()
        await asyncio.gather(running, *calls)
        assert engine.calls == ["running", "i0", "i1", "i2", "i3", "b0", "i4", "i5", "b1"]


async def test_an_engine_is_told_what_is_batch_work() -> None:
    async with opened("a") as (pool, replicas):
        seen: list[int] = []

        async def generate(prompt: str, *, origin: Origin, **_: Any) -> Generation:
            seen.append(origin.priority)
            return Generation("a", 1, Finish.EOS)

        replicas.engines["a"].generate = generate  # type: ignore[assignment, method-assign]
        await ask(pool)
        with work_of(batch=True):
            await ask(pool)
        await pool.generate("p", max_tokens=1, origin=Origin(priority=3))
        assert seen == [0, BATCH_PRIORITY, 3]


async def test_a_newcomer_does_not_overtake_those_that_wait() -> None:
    async with opened("a", max_in_flight=1) as (pool, replicas):
        engine = replicas.engines["a"]
        engine.open.clear()
        first, second = (asyncio.create_task(ask(pool, name)) for name in ("first", "second"))
        await settled()
        engine.open.set()
        await first
        await ask(pool, "newcomer")
        await second
        assert engine.calls == ["first", "second", "newcomer"]


async def test_a_newcomer_does_not_overtake_those_that_wait_for_a_replica_to_recover() -> None:
    clock = Clock()
    async with opened("a", now=clock, attempts=1) as (pool, replicas):
        engine = replicas.engines["a"]
        engine.failure = Unavailable("gone")
        with pytest.raises(Unavailable):
            await ask(pool, "fails")
        engine.failure = None
        waiting = asyncio.create_task(ask(pool, "waiting"))
        await settled()
        clock.now = 1.0
        await ask(pool, "newcomer")
        await waiting
        assert engine.calls == ["fails", "waiting", "newcomer"]


@pytest.mark.parametrize("readings", range(10, 14))
async def test_a_call_is_not_forgotten_in_the_moment_in_which_the_only_replica_recovers(readings: int) -> None:
    """Between whichever two readings of the clock that moment lies."""
    clock = itertools.count(step=0.001)
    async with opened("a", now=lambda: next(clock)) as (pool, replicas):
        engine = replicas.engines["a"]
        engine.failure = Overloaded("full", delay_s=0.001 * (readings + 0.5))
        call = asyncio.create_task(ask(pool))
        await settled()
        engine.failure = None
        assert await call == "a"


async def test_in_flight_calls_are_bounded_on_every_replica() -> None:
    async with opened("a", "b") as (pool, replicas):
        for engine in replicas.engines.values():
            engine.open.clear()
        calls = [asyncio.create_task(ask(pool, affinity="one path")) for _ in range(7)]
        await settled()
        state = pool.snapshot()
        assert ([r.running for r in state.replicas], state.waiting) == ([2, 2], 3)
        for engine in replicas.engines.values():
            engine.open.set()
        await asyncio.gather(*calls)


async def test_cancelling_frees_the_place_in_the_queue() -> None:
    async with opened("a", max_in_flight=1) as (pool, replicas):
        engine = replicas.engines["a"]
        engine.open.clear()
        running, leaving, staying = (asyncio.create_task(ask(pool, name)) for name in ("running", "leaving", "staying"))
        await settled()
        leaving.cancel()
        await settled()
        assert pool.snapshot().waiting == 1
        engine.open.set()
        await asyncio.gather(running, staying)
        assert engine.calls == ["running", "staying"]


async def test_cancelling_in_the_moment_of_being_seated_gives_the_place_back() -> None:
    async with opened("a", max_in_flight=1) as (pool, replicas):
        engine = replicas.engines["a"]
        engine.open.clear()
        running, leaving = asyncio.create_task(ask(pool, "running")), asyncio.create_task(ask(pool, "leaving"))
        await settled()
        running.cancel()  # gives its place to the other, who is on its way out by then
        leaving.cancel()
        await asyncio.wait([running, leaving])
        assert (pool.snapshot().waiting, pool.snapshot().running) == (0, 0)
        engine.open.set()
        assert await ask(pool) == "a"


async def test_cancelling_a_running_call_frees_its_place() -> None:
    async with opened("a", max_in_flight=1) as (pool, replicas):
        replicas.engines["a"].open.clear()
        call = asyncio.create_task(ask(pool))
        await settled()
        call.cancel()
        await asyncio.wait([call])
        assert pool.snapshot().running == 0
        assert pool.snapshot().replicas[0].healthy


@pytest.mark.parametrize("failure", [Unavailable("gone"), Overloaded("full", delay_s=9.0)])
async def test_a_failed_call_goes_elsewhere(failure: SsrError) -> None:
    async with opened("a", "b") as (pool, replicas):
        home = await ask(pool, affinity="path")
        other = "b" if home == "a" else "a"
        replicas.engines[home].failure = failure
        assert await ask(pool, affinity="path") == other
        assert len(replicas.engines[home].calls) == 2
        assert await ask(pool, affinity="path") == other
        assert len(replicas.engines[home].calls) == 2  # it is left alone for now


async def test_a_second_attempt_prefers_a_replica_not_tried_yet() -> None:
    async with opened("a", "b") as (pool, replicas):
        home = await ask(pool, affinity="path")
        replicas.engines[home].failure = Overloaded("full, come again at once", delay_s=0.0)
        assert await ask(pool, affinity="path") != home
        assert len(replicas.engines[home].calls) == 2


@pytest.mark.parametrize("failure", [InvalidRequest("prompt", "too long"), TimedOut("slow")])
async def test_what_another_replica_cannot_help_is_not_tried_again(failure: SsrError) -> None:
    async with opened("a", "b") as (pool, replicas):
        for engine in replicas.engines.values():
            engine.failure = failure
        with pytest.raises(type(failure)):
            await ask(pool)
        assert sum(len(engine.calls) for engine in replicas.engines.values()) == 1


async def test_attempts_are_bounded_and_the_last_failure_is_reported() -> None:
    async with opened("a", "b", "c", "d") as (pool, replicas):
        for engine in replicas.engines.values():
            engine.failure = Unavailable(f"{engine.url} is gone")
        with pytest.raises(Unavailable, match="is gone"):
            await ask(pool)
        assert [len(engine.calls) for engine in replicas.engines.values()].count(1) == LIMITS.attempts


async def test_a_failed_replica_is_probed_by_one_call_once_its_pause_is_over() -> None:
    clock = Clock()
    async with opened("a", now=clock, attempts=1) as (pool, replicas):
        engine = replicas.engines["a"]
        engine.failure = Unavailable("gone")
        with pytest.raises(Unavailable):
            await ask(pool, "fails")
        assert not pool.snapshot().replicas[0].healthy
        engine.failure = None
        engine.open.clear()
        calls = [asyncio.create_task(ask(pool, str(n))) for n in range(3)]
        await settled()
        assert pool.snapshot().waiting == 3
        clock.now = 1.0
        await pool.refresh()
        await settled()
        assert engine.calls == ["fails", "0"]
        engine.open.set()
        await asyncio.gather(*calls)
        assert engine.calls == ["fails", "0", "1", "2"]


async def test_a_call_waits_out_the_pause_of_the_only_replica() -> None:
    async with opened("a") as (pool, replicas):
        engine = replicas.engines["a"]
        engine.failure = Overloaded("full", delay_s=0.01)
        call = asyncio.create_task(ask(pool))
        await settled()
        engine.failure = None
        assert await call == "a"
        assert len(engine.calls) == 2


async def test_a_replica_that_hangs_counts_as_failed() -> None:
    async with opened("a", timeout_s=0.05) as (pool, replicas):
        replicas.engines["a"].open.clear()
        with pytest.raises(TimedOut, match=r"0\.05 s"):
            await ask(pool)
        state = pool.snapshot()
        assert (state.running, state.replicas[0].healthy) == (0, False)


async def test_a_call_that_had_no_time_left_says_nothing_about_the_replica() -> None:
    async with opened("a", timeout_s=0.2, max_in_flight=1) as (pool, replicas):
        engine = replicas.engines["a"]
        engine.open.clear()
        first, late = asyncio.create_task(ask(pool)), asyncio.create_task(ask(pool))
        await asyncio.sleep(0.15)
        first.cancel()
        with pytest.raises(TimedOut):
            await late
        assert len(engine.calls) == 2
        assert pool.snapshot().replicas[0].healthy


async def test_no_replicas_in_time_says_so() -> None:
    async with opened(timeout_s=0.02) as (pool, _):
        with pytest.raises(Unavailable, match="0 are known"):
            await ask(pool)


async def test_a_call_waits_for_the_first_replica() -> None:
    async with opened() as (pool, replicas):
        call = asyncio.create_task(ask(pool))
        await settled()
        assert pool.snapshot().waiting == 1
        replicas.urls = ["a"]
        await pool.refresh()
        assert await call == "a"


async def test_a_removed_replica_finishes_what_it_runs_and_gets_no_more() -> None:
    async with opened("a", "b") as (pool, replicas):
        leaving = replicas.engines["a"]
        leaving.open.clear()
        call = asyncio.create_task(ask(pool))
        await settled()
        assert len(leaving.calls) == 1
        replicas.urls = ["b"]
        await pool.refresh()
        assert [await ask(pool) for _ in range(3)] == ["b"] * 3
        assert not leaving.closed
        assert pool.snapshot().running == 1
        leaving.open.set()
        assert await call == "a"
        await pool.refresh()
        assert leaving.closed


async def test_replicas_are_kept_while_dns_fails() -> None:
    async with opened("a") as (pool, replicas):
        replicas.fails = True
        await pool.refresh()
        assert await ask(pool) == "a"


async def test_replicas_are_looked_for_again_and_again() -> None:
    async with opened("a", refresh_s=0.001) as (pool, replicas):
        replicas.urls = ["b"]
        async with asyncio.timeout(5):
            while await ask(pool) != "b":
                await settled()


async def test_the_model_is_asked_for_again_when_the_replicas_change() -> None:
    async with opened("a") as (pool, replicas):
        known = await pool.info()
        await pool.refresh()
        assert await pool.info() is known
        replicas.urls = ["b"]
        await pool.refresh()
        assert (await pool.info()).model == "b"


async def test_leaving_closes_every_client() -> None:
    async with opened("a", "b") as (_, replicas):
        pass
    assert all(engine.closed for engine in replicas.engines.values())


async def test_the_other_calls_are_passed_on() -> None:
    async with opened("a") as (pool, _):
        assert await pool.render([ChatMessage("user", "hi")]) == "hi"
        assert await pool.count_tokens("four") == 4
        assert (await pool.info()).model == "a"
        assert await pool.next_token("p", top_n=1) == NextToken(())


async def test_the_load_is_reported_in_tokens() -> None:
    async with opened("a") as (pool, replicas):
        replicas.engines["a"].open.clear()
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(pool.generate("x" * 30, max_tokens=100)) for _ in range(3)]
            while pool.snapshot().waiting != 1:
                await asyncio.sleep(0)
            assert pool.load() == PoolLoad(tokens_waiting=110, tokens_running=220, generated_tokens=0, busy_s=0.0)
            calls[2].cancel()
            await asyncio.sleep(0)
            replicas.engines["a"].open.set()
        done = pool.load()
        assert (done.tokens_waiting, done.tokens_running, done.generated_tokens) == (0, 0, 2)
        assert done.busy_s > 0


AWAY, BACK = "the pool has no engine, and calls wait: {} known, none answers", "the pool has an engine again: {} known"


async def test_the_last_engine_that_fails_is_one_line_and_its_return_another(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="ssr.engines.places")
    clock = Clock()
    async with opened("a", "b", now=clock, attempts=1) as (pool, replicas):
        for url in ("a", "b"):
            replicas.engines[url].failure = Unavailable("gone")
        for _ in range(3):
            clock.now += 60  # both may be tried again
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await ask(pool)
        assert caplog.messages == [AWAY.format(2)]
        assert [replica.failing for replica in pool.snapshot().replicas] == [True, True]
        replicas.engines["a"].failure = replicas.engines["b"].failure = None
        clock.now += 60
        await ask(pool)
        await ask(pool)
        assert caplog.messages == [AWAY.format(2), BACK.format(2)]


async def test_a_pool_without_replicas_is_away_until_one_is_found(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="ssr.engines.places")
    async with opened() as (pool, replicas):
        await pool.refresh()
        assert caplog.messages == [AWAY.format(0)]
        replicas.urls = ["a"]
        await pool.refresh()
        assert caplog.messages == [AWAY.format(0), BACK.format(1)]


async def test_an_engine_that_is_full_is_not_away(caplog: pytest.LogCaptureFixture) -> None:
    async with opened("a", attempts=1) as (pool, replicas):
        replicas.engines["a"].failure = Overloaded("full", 1.0)
        with pytest.raises(Overloaded):
            await ask(pool)
        (state,) = pool.snapshot().replicas
        assert not state.healthy
        assert not state.failing
    assert caplog.messages == []


async def read(pool: EnginePool, affinity: str = "", most: int = 4) -> list[Piece]:
    async with aclosing(pool.stream("p", max_tokens=most, affinity=affinity)) as pieces:
        return [piece async for piece in pieces]


async def test_a_stream_takes_a_place_until_its_end() -> None:
    async with opened("a", max_in_flight=1) as (pool, _):
        async with aclosing(pool.stream("p", max_tokens=3)) as pieces:
            assert (await anext(pieces)).text == "a"
            assert pool.snapshot().running == 1
            assert pool.load().tokens_running == 3
            assert [piece.tokens async for piece in pieces] == [2, 3]
        assert pool.snapshot().running == 0
        assert (pool.load().tokens_running, pool.load().generated_tokens) == (0, 3)


async def test_a_stream_that_is_left_gives_its_place_back_and_is_closed() -> None:
    async with opened("a", max_in_flight=1) as (pool, replicas):
        async with aclosing(pool.stream("p", max_tokens=9)) as pieces:
            await anext(pieces)
        assert (pool.snapshot().running, replicas.engines["a"].streaming) == (0, 0)
        assert pool.load().generated_tokens == 1
        assert pool.snapshot().replicas[0].healthy
        assert await ask(pool) == "a"


async def test_a_stream_that_is_left_was_at_work_until_then() -> None:
    """Its tokens count as they come, and so does the time: both together give a slot's speed, for scaling."""
    async with opened("a") as (pool, _):
        async with aclosing(pool.stream("p", max_tokens=9)) as pieces:
            await anext(pieces)
            await anext(pieces)
            assert pool.load().busy_s > 0
        assert pool.load().generated_tokens == 2
        assert pool.load().busy_s > 0


@pytest.fixture
async def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets so many seconds pass on the loop's clock."""
    loop, passed = asyncio.get_running_loop(), [0.0]
    clock = loop.time
    monkeypatch.setattr(loop, "time", lambda: clock() + passed[0])

    def by(seconds: float) -> None:
        passed[0] += seconds

    return by


async def test_an_answer_says_how_long_a_replica_took_without_the_wait_for_a_place(
    pass_time: Callable[[float], None],
) -> None:
    async with opened("a", max_in_flight=1, timeout_s=90.0) as (pool, replicas):
        engine = replicas.engines["a"]
        engine.open.clear()
        first, second = (asyncio.create_task(pool.generate("p", max_tokens=1)) for _ in range(2))
        await settled()
        pass_time(20)
        engine.open.set()
        assert (await first).seconds == pytest.approx(20, abs=1)
        assert (await second).seconds == pytest.approx(0, abs=1), "it waited for its place"
        assert (await pool.next_token("p", top_n=1)).seconds == pytest.approx(0, abs=1)
        assert (await pool.likelihood("p", "q")).seconds == pytest.approx(0, abs=1)


async def test_a_streams_first_piece_says_how_long_it_has_had_its_place(pass_time: Callable[[float], None]) -> None:
    async with opened("a", max_in_flight=1, timeout_s=90.0) as (pool, replicas):
        engine = replicas.engines["a"]
        engine.open.clear()
        reading = asyncio.create_task(read(pool, most=3))
        await settled()
        pass_time(20)
        engine.open.set()
        first, *others = await reading
        assert first.seconds == pytest.approx(20, abs=1)
        assert [piece.seconds for piece in others] == [None, None]


async def test_a_cancelled_stream_gives_its_place_back() -> None:
    async with opened("a", max_in_flight=1) as (pool, replicas):
        replicas.engines["a"].open.clear()
        reading = asyncio.create_task(read(pool))
        await settled()
        assert replicas.engines["a"].streaming == 1
        reading.cancel()
        await asyncio.wait([reading])
        assert (pool.snapshot().running, replicas.engines["a"].streaming) == (0, 0)


@pytest.mark.parametrize("failure", [Unavailable("gone"), Overloaded("full", delay_s=9.0), BadReply("garbage")])
async def test_a_stream_that_fails_before_its_first_text_goes_elsewhere(failure: SsrError) -> None:
    async with opened("a", "b") as (pool, replicas):
        home = (await read(pool, "path"))[0].text
        replicas.engines[home].failure = failure
        pieces = await read(pool, "path")
        assert [piece.text for piece in pieces if piece.text] == ["b" if home == "a" else "a"] * 3


async def test_a_stream_that_breaks_off_after_text_is_not_begun_again() -> None:
    async with opened("a", "b") as (pool, replicas):
        for engine in replicas.engines.values():
            engine.failure, engine.fails_after = Unavailable("gone"), 2
        got = []
        with pytest.raises(Unavailable):
            async with aclosing(pool.stream("p", max_tokens=9)) as pieces:
                async for piece in pieces:
                    got.append(piece.text)
        assert len(got) == 2
        assert sum(len(engine.calls) for engine in replicas.engines.values()) == 1
        assert pool.snapshot().running == 0


async def test_a_stream_times_out_between_pieces_not_as_a_whole() -> None:
    async with opened("a", timeout_s=0.2) as (pool, replicas):
        engine = replicas.engines["a"]
        with pytest.raises(TimedOut):
            async with aclosing(pool.stream("p", max_tokens=9)) as pieces:
                for _ in range(4):
                    await anext(pieces)
                    await asyncio.sleep(0.1)
                engine.open.clear()
                await anext(pieces)
        assert not pool.snapshot().replicas[0].healthy


class FullEngine(FakeEngine):
    """A replica that takes so many calls at a time and refuses the others at once, as queues that overflow do."""

    def __init__(self, url: str, takes: int) -> None:
        super().__init__(url)
        self.takes, self.taken, self.refusals = takes, 0, 0

    async def generate(self, prompt: str, **asked: Any) -> Generation:
        await asyncio.sleep(0)
        if self.taken >= self.takes:
            self.refusals += 1
            raise Overloaded("the queue is full", delay_s=0.0)
        self.taken += 1
        try:
            for _ in range(9):
                await asyncio.sleep(0)
            return await super().generate(prompt, **asked)
        finally:
            self.taken -= 1


async def test_the_pool_learns_what_a_replica_takes() -> None:
    engine = FullEngine("a", takes=16)
    limits = PoolLimits(max_in_flight=64, attempts=3, backoff_s=0.001)
    async with EnginePool(FixedReplicas(["a"]), lambda _: engine, limits) as pool:
        answers = await asyncio.gather(*(ask(pool, str(n)) for n in range(640)), return_exceptions=True)
    assert answers == ["a"] * 640
    assert engine.refusals < 64 + 10  # one burst, and a probe now and then


async def test_pools_that_share_a_replica_all_get_their_calls_through() -> None:
    engine = FullEngine("a", takes=16)
    limits = PoolLimits(max_in_flight=64, attempts=5, backoff_s=0.01)
    pools = [EnginePool(FixedReplicas(["a"]), lambda _: engine, limits) for _ in range(3)]
    for pool in pools:
        await pool.__aenter__()
    answers = await asyncio.gather(*(ask(pool, str(n)) for n in range(100) for pool in pools), return_exceptions=True)
    assert [answer for answer in answers if answer != "a"] == []


async def test_a_replica_without_room_is_no_dead_one() -> None:
    async with opened("a", attempts=1) as (pool, replicas):
        replicas.engines["a"].failure = Overloaded("full", delay_s=0.0)
        with pytest.raises(Overloaded):
            await ask(pool)
        assert not pool.snapshot().replicas[0].failing


async def test_the_model_is_asked_for_again_after_a_replica_was_away() -> None:
    async with opened("a", attempts=1) as (pool, replicas):
        known = await pool.info()
        replicas.engines["a"].failure = Unavailable("gone")
        with pytest.raises(Unavailable):
            await ask(pool)
        assert await pool.info() is not known


@pytest.mark.parametrize(
    ("failure", "missing"), [(NoEngine("nobody listens"), NoEngine), (Unavailable("broken"), Unavailable)]
)
async def test_engines_that_fail_are_no_missing_engines(failure: SsrError, missing: type[SsrError]) -> None:
    """Whoever finds no engine waits for one; whoever finds broken ones gets an error in time."""
    async with opened("a", "b", timeout_s=0.3) as (pool, replicas):
        for engine in replicas.engines.values():
            engine.failure = failure
        kinds = []
        for _ in range(3):
            with pytest.raises(Unavailable) as raised:
                await ask(pool)
            kinds.append(type(raised.value))
        assert kinds[1:] == [missing] * 2
