"""Chat templates, rendered here for engines that cannot render them themselves.

They are Jinja programs that come with a model, so they run in a sandbox. The settings are those the templates are
written for: blocks are trimmed, `raise_exception`, `strftime_now`, `tojson` and the `generation` block exist.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn, Self

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ssr.core.errors import CapabilityMissing, InvalidRequest
from ssr.core.prompts import fold_system
from ssr.engines.base import ChatMessage

_CONFIG = "tokenizer_config.json"
_TEMPLATE = "chat_template.jinja"
#: Where processors of images and text kept theirs.
_PROCESSORS = "chat_template.json"
#: What a template's own code can fail with, beside jinja's errors.
_FAULTS = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)


class ChatTemplate:
    """A model's chat template.

    `bos_token` is the model's beginning-of-sequence text. With `engine_adds_bos` it is cut off rendered prompts,
    because an engine that is given text adds it once more.
    """

    def __init__(
        self, source: str, *, bos_token: str = "", eos_token: str = "", engine_adds_bos: bool = True, name: str = ""
    ) -> None:
        """Raises `CapabilityMissing` when `source` is not a template."""
        self._bos_token, self._eos_token = bos_token, eos_token
        self._strip = bos_token if engine_adds_bos else ""
        self._name = name or "the chat template"
        try:
            self._template = _environment().from_string(source)
        except TemplateError as error:
            raise CapabilityMissing(f"{self._name} is not a Jinja template: {error}") from error

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a model's folder, its tokenizer_config.json or its chat_template.jinja (blocking).

        Raises `CapabilityMissing` when there is no template.
        """
        folder = path if path.is_dir() else path.parent
        config_file = path if path.suffix == ".json" and path.name != _PROCESSORS else folder / _CONFIG
        template_file = folder / _TEMPLATE if path.is_dir() or path.suffix == ".json" else path
        try:
            config = _object_in(config_file)
            own = template_file.read_text() if template_file.is_file() else None
            processors = _default(_object_in(folder / _PROCESSORS).get("chat_template"))
        except (OSError, ValueError) as error:
            raise CapabilityMissing(f"the chat template at {path} cannot be read: {error}") from error
        inside = _default(config.get("chat_template"))
        if path.name == _PROCESSORS:
            preferred: tuple[str | None, ...] = (processors,)
        else:
            preferred = (inside, own, processors) if path.suffix == ".json" else (own, processors, inside)
        return cls._from_config(str(path), next((source for source in preferred if source is not None), None), config)

    @classmethod
    def _from_config(cls, name: str, source: str | None, config: dict[str, Any]) -> Self:
        if source is None:
            raise CapabilityMissing(f"{name} has no chat template: give the path of one that has")
        return cls(
            source,
            bos_token=_text(config.get("bos_token")),
            eos_token=_text(config.get("eos_token")),
            engine_adds_bos=config.get("add_bos_token") is not False,
            name=f"the chat template of {name}",
        )

    def render(self, messages: Sequence[ChatMessage]) -> str:
        """The dialogue as a prompt that ends where the assistant's turn begins.

        A template without a system role gets the system's text at the head of the first user's turn.
        Raises `InvalidRequest` when the template refuses the dialogue (roles that do not alternate, say), and
        `CapabilityMissing` when it cannot be run.
        """
        folded = fold_system(messages)
        try:
            return self._rendered(messages)
        except InvalidRequest:
            if folded == tuple(messages):
                raise
        return self._rendered(folded)

    def _rendered(self, messages: Sequence[ChatMessage]) -> str:
        try:
            text = self._template.render(
                messages=[{"role": m.role, "content": m.content} for m in messages],
                add_generation_prompt=True,
                tools=None,
                documents=None,
                bos_token=self._bos_token,
                eos_token=self._eos_token,
            )
        except (TemplateError, *_FAULTS) as error:
            raise CapabilityMissing(f"{self._name} cannot be rendered: {error!r}") from error
        return text.removeprefix(self._strip)


class _GenerationBlock(Extension):
    """`{% generation %}...{% endgeneration %}` marks what the assistant says; for a prompt it means nothing."""

    tags = {"generation"}  # noqa: RUF012  (jinja2 declares it as a plain attribute)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _GenerationBlock]
    )
    environment.globals.update(raise_exception=_refuse, strftime_now=_strftime_now)
    environment.filters["tojson"] = _tojson
    return environment


def _refuse(message: str) -> NoReturn:
    raise InvalidRequest("messages", f"the model's chat template refuses them: {message}")


def _strftime_now(pattern: str) -> str:
    return datetime.now().strftime(pattern)


def _tojson(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _object_in(file: Path) -> dict[str, Any]:
    """The object in a file of JSON, empty where there is no file. Raises ValueError; OSError."""
    found = json.loads(file.read_text()) if file.is_file() else {}
    if not isinstance(found, dict):
        raise ValueError(f"{file.name} holds no object")
    return found


def _default(template: object) -> str | None:
    """tokenizer_config.json has one template, or a list of named ones of which "default" is for chats."""
    if isinstance(template, list):
        template = next(
            (t.get("template") for t in template if isinstance(t, dict) and t.get("name") == "default"), None
        )
    return template if isinstance(template, str) else None


def _text(token: object) -> str:
    """A special token's text: given as it is, or as an object with more about it."""
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else ""
