"""Collecting: run the policies of a pack for T steps in all environments (Algorithm 1, line 3)."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from ppo.envs.lockstep import Bools, Floats, LockStep, Spec, Step
from ppo.errors import UserError
from ppo.filters import ObsFilter
from ppo.networks import FlatNetwork
from ppo.streams import Streams


class Episode(NamedTuple):
    """A completed training episode."""

    step: int  # environment steps of the run when it ended
    ret: float  # undiscounted raw return
    length: int  # steps


class Rollout(NamedTuple):
    """T steps of every lane L and actor N."""

    obs: Floats  # [L, T+1, N, obs] raw; the last is where the next rollout starts
    final_obs: Floats | None  # [L, T, N, obs] the observation after each step and before any reset, if asked for
    action: Tensor  # [L, T, N, action] as sampled, unclipped
    reward: Floats  # [L, T, N] raw
    terminated: Bools  # [L, T, N]
    truncated: Bools  # [L, T, N]
    episodes: list[list[Episode]]  # per lane, in order of time


class Actor(Protocol):
    """Turns observations and noise into actions."""

    def noise(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """The random numbers of one rollout of a lane, float32 [*shape, columns]."""
        ...

    def push(self, noise: np.ndarray) -> np.ndarray:
        """What `__call__` adds to each step, for a whole rollout's noise [L, T, N, columns] at once."""
        ...

    def __call__(self, obs: np.ndarray, push: np.ndarray, /) -> np.ndarray:
        """Actions [L, N, action], float32, for filtered observations [L, N, obs]."""
        ...


class PolicyActor:
    """Samples from the policies theta [L, n] of a pack.

    The forward pass is `ppo.networks.ActorCritic`'s, written for the whole pack and in NumPy: it runs once per
    environment step on a few numbers, where torch's calls would cost several times the arithmetic.
    """

    def __init__(self, network: FlatNetwork, theta: Tensor) -> None:
        self.network, self.noise = network, network.distribution.noise
        self.refresh(theta)

    def refresh(self, theta: Tensor) -> None:
        """Act with these parameters from now on."""
        weights = {name: w.numpy().copy() for name, w in self.network.unflatten(theta.detach().cpu()).items()}
        names = [f"policy_trunk.layers.{i}" for i in range(len(self.network.network.hidden))]
        layers = [(weights[f"{n}.weight"], weights[f"{n}.bias"][:, None]) for n in [*names, "policy_head"]]
        self.hidden, self.head = layers[:-1], layers[-1]
        self.log_std = weights["log_std"][:, None, None] if "log_std" in weights else None

    def push(self, noise: np.ndarray) -> np.ndarray:
        return self.network.distribution.push(noise, self.log_std)

    def __call__(self, obs: np.ndarray, push: np.ndarray, /) -> np.ndarray:
        x = obs
        for weight, bias in self.hidden:
            x = x @ weight
            x += bias
            np.tanh(x, out=x)
        weight, bias = self.head
        return self.network.distribution.sample(x @ weight + bias, push)


class UniformActor:
    """Draws actions uniformly from the task's bounds, whatever is observed."""

    def __init__(self, spec: Spec) -> None:
        if not (np.isfinite(spec.low).all() and np.isfinite(spec.high).all()):
            raise UserError("algorithm.policy=uniform is not possible: these actions have no bounds; use untrained.")
        self.spec = spec
        self.low, self.high = spec.low.astype(np.float32), spec.high.astype(np.float32)

    def noise(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return generator.random((*shape, 1 if self.spec.discrete else self.spec.action_size), dtype=np.float32)

    def push(self, noise: np.ndarray) -> np.ndarray:
        if self.spec.discrete:
            return np.floor(noise * np.float32(self.spec.action_size))
        return self.low + (self.high - self.low) * noise

    def __call__(self, _obs: np.ndarray, push: np.ndarray, /) -> np.ndarray:
        return push


class Collector:
    """The environments of a pack, between rollouts: episodes straddle them."""

    def __init__(self, env: LockStep, streams: list[Streams]) -> None:
        self.env = env
        self.generators = [s.action for s in streams]
        self.obs = env.reset()  # [L, N, obs]
        self.returns = np.zeros(self.obs.shape[:2])
        self.lengths = np.zeros(self.obs.shape[:2], dtype=np.int64)
        self.active = np.ones(len(self.obs), dtype=bool)

    def set_active(self, lanes: Bools) -> None:
        """Step only these lanes [L] from now on, and count only their episodes."""
        self.active = lanes.copy()
        self.env.set_active(lanes)

    def collect(
        self, actor: Actor, obs_filter: ObsFilter, horizon: int, *, steps: np.ndarray, keep_final: bool
    ) -> Rollout:
        """`horizon` steps everywhere; steps [L]: environment steps each run has taken before."""
        lanes, actors, obs_size = self.obs.shape
        shape = (lanes, horizon, actors)
        noise = np.stack([actor.noise(g, (horizon, actors)) for g in self.generators])
        push = actor.push(noise)
        obs = np.empty((lanes, horizon + 1, actors, obs_size))
        actions = np.empty(noise.shape, dtype=np.float32)  # of which the rollout holds a view
        rollout = Rollout(
            obs=obs,
            final_obs=np.empty((*shape, obs_size)) if keep_final else None,
            action=torch.from_numpy(actions),
            reward=np.empty(shape),
            terminated=np.empty(shape, dtype=bool),
            truncated=np.empty(shape, dtype=bool),
            episodes=[[] for _ in range(lanes)],
        )
        for t in range(horizon):
            obs[:, t] = self.obs
            actions[:, t] = action = actor(obs_filter(self.obs), push[:, t])
            step = self.env.step(action.astype(np.float64))
            self._record(rollout, t, step)
            self._count(rollout.episodes, step, steps + (t + 1) * actors)
            self.obs = step.obs
        obs[:, horizon] = self.obs
        return rollout

    @staticmethod
    def _record(rollout: Rollout, t: int, step: Step) -> None:
        rollout.reward[:, t] = step.reward
        rollout.terminated[:, t] = step.terminated
        rollout.truncated[:, t] = step.truncated
        if rollout.final_obs is not None:
            rollout.final_obs[:, t] = step.final_obs

    def _count(self, episodes: list[list[Episode]], step: Step, now: np.ndarray) -> None:
        """Add a step to the running episodes and note those that ended."""
        self.returns += step.reward
        self.lengths += 1
        over = (step.terminated | step.truncated) & self.active[:, None]
        if not over.any():
            return
        for lane, actor in zip(*np.nonzero(over), strict=True):
            length = int(self.lengths[lane, actor])
            episodes[lane].append(Episode(int(now[lane]), float(self.returns[lane, actor]), length))
        self.returns[over] = 0
        self.lengths[over] = 0

    def get_state(self, lane: int) -> dict[str, Any]:
        """Everything of one lane that the next rollout depends on."""
        arrays = {k: torch.from_numpy(getattr(self, k)[lane].copy()) for k in ("obs", "returns", "lengths")}
        return arrays | {"env": self.env.get_state(lane)}

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        """Put one lane back to a state of `get_state`; a simulator that cannot be restored starts new episodes."""
        fresh_obs = self.env.set_state(lane, state["env"])
        for key in ("obs", "returns", "lengths"):
            getattr(self, key)[lane] = state[key].numpy() if fresh_obs is None else 0
        if fresh_obs is not None:
            self.obs[lane] = fresh_obs
