"""Every scorer through the verifier's own service on simulated engines, and `ssr bench scorers` on recorded runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from engine_servers import ScriptedServer, scripted, tgi_app
from grpc import StatusCode, aio
from hang_limit import LIMIT_S
from serve_process import running_command
from typer.testing import CliRunner

from ssr.core.acceptance import ScorerName
from ssr.core.types import Source, Step
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.settings import Latency, Quality, SimulatedSettings
from ssr.engines.settings import EngineSettings
from ssr.runtime.rpc.step_wire import step_to_wire
from ssr.v1 import step_pb2, verification_pb2, verification_pb2_grpc
from ssr.verifier.servicer import running_verifier
from ssr.verifier.settings import VerifierSettings
from ssr_bench.cli.scorers import add_to
from ssr_bench.evaluation.rescoring import RESCORED

PROBLEM = "(12 * 7) + 19"
#: What the simulated writer would say, and the same with a wrong result.
RIGHT, WRONG = "12 × 7 = 84", "12 × 7 = 85"
#: Those that distinguish steps and need the target engine at most: agreement asks siblings, reward a server of its own.
JUDGES = [name for name in ScorerName if not {ScorerName.NONE, ScorerName.AGREEMENT, ScorerName.REWARD} & {*name.parts}]
PROGRAM = (
    "import typer; from ssr_bench.cli import accuracy, scorers; app = typer.Typer(); "
    "accuracy.add_to(app); scorers.add_to(app); app()"
)
STEADY = {"SSR_ENGINE_SIMULATED__LATENCY__TIME_SCALE": "0", "SSR_ENGINE_SIMULATED__PREFIX_CACHE_TOKENS": "0"}

app = typer.Typer()
app.callback()(lambda: None)
add_to(app)


@dataclass
class Verifier:
    """A verifier's stub, and its simulated engine (None: another one)."""

    stub: verification_pb2_grpc.VerificationServiceAsyncStub
    target: SimulatedBackend | None = None

    async def verify(self, text: str, scorer: str, threshold: float = 5.0) -> verification_pb2.VerifyResponse:
        return await self.stub.Verify(
            verification_pb2.VerifyRequest(
                context=step_pb2.PathContext(job_id="job-1", problem=PROBLEM),
                step=step_to_wire(Step(0, text, Source.DRAFT, 6)),
                threshold=threshold,
                scorer=scorer,
                sampling=step_pb2.Sampling(temperature=0.0, top_p=1.0),
                max_tokens=64,
            ),
            timeout=LIMIT_S,
        )


def target_backend() -> SimulatedBackend:
    settings = SimulatedSettings.target().model_copy(
        update={"latency": Latency(time_scale=0), "quality": Quality(error_rate=0, blemish_rate=0, judge_noise=0)}
    )
    return SimulatedBackend(settings)


async def _verifier(stack: AsyncExitStack, url: str) -> verification_pb2_grpc.VerificationServiceAsyncStub:
    port = await stack.enter_async_context(
        running_verifier(VerifierSettings(engine=EngineSettings(urls=(url,)), grace_s=1))
    )
    channel = await stack.enter_async_context(aio.insecure_channel(f"127.0.0.1:{port}"))
    return verification_pb2_grpc.VerificationServiceStub(channel)


@pytest.fixture
async def verifier() -> AsyncIterator[Verifier]:
    async with AsyncExitStack() as stack:
        backend = target_backend()
        yield Verifier(await _verifier(stack, await stack.enter_async_context(running_server(backend))), backend)


@pytest.mark.parametrize("scorer", JUDGES)
async def test_every_scorer_reports_a_right_step_from_a_wrong_one(verifier: Verifier, scorer: ScorerName) -> None:
    right, wrong = await verifier.verify(RIGHT, scorer), await verifier.verify(WRONG, scorer)
    assert (right.accepted, wrong.accepted) == (True, False)
    assert right.step.score > wrong.step.draft_score
    assert wrong.step.text.endswith("84.") or "84" in wrong.step.text
    asked = scorer is not ScorerName.ARITHMETIC
    assert [call.kind for call in right.calls] == [step_pb2.CALL_KIND_SCORE] * asked
    checks_first = ScorerName.ARITHMETIC in scorer.parts
    assert len(wrong.calls) == (1 if checks_first else 2)


async def test_a_likelihood_costs_its_whole_prompt(verifier: Verifier) -> None:
    first = await verifier.verify(RIGHT, "likelihood")
    again = await verifier.verify(RIGHT, "likelihood")
    (call,), (repeated,) = first.calls, again.calls
    for one in (call, repeated):
        one.ClearField("engine_s")  # by the clock
    assert call == repeated
    assert call.prompt_tokens > 40
    assert (call.cached_tokens, call.generated_tokens) == (0, 1)


