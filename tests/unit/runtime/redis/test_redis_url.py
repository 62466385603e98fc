"""Where Redis is, read from a URL."""

from __future__ import annotations

import pytest

from ssr.core.errors import InvalidRequest
from ssr.runtime.redis.url import RedisUrl, Topology, read_redis_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://redis", RedisUrl(Topology.SINGLE, (("redis", 6379),))),
        ("redis://h:1/2", RedisUrl(Topology.SINGLE, (("h", 1),), options={"db": 2})),
        ("redis://:p%40%2F@h", RedisUrl(Topology.SINGLE, (("h", 6379),), options={"password": "p@/"})),
        (
            "rediss://h?ssl_ca_certs=/ca",
            RedisUrl(Topology.SINGLE, (("h", 6379),), tls=True, options={"ssl_ca_certs": "/ca"}),
        ),
        ("redis://[::1]:7", RedisUrl(Topology.SINGLE, (("::1", 7),))),
        ("unix:///run/r.sock?db=3", RedisUrl(Topology.SINGLE, (), "/run/r.sock", options={"db": 3})),
        (
            "redis+sentinel://u:p@a,b:2/first/4?sentinel_password=s",
            RedisUrl(
                Topology.SENTINEL,
                (("a", 26379), ("b", 2)),
                master="first",
                options={"username": "u", "password": "p", "db": 4},
                sentinel_options={"password": "s"},
            ),
        ),
        ("rediss+sentinel://a/first", RedisUrl(Topology.SENTINEL, (("a", 26379),), tls=True, master="first")),
        ("redis+cluster://a,b:2/", RedisUrl(Topology.CLUSTER, (("a", 6379), ("b", 2)))),
        (
            "rediss+cluster://a?ssl_check_hostname=no",
            RedisUrl(Topology.CLUSTER, (("a", 6379),), tls=True, options={"ssl_check_hostname": False}),
        ),
    ],
)
def test_every_form_is_read(url: str, expected: RedisUrl) -> None:
    assert read_redis_url(url) == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://u:secret@h", "scheme"),
        ("redis", "scheme"),
        ("redis://u:secret@", "lacks a host"),
        ("redis://u:secret@a,b", "several hosts"),
        ("redis://u:sec/ret@h", "'@' behind its hosts"),
        ("redis+sentinel://u:1/secret@h/3", "'@' behind its hosts"),
        ("redis://u:se?cret@h", "unknown option"),
        ("redis://u:secret#@h", "'#'"),
        ("redis://u:secret@h:x", "cannot be read"),
        ("redis://u:secret@h:70000", "cannot be read"),
        ("redis://u:secret@h:0", "port 0"),
        ("redis://u:secret@[::1", "no URL"),
        ("redis://u:secret@h/secret", "database that is no number"),
        ("redis://u:secret@h/1/2", "path that is too long"),
        ("redis://u:secret@h?secret=secret", "unknown option"),
        ("redis://u:secret@h?ssl_ca_certs=/ca", "takes rediss"),
        ("rediss://u:secret@h?ssl_cert_reqs=maybe", "unknown option or value"),
        ("redis+sentinel://u:secret@a,b", "lacks the master's name"),
        ("redis+sentinel://u:secret@a,,b/first", "lacks a host"),
        ("redis+cluster://u:secret@a/1", "a cluster has none but 0"),
        ("redis+cluster://u:secret@a?db=1", "a cluster has none but 0"),
        ("unix://u:secret@tmp/r.sock", "names no socket"),
        ("unix://", "names no socket"),
    ],
)
def test_a_malformed_one_is_reported_without_its_password(url: str, reason: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_redis_url(url)
    assert str(caught.value).startswith("redis_url: ")
    assert reason in str(caught.value)
    assert not {"secret", "sec", "ret@"} & set(str(caught.value).replace(":", " ").split())
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_its_place_and_its_text_have_no_password() -> None:
    where = read_redis_url("redis+sentinel://user:secret@a,[::1]:2/first?sentinel_password=secret")
    assert where.place == "a:26379,[::1]:2/first"
    assert "secret" not in repr(where)
    assert read_redis_url("unix:///run/r.sock").place == "/run/r.sock"
