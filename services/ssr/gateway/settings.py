"""The gateway's settings: SSR_GATEWAY_*."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import SettingsConfigDict

from ssr.runtime.settings import Port, Seconds, ServiceSettings


def _words(text: object) -> object:
    """A tuple from "a, b", or from a list in JSON; anything but text stays as it is."""
    if not isinstance(text, str):
        return text
    if text.startswith("["):
        try:
            return json.loads(text)
        except ValueError as error:
            raise ValueError(f"is no list in JSON: {error}") from None
    return tuple(filter(None, (word.strip() for word in text.split(","))))


def _pattern(text: object) -> object:
    """Raises: ValueError for what is no regular expression."""
    if isinstance(text, str):
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
    return text


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]

#: Messages that ask for nothing that could be voted on.
SMALL_TALK = (
    r"(hi|hello|hey|hallo|yo|good (morning|afternoon|evening|night)|thanks?( you)?( (so|very) much)?|ok(ay)?|great|"
    r"bye|goodbye|how are you|who are you|what can you do|test|ping)( there)?[\s!.?,:)]*"
)


class GatewaySettings(ServiceSettings):
    """The orchestrator behind the gateway, and what its own callers may do.

    `tls` is for both its sides: HTTPS for callers, and TLS to the orchestrator.
    """

    model_config = SettingsConfigDict(env_prefix="SSR_GATEWAY_")

    #: gRPC target of the orchestrator, "host:port" (dns:///host:port for all addresses of a headless Service).
    orchestrator: str
    #: Callers come over HTTP although there is `tls`: what is before the gateway ends theirs.
    plain_http: bool = False
    #: A port for the health alone, without TLS, for probes; None has none: GET /health of the main port is open too.
    health_port: Port | None = None
    #: A YAML file with the models that are shown, as ssr/gateway/models.yaml; None: those.
    models: Path | None = None
    #: Bytes of a request's body; more is refused with 413.
    max_body_bytes: Annotated[int, Field(ge=1024, le=16 * 1024 * 1024)] = 1024 * 1024
    #: Bytes of a file that is uploaded for a batch; the orchestrator has limits of its own (its files.max_bytes).
    max_file_bytes: Annotated[int, Field(ge=1024, le=12 * 1024 * 1024)] = 8 * 1024 * 1024
    #: A last message that begins so asks for no solution (Open WebUI's titles and tags): the target answers alone, on
    #: one path. With commas between; empty: none.
    task_prefixes: Words = ("### Task:",)
    #: So does one that is this and nothing else, a regular expression in any case; empty: none.
    small_talk: Annotated[str, BeforeValidator(_pattern)] = SMALL_TALK
    #: Seconds after its end that a job is what the same request, by the same key, gets again.
    join_s: Annotated[float, Field(ge=0)] = 5.0
    #: The same for requests whose client calls them a retry (x-stainless-retry-count over 0).
    join_retry_s: Annotated[float, Field(ge=0)] = 120.0
    #: Seconds that a job goes on when its caller closes the connection before the first byte: for a retry to find it.
    linger_s: Annotated[float, Field(ge=0, le=30)] = 1.0
    #: Seconds of silence in a stream before a comment is sent, and before an empty chunk is: some clients count chunks.
    comment_s: Seconds = 10.0
    chunk_s: Seconds = 45.0
    #: Seconds that a request may wait for its job.
    timeout_s: Seconds = 3600.0
    #: Characters of the winning path's last steps that make an answer's content, at most; the last step is always in.
    content_chars: Annotated[int, Field(ge=1)] = 800
    #: Origins of web pages that may call the API ("https://chat.example.com", or "*" for any). Empty: none.
    cors_origins: Words = ()
    #: Serve the page at /ui.
    ui: bool = True
