"""Settings of an engine pool, and where its replicas are."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ssr.core.errors import Unavailable
from ssr.engines.replicas import DnsReplicas, resolver_of
from ssr.engines.settings import EngineSettings


@pytest.mark.parametrize("urls", ["http://a:1, dns://b:2,", ["http://a:1", "dns://b:2"]])
def test_urls_are_a_list_or_a_text(urls: Any) -> None:
    assert EngineSettings(urls=urls).urls == ("http://a:1", "dns://b:2")


@pytest.mark.parametrize(
    "urls", ["", "a:1", "dns://b", "dns://b:x", "dns://b:1/path", "ftp://a", "file://host/list", "file:"]
)
def test_urls_that_are_none(urls: str) -> None:
    with pytest.raises(ValidationError, match="urls"):
        EngineSettings(urls=urls)  # type: ignore[arg-type]


def test_unknown_settings_are_refused_and_keys_hidden() -> None:
    with pytest.raises(ValidationError):
        EngineSettings(urls=("http://a",), retries=3)  # type: ignore[call-arg]
    assert "hush" not in repr(EngineSettings(urls=("http://a",), api_key="hush"))  # type: ignore[arg-type]


async def test_fixed_replicas() -> None:
    resolver = resolver_of(["http://a:1/", "http://b:1", "http://a:1"])
    assert list(await resolver.resolve()) == ["http://a:1", "http://b:1"]
    assert not resolver.changes


async def test_replicas_of_a_file_are_those_it_holds_now(tmp_path: Path) -> None:
    file = tmp_path / "replicas"
    resolver = resolver_of([f"file://{file}"])
    assert resolver.changes
    with pytest.raises(Unavailable, match="replicas"):
        await resolver.resolve()
    file.write_text("http://a:1/\nhttp://b:1\n\n# http\nhttp://a:1\n")
    assert list(await resolver.resolve()) == ["http://a:1", "http://b:1"]
    file.write_text("")
    assert list(await resolver.resolve()) == []


def _dns(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    async def getaddrinfo(host: str, port: int, **_: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


async def test_every_address_is_a_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    _dns(monkeypatch, ["10.0.0.2", "10.0.0.1", "10.0.0.2", "fd00::1"])
    resolver = resolver_of(["dns://engine:80", "http://fixed:1"])
    assert set(await resolver.resolve()) == {
        "http://fixed:1",
        "http://10.0.0.1:80",
        "http://10.0.0.2:80",
        "http://[fd00::1]:80",
    }
    assert resolver.changes


async def test_a_name_without_addresses_has_no_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    _dns(monkeypatch, socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    assert list(await DnsReplicas("engine", 80).resolve()) == []


async def test_a_dns_server_that_fails_says_nothing_about_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    _dns(monkeypatch, socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))
    with pytest.raises(Unavailable, match="engine"):
        await DnsReplicas("engine", 80).resolve()
