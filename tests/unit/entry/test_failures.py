from __future__ import annotations

from ssr.core.errors import NotFound, Unavailable
from ssr.entry.failures import told_of


def test_the_first_of_our_errors_is_told() -> None:
    first, second = Unavailable("redis is gone"), NotFound("no model")
    assert told_of(ExceptionGroup("", [ExceptionGroup("", [first]), second])) is first


def test_a_lone_error_is_told_whatever_it_is() -> None:
    error = ZeroDivisionError()
    assert told_of(ExceptionGroup("", [ExceptionGroup("", [error])])) is error


def test_nothing_is_hidden_behind_our_errors() -> None:
    group = ExceptionGroup("", [Unavailable("redis is gone"), ZeroDivisionError()])
    assert told_of(group) is group
