from __future__ import annotations

from ssr.core.errors import NotFound, Unavailable, single_error


def test_the_first_of_our_errors_is_reported() -> None:
    first, second = Unavailable("redis is gone"), NotFound("no model")
    assert single_error(ExceptionGroup("", [ExceptionGroup("", [first]), second])) is first


def test_a_lone_error_is_reported_whatever_it_is() -> None:
    error = ZeroDivisionError()
    assert single_error(ExceptionGroup("", [ExceptionGroup("", [error])])) is error


def test_nothing_is_hidden_behind_our_errors() -> None:
    group = ExceptionGroup("", [Unavailable("redis is gone"), ZeroDivisionError()])
    assert single_error(group) is group
