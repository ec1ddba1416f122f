"""The body of fully connected layers: its size, what it takes, and that its two ways forward are one function."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ppo.data import Space
from ppo.errors import UserError
from ppo.networks.acting import affine, affine_of_each
from ppo.networks.bodies.mlp import MLP
from ppo.networks.flat import FlatNetwork, Head
from tests.ppo.handmade import box, vectors

ODD = MLP((7, 5), "tanh", False, "float32")


def test_its_features_are_its_last_layer_or_the_observation_itself() -> None:
    assert ODD.features(vectors(11)) == 5
    assert MLP((), "tanh", False, "float32").features(vectors(11)) == 11


def test_it_takes_vectors_and_no_frames() -> None:
    ODD.check(vectors(3))
    frames = Space((84, 84, 4), np.dtype(np.uint8))
    with pytest.raises(UserError, match=r"^network\.name=mlp is invalid: expected .*\(84, 84, 4\)\.$"):
        ODD.check(frames)
    with pytest.raises(UserError, match="84"):
        FlatNetwork(box(3, 2)._replace(obs=frames), ODD, Head(0.01, 0.0))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("each", [False, True], ids=["one policy for all actors", "one for each"])
def test_acting_computes_what_the_module_does(activation: str, each: bool) -> None:
    body = MLP((7, 5), activation, False, "float32")  # type: ignore[arg-type]
    modules = [body.module(vectors(3), torch.Generator().manual_seed(i)) for i in range(6)]  # of 2 lanes, 3 actors
    states = [{k: v.detach().numpy() for k, v in m.named_parameters()} for m in modules]
    x = np.random.default_rng(0).standard_normal((2, 3, 3), dtype=np.float32)
    if each:
        weights = {k: np.stack([s[k] for s in states]).reshape(2, 3, *states[0][k].shape) for k in states[0]}
        ours = body.forward(body.prepare(weights), x.copy(), affine_of_each)
    else:
        weights = {k: np.stack([states[0][k], states[3][k]]) for k in states[0]}
        rows = {k: w[:, None] if k.endswith("bias") else w for k, w in weights.items()}
        ours = body.forward(body.prepare(rows), x.copy(), affine)
    for lane, actor in np.ndindex(2, 3):
        module = modules[3 * lane + (actor if each else 0)]
        expected = module(torch.from_numpy(x[lane, actor])).detach()
        np.testing.assert_allclose(ours[lane, actor], expected, rtol=1e-5, atol=1e-6)
