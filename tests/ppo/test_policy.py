"""Every finished run leaves its policy, which opens without this package and acts as it did in training."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

import ppo
from ppo.config.compose import compose
from ppo.config.identity import run_hash
from ppo.errors import UserError
from ppo.networks.acting import PolicyActor
from ppo.networks.flat import FlatNetwork, Head
from ppo.policy import NAME, Policy
from ppo.runs import checkpoints
from ppo.train import train
from tests.ppo.blocks import PPO, blocks, game  # noqa: F401

TINY = {
    "ppo": ["algorithm.horizon=128", "total_steps=256"],
    "trpo": ["algorithm=trpo", "algorithm.horizon=128", "total_steps=256"],
    "vpg": ["algorithm=vpg", "algorithm.batch_steps=100", "total_steps=200"],
    "a2c": ["algorithm=a2c", "algorithm.num_actors=2", "algorithm.updates=2", "total_steps=200"],
    "cem": ["algorithm=cem", "algorithm.num_actors=2", "total_steps=200"],
    "random": ["algorithm=random", "algorithm.horizon=64", "total_steps=128"],
    "uniform": ["algorithm=random", "algorithm.policy=uniform", "algorithm.horizon=64", "total_steps=128"],
}


def trained(outputs: Path, *overrides: str, env: str = "env=inverted_pendulum") -> Path:
    (outcome,) = train([compose([env, f"outputs={outputs}", "compile=false", *overrides])])
    assert outcome.error is None
    return outcome.folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("outputs"), *TINY["ppo"], env="env=hopper")


@pytest.mark.parametrize("algorithm", TINY)
def test_every_algorithm_leaves_a_policy_that_acts(algorithm: str, tmp_path: Path) -> None:
    policy = ppo.load(trained(tmp_path, *TINY[algorithm]))
    assert policy.act(np.zeros(4)).shape == (1,)
    assert policy.act(np.zeros((5, 4)), generator=np.random.default_rng(0)).shape == (5, 1)


def test_it_acts_as_it_did_in_training(folder: Path) -> None:
    policy = ppo.load(folder)
    obs, noise = np.random.default_rng(0).normal(size=(9, 11)), np.random.default_rng(1)
    network = FlatNetwork(policy.spec, policy.config.network, Head(0.01, 0.0))
    actor = PolicyActor(network, policy.theta[None])
    drawn = actor.noise(actor.draw(np.random.default_rng(1), (1, 9))[None])[0]
    expected = actor(policy.see(obs)[None], drawn)[0]
    np.testing.assert_allclose(policy.act(obs, generator=noise), expected, atol=1e-6)
    assert not np.allclose(policy.act(obs), expected, atol=0.1)


def test_its_parameters_and_filter_are_those_of_the_last_checkpoint(folder: Path) -> None:
    policy = ppo.load(folder)
    state = checkpoints.load(folder, run_hash(policy.config)).state
    assert state is not None
    torch.testing.assert_close(policy.theta, state["pack"]["learner"]["theta"], rtol=0, atol=0)
    sums = state["pack"]["obs_filter"]
    assert policy.scaling is not None
    np.testing.assert_array_equal(policy.scaling[0], (sums["sum"] / sums["count"]).numpy())


def test_it_opens_without_this_package_and_gives_the_same_actions(folder: Path) -> None:
    with safe_open(folder / NAME, framework="np") as file:
        about = json.loads(file.metadata()["policy"], parse_constant=lambda name: pytest.fail(name))
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    obs = np.random.default_rng(0).normal(size=(3, 11))
    x = (obs - weights["obs_filter.mean"]) * weights["obs_filter.inverse_deviation"]
    x = np.clip(x, -about["obs"]["clip"], about["obs"]["clip"])
    for i in range(2):
        x = np.tanh(x @ weights[f"policy_trunk.layers.{i}.weight"] + weights[f"policy_trunk.layers.{i}.bias"])
    action = x @ weights["policy_head.weight"] + weights["policy_head.bias"]
    np.testing.assert_allclose(ppo.load(folder).act(obs), action, atol=1e-5)
    assert about["config"]["env"]["id"] == "Hopper-v5"
    assert about["versions"]["torch"] == torch.__version__
    assert about["run"][:12] in folder.name


def test_the_same_run_leaves_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = trained(tmp_path, *TINY["ppo"], env="env=hopper")
    ours, theirs = ((f / NAME).read_bytes() for f in (folder, again))
    assert ours.replace(str(tmp_path).encode(), b"") != theirs  # the config names where its outputs went
    assert torch.equal(ppo.load(folder).theta, ppo.load(again).theta)
    policy = ppo.load(folder)
    policy.save(tmp_path / "one.safetensors")
    ppo.load(folder).save(tmp_path / "two.safetensors")
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes() == ours


def test_a_discrete_action_is_an_integer(tmp_path: Path) -> None:
    policy = ppo.load(trained(tmp_path, "env.id=CartPole-v1", *TINY["ppo"], env="env=gymnasium"))
    assert policy.act(np.zeros(4)).shape == ()
    assert policy.act(np.zeros((6, 4)), generator=np.random.default_rng(0)).dtype == np.int64


def test_a_value_function_comes_with_it(folder: Path) -> None:
    assert ppo.load(folder).value(np.zeros((3, 11))).shape == (3,)


def test_observations_of_another_shape_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"shape \(4,\): expected \(11,\)"):
        ppo.load(folder).act(np.zeros(4))


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"cut", b"flip"])
def test_a_damaged_file_is_one_sentence(damage: bytes, folder: Path, tmp_path: Path) -> None:
    content = (folder / NAME).read_bytes()
    changed = {b"cut": content[:-8], b"flip": content.replace(b"policy_head", b"policy_hand")}
    (tmp_path / NAME).write_bytes(changed.get(damage, damage))
    with pytest.raises(UserError, match="cannot be read as a policy"):
        ppo.load(tmp_path)


def test_no_flipped_bit_passes(folder: Path, tmp_path: Path) -> None:
    content, copy, whole = (folder / NAME).read_bytes(), tmp_path / NAME, ppo.load(folder)
    draw = np.random.default_rng(0)
    for position in [*draw.integers(8 * len(content), size=60).tolist(), 8 * len(content) - 20]:
        flipped = bytearray(content)
        flipped[position // 8] ^= 1 << position % 8
        copy.write_bytes(flipped)
        with contextlib.suppress(UserError):
            assert torch.equal(ppo.load(copy).theta, whole.theta), f"bit {position}"
            assert ppo.load(copy).facts == whole.facts, f"bit {position}"
    with pytest.raises(UserError, match="damaged"):
        ppo.load(copy)


def test_a_folder_without_a_policy_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="missing: expected the folder of a finished run"):
        ppo.load(tmp_path)


def test_a_policy_is_not_changed_by_acting(folder: Path) -> None:
    policy: Policy = ppo.load(folder)
    before = policy.theta.clone()
    policy.act(np.ones(11), generator=np.random.default_rng(0))
    assert torch.equal(before, policy.theta)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("shared", [True, False])
def test_a_policy_of_frames_acts_as_it_did_in_training(tmp_path: Path, shared: bool) -> None:
    (outcome,) = train([game([*PPO, "total_steps=64", f"outputs={tmp_path}"], shared=shared)])
    policy = ppo.load(outcome.folder)
    obs = np.random.default_rng(0).integers(0, 256, (4, 84, 84, 4), np.uint8)
    dist, value = FlatNetwork(policy.spec, policy.config.network, Head(0.01, 0.0))(policy.theta, torch.from_numpy(obs))
    assert policy.act(obs).tolist() == dist.argmax(-1).tolist()
    np.testing.assert_array_equal(policy.value(obs), value)
    assert policy.act(obs[0]).shape == ()
    assert (outcome.folder / NAME).stat().st_size < 4 * 1_400_000
