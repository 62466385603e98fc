"""The drafter in C++, behind the face of `Drafter`: the same drafts, in microseconds.

It is a distribution of its own, ssr-consensus-native (`make wheels`), that nothing needs: `drafter_for` takes it where
it is installed, and else the Python one, which it is checked against.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from importlib import import_module
from itertools import count
from typing import Any

from ssr.consensus.draft import Draft, DraftSource, PassRow, check_probabilities
from ssr.consensus.drafter import Drafter
from ssr.consensus.settings import ConsensusSettings
from ssr.core.errors import CapabilityMissing, Conflict, InvalidRequest, NotFound

#: What this code can call.
_INTERFACE = 2
_SOURCES = (DraftSource.SIBLING, DraftSource.OWN, DraftSource.HISTORY)
_NONE = Draft()

_logger = logging.getLogger("vllm.ssr.consensus")


def drafter_for(settings: ConsensusSettings | None = None) -> Drafter | NativeDrafter:
    """The native drafter where it is installed; else the Python one, and a warning."""
    try:
        return NativeDrafter(settings)
    except CapabilityMissing as error:
        _logger.warning("%s: drafting in Python, at about ten times the time a draft", error)
        return Drafter(settings)


def native_installed() -> bool:
    """Whether `NativeDrafter` can be made."""
    try:
        _core()
    except CapabilityMissing:
        return False
    return True


def _core() -> Any:
    try:
        module = import_module("ssr_consensus_native")
    except ImportError as error:
        raise CapabilityMissing(f"ssr-consensus-native cannot be imported ({error})") from error
    if module.INTERFACE != _INTERFACE:
        raise CapabilityMissing(f"ssr-consensus-native has interface {module.INTERFACE}, not {_INTERFACE}")
    return module


class NativeDrafter:
    """As `Drafter`. Tokens are 32-bit integers. Raises: CapabilityMissing where the native code is not installed."""

    def __init__(self, settings: ConsensusSettings | None = None) -> None:
        self._settings = settings or ConsensusSettings()
        self._native = _core().Drafter(self._settings, _SOURCES)
        self._numbers = count()
        self._samples: dict[Hashable, int] = {}
        self._groups: dict[Hashable, tuple[int, Hashable]] = {}  #: number and tenant
        self._tenants: dict[Hashable, int] = {}
        self._names: dict[int, Hashable] = {}  #: of samples and groups

    def __contains__(self, sample: Hashable) -> bool:
        return sample in self._samples

    @property
    def tokens(self) -> int:
        """How much is remembered, in tokens."""
        return int(self._native.tokens)

    def start(
        self,
        sample: Hashable,
        group: Hashable,
        prompt: Sequence[int] = (),
        *,
        tenant: Hashable = "default",
        known: int = 0,
    ) -> None:
        """As `Drafter.start`."""
        if sample in self._samples:
            raise Conflict(f"sample {sample!r} has been started already")
        joined = self._groups.get(group)
        if joined is not None and joined[1] != tenant:
            raise Conflict(f"group {group!r} belongs to another tenant")
        number = next(self._numbers)
        group_number = next(self._numbers) if joined is None else joined[0]
        tenant_number = self._tenants.setdefault(tenant, len(self._tenants))
        try:
            self._native.start(number, group_number, tenant_number, prompt, known)
        except ValueError as error:
            raise InvalidRequest("prompt", str(error)) from error
        self._samples[sample], self._names[number] = number, sample
        self._groups[group], self._names[group_number] = (group_number, tenant), group
        self._drop_forgotten()

    def add(self, sample: Hashable, tokens: Sequence[int], probabilities: Sequence[float] | None = None) -> None:
        """As `Drafter.add`."""
        check_probabilities(tokens, probabilities)
        try:
            self._native.add(self._number(sample), tokens, probabilities)
        except ValueError as error:
            raise InvalidRequest("tokens", str(error)) from error
        self._drop_forgotten()

    def draft(self, sample: Hashable, max_tokens: int) -> Draft:
        """As `Drafter.draft`."""
        drafted = self._native.draft(self._number(sample), max_tokens, self._settings.min_confidence)
        return Draft(*drafted) if drafted else _NONE

    def run_pass(
        self, rows: Sequence[PassRow], *, budget: int | None = None, min_confidence: float | None = None
    ) -> list[Draft]:
        """As `Drafter.run_pass`."""
        numbers = self._samples
        asked = [(numbers.get(row.sample, -1), row.tokens, row.max_tokens, row.probabilities) for row in rows]
        least = self._settings.min_confidence if min_confidence is None else min_confidence
        try:
            drafts = self._native.run_pass(asked, -1 if budget is None else max(0, budget), least)
        except ValueError as error:
            raise InvalidRequest("tokens", str(error)) from error
        self._drop_forgotten()
        return [Draft(*drafted) if drafted else _NONE for drafted in drafts]

    def finish(self, sample: Hashable) -> None:
        """As `Drafter.finish`."""
        self._native.finish(self._number(sample))
        self._forget_sample(self._samples[sample])

    def remove(self, sample: Hashable) -> None:
        """As `Drafter.remove`."""
        self._native.remove(self._number(sample))
        self._forget_sample(self._samples[sample])
        self._drop_forgotten()

    def end_group(self, group: Hashable) -> None:
        """As `Drafter.end_group`."""
        known = self._groups.get(group)
        if known is None:
            raise NotFound(f"there is no group {group!r}")
        self._native.end_group(known[0])
        self._drop_forgotten()

    def _number(self, sample: Hashable) -> int:
        number = self._samples.get(sample)
        if number is None:
            raise NotFound(f"there is no sample {sample!r}; start it first")
        return number

    def _drop_forgotten(self) -> None:
        """Names of what was forgotten for lack of room, or with its group, are free."""
        if not self._native.has_forgotten:
            return
        samples, groups = self._native.take_forgotten()
        for number in samples:
            self._forget_sample(number)
        for number in groups:
            del self._groups[self._names.pop(number)]

    def _forget_sample(self, number: int) -> None:
        del self._samples[self._names.pop(number)]
