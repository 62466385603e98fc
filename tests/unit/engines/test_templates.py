"""Chat templates rendered here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ssr.core.errors import CapabilityMissing, InvalidRequest
from ssr.engines.base import ChatMessage
from ssr.engines.templates import ChatTemplate

DIALOGUE = [ChatMessage("system", "Be brief."), ChatMessage("user", "{{ 1 + 1 }}?")]
SOURCE = """\
{{ bos_token }}{% for m in messages %}
    {% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}
<|{{ m.role }}|>{{ m.content }}{{ eos_token }}
{% endfor %}
{% if add_generation_prompt %}<|assistant|>{% endif %}"""
RENDERED = "<|system|>Be brief.</s>\n<|user|>{{ 1 + 1 }}?</s>\n<|assistant|>"
CONFIG = {"chat_template": SOURCE, "bos_token": "<s>", "eos_token": {"content": "</s>"}}


@pytest.mark.parametrize(
    ("changes", "rendered"),
    [
        ({}, RENDERED),
        ({"add_bos_token": True}, RENDERED),
        ({"add_bos_token": False}, "<s>" + RENDERED),
        ({"bos_token": None}, RENDERED),
        ({"chat_template": [{"name": "tools", "template": "x"}, {"name": "default", "template": SOURCE}]}, RENDERED),
    ],
)
def test_a_tokenizers_configuration(tmp_path: Path, changes: dict[str, object], rendered: str) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(CONFIG | changes))
    for path in (tmp_path, tmp_path / "tokenizer_config.json"):
        assert ChatTemplate.read(path).render(DIALOGUE) == rendered


def test_a_template_of_its_own_goes_before_the_configurations(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(CONFIG | {"chat_template": "old"}))
    (tmp_path / "chat_template.jinja").write_text(SOURCE)
    for path in (tmp_path, tmp_path / "chat_template.jinja"):
        assert ChatTemplate.read(path).render(DIALOGUE) == RENDERED
    assert ChatTemplate.read(tmp_path / "tokenizer_config.json").render(DIALOGUE) == "old"


def test_a_processors_template(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(CONFIG | {"chat_template": None}))
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": SOURCE}))
    for path in (tmp_path, tmp_path / "chat_template.json", tmp_path / "tokenizer_config.json"):
        assert ChatTemplate.read(path).render(DIALOGUE) == RENDERED


@pytest.mark.parametrize(
    "config",
    [
        "{}",
        "{",
        "[]",
        '{"chat_template": [3, {"name": "default"}]}',
        '{"chat_template": "{% if %}"}',
        '{"chat_template": []}',
    ],
)
def test_there_is_no_template(tmp_path: Path, config: str) -> None:
    (tmp_path / "tokenizer_config.json").write_text(config)
    with pytest.raises(CapabilityMissing):
        ChatTemplate.read(tmp_path)


def test_there_is_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(CapabilityMissing, match="no chat template"):
        ChatTemplate.read(tmp_path / "missing")


def test_a_dialogue_the_template_refuses() -> None:
    template = ChatTemplate("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(InvalidRequest, match=r"messages: .*roles must alternate"):
        template.render(DIALOGUE)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ none + 1 }}",
        "{{ 1 / 0 }}",
        "{{ range(10 ** 9) | list }}",
    ],
)
def test_a_template_that_does_what_it_must_not(source: str) -> None:
    with pytest.raises(CapabilityMissing):
        ChatTemplate(source).render(DIALOGUE)


def test_what_templates_expect_to_be_there() -> None:
    source = (
        "{% generation %}{{ messages[0] | tojson }}{% endgeneration %}{{ strftime_now('%%') }}"
        "{% for i in range(3) %}{% if i == 1 %}{% break %}{% endif %}{{ i }}{% endfor %}"
        "{{ [1, {}] | tojson(separators=(',', ':'), sort_keys=true, indent=none) }}"
        "{% if tools is not none or documents is not none %}tools{% endif %}"
    )
    assert ChatTemplate(source).render([ChatMessage("user", "<é>")]) == '{"role": "user", "content": "<é>"}%0[1,{}]'
