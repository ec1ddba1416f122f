"""The networks of frames: their sizes, initial weights and outputs, and products in either precision."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ppo.data import Space
from ppo.envs.base import Actions, Spec
from ppo.errors import UserError
from ppo.networks import convolutions
from ppo.networks.bodies.cnn import A3C, CNN, Nature
from ppo.networks.flat import FlatNetwork, Head

FRAMES = Space((84, 84, 4), np.dtype(np.uint8))
SPEC = Spec(FRAMES, Actions(6, True, np.zeros(1), np.full(1, 5.0)))
BODIES = {"a3c_cnn": A3C, "nature_cnn": Nature}
every_body = pytest.mark.parametrize("kind", BODIES.values(), ids=BODIES)
every_precision = pytest.mark.parametrize("precision", ["float32", "bfloat16"])


def network_of(kind: Any, precision: str = "float32", *, shared: bool = True) -> FlatNetwork:
    return FlatNetwork(SPEC, kind(shared, precision), Head(0.01, 0.0))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def frames(count: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (count, *FRAMES.shape), dtype=torch.uint8, generator=seeded(seed))


def by_hand(body: CNN, weights: dict[str, Tensor], obs: Tensor, trunk: str = "policy_trunk") -> Tensor:
    """The features, channels first and in double precision, of pixels between 0 and 1."""
    x = (obs.double() / 255).permute(0, 3, 1, 2).contiguous()
    for i, convolution in enumerate(body.convolutions):
        weight = weights[f"{trunk}.layers.{i}.weight"].double().permute(0, 3, 1, 2).contiguous()
        x = functional.conv2d(x, weight, weights[f"{trunk}.layers.{i}.bias"].double(), convolution.stride).clamp(min=0)
    last = f"{trunk}.layers.{len(body.convolutions)}"
    flat = x.permute(0, 2, 3, 1).reshape(len(x), -1)
    return (flat @ weights[f"{last}.weight"].double().T + weights[f"{last}.bias"].double()).clamp(min=0)


@pytest.mark.parametrize(("kind", "count"), [(A3C, 677_943), (Nature, 1_687_719)])
def test_they_have_the_published_number_of_parameters(kind: Any, count: int) -> None:
    network = network_of(kind)
    heads = network.body.features(FRAMES) * 7 + 7
    assert sum(network.sizes) == count == network.body.weights(FRAMES) + heads


@every_body
def test_a_network_of_its_own_for_the_value_function_has_a_trunk_of_its_own(kind: Any) -> None:
    both, one = (sum(network_of(kind, shared=shared).sizes) for shared in (False, True))
    heads = kind.units * 7 + 7
    assert both == 2 * one - heads


@every_body
def test_weights_start_orthogonal_with_gain_root_two_and_biases_at_zero(kind: Any) -> None:
    network = network_of(kind)
    for name, weight in network.unflatten(network.init(seeded())).items():
        if name.endswith("bias"):
            assert not weight.any()
        elif "trunk" in name:
            rows = weight.flatten(1)
            torch.testing.assert_close(rows @ rows.T, 2 * torch.eye(len(rows)), rtol=0, atol=1e-4)


@every_body
@pytest.mark.parametrize("shared", [True, False])
def test_policy_and_value_are_what_convolutions_of_pixels_between_0_and_1_give(kind: Any, shared: bool) -> None:
    network, obs = network_of(kind, shared=shared), frames(3)
    theta = network.init(seeded())
    weights = network.unflatten(theta)
    dist, value = network(theta, obs)
    features = by_hand(network.body, weights, obs)
    expected = features @ weights["policy_head.weight"].double()
    np.testing.assert_allclose(dist, expected, rtol=1e-4, atol=1e-5)
    of_value = features if shared else by_hand(network.body, weights, obs, "value_trunk")
    np.testing.assert_allclose(value, (of_value @ weights["value_head.weight"].double())[:, 0], rtol=1e-4, atol=1e-4)


@every_body
def test_in_bfloat16_outputs_and_gradients_are_near_those_in_float32(kind: Any) -> None:
    obs = frames(4)
    gradients = []
    for precision in ("float32", "bfloat16"):
        network = network_of(kind, precision)
        theta = network.init(seeded()).requires_grad_()
        dist, value = network(theta, obs)
        assert (dist.dtype, value.dtype) == (torch.float32, torch.float32)
        (gradient,) = torch.autograd.grad(dist.square().sum() + value.square().sum(), theta)
        gradients.append(gradient)
    assert not torch.equal(*gradients)
    assert torch.cosine_similarity(*gradients, 0) > 0.999


@every_body
@every_precision
def test_a_frame_has_the_same_bits_in_a_batch_of_any_size(kind: Any, precision: str) -> None:
    network, obs = network_of(kind, precision), frames(256)
    theta = network.init(seeded())
    together = network(theta, obs)
    for size in (8, 16):
        parts = [network(theta, part) for part in obs.split(size)]
        for whole, pieces in zip(together, zip(*parts, strict=True), strict=True):
            assert torch.equal(whole, torch.cat(pieces))


@every_body
@every_precision
def test_parameters_have_the_same_bits_in_whatever_lane(kind: Any, precision: str) -> None:
    network, obs = network_of(kind, precision), frames(8)
    theta = network.init(seeded())
    stacked = network.stack([theta] * 3)
    assert {row.data_ptr() % 64 for row in stacked} == {0}
    first, second, third = (network(row, obs) for row in stacked)
    assert all(torch.equal(a, b) for other in (second, third) for a, b in zip(first, other, strict=True))
    assert torch.equal(stacked[2], theta)


# -- what does not fit -------------------------------------------------------------------------------------------------


@every_body
@pytest.mark.parametrize("shape", [(11,), (16, 84, 4), (84, 84)])
def test_what_is_no_image_or_too_small_is_refused(kind: Any, shape: tuple[int, ...]) -> None:
    body = kind(True, "float32")
    body.check(FRAMES)
    with pytest.raises(UserError, match=rf"^network\.name={body.name} is invalid: .*{shape[0]}"):
        body.check(Space(shape, np.dtype(np.uint8)))


def test_an_image_need_not_be_square() -> None:
    body = A3C(True, "float32")
    network = FlatNetwork(SPEC._replace(obs=Space((60, 84, 3), np.dtype(np.uint8))), body, Head(0.01, 0.0))
    dist, _ = network(network.init(seeded()), torch.zeros(2, 60, 84, 3, dtype=torch.uint8))
    assert dist.shape == (2, 6)
    assert math.prod(body.sides(network.spec.obs)[-1]) == 6 * 9


def test_bfloat16_is_refused_where_torch_has_none_and_warned_of_where_it_is_slow(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    check = convolutions.check_precision.__wrapped__  # type: ignore[attr-defined]
    check("float32", "cpu")
    monkeypatch.setattr(convolutions, "_cpu_has_bfloat16", lambda: True)
    check("bfloat16", "cpu")
    assert not caplog.records
    monkeypatch.setattr(convolutions, "_cpu_has_bfloat16", lambda: False)
    check("bfloat16", "cpu")
    assert "bfloat16 is slow here" in caplog.text

    def none(*_: Any) -> None:
        raise RuntimeError("not implemented for 'BFloat16'")

    monkeypatch.setattr(functional, "conv2d", none)
    with pytest.raises(UserError, match=r"^network\.precision=bfloat16 is invalid: expected float32"):
        check("bfloat16", "cpu")
