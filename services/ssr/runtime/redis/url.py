"""Where Redis is: one server, a master that sentinels know, or a cluster. Read from one URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ssr.core.errors import InvalidRequest

#: One server's host and port.
Address = tuple[str, int]


class Topology(StrEnum):
    """What the addresses of a URL are."""

    SINGLE = "redis"
    SENTINEL = "redis+sentinel"
    CLUSTER = "redis+cluster"


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """A URL that was read.

    `addresses` are of the server, of the sentinels, or of cluster nodes to ask first; none where `path` names a Unix
    socket. `options` and `sentinel_options` are connection options as redis-py names them, passwords among them.
    """

    topology: Topology
    addresses: tuple[Address, ...]
    path: str = ""
    tls: bool = False
    master: str = ""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    sentinel_options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def place(self) -> str:
        """For people: the addresses, and nothing secret."""
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.addresses)
        return self.path or (f"{hosts}/{self.master}" if self.master else hosts)


_FORMS = (
    "expected redis://[user:password@]host:port/db (rediss:// for TLS), unix:///path?db=0, "
    "redis+sentinel://[user:password@]host:26379,host:26379/master-name/db "
    "or redis+cluster://[user:password@]host:6379,host:6379, with %XX for special characters in a password"
)
_SENTINEL_PORT = 26379
_PORT = 6379
_SENTINEL_PREFIX = "sentinel_"

#: The options after the "?", and how they are read.
_TEXT_OPTIONS = frozenset(
    {"username", "password", "client_name", "sentinel_username", "sentinel_password"}
    | {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs"}
)
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_CERTIFICATE_CHECKS = frozenset({"none", "optional", "required"})


def read_redis_url(url: str) -> RedisUrl:
    """The parts of `url`.

    Raises: InvalidRequest for `redis_url`; it never holds a part of the URL, since a password may be anywhere in it.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # its message quotes the URL
        raise _malformed("is no URL") from None
    if parts.fragment or "#" in url:
        raise _malformed("has a '#'")
    scheme, tls = ("redis" + parts.scheme[6:], True) if parts.scheme.startswith("rediss") else (parts.scheme, False)
    options, sentinel_options = _options(parts, tls)
    if scheme == "unix":
        if not parts.path or parts.netloc.rpartition("@")[2]:
            raise _malformed("names no socket by its whole path")
        return RedisUrl(Topology.SINGLE, (), unquote(parts.path), options=options)
    if scheme not in set(Topology):
        raise _malformed("has an unknown scheme")
    if "@" in parts.path:
        raise _malformed("has an '@' behind its hosts")
    topology = Topology(scheme)
    master, db = _path(topology, parts.path)
    if db:
        options["db"] = db
    if topology is Topology.CLUSTER and options.get("db"):
        raise _malformed("has a database, and a cluster has none but 0")
    addresses = _addresses(topology, parts.netloc.rpartition("@")[2])
    return RedisUrl(topology, addresses, "", tls, master, options, sentinel_options)


def _malformed(what: str) -> InvalidRequest:
    return InvalidRequest("redis_url", f"{what}; {_FORMS}")


def _addresses(topology: Topology, hosts: str) -> tuple[Address, ...]:
    default_port = _SENTINEL_PORT if topology is Topology.SENTINEL else _PORT
    addresses = tuple(_address(host, default_port) for host in hosts.split(","))
    if topology is Topology.SINGLE and len(addresses) > 1:
        raise _malformed("names several hosts, and is of neither sentinels nor a cluster")
    return addresses


def _address(text: str, default_port: int) -> Address:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _malformed("has a host or port that cannot be read") from None
    if not host:
        raise _malformed("lacks a host")
    if port == 0:
        raise _malformed("has the port 0")
    return host, port or default_port


def _path(topology: Topology, path: str) -> tuple[str, int]:
    """The master's name ("" where there is none) and the database."""
    parts = [unquote(part) for part in path.strip("/").split("/")] if path.strip("/") else []
    master = ""
    if topology is Topology.SENTINEL:
        if not parts:
            raise _malformed("lacks the master's name")
        master = parts.pop(0)
    if len(parts) > 1:
        raise _malformed("has a path that is too long")
    return master, _number(parts[0]) if parts else 0


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise _malformed("has a database that is no number")
    return int(text)


def _options(parts: SplitResult, tls: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is said behind the "?", and the user and password before the "@": for Redis, and for the sentinels."""
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    named = {"username": unquote(user), "password": unquote(password)}
    options: dict[str, Any] = {name: text for name, text in named.items() if text}
    sentinel: dict[str, Any] = {}
    for name, text in parse_qsl(parts.query, keep_blank_values=True):
        if name.startswith("ssl_") and not tls:
            raise _malformed("has an option of TLS, which takes rediss")
        value = _option(name, text)
        if name.startswith(_SENTINEL_PREFIX):
            sentinel[name.removeprefix(_SENTINEL_PREFIX)] = value
        else:
            options[name] = value
    return options, sentinel


def _option(name: str, text: str) -> Any:
    if name == "db":
        return _number(text)
    if name == "ssl_check_hostname" and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if name not in _TEXT_OPTIONS or (name == "ssl_cert_reqs" and text not in _CERTIFICATE_CHECKS):
        raise _malformed(
            "has an unknown option or value behind the '?'; known are db, ssl_check_hostname=true|false, "
            f"ssl_cert_reqs=none|optional|required, {', '.join(sorted(_TEXT_OPTIONS - {'ssl_cert_reqs'}))}"
        )
    return text
