"""Consensus-driven speculative decoding: parallel samples draft for each other, losslessly. Start at `drafter`."""

from ssr.consensus.draft import Draft
from ssr.consensus.drafter import Drafter
from ssr.consensus.settings import ConsensusSettings
from ssr.consensus.source import DraftSource

__all__ = ["ConsensusSettings", "Draft", "DraftSource", "Drafter"]
