"""The surrogates of equations (6) to (8): hand-computed numbers, bounds, gradients, and the rule that moves beta."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ppo.learning.objectives import ratio_terms
from ppo.learning.surrogates.base import Surrogate, Terms
from ppo.learning.surrogates.clip import Clip, ClipLog
from ppo.learning.surrogates.none import Unclipped
from ppo.learning.surrogates.penalty import BETA_LIMIT, AdaptiveKL, FixedKL

EPSILON, BETA = torch.tensor(0.2, dtype=torch.float64), torch.tensor(3.0, dtype=torch.float64)
PAPER: dict[str, Surrogate] = {  # with coefficients as `objective` gets them
    "none": Unclipped(),
    "clip": Clip(EPSILON),
    "clip_log": ClipLog(EPSILON, "ratio"),
    "clip_log objective": ClipLog(EPSILON, "objective"),
    "kl_fixed": FixedKL(BETA),
    "kl_adaptive": AdaptiveKL(0.01, BETA),
}


def terms(ratio: Tensor | list[float], adv: Tensor | list[float], kl: Tensor | list[float] | None = None) -> Terms:
    ratio, adv = torch.as_tensor(ratio, dtype=torch.float64), torch.as_tensor(adv, dtype=torch.float64)
    kl = torch.zeros_like(ratio) if kl is None else torch.as_tensor(kl, dtype=torch.float64)
    return Terms(torch.log(ratio), ratio, kl, adv)


def random_terms(count: int = 10_000) -> Terms:
    generator = torch.Generator().manual_seed(5)
    log_ratio, adv = torch.randn(2, count, dtype=torch.float64, generator=generator)
    return terms(torch.exp(log_ratio), adv)


def slope(name: str, ratio: float, adv: float) -> float:
    """d objective / d ratio of one sample."""
    log_ratio = torch.tensor(math.log(ratio), dtype=torch.float64, requires_grad=True)
    sample = terms([1.0], [adv])._replace(log_ratio=log_ratio, ratio=torch.exp(log_ratio))
    PAPER[name].objective(sample).sum().backward()
    return log_ratio.grad.item() / ratio


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "adv", "expected"),
    [
        (1.0, 1.0, 1.0),
        (1.3, 1.0, 1.2),  # no more to gain above 1 + epsilon
        (0.7, 1.0, 0.7),  # what is lost is not hidden
        (1.3, -1.0, -1.3),
        (0.7, -1.0, -0.8),  # no more to gain below 1 - epsilon
        (1.3, 2.5, 3.0),
    ],
)
def test_clip_of_one_sample(ratio: float, adv: float, expected: float) -> None:
    assert PAPER["clip"].objective(terms([ratio], [adv])).item() == pytest.approx(expected)


def test_clip_draws_the_two_curves_of_figure_1() -> None:
    ratio = torch.linspace(0.01, 2, 200, dtype=torch.float64)
    up, down = (PAPER["clip"].objective(terms(ratio, torch.full_like(ratio, adv))) for adv in (1.0, -1.0))
    np.testing.assert_allclose(up, np.where(ratio < 1.2, ratio, 1.2))
    np.testing.assert_allclose(down, np.where(ratio > 0.8, -ratio, -0.8))


def test_clip_is_a_lower_bound_of_the_plain_and_of_the_clipped_objective() -> None:
    sample = random_terms()
    objective = PAPER["clip"].objective(sample)
    assert (objective <= sample.ratio * sample.adv).all()
    assert (objective <= torch.clip(sample.ratio, 0.8, 1.2) * sample.adv).all()
    assert (objective < sample.ratio * sample.adv).any()


def test_an_infinite_epsilon_clips_nothing() -> None:
    sample = random_terms()
    assert torch.equal(Clip(torch.tensor(math.inf)).objective(sample), PAPER["none"].objective(sample))


def test_a_penalty_of_weight_zero_is_none() -> None:
    sample = random_terms()._replace(kl=torch.rand(10_000, dtype=torch.float64))
    assert torch.equal(FixedKL(torch.zeros_like(BETA)).objective(sample), PAPER["none"].objective(sample))


def test_the_penalty_is_beta_times_kl() -> None:
    sample = terms([1.5, 0.5], [2.0, -1.0], kl=[0.1, 0.2])
    assert PAPER["kl_fixed"].objective(sample).tolist() == pytest.approx([3.0 - 0.3, -0.5 - 0.6])


def test_at_a_ratio_of_one_every_objective_of_the_ratio_is_the_advantage() -> None:
    sample = terms([1.0, 1.0], [0.7, -1.3])
    for name in ("none", "clip", "clip_log", "kl_fixed", "kl_adaptive"):
        assert PAPER[name].objective(sample).tolist() == [0.7, -1.3], name
    assert PAPER["clip_log objective"].objective(sample).tolist() == [0.0, 0.0]  # less by a constant


# -- clipping in log space: two readings -------------------------------------------------------------------------------


def test_clip_log_clips_the_log_of_the_ratio_to_plus_minus_epsilon() -> None:
    sample = random_terms()
    ratio, adv = sample.ratio.numpy(), sample.adv.numpy()
    clipped = np.exp(np.clip(np.log(ratio), -0.2, 0.2))
    np.testing.assert_allclose(PAPER["clip_log"].objective(sample), np.minimum(ratio * adv, clipped * adv), rtol=1e-14)
    assert PAPER["clip_log"].objective(terms([2.0, 0.5], [1.0, -1.0])).tolist() == pytest.approx([1.221403, -0.818731])


def test_clipping_the_ratio_or_its_log_gives_the_same_bits_where_the_end_points_are_the_same() -> None:
    sample = random_terms()
    good = sample.adv > 0  # of a good sample only the upper end matters, of a bad one only the lower
    upper, lower = torch.exp(EPSILON) - 1, 1 - torch.exp(-EPSILON)
    expected = torch.where(good, Clip(upper).objective(sample), Clip(lower).objective(sample))
    assert torch.equal(PAPER["clip_log"].objective(sample), expected)
    assert not torch.equal(PAPER["clip_log"].objective(sample), PAPER["clip"].objective(sample))


@pytest.mark.parametrize(
    ("ratio", "adv", "expected"),
    [
        (1.1, 1.0, math.log(1.1)),
        (1.5, 1.0, math.log(1.2)),
        (0.5, 1.0, math.log(0.5)),
        (0.5, -1.0, -math.log(0.8)),
        (1.5, -1.0, -math.log(1.5)),
        (1.5, 2.0, 2 * math.log(1.2)),
    ],
)
def test_the_other_reading_puts_the_log_in_place_of_the_ratio(ratio: float, adv: float, expected: float) -> None:
    assert PAPER["clip_log objective"].objective(terms([ratio], [adv])).item() == pytest.approx(expected)


# -- gradients ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("adv", [1.7, -0.6])
@pytest.mark.parametrize("name", PAPER)
def test_a_ratio_of_one_gives_the_plain_gradient(name: str, adv: float) -> None:
    assert slope(name, 1.0, adv) == pytest.approx(adv)


@pytest.mark.parametrize(("name", "low", "high"), [("clip", 0.8, 1.2), ("clip_log", math.exp(-0.2), math.exp(0.2))])
def test_the_gradient_is_cut_only_where_the_ratio_has_moved_too_far_in_the_good_direction(
    name: str, low: float, high: float
) -> None:
    tiny = 1e-6
    for ratio in (0.3, low + tiny, 1.0, high - tiny):
        assert slope(name, ratio, 2.0) == pytest.approx(2.0)
    for ratio in (low + tiny, 1.0, high - tiny, 3.0):
        assert slope(name, ratio, -2.0) == pytest.approx(-2.0)
    for ratio, adv in ((high + tiny, 2.0), (3.0, 2.0), (low - tiny, -2.0), (0.3, -2.0)):
        assert slope(name, ratio, adv) == 0


def test_the_other_reading_is_cut_at_the_same_ratios_as_clip() -> None:
    for ratio in (0.5, 0.79, 0.81, 1.0, 1.19, 1.21, 2.0):
        for adv in (1.0, -1.0):
            assert (slope("clip_log objective", ratio, adv) == 0) == (slope("clip", ratio, adv) == 0)
    assert slope("clip_log objective", 0.5, 1.0) == pytest.approx(1 / 0.5)  # d log r / d r


def test_without_a_clip_no_gradient_is_cut() -> None:
    assert [slope("none", ratio, adv) for ratio in (0.1, 9.0) for adv in (1.0, -1.0)] == pytest.approx([1, -1, 1, -1])


def test_an_epsilon_of_zero_has_a_finite_gradient() -> None:
    ratio = torch.ones(2, dtype=torch.float64, requires_grad=True)
    sample = terms([1.0, 1.0], [1.0, -1.0])._replace(ratio=ratio)
    Clip(torch.zeros_like(EPSILON)).objective(sample).sum().backward()
    assert torch.isfinite(ratio.grad).all()


@pytest.mark.parametrize("adv", [1.0, -1.0])
def test_a_bandit_of_one_parameter_is_held_after_a_large_good_step_and_pulled_back_after_a_bad_one(adv: float) -> None:
    action = 1.0  # log pi(a) = -(a - theta)^2 / 2 + const, and theta_old = 0

    def gradient(theta: float) -> float:
        mean = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
        logp, logp_old = -0.5 * (action - mean) ** 2, torch.tensor(-0.5 * action**2, dtype=torch.float64)
        zero, weight = torch.zeros_like(logp_old), torch.tensor(adv, dtype=torch.float64)
        PAPER["clip"].objective(ratio_terms(logp, logp_old, zero, weight)).backward()
        return mean.grad.item()

    towards_the_action, away_from_it = 1.0, -1.0
    good, bad = (towards_the_action, away_from_it) if adv > 0 else (away_from_it, towards_the_action / 2)
    assert gradient(good) == 0
    assert gradient(bad) * adv > 0.1


# -- terms -------------------------------------------------------------------------------------------------------------


def test_the_ratio_is_the_exponential_of_the_difference_of_log_probabilities() -> None:
    logp, logp_old = torch.tensor([-1.0, -2.0]), torch.tensor([-1.5, -2.0])
    sample = ratio_terms(logp, logp_old, torch.zeros(2), torch.ones(2))
    assert sample.log_ratio.tolist() == [0.5, 0.0]
    assert sample.ratio.tolist() == pytest.approx([math.exp(0.5), 1.0])


def test_the_ratio_stays_finite_however_far_the_policy_has_moved() -> None:
    far = ratio_terms(torch.tensor([1000.0, -1000.0]), torch.zeros(2), torch.zeros(2), torch.ones(2))
    assert torch.isfinite(far.ratio).all()
    assert far.ratio[0] > 1e34
    assert 0 < far.ratio[1] < 1e-34


# -- adaptive beta -----------------------------------------------------------------------------------------------------


def adapt_beta(beta: Tensor, kl: Tensor, d_targ: Tensor) -> Tensor:
    return AdaptiveKL(d_targ, beta).after(kl).beta


def new_beta(kl: float, beta: float = 1.0, d_targ: float = 0.01) -> float:
    return adapt_beta(torch.tensor(beta), torch.tensor(kl), torch.tensor(d_targ)).item()


@pytest.mark.parametrize(
    ("kl_over_target", "factor"),
    [(0, 0.5), (0.5, 0.5), (0.66, 0.5), (0.67, 1), (0.9, 1), (1, 1), (1.1, 1), (1.49, 1), (1.51, 2), (2, 2), (1e6, 2)],
)
@pytest.mark.parametrize("d_targ", [0.003, 0.01, 0.03])
@pytest.mark.parametrize("beta", [1.0, 0.3, 10.0])
def test_beta_is_halved_below_the_band_and_doubled_above_it(
    kl_over_target: float, factor: float, d_targ: float, beta: float
) -> None:
    assert new_beta(kl_over_target * d_targ, beta, d_targ) == np.float32(beta) * factor


def test_beta_never_changes_inside_the_band_its_edges_included() -> None:
    d_targ, beta = torch.tensor(0.01), torch.tensor(0.7)
    low, high = d_targ / 1.5, d_targ * 1.5
    for kl in (low, *torch.linspace(low.item(), high.item(), 100)[1:-1], high):
        assert adapt_beta(beta, kl, d_targ) == beta
    for kl in (torch.nextafter(low, 0 * low), torch.nextafter(high, 1 + high)):
        assert adapt_beta(beta, kl, d_targ) != beta


def test_doubling_and_halving_gives_the_same_bits_back() -> None:
    for beta in (1.0, 0.3, 1 / 3, 10.0):
        assert new_beta(0.0, new_beta(1.0, beta)) == np.float32(beta)


def test_an_adaptive_beta_stays_within_its_bounds() -> None:
    low, high = 1 / BETA_LIMIT, BETA_LIMIT
    assert new_beta(1.0, high) == high
    assert new_beta(0.0, low) == low
    assert new_beta(1.0, low) == 2 * low
    assert new_beta(0.0, high) == high / 2


@pytest.mark.parametrize("kl", [0.0, 1.0, math.inf, math.nan])
def test_a_surrogate_that_does_not_adapt_is_the_same_after_any_kl(kl: float) -> None:
    for name in ("none", "clip", "clip_log", "clip_log objective", "kl_fixed"):
        assert PAPER[name].after(torch.tensor(kl)) is PAPER[name]


def test_a_kl_that_is_not_a_number_leaves_beta_alone() -> None:
    assert new_beta(math.nan, 0.3) == np.float32(0.3)


def test_each_run_of_a_pack_moves_its_own_beta() -> None:
    beta, kl = torch.tensor([1.0, 1.0, 1.0, 3.0]), torch.tensor([0.0, 0.01, 1.0, 1.0])
    assert adapt_beta(beta, kl, torch.tensor([0.01, 0.01, 0.01, 10.0])).tolist() == [0.5, 1.0, 2.0, 1.5]
