"""What is known of a pair follows from the models that are served, and from the domain."""

from __future__ import annotations

import asyncio

from tree_models import TreeModels

from ssr.core.agreement import DEFAULT_CURVE
from ssr.core.errors import Unavailable
from ssr.core.evidence.calibration import Calibration, Entry, ScoreEntry, Suggestion
from ssr.core.evidence.curve import Isotonic
from ssr.core.evidence.prior import PathAuthor, Prior, Skill
from ssr.core.types import Options
from ssr.orchestrator.api.admission import Admission
from ssr.orchestrator.calibration import Priors, calibrated, cascade_shape, learn_models
from ssr.orchestrator.run.domain_stages import for_domain
from ssr.orchestrator.settings import DefaultOptions
from ssr.v1 import reasoning_pb2, step_pb2

STRONG, WEAK = (Prior({**Prior().skills, PathAuthor.DRAFT: Skill(mean, 1.0)}) for mean in (1.0, -1.0))
CURVE = Isotonic(((0.0, 0.4),))
KNOWN = Calibration(
    (
        Entry(STRONG, "7B", "70B", suggestion=Suggestion(4, 8, 0.95, 0.02)),
        Entry(WEAK, "0.5B", "1.5B", "choice", Suggestion(0, 4, 0.9, 0.04)),
    ),
    (ScoreEntry("agreement", CURVE, draft="0.5B"),),
)


def served(draft: str, target: str) -> Priors:
    priors = Priors(KNOWN)
    priors.draft, priors.target = draft, target
    return priors


def test_an_entry_is_that_of_the_models_and_the_domain() -> None:
    assert served("q-7B", "q-70B").posterior("").prior is STRONG
    assert served("q-0.5B", "q-1.5B").posterior("choice").prior is WEAK
    assert served("q-0.5B", "q-1.5B").posterior("").prior == Prior()
    assert Priors(KNOWN).posterior("").prior is STRONG  # nobody has said which models there are
    assert (served("q-7B", "q-70B").agreement(""), served("q-0.5B", "x").agreement("")) == (DEFAULT_CURVE, CURVE)


def test_a_posterior_remembers_across_jobs() -> None:
    priors = served("q-7B", "q-70B")
    assert priors.posterior("") is priors.posterior("choice")
    assert priors.posterior("") is not served("q-7B", "q-70B").posterior("")


def test_a_jobs_stages_have_its_pairs() -> None:
    stages = for_domain(TreeModels([1]).stages(), Options(domain="choice"), served("q-0.5B", "q-1.5B"))
    assert (stages.posterior.prior, stages.agreement) == (WEAK, CURVE)


async def test_requests_get_what_is_suggested_for_the_pair_and_their_domain() -> None:
    priors = served("q-0.5B", "q-1.5B")
    unasked = unheard_measure
    admission = Admission(
        Sets(),
        unasked,
        unasked,
        lambda domain: calibrated(DefaultOptions(), priors.entry(domain)),
        lambda domain: cascade_shape(priors.entry(domain)),
    )
    shapes = {}
    for domain in ("", "choice"):
        options = reasoning_pb2.Options(mode=reasoning_pb2.MODE_CASCADE, domain=domain)
        found = (await admission.check(reasoning_pb2.SolveRequest(problem="p", options=options))).options
        shapes[domain] = found.paths, found.draft_paths
    assert shapes == {"": (7, 3), "choice": (4, 0)}


class Sets:
    async def strategy_sets(self) -> list[str]:
        return []


async def unheard_measure(text: str) -> step_pb2.MeasureResponse:
    raise AssertionError("a short problem is not measured")


async def test_names_are_learnt_and_kept_while_a_service_is_away() -> None:
    replies = iter(["a", None, "b"])
    learnt, priors = asyncio.Event(), Priors(KNOWN)

    async def draft(text: str) -> step_pb2.MeasureResponse:
        if (name := next(replies)) is None:
            raise Unavailable("away")
        return step_pb2.MeasureResponse(model=name)

    async def target(text: str) -> step_pb2.MeasureResponse:
        learnt.set()
        return step_pb2.MeasureResponse(model="large")

    for expected in ("a", "a", "b"):
        learnt.clear()
        learning = asyncio.create_task(learn_models(priors, draft, target))
        await learnt.wait()
        while priors.target != "large":
            await asyncio.sleep(0)
        learning.cancel()
        assert priors.draft == expected


def test_only_named_models_are_asked_for() -> None:
    assert Priors(KNOWN).depend_on_models
    assert not Priors(Calibration((Entry(STRONG, domain="choice"),))).depend_on_models
