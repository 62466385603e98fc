"""Numbers with units, as in physics and chemistry: 3.6 km/h is 1 m/s, and 5 kg is not 5 m."""

from __future__ import annotations

from ssr.core.domain import Domain
from ssr.domains.folder import prompts_of, strategies_of
from ssr.domains.quantities.quantity import same_quantity

DOMAIN = Domain("quantities", prompts_of(__name__), strategies_of(__name__), compare=same_quantity)
