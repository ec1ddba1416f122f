"""PPO and A2C on a game beside Stable-Baselines3's with the same hyperparameters, environments included, on one core.

    python -m tests.bench.atari_ppo [--game pong] [--algorithms ppo,a2c] [--networks a3c_cnn,nature_cnn] [--turns 7]

All are in one process and take turns; what counts is CPU time. A ratio compares each of our turns with the peer's turns
before and after it; the median of them is printed beside what must be reached.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import ale_py
import gymnasium
import numpy as np
import torch
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecFrameStack
from torch import Tensor, nn

from ppo.config.compose import compose
from ppo.pack import Pack

EXPERIMENTS = {"ppo": "table5", "a2c": "a2c_atari"}
PRECISIONS = ("float32", "bfloat16")
TARGETS = {  # least ratio of our steps per second to Stable-Baselines3's; none is set for A2C
    ("ppo", "a3c_cnn"): {"float32": 1.75, "bfloat16": 2.3},
    ("ppo", "nature_cnn"): {"float32": 1.35, "bfloat16": 2.1},
}
Turn = Callable[[], int]  # does some iterations; returns environment steps


class Small(BaseFeaturesExtractor):
    """The network of Mnih et al. 2016 as an extractor of Stable-Baselines3, whose own is Nature's."""

    def __init__(self, space: gymnasium.spaces.Box) -> None:
        super().__init__(space, 256)
        convolutions = nn.Conv2d(4, 16, 8, 4), nn.ReLU(), nn.Conv2d(16, 32, 4, 2), nn.ReLU()
        self.net = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(2592, 256), nn.ReLU())

    def forward(self, obs: Tensor) -> Tensor:
        return self.net(obs)


def peer(algorithm: str, game: str, network: str) -> Turn:
    """Iterations of Stable-Baselines3."""
    gymnasium.register_envs(ale_py)
    title = "".join(part.capitalize() for part in game.split("_"))
    count = {"ppo": 8, "a2c": 16}[algorithm]
    env = VecFrameStack(make_atari_env(f"{title}NoFrameskip-v4", n_envs=count, seed=0), 4)
    policy: dict[str, Any] = {} if network == "nature_cnn" else {"features_extractor_class": Small}
    if algorithm == "ppo":
        model: Any = PPO(
            "CnnPolicy", env, n_steps=128, batch_size=256, n_epochs=3, learning_rate=2.5e-4, clip_range=0.1, gamma=0.99,
            gae_lambda=0.95, ent_coef=0.01, vf_coef=1.0, max_grad_norm=1e9, policy_kwargs=policy, seed=0, device="cpu",
        )  # fmt: skip
        steps = 1024
    else:
        policy |= {"optimizer_class": RMSpropTFLike, "optimizer_kwargs": {"alpha": 0.99, "eps": 1e-5}}
        model = A2C(
            "CnnPolicy", env, n_steps=5, learning_rate=7e-4, gamma=0.99, gae_lambda=1.0, ent_coef=0.01, vf_coef=0.25,
            max_grad_norm=0.5, policy_kwargs=policy, seed=0, device="cpu",
        )  # fmt: skip
        steps = 2000
    return lambda: model.learn(steps, reset_num_timesteps=False) and steps


def ours(algorithm: str, game: str, network: str, precision: str) -> Turn:
    """Iterations of a run by itself."""
    chosen = [f"experiment={EXPERIMENTS[algorithm]}", "env=atari", f"env.id={game}", f"network={network}"]
    pack = Pack([compose([*chosen, f"network.precision={precision}"])], np.zeros(2, np.uint32), compiled=False)

    def turn() -> int:
        before = int(pack.steps.sum())
        pack.iterate()
        return int(pack.steps.sum()) - before

    return turn


def microseconds(turn: Turn) -> float:
    """CPU time per environment step of one turn."""
    start = time.process_time()
    steps = turn()
    return (time.process_time() - start) / steps * 1e6


def compare(algorithm: str, game: str, network: str, turns: int) -> dict[str, list[float]]:
    """Microseconds per step of the peer, and of ours in each precision with its ratio to the peer, by name."""
    other = peer(algorithm, game, network)
    packs = {precision: ours(algorithm, game, network, precision) for precision in PRECISIONS}
    for turn in (other, *packs.values()):
        turn()
    found = defaultdict(list)
    before = microseconds(other)
    for _ in range(turns):
        for precision, turn in packs.items():
            own, after = microseconds(turn), microseconds(other)
            found[precision].append(own)
            found[f"{precision} ratio"].append((before + after) / 2 / own)
            found["peer"].append(after)
            before = after
    return found


def main() -> None:
    """Measure and print."""
    options = _parser().parse_args()
    torch.set_num_threads(1)
    for algorithm in options.algorithms.split(","):
        for network in options.networks.split(","):
            found = compare(algorithm, options.game, network, options.turns)
            usual = statistics.median(found["peer"])
            print(f"{algorithm} {options.game} {network}: Stable-Baselines3 {usual:.0f} us/step")
            for precision in PRECISIONS:
                ratios = sorted(found[f"{precision} ratio"])
                target = TARGETS.get((algorithm, network), {}).get(precision)
                wanted = "" if target is None else f", at least {target}x wanted"
                own, ratio = statistics.median(found[precision]), statistics.median(ratios)
                spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
                print(f"  {precision}: {own:.0f} us/step, {ratio:.2f}x ({spread}){wanted}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.atari_ppo", description=__doc__.partition("\n")[0])
    parser.add_argument("--game", default="pong")
    parser.add_argument("--algorithms", default="ppo,a2c")
    parser.add_argument("--networks", default="a3c_cnn,nature_cnn")
    parser.add_argument("--turns", type=int, default=7)
    return parser


if __name__ == "__main__":
    main()
