"""What becomes of the drafts that a verifier is shown."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram

#: Of a score, or of a score and a rewrite, in seconds.
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 12, 20, 40, 120)


class VerificationMetrics:
    """Verifications that came to a verdict, and how long they took."""

    def __init__(self, registry: CollectorRegistry) -> None:
        seconds = Histogram(
            "ssr_verification_duration_seconds",
            "A verification, its rewrite included.",
            ("outcome",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._accepted, self._rewritten = seconds.labels("accepted"), seconds.labels("rewritten")

    def verified(self, accepted: bool, seconds: float) -> None:
        (self._accepted if accepted else self._rewritten).observe(seconds)
