"""SSR: Speculative Parallel Scaling Reasoning (arXiv 2505.15340) as services."""

__version__ = "0.2.0"
