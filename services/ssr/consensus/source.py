"""Whose text a draft token comes from."""

from __future__ import annotations

from enum import StrEnum


class DraftSource(StrEnum):
    """Of the continuation that speaks for the token most."""

    SIBLING = "sibling"  #: another sample of the group
    OWN = "own"  #: the prompt, or the sample itself
    HISTORY = "history"  #: a finished problem of the same tenant
