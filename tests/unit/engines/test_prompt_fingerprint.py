"""The fingerprint of prompts: any text that changes changes it, and nothing else does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import fields, replace

import pytest

from ssr.core import prompts
from ssr.domains import domain_named
from ssr.engines.prompt_fingerprint import prompt_fingerprint


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    prompt_fingerprint.cache_clear()
    yield
    prompt_fingerprint.cache_clear()


def test_it_is_the_same_again() -> None:
    first = prompt_fingerprint()
    prompt_fingerprint.cache_clear()
    assert prompt_fingerprint() == first
    assert len(first) == 16


@pytest.mark.parametrize("name", ["CLOSING", "QUALITY_QUESTION", "SELECT_QUESTION", "SELECTING_SYSTEM", "WORK_HEAD"])
def test_every_text_counts(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    first = prompt_fingerprint()
    prompt_fingerprint.cache_clear()
    monkeypatch.setattr(prompts, name, getattr(prompts, name) + "!")
    assert prompt_fingerprint() != first


@pytest.mark.parametrize("field", [field.name for field in fields(prompts.DomainPrompts)])
def test_the_words_of_every_domain_count(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    first = prompt_fingerprint()
    prompt_fingerprint.cache_clear()
    domain = domain_named("code")
    changed = replace(domain, prompts=replace(domain.prompts, **{field: "Other words."}))
    module = sys.modules[prompt_fingerprint.__module__]
    monkeypatch.setattr(module, "domain_named", lambda name: changed if name == "code" else domain_named(name))
    assert prompt_fingerprint() != first
