"""Beyond the paper: statistics that single runs move less, and how likely a setting is to beat another."""

from __future__ import annotations

from statistics import fmean

import numpy as np
import pandas as pd

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
from analysis.store import Runs, read_record
from analysis.writers import Table, number

SAMPLES = 1_000
EFFICIENCY = "over training"  # sample efficiency
STATISTICS = {"median": median, "IQM": interquartile_mean, "optimality gap": optimality_gap}


def compute(runs: Runs, reference: Reference) -> pd.DataFrame:
    """One row per setting: mean, median, IQM, optimality gap and sample efficiency with intervals, and P(better)."""
    done = normalised(runs, reference)
    scores = {label: strata(part, part.normalised) for label, part in done.groupby("label", sort=False)}
    efficiency = {label: strata(part, part.efficiency) for label, part in done.groupby("label", sort=False)}
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
    """The finished runs, with their normalised score and the normalised mean of their learning curve."""
    done = runs.frame[(runs.frame.state == "done") & runs.frame.score.notna()]
    curves = [fmean(point.ret for point in read_record(path).curve) for path in done.path]
    efficiency = reference.normalise(done.assign(score=curves), *CHOSEN)
    return done.assign(normalised=reference.normalise(done, *CHOSEN), efficiency=efficiency)


def profiles(runs: Runs, reference: Reference) -> pd.DataFrame:
    """Performance profiles: the share of a setting's runs whose normalised score is above tau."""
    done = normalised(runs, reference)
    taus = np.linspace(min(0.0, done.normalised.min()), max(1.0, done.normalised.max()), 101)
    frames = [
        pd.DataFrame({"label": label, "tau": taus, "share": performance_profile(strata(part, part.normalised), taus)})
        for label, part in done.groupby("label", sort=False)
    ]
    return pd.concat(frames, ignore_index=True)


def to_table(frame: pd.DataFrame, runs: Runs) -> Table:
    """The statistics with their intervals in brackets."""
    names = ["mean", *STATISTICS, EFFICIENCY]
    rows = []
    for _, row in frame.iterrows():
        cells = [f"{row[n]:.2f} [{number(row[f'{n} low'])}, {number(row[f'{n} high'])}]" for n in names]
        rows.append([row.label, *cells, f"{row.runs:.0f}", number(row.improvement)])
    seeds = int(runs.frame.groupby(["label", "env"]).seed.nunique().max())
    notes = [
        "Of normalised scores; in brackets 95 % intervals of the stratified bootstrap over seeds.",
        "Over training: the normalised mean return of all of training, so that what learns sooner has more of it.",
        f"P(better): that a run beats one of the setting with the highest mean ({frame.best.iloc[0]}) on the same "
        "task; ties count half.",
        f"What {seeds} seeds can show: that settings differ whose intervals lie apart. What they cannot: an order "
        "among settings whose intervals overlap, or how rare a failure is.",
        *runs.notes,
    ]
    return Table(f"Beyond Table 1 ({runs.sweep})", ["setting", *names, "runs", "P(better)"], rows, notes, frame)


def _columns(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name} low": interval.low, f"{name} high": interval.high}


def _improvement(ours: Strata, theirs: Strata) -> float:
    """NaN where the two were not run on the same tasks."""
    return probability_of_improvement(ours, theirs) if len(ours) == len(theirs) else float("nan")
