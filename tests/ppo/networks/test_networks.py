"""The networks of section 6.1: sizes, initial weights, outputs computed by hand, and the compiled tanh."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from ppo.networks.bodies.mlp import MLP
from ppo.networks.flat import FlatNetwork, Head
from ppo.networks.layers import tanh
from tests.ppo.handmade import box, choice

SHARED = MLP((64, 64), "tanh", True, "float32")
HEAD = Head(policy_scale=0.01, log_std=0.0)


def separate(*hidden: int, activation: Literal["tanh", "relu"] = "tanh") -> MLP:
    """A body of its own for the policy and for the value function."""
    return MLP(hidden, activation, False, "float32")


PAPER = separate(64, 64)


def flat(obs_size: int = 11, action_size: int = 3, body: MLP = PAPER, *, discrete: bool = False) -> FlatNetwork:
    return FlatNetwork((choice if discrete else box)(obs_size, action_size), body, HEAD)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def parameters(network: FlatNetwork, seed: int = 0) -> dict[str, Tensor]:
    return network.unflatten(network.init(seeded(seed)))


# -- sizes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "obs_size", "action_size", "policy", "value"),
    [
        ("Hopper", 11, 3, 5126, 4993),
        ("HalfCheetah", 17, 6, 5708, 5377),
        ("Walker2d", 17, 6, 5708, 5377),
        ("Swimmer", 8, 2, 4868, 4801),
        ("InvertedPendulum", 4, 1, 4546, 4545),
        ("Reacher", 10, 2, 4996, 4929),
        ("InvertedDoublePendulum", 9, 1, 4866, 4865),
    ],
)
def test_policy_and_value_function_have_the_papers_number_of_parameters(
    task: str, obs_size: int, action_size: int, policy: int, value: int
) -> None:
    sizes = {name: p.numel() for name, p in parameters(flat(obs_size, action_size)).items()}
    of_value = sum(size for name, size in sizes.items() if name.startswith("value"))
    assert of_value == value, task
    assert sum(sizes.values()) - of_value == policy, task


def test_a_shared_trunk_is_counted_once_and_choices_have_no_deviation() -> None:
    trunk, head, value = 11 * 64 + 64 + 64 * 64 + 64, 64 * 3 + 3, 64 + 1
    assert len(flat(body=SHARED).init(seeded())) == trunk + head + value + 3
    assert len(flat(body=SHARED, discrete=True).init(seeded())) == trunk + head + value


def test_theta_and_the_named_parameters_are_the_same_numbers() -> None:
    network = flat()
    theta = torch.arange(2.0 * len(network.init(seeded()))).reshape(2, -1)
    pieces = network.unflatten(theta)
    assert torch.equal(torch.cat([p.flatten(1) for p in pieces.values()], 1), theta)
    assert pieces["policy_trunk.layers.0.weight"].shape == (2, 11, 64)


def test_a_part_of_theta_is_where_the_parameters_of_these_names_are() -> None:
    network = flat(body=separate(7, 5))
    for names in (("log_std",), ("policy_",), ("value_trunk", "value_head.bias"), ("policy_", "value_", "log_std")):
        part = network.part(*names)
        assert part.dtype == torch.bool
        for name, piece in network.unflatten(part).items():
            assert (piece == name.startswith(names)).all(), (names, name)
    assert network.part("log_std").sum() == 3
    assert not network.part("gamma").any()
    assert not flat(discrete=True).part("log_std").any()


# -- initial weights ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy_scale", [0.01, 0.1, 1.0])
def test_the_weights_into_each_unit_have_norm_one_and_those_of_the_mean_a_hundredth_or_as_configured(
    policy_scale: float,
) -> None:
    network = FlatNetwork(box(11, 3), PAPER, Head(policy_scale, log_std=0.0))
    norms = {name: p.norm(dim=0) for name, p in parameters(network).items() if name.endswith("weight")}
    assert len(norms) == 6
    for name, norm in norms.items():
        scale = policy_scale if name == "policy_head.weight" else 1.0
        torch.testing.assert_close(norm, torch.full_like(norm, scale), msg=name)


def test_the_scale_of_the_mean_changes_no_other_weight() -> None:
    small, large = (parameters(FlatNetwork(box(11, 3), separate(8), Head(scale, 0.0))) for scale in (0.01, 1.0))
    torch.testing.assert_close(large.pop("policy_head.weight"), 100 * small.pop("policy_head.weight"))
    assert all(torch.equal(large[name], small[name]) for name in small)


def test_the_weights_point_in_all_directions_alike() -> None:
    weight = parameters(flat(obs_size=2000))["policy_trunk.layers.0.weight"]
    cosines = (weight.T @ weight).fill_diagonal_(0)
    assert cosines.abs().max() < 0.15
    assert abs(weight.mean()) < 0.001


def test_biases_are_zero_and_the_deviation_is_as_configured() -> None:
    weights = parameters(FlatNetwork(box(11, 3), separate(8), Head(0.01, log_std=-0.7)))
    biases = [p for name, p in weights.items() if name.endswith("bias")]
    assert len(biases) == 4
    assert all((b == 0).all() for b in biases)
    assert weights["log_std"].tolist() == pytest.approx([-0.7] * 3)


def test_the_first_actions_are_centred_near_zero_and_their_entropy_is_that_of_unit_normals() -> None:
    network, obs = flat(), torch.randn(500, 11, generator=seeded(1))
    dist = network.policy(network.init(seeded()), obs)
    longest_feature_vector = math.sqrt(64)
    assert dist[:, :3].norm(dim=-1).max() <= 0.01 * longest_feature_vector * math.sqrt(3)
    assert dist[:, :3].abs().max() > 0
    entropy = network.distribution.entropy(dist)
    torch.testing.assert_close(entropy, torch.full_like(entropy, 1.5 * math.log(2 * math.pi * math.e)))


def test_a_seed_gives_the_same_parameters_again_and_another_seed_others() -> None:
    network = flat()
    assert torch.equal(network.init(seeded(3)), network.init(seeded(3)))
    assert not torch.equal(network.init(seeded(3)), network.init(seeded(4)))


# -- outputs -----------------------------------------------------------------------------------------------------------


ACTIVATIONS = {"tanh": np.tanh, "relu": lambda x: np.where(x > 0, x, 0)}


def by_hand(weights: dict[str, Tensor], trunk: str, head: str, obs: np.ndarray, activation: str) -> np.ndarray:
    x = obs
    for layer in ("layers.0", "layers.1"):
        x = x @ weights[f"{trunk}.{layer}.weight"].numpy() + weights[f"{trunk}.{layer}.bias"].numpy()
        x = ACTIVATIONS[activation](x)
    return x @ weights[f"{head}.weight"].numpy() + weights[f"{head}.bias"].numpy()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shared", [False, True])
def test_policy_and_value_are_tanh_or_relu_layers_and_a_linear_head(shared: bool, activation: str) -> None:
    network = flat(body=MLP((7, 5), activation, shared, "float32"))
    theta = torch.randn(len(network.init(seeded())), generator=seeded(2))
    obs, weights = torch.randn(20, 11, generator=seeded(1)), network.unflatten(theta)
    mean = by_hand(weights, "policy_trunk", "policy_head", obs.numpy(), activation)
    trunk = "policy_trunk" if shared else "value_trunk"
    value = by_hand(weights, trunk, "value_head", obs.numpy(), activation)
    np.testing.assert_allclose(network.policy(theta, obs)[:, :3], mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(network.value(theta, obs), value[:, 0], rtol=1e-4, atol=1e-5)


def test_the_deviation_does_not_depend_on_the_state() -> None:
    network, obs = flat(), torch.randn(20, 11, generator=seeded(1))
    theta = torch.randn(len(network.init(seeded())), generator=seeded(2))
    log_std = network.policy(theta, obs)[:, 3:]
    assert torch.equal(log_std, network.unflatten(theta)["log_std"].expand(20, 3))


def test_no_hidden_layer_leaves_a_linear_policy() -> None:
    network = flat(body=separate())
    theta, obs = torch.randn(11 * 3 + 3 + 3 + 11 + 1, generator=seeded(2)), torch.eye(11)
    weights = network.unflatten(theta)
    torch.testing.assert_close(
        network.policy(theta, obs)[:, :3], weights["policy_head.weight"] + weights["policy_head.bias"]
    )


def test_choices_have_one_logit_each() -> None:
    network = flat(4, 6, discrete=True)
    assert network.policy(network.init(seeded()), torch.zeros(2, 4)).shape == (2, 6)


# -- the tanh of compiled code -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compiled_tanh() -> tuple[Tensor, Tensor, Tensor]:
    """Where, value and gradient; "eager" traces as any backend does and generates no code."""
    right = torch.linspace(0, 20, 2_000_001)
    x = torch.cat([-right.flip(0), right]).requires_grad_()
    y = torch.compile(tanh, backend="eager")(x)
    y.sum().backward()
    return x.detach(), y.detach(), x.grad


def test_the_compiled_tanh_is_within_4e_7_of_tanh(compiled_tanh: tuple[Tensor, Tensor, Tensor]) -> None:
    x, y, _ = compiled_tanh
    assert (y.double() - torch.tanh(x.double())).abs().max() < 4e-7
    assert not torch.equal(y, torch.tanh(x)), "this is torch's own tanh: the rational one was not compiled"


def test_the_gradient_of_the_compiled_tanh_is_one_minus_its_square(
    compiled_tanh: tuple[Tensor, Tensor, Tensor],
) -> None:
    x, _, grad = compiled_tanh
    assert (grad.double() - (1 - torch.tanh(x.double()) ** 2)).abs().max() < 1e-6


def test_the_compiled_tanh_is_odd_and_never_beyond_one(compiled_tanh: tuple[Tensor, Tensor, Tensor]) -> None:
    _, y, _ = compiled_tanh
    assert torch.equal(y, -y.flip(0))
    assert y.abs().max() <= 1


def test_outside_compiled_code_tanh_is_torchs() -> None:
    x = torch.linspace(-5, 5, 1001)
    assert torch.equal(tanh(x), torch.tanh(x))
