"""Stable-Baselines3's PPO to be measured beside ours: `python -m tests.bench.peers ENV_ID`, started by program.py."""

from __future__ import annotations

import sys
import time
from typing import Any

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from tests.bench.gate import Gate


class Stop(Exception):
    """Nothing more is asked for."""


class Iterations(BaseCallback):
    """Passes the gate before each collecting, which is after the update before it."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def _on_rollout_start(self) -> None:
        if self.gate():
            raise Stop

    def _on_step(self) -> bool:
        return True


def make(env_id: str) -> PPO:
    """Table 3's hyperparameters, and observations normalised as its users do; everything else as it comes."""
    env: Any = VecNormalize(make_vec_env(env_id, n_envs=1, seed=0), norm_reward=False, clip_obs=5.0)
    return PPO(
        "MlpPolicy",
        env,
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
        policy_kwargs={"net_arch": {"pi": [64, 64], "vf": [64, 64]}, "activation_fn": torch.nn.Tanh},
        seed=0,
        device="cpu",
    )


def main(env_id: str) -> None:
    """Train until the gate says stop."""
    torch.set_num_threads(1)
    gate = Gate()
    try:
        make(env_id).learn(10**9, callback=Iterations(gate))
    except Stop:
        gate.reply(checkpoint=time.perf_counter() - gate.last)


if __name__ == "__main__":
    main(*sys.argv[1:])
