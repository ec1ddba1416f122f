"""Atari games alone: our lock-step beside bare emulation and beside the wrappers of others, CPU time, in one process.

python -m tests.bench.atari [--games pong,breakout] [--turns 7] [--steps 250]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from ppo.config.compose import suite_values

ACTORS, SKIP = 8, 4
MOST = 1.6  # times bare emulation that ours may take
Stepper = Callable[[np.ndarray], Any]  # takes a step of every actor, by choices [N]
BARE, OURS = "bare emulation", "ours"


def bare(game: str) -> Stepper:
    """Four frames and nothing else; a game that is over starts again."""
    import ale_py

    from ppo.envs.atari import games

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    emulators = [ale_py.ALEInterface() for _ in range(ACTORS)]
    for ale in emulators:
        ale.setFloat("repeat_action_probability", 0.0)
        ale.loadROM(games.rom(game))
    actions = emulators[0].getMinimalActionSet()

    def step(choices: np.ndarray) -> None:
        for ale, choice in zip(emulators, choices.tolist(), strict=True):
            action, act = actions[choice], ale.act
            for _ in range(SKIP):
                act(action)
            if ale.game_over():
                ale.reset_game()

    return step


def ours(game: str) -> Stepper:
    """The suite, one lane."""
    from ppo.envs.atari.schema import Atari

    values = {key: value for key, value in suite_values("atari").items() if key not in ("suite", "id")}
    generators = [[np.random.default_rng(actor) for actor in range(ACTORS)]]
    env = Atari(game, **values).make(generators, np.zeros(2, np.uint32))
    env.reset()
    return lambda choices: env.step(choices.reshape(1, ACTORS, 1))


def ale_vector(game: str) -> Stepper:
    """ale-py's own vector environment, in C++; its state cannot be saved."""
    from ale_py import AtariVectorEnv

    env = AtariVectorEnv(game=game, num_envs=ACTORS, num_threads=1, episodic_life=True, repeat_action_probability=0.0)
    env.reset()
    return env.step


def gymnasium_wrappers(game: str) -> Stepper:
    """Gymnasium's AtariPreprocessing and FrameStackObservation, one by one."""
    import ale_py
    import gymnasium
    from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation

    gymnasium.register_envs(ale_py)

    def made() -> Any:
        env = AtariPreprocessing(gymnasium.make(title(game)), terminal_on_life_loss=True)
        return FrameStackObservation(env, 4)

    envs = [made() for _ in range(ACTORS)]
    for env in envs:
        env.reset()

    def step(choices: np.ndarray) -> None:
        for env, choice in zip(envs, choices.tolist(), strict=True):
            _, _, terminated, truncated, _ = env.step(choice)
            if terminated or truncated:
                env.reset()

    return step


def sb3_wrappers(game: str) -> Stepper:
    """Stable-Baselines3's make_atari_env and VecFrameStack."""
    import ale_py
    import gymnasium
    from stable_baselines3.common.env_util import make_atari_env
    from stable_baselines3.common.vec_env import VecFrameStack

    gymnasium.register_envs(ale_py)
    env = VecFrameStack(make_atari_env(title(game), n_envs=ACTORS, seed=0), 4)
    env.reset()
    return env.step


def title(game: str) -> str:
    """The id that Gymnasium knows a game by."""
    return "".join(part.capitalize() for part in game.split("_")) + "NoFrameskip-v4"


PROGRAMS: Mapping[str, Callable[[str], Stepper]] = {
    BARE: bare,
    OURS: ours,
    "ale-py AtariVectorEnv": ale_vector,
    "Gymnasium wrappers": gymnasium_wrappers,
    "SB3 wrappers": sb3_wrappers,
}


def measure(game: str, turns: int, steps: int) -> dict[str, list[float]]:
    """Microseconds of CPU time per step of one actor, by program; in turn, so that a drift of the machine cancels."""
    steppers = {name: make(game) for name, make in PROGRAMS.items()}
    rng, times = np.random.default_rng(0), dict[str, list[float]]()
    choices = rng.integers(number_of_actions(game), size=(turns + 1, steps, ACTORS))
    for turn in range(turns + 1):
        for name, step in steppers.items():
            start = time.process_time()
            for row in choices[turn]:
                step(row)
            taken = (time.process_time() - start) / (steps * ACTORS)
            if turn:  # the first one warms up
                times.setdefault(name, []).append(taken * 1e6)
    return times


def number_of_actions(game: str) -> int:
    """Choices of the game's own set of actions."""
    import ale_py

    from ppo.envs.atari import games

    ale = ale_py.ALEInterface()
    ale.loadROM(games.rom(game))
    return len(ale.getMinimalActionSet())


def report(game: str, times: Mapping[str, Sequence[float]]) -> bool:
    """Print medians and the median of the ratios of each turn; whether ours is within its bound."""
    print(f"{game:<16}{'us/step':>12}{'over bare':>12}{'over ours':>12}")
    ratios = {}
    for name, taken in times.items():
        over = {
            other: statistics.median(a / b for a, b in zip(taken, times[other], strict=True)) for other in (BARE, OURS)
        }
        ratios[name] = over[BARE]
        print(f"  {name:<22}{statistics.median(taken):>6.0f}{over[BARE]:>11.2f}x{over[OURS]:>11.2f}x")
    return ratios[OURS] <= MOST


def main() -> int:
    """Measure and print; exit status 1 where ours takes more than its bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--games", default="pong,breakout")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--steps", type=int, default=250, help="of each actor, in each turn")
    options = parser.parse_args()
    for package in ("ale_py", "stable_baselines3", "cv2"):
        if find_spec(package) is None:
            print(f"{package} is not installed: pip install -e '.[bench]'.", file=sys.stderr)
            return 2
    load = os.getloadavg()[0]
    print(f"load average {load:.2f}; CPU time of one actor's step, medians of {options.turns} turns, {ACTORS} actors")
    within = [report(game, measure(game, options.turns, options.steps)) for game in options.games.split(",")]
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
