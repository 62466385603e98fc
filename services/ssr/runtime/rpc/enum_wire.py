"""Enums of the protos and the core's, in both directions."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

from ssr.core.errors import InvalidRequest
from ssr.core.types import choices

Member = TypeVar("Member", bound=StrEnum)


class EnumWire:
    """One proto enum and one of ours with equal member names, the proto's behind a prefix.

    `wrapper` is the generated enum; its stubs give every enum types of its own, hence Any.
    """

    def __init__(self, wrapper: Any, prefix: str) -> None:
        self._prefix = prefix
        self._numbers = {name.removeprefix(f"{prefix}_"): number for name, number in wrapper.items()}
        self._names = {number: name for name, number in self._numbers.items()}

    def number(self, member: StrEnum) -> Any:
        return self._numbers.get(member.name, 0)

    def member(self, kind: type[Member], number: int, default: Member | None = None) -> Member:
        """What a request asks for; 0 is the default. Raises: InvalidRequest for a number that means nothing."""
        if number == 0 and default is not None:
            return default
        try:
            return kind[self._names.get(number, "")]
        except KeyError:
            known = ", ".join(choices(kind))
            raise InvalidRequest(self._prefix.lower(), f"{number} is unknown; known are {known}") from None

    def read(self, kind: type[Member], number: int, default: Member | None = None) -> Member:
        """What is reported; `default` (UNKNOWN) for a number that only a newer version knows, and for 0."""
        name = self._names.get(number, "")
        if name in kind.__members__:
            return kind[name]
        return kind["UNKNOWN"] if default is None else default
