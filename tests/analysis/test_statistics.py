"""Every statistic equals a computation by hand, and the bootstrap's interval covers what it should."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.statistics import (
    SAMPLES,
    Scores,
    Strata,
    bootstrap,
    bootstrap_mean,
    interquartile_mean,
    mean,
    median,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
)


def strata(*tasks: list[float]) -> list[Scores]:
    return [np.array(scores, float) for scores in tasks]


TWO_TASKS = strata([1.0, 2.0], [4.0, 5.0, 9.0])


# -- point values ------------------------------------------------------------------------------------------------------


def test_the_mean_is_over_all_runs_and_not_over_the_means_of_tasks() -> None:
    assert mean(TWO_TASKS) == pytest.approx(21 / 5)  # the mean of the two means would be 3.75


def test_the_median_is_over_the_means_of_tasks() -> None:
    scores = strata([0.0, 0.0, 9.0], [1.0, 1.0, 1.0], [2.0, 2.0, 2.0])
    assert median(scores) == 2  # of 3, 1 and 2; the median of all runs would be 1


def test_the_median_of_two_tasks_is_between_them() -> None:
    assert median(TWO_TASKS) == pytest.approx((1.5 + 6) / 2)


def test_the_interquartile_mean_is_of_the_middle_half_of_all_runs() -> None:
    scores = strata([100.0, 3.0, -50.0, 4.0], [1.0, 2.0, 7.0, 8.0])  # sorted: -50 1 | 2 3 4 7 | 8 100
    assert interquartile_mean(scores) == (2 + 3 + 4 + 7) / 4


@pytest.mark.parametrize("count", [4, 5, 6, 7, 8, 21, 30])
def test_the_interquartile_mean_equals_sorting_and_trimming(count: int) -> None:
    scores = np.random.default_rng(count).normal(size=count)
    trimmed = sorted(scores.tolist())[count // 4 : count - count // 4]
    assert interquartile_mean(np.array_split(scores, 2)) == pytest.approx(sum(trimmed) / len(trimmed))


def test_the_interquartile_mean_is_not_moved_by_single_runs_at_either_end() -> None:
    usual, wild = strata([0.0, 1.0, 2.0, 3.0]), strata([-1e6, 1.0, 2.0, 1e9])
    assert interquartile_mean(usual) == interquartile_mean(wild) == 1.5


def test_the_optimality_gap_counts_what_is_below_the_goal_only() -> None:
    assert optimality_gap(strata([0.5, 1.5], [-0.25, 1.0])) == pytest.approx((0.5 + 0 + 1.25 + 0) / 4)


def test_the_optimality_gap_can_have_another_goal() -> None:
    assert optimality_gap(strata([0.5, 1.5], [2.0, 3.0]), goal=2.0) == pytest.approx((1.5 + 0.5) / 4)


# -- against another algorithm -----------------------------------------------------------------------------------------


def test_the_probability_of_improvement_counts_pairs_on_the_same_task() -> None:
    ours, theirs = strata([1.0, 3.0], [0.0, 5.0]), strata([2.0, 0.0], [9.0, 9.0])
    assert probability_of_improvement(ours, theirs) == pytest.approx((3 / 4 + 0) / 2)


def test_ties_count_half() -> None:
    ours, theirs = strata([1.0, 2.0]), strata([1.0, 2.0])  # 1=1, 1<2, 2>1, 2=2
    assert probability_of_improvement(ours, theirs) == (0.5 + 0 + 1 + 0.5) / 4


def test_tasks_weigh_the_same_however_many_runs_they_have() -> None:
    ours, theirs = strata([1.0], [1.0, 1.0, 1.0, 1.0]), strata([0.0], [2.0, 2.0])
    assert probability_of_improvement(ours, theirs) == 0.5


def test_the_probabilities_of_both_directions_add_up_to_one() -> None:
    rng = np.random.default_rng(3)
    ours, theirs = [[rng.integers(0, 4, n).astype(float) for n in (3, 5, 2)] for _ in range(2)]
    assert probability_of_improvement(ours, theirs) + probability_of_improvement(theirs, ours) == pytest.approx(1)


def test_different_numbers_of_tasks_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="zip"):
        probability_of_improvement(strata([1.0], [2.0]), strata([1.0]))


def test_the_performance_profile_is_the_share_of_runs_above_each_threshold() -> None:
    thresholds = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    profile = performance_profile(strata([0.0, 0.5], [1.0, 2.0]), thresholds)
    assert profile.tolist() == [1, 0.75, 0.5, 0.25, 0]  # a run at a threshold is not above it


# -- bootstrap ---------------------------------------------------------------------------------------------------------


def simulated(rng: np.random.Generator, tasks: int = 7, runs: int = 10) -> list[Scores]:
    """Tasks with known means 0, 1, ... and unlike spreads: the mean of all runs is known too."""
    return [rng.normal(task, 0.2 * (task + 1), runs) for task in range(tasks)]


def test_the_value_of_an_interval_is_that_of_the_statistic() -> None:
    assert bootstrap(TWO_TASKS, median, samples=10).value == median(TWO_TASKS)
    assert bootstrap_mean(TWO_TASKS, samples=10).value == mean(TWO_TASKS)


def test_the_same_scores_have_the_same_interval_each_time() -> None:
    scores = simulated(np.random.default_rng(0))
    assert bootstrap(scores, interquartile_mean, samples=50) == bootstrap(scores, interquartile_mean, samples=50)
    assert bootstrap_mean(scores) == bootstrap_mean(scores)


def test_an_interval_is_drawn_from_no_generator_but_its_own() -> None:
    np.random.seed(1)
    before = np.random.get_state()[1].tolist()
    bootstrap_mean(TWO_TASKS)
    assert np.random.get_state()[1].tolist() == before


def test_the_scores_are_left_as_they_are() -> None:
    scores = strata([1.0, 2.0], [4.0, 5.0, 9.0])
    bootstrap(scores, median, samples=20)
    assert [task.tolist() for task in scores] == [[1, 2], [4, 5, 9]]


@pytest.mark.parametrize("scores", [TWO_TASKS, strata([3.0], [1.0, 2.0, 4.0]), simulated(np.random.default_rng(1))])
def test_the_mean_of_all_samples_at_once_equals_that_of_one_by_one(scores: Strata) -> None:
    assert bootstrap_mean(scores, samples=500) == pytest.approx(bootstrap(scores, mean, samples=500))


def test_the_interval_of_one_task_of_two_runs_is_known() -> None:
    # 0, 1/2 and 1 are drawn with probability 1/4, 1/2 and 1/4: both bounds are the extremes.
    assert bootstrap_mean(strata([0.0, 1.0])) == (0.5, 0.0, 1.0)


def test_runs_are_drawn_within_their_task_only() -> None:
    assert bootstrap_mean(strata([0.0, 0.0, 0.0], [10.0, 10.0, 10.0])) == (5, 5, 5)


def test_a_task_of_one_run_is_fixed_while_others_vary() -> None:
    assert bootstrap_mean(strata([6.0], [0.0, 3.0])) == (3.0, 2.0, 4.0)  # (6 + 0 + 0) / 3 to (6 + 3 + 3) / 3


def test_one_run_per_task_gives_no_interval() -> None:
    for interval in (bootstrap(strata([1.0], [3.0]), mean), bootstrap_mean(strata([1.0], [3.0]))):
        assert interval.value == 2
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)


def test_the_interval_has_the_width_that_theory_gives() -> None:
    scores = simulated(np.random.default_rng(2), runs=40)
    variance = sum(task.var() * len(task) for task in scores) / sum(map(len, scores)) ** 2
    interval = bootstrap_mean(scores, samples=SAMPLES)
    half = 1.96 * math.sqrt(variance)
    assert interval.low == pytest.approx(interval.value - half, abs=0.05 * half)
    assert interval.high == pytest.approx(interval.value + half, abs=0.05 * half)


def test_an_interval_shifts_and_scales_with_the_scores() -> None:
    scores = simulated(np.random.default_rng(4))
    moved = bootstrap_mean([5 * task - 2 for task in scores], samples=200)
    assert moved == pytest.approx([5 * bound - 2 for bound in bootstrap_mean(scores, samples=200)])


def test_about_95_percent_of_intervals_of_the_mean_hold_the_true_mean() -> None:
    rng = np.random.default_rng(5)
    intervals = [bootstrap_mean(simulated(rng), samples=400) for _ in range(600)]
    covered = np.mean([interval.low <= 3 <= interval.high for interval in intervals])
    assert 0.88 <= covered <= 0.98


def test_about_95_percent_of_intervals_of_the_interquartile_mean_hold_the_true_one() -> None:
    rng = np.random.default_rng(6)  # all tasks alike and symmetric: the true interquartile mean is their mean
    intervals = [bootstrap(list(rng.normal(1, 1, (4, 10))), interquartile_mean, samples=80) for _ in range(150)]
    covered = np.mean([interval.low <= 1 <= interval.high for interval in intervals])
    assert 0.85 <= covered <= 0.98


def test_with_three_seeds_an_interval_is_too_narrow() -> None:
    # The statistics of 3 runs understate their spread by a factor sqrt(2/3): what the tables' notes warn of.
    rng = np.random.default_rng(7)
    intervals = [bootstrap_mean(simulated(rng, runs=3), samples=200) for _ in range(600)]
    covered = np.mean([interval.low <= 3 <= interval.high for interval in intervals])
    assert 0.78 <= covered <= 0.93
