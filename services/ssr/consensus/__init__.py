"""Consensus-driven speculative decoding: parallel samples draft for each other, losslessly. Start at `drafter`."""

from ssr.consensus.draft import Draft, DraftSource, PassRow
from ssr.consensus.drafter import Drafter
from ssr.consensus.native import NativeDrafter, drafter_for
from ssr.consensus.settings import ConsensusSettings

__all__ = ["ConsensusSettings", "Draft", "DraftSource", "Drafter", "NativeDrafter", "PassRow", "drafter_for"]
