"""The results as tables, and what their columns mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ssr_bench.evaluation.accounting import sizes
from ssr_bench.evaluation.grid import Grid
from ssr_bench.evaluation.paired import holm
from ssr_bench.evaluation.record import Record
from ssr_bench.evaluation.results import CellResult
from ssr_bench.evaluation.run_directory import Evaluation
from ssr_bench.evaluation.statistics import IntervalEstimate
from ssr_bench.evaluation.system import SittingRecord, described
from ssr_bench.statistics import percentile

DEFINITIONS = """\
runs: problems times repeats that ended. lost: runs that failed for reasons that are not the models' (a service or an \
engine); they are counted nowhere else, and done again when the evaluation goes on.
accuracy: the share of runs whose answer is mathematically equal to the known one; an unanswered run is wrong. 95 %: \
Wilson's interval; repeats of a problem count for as many trials as their intraclass correlation leaves them worth.
pass@k: the chance that at least one of k repeats is right, the unbiased estimator.
points: of accuracy above the baseline's on the same problems and repeats; + / −: how often only this way, or only \
the baseline, was right. 95 %: Tango's score interval; with repeats a bootstrap over problems, if that is wider. p: \
McNemar's exact test, two-sided; with repeats the exact test that flips the signs of problems' differences. Holm: \
corrected for all rows of the table, which are one family; what is compared beyond it is exploratory.
no loss: whether it is shown that this way is not worse than the baseline by so many points (non-inferiority, \
one-sided at 2.5 %, Tango's score test with Holm's correction). That no difference is found does not show it.
decode_ratio: FLOPs of all generated tokens over the baseline's, measured on the same problems. total_ratio: the same \
of all tokens that a model had to process, prompts included; not those from a cache, where the job itself had put them \
there. FLOPs = 2 x parameters x tokens.
target tokens: tokens that the target generated, over those of the baseline. Intervals of ratios: bootstrap over \
problems.
rewritten: the share of drafted steps that the target wrote again.
F_d, F_t: FLOPs of a token of the draft model and of the target. R: the share of a run's judged steps that the target \
wrote again. gamma: decoding over the baseline's by a formula in these (`Ledger.gamma` in ssr/core/ledger.py), with \
and without what selecting strategies took; it takes all steps for equally long, and leaves scoring out.
tokens: the mean of a run, by what they were generated for; prompt: those of all models that were processed, and those \
that came from a cache, where the job itself had put them there.
time to answer: from the job's start to its end on the server. GPU s: the mean of a run, its seconds times the \
engines' GPUs over the problems at a time; - where their number was not given.""".splitlines()


#: The loss of accuracy, as a share, that "no loss" stands for unless another is given.
MARGIN = 0.05
#: Of one-sided tests.
_LEVEL = 0.025


def grids(results: Sequence[CellResult], margin: float = MARGIN) -> tuple[Grid, ...]:
    """Accuracy, gains, compute, tokens, time; `margin` is the loss, a share, that is called none.

    All but the last are the same whenever equal seeds give equal steps.
    """
    return (
        Grid(
            "Accuracy",
            ("", "runs", "right", "accuracy", "95 %", "pass@k, 95 %", "unanswered", "lost", "threshold"),
            [(one.label, *_accuracy(one)) for one in results],
        ),
        *([compared] if (compared := comparison(results, margin)) is not None else []),
        Grid(
            "Compute, against the measured baseline",
            ("", "decode_ratio", "95 %", "total_ratio", "95 %", "target tokens", "95 %", "rewritten"),
            [(one.label, *_compute(one)) for one in results],
        ),
        Grid(
            "The paper's quantities, means of the runs",
            ("", "F_d", "F_t", "R", "gamma", "gamma without SPM"),
            [(one.label, *_quantities(one)) for one in results],
        ),
        Grid(
            "Tokens a run",
            ("", *_GENERATED, "prompt", "prompt, cached"),
            [(one.label, *_tokens(one)) for one in results],
        ),
        Grid(
            "Time to answer",
            ("", "mean s", "p50 s", "p90 s", "to baseline", "95 %", "GPU s"),
            [(one.label, *_time(one)) for one in results],
        ),
    )


def changed_grid(evaluations: Sequence[Evaluation]) -> Grid | None:
    """The sittings that measured another system than the first of their evaluation; None where there are none."""
    rows = [
        (f"{one.name}, sitting {sitting.number + 1}", str(counts[sitting.number]), "; ".join(sitting.changes))
        for one in evaluations
        if (counts := Counter(record.sitting for record in one.records)) is not None
        for sitting in one.sittings
        if sitting.changes
    ]
    return Grid("Measured on another system than the rest", ("", "runs", "what differs"), rows) if rows else None


def setting(evaluation: Evaluation) -> tuple[str, ...]:
    """What was measured, how, where; a line each."""
    plan, origin, records = evaluation.plan, evaluation.origin, evaluation.records
    last = plan.offset + plan.count
    seeded = "not seeded" if plan.seed is None else f"seed {plan.seed}"
    models = ", ".join(f"{name} ({_size(size)})" for name, size in sizes(records).items())
    at_a_time = ", ".join(sorted({str(record.concurrency) for record in records})) or "-"
    versions = ", ".join(sorted({record.version for record in records if record.version}))
    options = ", ".join(f"{name}={value}" for name, value in plan.options.items())
    lines = {
        "problems": f"{plan.dataset}, {plan.count} of them ({plan.offset + 1} to {last}), each {plan.repeats} time(s)",
        "sampling": seeded,
        "models": models,
        "server": f"preset {plan.preset} on this machine" if plan.preset else origin.server,
        **_systems(evaluation.sittings),
        "options": options,
        "problems at a time": at_a_time,
        "command": origin.command,
        "version": versions,
        "machine": origin.machine,
        "commit": ", ".join(dict.fromkeys(one.commit for one in evaluation.sittings if one.commit)),
        "GPUs": ", ".join(dict.fromkeys(f"{one.gpus:g}" for one in evaluation.sittings if one.gpus is not None)),
        "strategies": _strategies(records),
        "note": origin.note,
        "incomplete": f"{evaluation.missing} runs are missing" if evaluation.missing else "",
    }
    return tuple(f"{name}: {value}" for name, value in lines.items() if value)


def markdown(evaluations: Sequence[Evaluation], tables: Sequence[Grid]) -> str:
    """The report without figures."""
    parts = []
    for one in evaluations:
        parts += [f"### {one.name}", "", *(f"- {line}" for line in setting(one)), ""]
    for table in tables:
        parts += [table.markdown(), ""]
    return "\n".join([*parts, *(f"- {line}" for line in DEFINITIONS), ""])


def _systems(sittings: Sequence[SittingRecord]) -> dict[str, str]:
    """What served each model; of several sittings the different ones."""
    roles = dict.fromkeys(role for one in sittings for role in one.system.models)
    found = {
        role: dict.fromkeys(described(one.system.models[role]) for one in sittings if role in one.system.models)
        for role in roles
    }
    return {f"{role} model": "; ".join(models) for role, models in found.items()}


def _strategies(records: Sequence[Record]) -> str:
    """Each strategy that a path had, with the fingerprint of its texts."""
    shown = {(one.strategy_set, one.code, one.fingerprint) for record in records for one in record.strategies}
    return ", ".join(f"{name}/{code} {fingerprint}" for name, code, fingerprint in sorted(shown))


def _share(estimate: IntervalEstimate) -> str:
    return f"{estimate.value:.1%}, {estimate.low:.1%} – {estimate.high:.1%}"


_FLOPS = ("draft_token_flops", "target_token_flops")
_SHARES = ("rewrite_rate", "gamma", "gamma_without_spm")
_GENERATED = ("drafted", "accepted", "rejected", "wasted", "rewritten", "written", "scoring", "selection")


def _accuracy(one: CellResult) -> tuple[str, ...]:
    right = sum(record.correct for record in one.records)
    chance = "-" if one.pass_at_k is None else f"{_share(one.pass_at_k[1])} (k={one.pass_at_k[0]})"
    shares = f"{one.accuracy.value:.1%}", f"{one.accuracy.low:.1%} – {one.accuracy.high:.1%}"
    counts = str(len(one.records)), str(right), *shares, chance, str(one.unanswered), str(one.lost)
    return (*counts, "-" if one.threshold is None else f"{one.threshold:g}")


def comparison(results: Sequence[CellResult], margin: float) -> Grid | None:
    """Each cell against the baseline, corrected for there being several; None where none has one."""
    compared = [(one, one.gain) for one in results if one.gain is not None]
    if not compared:
        return None
    different = holm([gain.p for _, gain in compared])
    worse = holm([gain.no_worse_p(margin) for _, gain in compared])
    rows = [
        (
            one.label,
            str(gain.pairs),
            f"{gain.gain.value * 100:+.1f}",
            f"{gain.gain.low * 100:+.1f} – {gain.gain.high * 100:+.1f}",
            f"{gain.only_first} / {gain.only_second}",
            _p(gain.p),
            _p(other),
            "shown" if gain.no_worse(margin) and at_worst <= _LEVEL else "not shown",
            _p(at_worst),
        )
        for (one, gain), other, at_worst in zip(compared, different, worse, strict=True)
    ]
    loss = f"no loss of {margin * 100:g}"
    columns = ("", "pairs", "points", "95 %", "+ / −", "p", "p, Holm", loss, "its p, Holm")
    return Grid("Accuracy above the baseline, on the same problems", columns, rows)


def _compute(one: CellResult) -> tuple[str, ...]:
    ratios = one.decode_ratio, one.total_ratio, one.target_ratio
    rewritten = "-" if one.rewrite_share is None else f"{one.rewrite_share:.1%}"
    return (*(text for ratio in ratios for text in _ratio(ratio)), rewritten)


def _quantities(one: CellResult) -> tuple[str, ...]:
    flops = (_mean([getattr(record.usage, name) for record in one.records]) for name in _FLOPS)
    shares = (_mean([getattr(record.usage, name) for record in one.records]) for name in _SHARES)
    return (
        *("-" if mean is None else f"{mean:.3g}" for mean in flops),
        *("-" if mean is None else f"{mean:.3f}" for mean in shares),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """Of the runs that have a value; None where none has."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _tokens(one: CellResult) -> tuple[str, ...]:
    counts = [getattr(one.tokens, name) for name in (*_GENERATED, "new", "cached")]
    return tuple(f"{count:,.0f}" if count else "-" for count in counts)


def _time(one: CellResult) -> tuple[str, ...]:
    seconds = one.wall_s
    if not seconds:
        return ("-",) * 6
    mean = sum(seconds) / len(seconds)
    held = [record.gpu_s for record in one.records if record.gpu_s is not None]
    gpu_s = f"{sum(held) / len(held):.2f}" if len(held) == len(one.records) else "-"
    shown = (f"{s:.2f}" for s in (mean, percentile(seconds, 50), percentile(seconds, 90)))
    return (*shown, *_ratio(one.wall_ratio), gpu_s)


def _ratio(ratio: IntervalEstimate | None) -> tuple[str, str]:
    return ("-", "-") if ratio is None else (f"{ratio.value:.3f}", f"{ratio.low:.3f} – {ratio.high:.3f}")


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _size(parameters: int) -> str:
    return f"{parameters / 1e9:.2f} B parameters" if parameters else "size unknown"
