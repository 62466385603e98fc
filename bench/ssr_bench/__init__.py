"""Measuring SSR itself on the machine at hand: what orchestration costs, what drafting ahead saves, how load is borne.

Every measurement brings up what it needs, ends it, and gives one frozen report.
"""

__version__ = "0.2.0"
