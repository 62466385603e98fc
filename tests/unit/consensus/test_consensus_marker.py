"""The marker's tokens are those that it has inside a prompt, whatever the tokenizer does at the start of a text."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from ssr.consensus.vllm import marker_tokens
from ssr.core.errors import InvalidRequest

CONFIG = SimpleNamespace(tokenizer="org/model", tokenizer_revision="v1", trust_remote_code=False)

IDS = {"\n": 1, "Approach:": 2, "\nJoined": 3}


class _Words:
    """Tokens are lines' ends and words; `start` stands before every text, as some tokenizers have it."""

    def __init__(self, start: list[int]) -> None:
        self._start = start

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        known = IDS.get(text)
        rest = [known] if known is not None else [IDS["\n"], IDS[text.removeprefix("\n")]]
        return self._start + rest


def _have(monkeypatch: pytest.MonkeyPatch, start: list[int]) -> None:
    def from_pretrained(name: str, *, revision: str, trust_remote_code: bool) -> _Words:
        assert (name, revision, trust_remote_code) == ("org/model", "v1", False)
        return _Words(start)

    transformers = SimpleNamespace(AutoTokenizer=SimpleNamespace(from_pretrained=from_pretrained))
    monkeypatch.setitem(sys.modules, "transformers", transformers)


@pytest.mark.parametrize("start", [[], [9]])
def test_the_tokens_are_those_behind_the_end_of_a_line(start: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    _have(monkeypatch, start)
    assert marker_tokens(CONFIG, "Approach:") == [2]


def test_a_text_that_melts_into_the_end_of_the_line_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _have(monkeypatch, [])
    with pytest.raises(InvalidRequest, match="'Joined' has no tokens of its own"):
        marker_tokens(CONFIG, "Joined")
