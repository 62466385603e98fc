"""Which requests belong to one problem: those whose prompts are equal up to a marker, or else begin alike."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import count

#: Bytes of a token id in an engine's table.
TOKEN_BYTES = 4


@dataclass(slots=True, eq=False)
class PromptGroup:
    """Of `members` some may still run; `idle_since_s` is when the last of them ended, None while one runs.

    `prompt` is the first one's, up to its marker where it has one.
    """

    name: Hashable
    prompt: bytes
    members: int = 0
    idle_since_s: float | None = None


@dataclass(slots=True)
class PromptGroups:
    """The groups by the beginning of their prompts. See `ProposerSettings` for the two limits.

    `marker` are the bytes of the tokens that end what a group has in common; none where nothing does.
    """

    share: float
    least_tokens: int
    marker: bytes = b""
    _groups: dict[Hashable, PromptGroup] = field(default_factory=dict)
    _equal: dict[bytes, PromptGroup] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=count)

    def join(self, prompt: bytes) -> PromptGroup:
        """The group for a request with this prompt: the one that shares most with it, or a new one."""
        end = self._marked(prompt)
        key = prompt[:end]
        group = self._equal.get(key) or (None if end else self._like(prompt))
        if group is None:
            group = PromptGroup(next(self._numbers), key)
            self._groups[group.name] = group
            self._equal[key] = group
        group.members += 1
        group.idle_since_s = None
        return group

    def knows(self, prompt: bytes) -> bool:
        """Whether there is a group for this prompt, so that there is little in it to be read."""
        return prompt[: self._marked(prompt)] in self._equal

    def leave(self, group: PromptGroup, now_s: float) -> None:
        """One of its requests has ended."""
        group.members -= 1
        if not group.members:
            group.idle_since_s = now_s

    def end_idle(self, since_s: float) -> list[PromptGroup]:
        """Those of which nothing has run since then; they are forgotten."""
        ended = [one for one in self._groups.values() if one.idle_since_s is not None and one.idle_since_s <= since_s]
        for group in ended:
            del self._groups[group.name], self._equal[group.prompt]
        return ended

    def _marked(self, prompt: bytes) -> int | None:
        """Where the first marker ends, in bytes; None where there is none."""
        place = prompt.find(self.marker) if self.marker else -1
        while place >= 0 and place % TOKEN_BYTES:  # it lies across tokens
            place = prompt.find(self.marker, place + 1)
        return place + len(self.marker) if place >= 0 else None

    def _like(self, prompt: bytes) -> PromptGroup | None:
        best, best_common = None, 0
        for group in self._groups.values():
            common = common_tokens(group.prompt, prompt)
            shorter = min(len(group.prompt), len(prompt)) // TOKEN_BYTES
            if common >= max(self.least_tokens, self.share * shorter) and common > best_common:
                best, best_common = group, common
        return best


def common_tokens(first: bytes | bytearray, second: bytes) -> int:
    """How many tokens the two begin with in common."""
    low, high = 0, min(len(first), len(second)) // TOKEN_BYTES
    while low < high:
        middle = (low + high + 1) // 2
        if first[: middle * TOKEN_BYTES] == second[: middle * TOKEN_BYTES]:
            low = middle
        else:
            high = middle - 1
    return low
