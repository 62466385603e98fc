"""The native drafter drafts what the Python one does: over groups, fuzzy matches, histories, evictions and budgets."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssr.consensus import ConsensusSettings, Drafter, NativeDrafter, PassRow, drafter_for, native
from ssr.consensus.native import native_installed
from ssr.core.errors import CapabilityMissing, Conflict, InvalidRequest, NotFound

needs_native = pytest.mark.skipif(
    not native_installed(),
    reason="ssr-consensus-native is not installed: `make native` builds it, with a C++ compiler",
)

_configs = st.builds(
    ConsensusSettings,
    orders=st.sampled_from([(4, 2, 1), (8, 3), (2, 1), (1,), (12, 5, 2)]),
    pool=st.sampled_from([1, 2, 3, 8, 16]),
    sharpness=st.sampled_from([1.0, 1.7, 4.0]),
    alpha=st.sampled_from([0.0, 0.3, 1.0]),
    edits=st.sampled_from([0, 1, 2]),
    own_weight=st.sampled_from([0.0, 1.0, 2.0]),
    history_weight=st.sampled_from([0.0, 0.1, 1.0]),
    max_draft=st.sampled_from([1, 5, 8]),
    min_confidence=st.sampled_from([0.0, 0.1, 0.4]),
    rest_below=st.sampled_from([0.0, 0.3]),
    group_tokens=st.sampled_from([64, 300, 4096]),
    history_tokens=st.sampled_from([64, 300]),
    total_tokens=st.sampled_from([600, 5000]).map(lambda extra: 4096 + 300 + extra),
)


class _Both:
    """Random calls, given to both drafters; whatever one answers or raises, so must the other."""

    def __init__(self, config: ConsensusSettings, seed: int) -> None:
        self._dice = Random(seed)
        self._drafters = Drafter(config), NativeDrafter(config)
        self._texts = [[self._dice.randrange(12) for _ in range(60)] for _ in range(3)]
        self._places: dict[str, int] = {}
        self.drafted = 0

    def step(self) -> None:
        dice = self._dice
        kinds = [self._start, self._pass, self._pass, self._pass, self._pass, self._one, self._end]
        dice.choice(kinds)()
        python, native_one = self._drafters
        assert python.tokens == native_one.tokens
        for name in (f"{group}/{index}" for group in "abcd" for index in range(4)):
            assert (name in python) == (name in native_one)

    def _written(self, name: str) -> list[int]:
        """The group's text goes on, with tokens replaced, left out and doubled now and then."""
        dice, text = self._dice, self._texts["abcd".index(name[0]) % 3]
        tokens = []
        for _ in range(dice.randrange(6)):
            place = self._places[name] = (self._places.get(name, 0) + dice.choice([1, 1, 1, 1, 0, 2])) % len(text)
            tokens.append(text[place] if dice.random() < 0.9 else dice.randrange(12))
        return tokens

    def _name(self) -> str:
        return f"{self._dice.choice('abcd')}/{self._dice.randrange(4)}"

    def _start(self) -> None:
        name, dice = self._name(), self._dice
        prompt = self._texts[0][: dice.randrange(8)] + [dice.randrange(12) for _ in range(dice.randrange(3))]
        tenant, known = dice.choice("xxxy"), dice.choice([0, 0, 3, 99])
        self._same(lambda one: one.start(name, name[0], prompt, tenant=tenant, known=known))

    def _pass(self) -> None:
        dice = self._dice
        rows = []
        for name in dict.fromkeys(self._name() for _ in range(8)):
            tokens = self._written(name)
            reported = [dice.random() for _ in tokens] if dice.random() < 0.5 else None
            rows.append(PassRow(name, tokens, dice.choice([0, 3, 8]), reported))
        budget, least = dice.choice([None, None, 0, 4, 10]), dice.choice([None, 0.2])
        self._same(lambda one: one.run_pass(rows, budget=budget, min_confidence=least))

    def _one(self) -> None:
        name = self._name()
        tokens = self._written(name)
        self._same(lambda one: one.add(name, tokens))
        self._same(lambda one: one.draft(name, 6))

    def _end(self) -> None:
        name = self._name()
        call = self._dice.choice(["finish", "remove", "end_group"])
        self._same(lambda one: getattr(one, call)(name[0] if call == "end_group" else name))

    def _same(self, call: Callable[[Drafter | NativeDrafter], object]) -> None:
        answers = [_answer(call, one) for one in self._drafters]
        assert answers[0] == answers[1]
        if isinstance(answers[0], list):
            self.drafted += sum(map(len, answers[0]))


def _answer(call: Callable[[Drafter | NativeDrafter], object], drafter: Drafter | NativeDrafter) -> object:
    try:
        return call(drafter)
    except (Conflict, NotFound) as error:
        return type(error), str(error)


@needs_native
@settings(max_examples=60, deadline=None)
@given(_configs, st.integers(0, 2**32))
def test_both_draft_the_same(config: ConsensusSettings, seed: int) -> None:
    both = _Both(config, seed)
    for _ in range(120):
        both.step()


@needs_native
def test_the_comparison_compares_drafts() -> None:
    both = _Both(ConsensusSettings(), 1)
    for _ in range(300):
        both.step()
    assert both.drafted > 200


@needs_native
def test_a_token_that_is_no_32_bit_integer_is_refused_and_changes_nothing() -> None:
    drafter = NativeDrafter()
    drafter.start("a", "problem")
    before = drafter.tokens
    for tokens in ([1, 2**31], ["x"]):
        with pytest.raises(InvalidRequest, match="32-bit"):
            drafter.run_pass([PassRow("a", tokens, 8)])  # type: ignore[arg-type]
        with pytest.raises(InvalidRequest, match="32-bit"):
            drafter.add("a", tokens)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="32-bit"):
        drafter.start("b", "problem", [2**40])
    assert drafter.tokens == before
    assert "b" not in drafter


@needs_native
def test_other_threads_run_during_a_pass() -> None:
    """A pass over many tokens takes a while; without the lock released nobody else would count meanwhile."""
    drafter = NativeDrafter(ConsensusSettings(group_tokens=2**21, total_tokens=2**22))
    drafter.start("a", "problem")
    row = PassRow("a", [n % 50_000 for n in range(400_000)], 8)
    begun, ended, turns = threading.Event(), threading.Event(), []

    def count() -> None:
        begun.set()
        while not ended.is_set():
            turns.append(0)
            ended.wait(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    begun.wait()
    drafter.run_pass([row])
    ended.set()
    thread.join()
    assert len(turns) > 5


def test_without_the_native_code_python_drafts_and_a_warning_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(native, "import_module", missing)
    with pytest.raises(CapabilityMissing):
        NativeDrafter()
    with caplog.at_level(logging.WARNING, "vllm.ssr.consensus"):
        assert isinstance(drafter_for(), Drafter)
    assert "ssr-consensus-native" in caplog.text


def test_native_code_of_another_interface_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Newer:
        INTERFACE = 99

    monkeypatch.setattr(native, "import_module", lambda name: Newer)
    assert isinstance(drafter_for(), Drafter)
