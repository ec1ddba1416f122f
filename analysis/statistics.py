"""Statistics of scores over a few seeds of several tasks (Agarwal et al. 2021), from a seeded generator.

Scores come as strata: for each task an array of its runs' scores, which may differ in number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Strata = Sequence[Scores]
SAMPLES = 10_000  # bootstrap samples
SEED = 0


class Interval(NamedTuple):
    """A value and its 95 % interval; both bounds NaN where there is nothing to resample."""

    value: float
    low: float
    high: float


def mean(strata: Strata) -> float:
    """The mean over all runs, as in Table 1."""
    return float(np.concatenate(strata).mean())


def median(strata: Strata) -> float:
    """The median over tasks of each task's mean."""
    return float(np.median([scores.mean() for scores in strata]))


def interquartile_mean(strata: Strata) -> float:
    """The mean of the middle half of all runs' scores; less moved by single runs than the mean."""
    from scipy import stats  # takes a second to load, and few commands need it

    return float(stats.trim_mean(np.concatenate(strata), 0.25))


def optimality_gap(strata: Strata, goal: float = 1.0) -> float:
    """By how much runs fall short of a normalised score of `goal`, on average; what is above it does not count."""
    return float(np.maximum(goal - np.concatenate(strata), 0).mean())


def bootstrap(strata: Strata, statistic: Callable[[Strata], float], *, samples: int = SAMPLES) -> Interval:
    """A statistic with its percentile interval; runs are drawn with replacement within each task.

    With one run per task at most there is nothing to draw from: the bounds are NaN.
    """
    value = statistic(strata)
    if max(map(len, strata)) < 2:
        return Interval(value, float("nan"), float("nan"))
    rng = np.random.default_rng(SEED)
    drawn = [scores[rng.integers(len(scores), size=(samples, len(scores)))] for scores in strata]
    values = [statistic([d[i] for d in drawn]) for i in range(samples)]
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def bootstrap_mean(strata: Strata, *, samples: int = SAMPLES) -> Interval:
    """`bootstrap(strata, mean)`, computed for all samples at once."""
    value = mean(strata)
    if max(map(len, strata)) < 2:
        return Interval(value, float("nan"), float("nan"))
    rng = np.random.default_rng(SEED)
    sums = sum(scores[rng.integers(len(scores), size=(samples, len(scores)))].sum(1) for scores in strata)
    low, high = np.percentile(sums / sum(map(len, strata)), [2.5, 97.5])
    return Interval(value, float(low), float(high))


def probability_of_improvement(ours: Strata, theirs: Strata) -> float:
    """The probability that a run of ours beats one of theirs on the same task, averaged over tasks; ties count half."""
    shares = [
        float((np.greater.outer(a, b) + 0.5 * np.equal.outer(a, b)).mean()) for a, b in zip(ours, theirs, strict=True)
    ]
    return float(np.mean(shares))


def performance_profile(strata: Strata, thresholds: Scores) -> Scores:
    """The share of runs whose score is above each threshold."""
    scores = np.concatenate(strata)
    return (scores[None, :] > np.asarray(thresholds)[:, None]).mean(1)
