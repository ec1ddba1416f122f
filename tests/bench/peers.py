"""Stable-Baselines3 to be measured beside ours: `python -m tests.bench.peers PEER ENV_ID`, started by program.py."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from sb3_contrib import TRPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from stable_baselines3.common.vec_env import VecNormalize

from tests.bench.gate import Gate


class Stop(Exception):
    """Nothing more is asked for."""


class Iterations(BaseCallback):
    """Passes the gate before every so many collectings, which is after the update before them."""

    def __init__(self, rollouts: int) -> None:
        super().__init__()
        self.gate = Gate(lambda: self.num_timesteps)
        self.rollouts, self.begun = rollouts, 0

    def _on_rollout_start(self) -> None:
        if self.begun % self.rollouts == 0 and self.gate():
            raise Stop
        self.begun += 1

    def _on_step(self) -> bool:
        return True


def normalised(env_id: str, n_envs: int) -> Any:
    """Environments with observations normalised as users of Stable-Baselines3 do, in this process."""
    return VecNormalize(make_vec_env(env_id, n_envs=n_envs, seed=0), norm_reward=False, clip_obs=5.0)


def network(*hidden: int) -> dict[str, Any]:
    """Separate tanh networks for policy and value."""
    return {"net_arch": {"pi": [*hidden], "vf": [*hidden]}, "activation_fn": torch.nn.Tanh}


def ppo(env_id: str) -> PPO:
    """Table 3's hyperparameters; everything else by default."""
    return PPO(
        "MlpPolicy",
        normalised(env_id, 1),
        n_steps=2048,
        batch_size=64,
        n_epochs=10,
        learning_rate=3e-4,
        gamma=0.99,
        gae_lambda=0.95,
        clip_range=0.2,
        ent_coef=0.0,
        vf_coef=1.0,
        max_grad_norm=1e9,  # none
        policy_kwargs=network(64, 64),
        seed=0,
        device="cpu",
    )


def a2c(env_id: str) -> A2C:
    """conf/algorithm/a2c.yaml."""
    rmsprop = {"optimizer_class": RMSpropTFLike, "optimizer_kwargs": {"alpha": 0.99, "eps": 1e-5}}
    return A2C(
        "MlpPolicy",
        normalised(env_id, 16),
        n_steps=5,
        learning_rate=lambda remaining: 7e-4 * remaining,
        gamma=0.99,
        gae_lambda=1.0,
        ent_coef=0.0,
        vf_coef=0.25,  # of the mean squared error: 0.5 of half of it
        max_grad_norm=0.5,
        policy_kwargs=network(64, 64) | rmsprop,
        seed=0,
        device="cpu",
    )


def a2c_default(env_id: str) -> A2C:
    """What A2C("MlpPolicy", env_id) is: one environment, observations as they are."""
    return A2C("MlpPolicy", env_id, seed=0, device="cpu")


def trpo(env_id: str) -> TRPO:
    """conf/algorithm/trpo.yaml; every 5th sample alone is used for gradient and line search too, which we do not do."""
    return TRPO(
        "MlpPolicy",
        normalised(env_id, 1),
        n_steps=1024,
        batch_size=64,
        n_critic_updates=5,  # epochs
        learning_rate=1e-3,
        gamma=0.99,
        gae_lambda=0.98,
        cg_max_steps=10,
        cg_damping=0.1,
        line_search_shrinking_factor=0.5,
        line_search_max_iter=10,
        target_kl=0.01,
        sub_sampling_factor=5,
        policy_kwargs=network(32, 32),
        seed=0,
        device="cpu",
    )


class Peer(NamedTuple):
    """A program of others, and how many of its rollouts count as one iteration: about 2000 environment steps."""

    make: Callable[[str], OnPolicyAlgorithm]
    rollouts: int = 1


PEERS = {
    "ppo": Peer(ppo),
    "a2c": Peer(a2c, rollouts=25),
    "a2c-default": Peer(a2c_default, rollouts=400),
    "trpo": Peer(trpo, rollouts=2),
}


def main(peer: str, env_id: str) -> None:
    """Train until the gate says stop."""
    torch.set_num_threads(1)
    make, rollouts = PEERS[peer]
    iterations = Iterations(rollouts)
    try:
        make(env_id).learn(10**9, callback=iterations)
    except Stop:
        iterations.gate.reply(checkpoint=time.perf_counter() - iterations.gate.last)


if __name__ == "__main__":
    main(*sys.argv[1:])