async def test_an_unknown_scorer_is_invalid(verifier: Verifier) -> None:
    with pytest.raises(aio.AioRpcError) as refused:
        await verifier.verify(RIGHT, "judge+arithmetic")
    assert refused.value.code() is StatusCode.INVALID_ARGUMENT
    assert "arithmetic+judge" in str(refused.value.details())


async def test_an_engine_without_prompt_logprobs_fails_the_precondition() -> None:
    async with AsyncExitStack() as stack:
        server: ScriptedServer = await stack.enter_async_context(scripted(tgi_app, prompt_logprobs=False))
        lacking = Verifier(await _verifier(stack, server.url))
        with pytest.raises(aio.AioRpcError) as refused:
            await lacking.verify(RIGHT, "arithmetic+likelihood")
        assert refused.value.code() is StatusCode.FAILED_PRECONDITION
        assert "scorer likelihood" in str(refused.value.details())


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """What the simulated stack recorded in modes draft and ssd."""
    problems, out = tmp_path / "sums.jsonl", tmp_path / "runs"
    sums = [f"{7 + n} * {3 + n} - {n * 5} + {11 * n}" for n in range(6)]
    lines = [{"id": f"s{n}", "problem": f"What is {text}?", "answer": eval(text)} for n, text in enumerate(sums)]
    problems.write_text("".join(json.dumps(line) + "\n" for line in lines))
    given = ["accuracy", "--dataset", str(problems), "--preset", "simulated", "--modes", "draft,ssd", "--out", str(out)]
    with running_command("-c", PROGRAM, *given, "--concurrency", "4", environment=STEADY) as command:
        assert command.exit_code() == 0, command.errors()
    return out


async def test_recorded_steps_are_judged_again_and_compared(runs: Path) -> None:
    async with running_server(target_backend()) as url:
        reported = await asyncio.to_thread(_invoke, str(runs), "--engine", url, "--scorers", ",".join(JUDGES), "--json")
        assert reported.exit_code == 0, reported.output
        figures = json.loads(reported.stdout)["comparison"]
        assert [one["scorer"] for one in figures["scorers"]] == JUDGES
        lines = (runs / RESCORED).read_bytes().count(b"\n")
        assert lines == figures["steps"] * len(JUDGES) > 0
        by_name = {one["scorer"]: one for one in figures["scorers"]}
        for one in by_name.values():
            assert one["aucs"]["lowest"]["value"] > 0.7  # engines without noise in their judgement
        assert by_name["arithmetic"]["prompt_tokens"] == 0
        assert by_name["arithmetic"]["rejected"] > 0
        assert by_name["arithmetic+judge"]["prompt_tokens"] < by_name["judge"]["prompt_tokens"]
        again = await asyncio.to_thread(_invoke, str(runs), "--engine", url, "--scorers", "judge,arithmetic+judge")
        assert again.exit_code == 0, again.output
        assert "arithmetic+judge" in again.stdout
        assert (runs / RESCORED).read_bytes().count(b"\n") == lines
        default = await asyncio.to_thread(_invoke, str(runs), "--engine", url, "--json")
        assert default.exit_code == 0, default.output
        compared = [one["scorer"] for one in json.loads(default.stdout)["comparison"]["scorers"]]
        assert compared == ["expected", "greedy", "judge", "arithmetic+judge"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--scorers", "dice"], "scorers: 'dice' is unknown; known are expected"),
        (["--scorers", ""], "scorers: are none; name some of expected, greedy"),
        (["--scorers", "judge,agreement+judge"], "scorers: agreement and reward cannot be compared here"),
        (["--scorers", "arithmetic+reward"], "scorers: agreement and reward cannot be compared here"),
        (["--modes", "best"], "modes: 'best' is unknown"),
        (["--kind", "mlx"], "kind: "),
        (["--engine", "nonsense"], "engine: "),
        (["--engine-key-file", "/nowhere"], "engine-key-file: /nowhere cannot be read"),
        (["--timeout", "0"], "timeout: Input should be greater than 0"),
        (["--concurrency", "0"], "concurrency: must be within 1..256"),
    ],
)
def test_what_makes_no_sense_is_reported(tmp_path: Path, more: list[str], message: str) -> None:
    reported = _invoke(str(tmp_path), "--engine", "http://127.0.0.1:9", *more)
    assert reported.exit_code == 2
    assert message in reported.stderr


def _invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["scorers", *arguments])
