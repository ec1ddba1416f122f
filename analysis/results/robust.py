"""Beyond the paper: statistics that are robust to single runs, and the probability that one setting beats another."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.command import OUT, REFERENCE, Call, Command
from analysis.drawing import house_style, legend, line_style, subplots
from analysis.grouping import by_cell, by_label
from analysis.normalise import CHOSEN, Reference
from analysis.results.table1 import strata
from analysis.statistics import (
    Interval,
    Strata,
    bootstrap,
    bootstrap_mean,
    interquartile_mean,
    median,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
)
from analysis.store import Runs
from analysis.writers import Table, number
from ppo.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES = 1_000
EFFICIENCY = "over training"  # sample efficiency
STATISTICS = {"median": median, "IQM": interquartile_mean, "optimality gap": optimality_gap}


def run(call: Call) -> None:
    """Print the statistics and draw the performance profiles."""
    runs = call.runs()
    reference = call.reference(runs)
    call.output.table(to_table(compute(runs, reference), runs, reference), "robust")
    if call.output.out is not None:
        call.output.figure(draw(profiles(runs, reference)), "profiles")


def compute(runs: Runs, reference: Reference) -> pd.DataFrame:
    """One row per setting: mean, median, IQM, optimality gap and sample efficiency with intervals, and P(better)."""
    done = normalised(runs, reference)
    scores = {label: strata(part, part.normalised) for label, part in by_label(done)}
    efficiency = {label: strata(part, part.efficiency) for label, part in by_label(done)}
    means = {label: bootstrap_mean(values) for label, values in scores.items()}
    best = max(means, key=lambda label: means[label].value)
    rows = []
    for label, values in scores.items():
        row: dict[str, object] = {"label": label, "runs": sum(map(len, values))}
        row |= _columns("mean", means[label])
        for name, statistic in STATISTICS.items():
            row |= _columns(name, bootstrap(values, statistic, samples=SAMPLES))
        row |= _columns(EFFICIENCY, bootstrap_mean(efficiency[label]))
        row |= {"improvement": _improvement(values, scores[best]), "best": best}
        rows.append(row)
    return pd.DataFrame(rows)


def normalised(runs: Runs, reference: Reference) -> pd.DataFrame:
    """The finished runs, with their normalised score and the normalised mean of their learning curve.

    Settings with a task that cannot be normalised are left out; UserError if none remains.
    """
    done = runs.done[runs.done.score.notna()]
    curves = [fmean(point.ret for point in runs.read(run).curve) for run in done.run]
    efficiency = reference.normalise(done.assign(score=curves), *CHOSEN)
    done = done.assign(normalised=reference.normalise(done, *CHOSEN), efficiency=efficiency)
    without = done[done.normalised.isna()].label.unique()
    if (done := done[~done.label.isin(without)]).empty:
        why = "; ".join(reference.reasons(runs.done.env)) or "no run completed an episode"
        raise UserError(f"sweep {runs.sweep} has no setting with a normalised score: {why}.")
    return done


def profiles(runs: Runs, reference: Reference) -> pd.DataFrame:
    """Performance profiles: the share of a setting's runs whose normalised score is above tau."""
    done = normalised(runs, reference)
    taus = np.linspace(min(0.0, done.normalised.min()), max(1.0, done.normalised.max()), 101)
    frames = [
        pd.DataFrame({"label": label, "tau": taus, "share": performance_profile(strata(part, part.normalised), taus)})
        for label, part in by_label(done)
    ]
    return pd.concat(frames, ignore_index=True)


@house_style()
def draw(frame: pd.DataFrame) -> Figure:
    """Performance profiles: higher is better everywhere."""
    figure, axes = subplots(1, 1, (5.0, 3.2))
    entries = {}
    for i, (label, part) in enumerate(frame.groupby("label", sort=False)):
        (entries[str(label)],) = axes[0, 0].step(part.tau, part.share, where="post", **line_style(i))
    axes[0, 0].set(xlabel="normalised score tau", ylabel="share of runs above tau", ylim=(-0.02, 1.02))
    legend(figure, entries, loc="outside right center")
    return figure


def to_table(frame: pd.DataFrame, runs: Runs, reference: Reference) -> Table:
    """The statistics with their intervals in brackets."""
    names = ["mean", *STATISTICS, EFFICIENCY]
    rows = []
    for _, row in frame.iterrows():
        cells = [f"{row[n]:.2f} [{number(row[f'{n} low'])}, {number(row[f'{n} high'])}]" for n in names]
        rows.append([row.label, *cells, f"{row.runs:.0f}", number(row.improvement)])
    seeds = int(by_cell(runs.frame).seed.nunique().max())
    notes = [
        "Of normalised scores; in brackets 95 % intervals of the stratified bootstrap over seeds.",
        "Over training: the normalised mean return of all of training, higher for what learns sooner.",
        f"P(better): the probability that a run beats one of the setting with the highest mean ({frame.best.iloc[0]}) "
        "on the same task; ties count half.",
        f"With {seeds} seeds, settings whose intervals do not overlap differ. An order of settings whose intervals "
        "overlap, or the rate of rare failures, needs more seeds.",
        *reference.explain(runs.done.env),
        *runs.notes,
    ]
    return Table(f"Beyond Table 1 ({runs.sweep})", ["setting", *names, "runs", "P(better)"], rows, notes, frame)


def _columns(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name} low": interval.low, f"{name} high": interval.high}


def _improvement(ours: Strata, theirs: Strata) -> float:
    """NaN where the two were not run on the same tasks."""
    return probability_of_improvement(ours, theirs) if len(ours) == len(theirs) else float("nan")


COMMAND = Command(
    "robust",
    "beyond the paper: median, IQM, optimality gap, sample efficiency, profiles",
    "table1",
    (REFERENCE, OUT),
    run,
)
