"""The core of SSR's consensus drafting in C++. `ssr.consensus` uses it where it is installed; nobody else needs to."""

from ssr_consensus_native._core import Drafter

__all__ = ["INTERFACE", "Drafter"]

#: Raised with every change of what `Drafter` takes or drafts: ssr.consensus uses no other than it knows.
INTERFACE = 2
