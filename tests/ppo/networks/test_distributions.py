"""Both distributions equal torch's, and obey the identities that tie log-probability, entropy and KL together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical as TorchCategorical
from torch.distributions import Distribution as TorchDistribution
from torch.distributions import Independent, Normal, kl_divergence
from torch.func import grad, jacrev

from ppo.networks.distributions import Categorical, Distribution, Gaussian

SAMPLES = 200_000


class Case(NamedTuple):
    """One kind of distribution, two members of it and its counterpart in torch."""

    ours: Distribution
    old: Tensor  # [D]
    new: Tensor  # [D]
    theirs: Callable[[Tensor], TorchDistribution]
    fisher: Callable[[Tensor], Tensor]  # [D] -> [D, D], derived by hand
    noise: Callable[[np.ndarray, np.ndarray], np.ndarray]  # draws, dist -> what `sample` adds


def floats(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def fisher_of_a_gaussian(dist: Tensor) -> Tensor:
    """1 / sigma^2 for every mean and 2 for every log standard deviation."""
    log_std = dist.chunk(2)[1]
    return torch.diag(torch.cat([torch.exp(-2 * log_std), torch.full_like(log_std, 2.0)]))


def fisher_of_logits(dist: Tensor) -> Tensor:
    """diag(p) - p p^T."""
    p = torch.softmax(dist, -1)
    return torch.diag(p) - torch.outer(p, p)


CASES = {
    "gaussian": Case(
        ours=Gaussian(3),
        old=floats(0.5, -1.0, 2.0, 0.0, -0.7, 0.4),
        new=floats(0.2, -0.4, 2.5, 0.3, -0.2, -0.1),
        theirs=lambda dist: Independent(Normal(dist.chunk(2, -1)[0], dist.chunk(2, -1)[1].exp()), 1),
        fisher=fisher_of_a_gaussian,
        noise=lambda draws, dist: Gaussian(3).noise(draws, dist[3:]),
    ),
    "categorical": Case(
        ours=Categorical(4),
        old=floats(0.3, -1.2, 1.0, 0.1),
        new=floats(-0.5, 0.4, 1.5, 0.0),
        theirs=lambda dist: TorchCategorical(logits=dist),
        fisher=fisher_of_logits,
        noise=lambda draws, _dist: draws,
    ),
}


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def draw(case: Case, dist: Tensor) -> Tensor:
    """Many actions [SAMPLES, action] from `dist`, drawn as the actor draws them."""
    draws = case.ours.draw(np.random.default_rng(7), (SAMPLES,)).astype(np.float64)
    head = dist[:3] if isinstance(case.ours, Gaussian) else dist
    return torch.from_numpy(case.ours.sample(head.expand(SAMPLES, -1).numpy(), case.noise(draws, dist.numpy())))


def assert_mean(samples: Tensor, expected: Tensor) -> None:
    """The mean of `samples` is within three standard errors of `expected`."""
    error = samples.std() / SAMPLES**0.5
    assert abs(samples.mean() - expected) < 3 * error


# -- against torch -----------------------------------------------------------------------------------------------------


def test_log_probability_equals_torchs(case: Case) -> None:
    action = draw(case, case.new)[:100]
    theirs = case.theirs(case.old).log_prob(action if isinstance(case.ours, Gaussian) else action.squeeze(-1))
    torch.testing.assert_close(case.ours.logp(case.old, action), theirs)


def test_entropy_equals_torchs(case: Case) -> None:
    torch.testing.assert_close(case.ours.entropy(case.old), case.theirs(case.old).entropy())


def test_kl_equals_torchs(case: Case) -> None:
    theirs = kl_divergence(case.theirs(case.old), case.theirs(case.new))
    torch.testing.assert_close(case.ours.kl(case.old, case.new), theirs)


# -- identities --------------------------------------------------------------------------------------------------------


def test_entropy_is_minus_the_expected_log_probability(case: Case) -> None:
    logp = case.ours.logp(case.old, draw(case, case.old))
    assert_mean(-logp, case.ours.entropy(case.old))


def test_kl_is_minus_the_entropy_minus_the_expected_log_probability_of_the_other(case: Case) -> None:
    logp_of_new = case.ours.logp(case.new, draw(case, case.old))
    assert_mean(-case.ours.entropy(case.old) - logp_of_new, case.ours.kl(case.old, case.new))


def test_kl_is_zero_between_equals_and_positive_otherwise(case: Case) -> None:
    torch.testing.assert_close(case.ours.kl(case.old, case.old), floats(0.0)[0], rtol=0, atol=1e-15)
    many = torch.randn(1000, len(case.old), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert (case.ours.kl(case.old.expand_as(many), many) > 0).all()


def test_the_gradient_of_kl_is_zero_at_the_old_policy(case: Case) -> None:
    new = case.old.clone().requires_grad_()
    case.ours.kl(case.old, new).backward()
    torch.testing.assert_close(new.grad, torch.zeros_like(new), rtol=0, atol=1e-15)


def test_kl_of_a_small_step_is_half_its_length_in_the_fisher_metric(case: Case) -> None:
    step = 1e-4 * (case.new - case.old)
    predicted = 0.5 * step @ case.fisher(case.old) @ step
    torch.testing.assert_close(case.ours.kl(case.old, case.old + step), predicted, rtol=1e-3, atol=0)


def test_the_fisher_product_is_that_of_the_dense_hessian_of_kl_at_the_old_policy(case: Case) -> None:
    size = len(case.old)
    dense = jacrev(grad(lambda new: case.ours.kl(case.old, new)))(case.old)
    product = case.ours.fisher(case.old.expand(size, size), torch.eye(size, dtype=torch.float64))
    torch.testing.assert_close(product, dense, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(product, case.fisher(case.old), rtol=1e-12, atol=1e-14)


def test_the_fisher_product_of_many_distributions_is_that_of_each(case: Case) -> None:
    dist, vector = torch.stack([case.old, case.new]), torch.stack([case.new, case.old - 1])
    each = torch.stack([case.fisher(d) @ v for d, v in zip(dist, vector, strict=True)])
    torch.testing.assert_close(case.ours.fisher(dist, vector), each)


def test_no_action_is_likelier_than_the_mode(case: Case) -> None:
    head = case.old[:3] if isinstance(case.ours, Gaussian) else case.old
    mode = torch.from_numpy(case.ours.mode(head.expand(5, -1).numpy()))
    assert mode.shape == (5, case.ours.action_columns)
    likeliest = case.ours.logp(case.old, mode)
    assert (likeliest == likeliest[0]).all()
    assert (case.ours.logp(case.old, draw(case, case.old)) <= likeliest[0]).all()


# -- by hand -----------------------------------------------------------------------------------------------------------


def test_kl_takes_the_old_distribution_first() -> None:
    narrow, wide = floats(0.0, 0.0), floats(0.0, np.log(2.0))  # deviations 1 and 2
    assert Gaussian(1).kl(narrow, wide) == pytest.approx(np.log(2) + 1 / 8 - 1 / 2)
    assert Gaussian(1).kl(wide, narrow) == pytest.approx(-np.log(2) + 4 / 2 - 1 / 2)
    half, quarter = floats(0.0, 0.0), floats(0.0, np.log(3.0))  # (1/2, 1/2) and (1/4, 3/4)
    assert Categorical(2).kl(half, quarter) == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))
    assert Categorical(2).kl(quarter, half) == pytest.approx(0.25 * np.log(1 / 2) + 0.75 * np.log(3 / 2))


def test_action_dimensions_are_summed_not_averaged() -> None:
    standard, shifted = torch.zeros(6), torch.tensor([1.0, 1, 1, 0, 0, 0])
    assert Gaussian(3).logp(standard, torch.zeros(3)) == pytest.approx(-1.5 * np.log(2 * np.pi))
    assert Gaussian(3).entropy(standard) == pytest.approx(1.5 * np.log(2 * np.pi * np.e))
    assert Gaussian(3).kl(standard, shifted) == pytest.approx(3 * 0.5)


def test_a_gaussian_action_is_the_mean_plus_deviation_times_noise() -> None:
    gaussian, log_std = Gaussian(2), np.log(np.array([2.0, 0.5]))
    noise = gaussian.noise(np.array([1.0, -1.0]), log_std)
    np.testing.assert_allclose(gaussian.sample(np.array([10.0, 20.0]), noise), [12.0, 19.5])


@pytest.mark.parametrize(("uniform", "choice"), [(0.0, 0), (0.49, 0), (0.51, 1), (0.74, 1), (0.76, 2), (1.0, 2)])
def test_a_choice_inverts_the_cumulative_distribution(uniform: float, choice: int) -> None:
    logits = np.log(np.array([0.5, 0.25, 0.25]))
    assert Categorical(3).sample(logits, np.array([uniform])).tolist() == [choice]


def test_the_mode_is_the_mean_or_the_choice_of_the_largest_logit() -> None:
    mean = np.array([[0.5, -2.0]], np.float32)
    np.testing.assert_array_equal(Gaussian(2).mode(mean), mean)
    choice = Categorical(3).mode(np.array([[0.5, 3.0, -1.0], [-1.0, -2.0, 0.0], [2.0, 1.0, 2.0]], np.float32))
    assert choice.tolist() == [[1.0], [2.0], [0.0]]  # of equals the first
    assert choice.dtype == np.float32


def test_noise_is_normal_for_a_box_and_uniform_for_choices() -> None:
    normal, uniform = (d.draw(np.random.default_rng(3), (100_000,)) for d in (Gaussian(2), Categorical(5)))
    assert normal.shape == (100_000, 2)
    assert uniform.shape == (100_000, 1)
    assert normal.mean() == pytest.approx(0, abs=0.01)
    assert normal.std() == pytest.approx(1, abs=0.01)
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert uniform.std() == pytest.approx(12**-0.5, abs=0.01)
