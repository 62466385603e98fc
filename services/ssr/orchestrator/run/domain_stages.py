"""The stages of one job: its domain's way to find, compare and verify answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from ssr.core.answers import ANYBODY, Asked, Equivalence
from ssr.core.domain import Compare
from ssr.core.stages import Stages
from ssr.core.types import Options
from ssr.domains import domain_named
from ssr.orchestrator.calibration import Priors


@dataclass(frozen=True, slots=True)
class DomainEquivalence:
    """Implements `Equivalence`: the domain's verdict, and mathematics' where it has none."""

    compare: Compare
    tests: str
    mathematics: Equivalence

    async def same(self, a: str, b: str, asked: Asked = ANYBODY) -> bool:
        """See `Equivalence.same`."""
        verdict = await self.compare(a, b, self.tests)
        return await self.mathematics.same(a, b, asked) if verdict is None else verdict


def for_domain(stages: Stages, options: Options, priors: Priors | None = None) -> Stages:
    """The stages for a job with these options; without `priors`, votes and agreement are worth what `stages` says.

    Raises: InvalidRequest for a domain that this replica does not know.
    """
    domain = domain_named(options.domain)
    equivalence, verified = stages.equivalence, None
    if domain.compare is not None:
        equivalence = DomainEquivalence(domain.compare, options.tests, equivalence)
    if domain.verify is not None:
        verified = partial(domain.verify, tests=options.tests)
    if priors is not None:
        stages = replace(stages, posterior=priors.posterior(options.domain), agreement=priors.agreement(options.domain))
    return replace(stages, equivalence=equivalence, extract=domain.extract, verified=verified)
