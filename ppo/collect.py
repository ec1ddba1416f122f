"""Collecting: run the policies of a pack, for T steps or for whole episodes (Algorithm 1, line 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ppo.envs.base import Bools, Floats, LockStep, Spec, Step
from ppo.errors import UserError
from ppo.learning.filters import ObsFilter
from ppo.networks.flat import FlatNetwork
from ppo.streams import Streams


class Episode(NamedTuple):
    """A completed training episode."""

    step: int  # environment steps of the run when it ended
    ret: float  # undiscounted raw return
    length: int  # steps


class Length(NamedTuple):
    """How long a rollout is: `horizon` steps of every actor, or for each of them whole episodes."""

    horizon: int  # T; with whole episodes, the most steps that there can be
    episodes_after: int | None = None  # an actor rests once an episode ends and it took more steps than this


class Rollout(NamedTuple):
    """T steps of every lane L and actor N. Where an actor did not step, everything is 0."""

    obs: Floats  # [L, T+1, N, obs] raw; the last is where the next rollout starts
    final_obs: Floats | None  # [L, T, N, obs] the observation after each step and before any reset, if asked for
    action: Tensor  # [L, T, N, action] as sampled, unclipped
    reward: Floats  # [L, T, N] raw
    terminated: Bools  # [L, T, N]
    truncated: Bools  # [L, T, N]
    stepped: Bools | None  # [L, T, N] whether the actor did; None: all did
    taken: NDArray[np.int64]  # [L] environment steps
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


def relu(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The larger of x and 0."""
    return np.maximum(x, 0, out=out)


ACTIVATIONS: dict[str, Callable[..., np.ndarray]] = {"tanh": np.tanh, "relu": relu}


class PolicyActor:
    """Samples from the policies theta [L, n] of a pack.

    The forward pass is `ppo.networks.flat.ActorCritic`'s, written for the whole pack and in NumPy: it runs once per
    environment step on a few numbers, where torch's calls would cost several times the arithmetic.
    """

    def __init__(self, network: FlatNetwork, theta: Tensor) -> None:
        self.network, self.noise = network, network.distribution.noise
        self.activate = ACTIVATIONS[network.network.activation]
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
            self.activate(x, out=x)
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
        return generator.random((*shape, self.spec.action_columns), dtype=np.float32)

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
        self.active = np.ones(self.obs.shape[:2], dtype=bool)  # [L, N]

    def set_active(self, lanes: Bools) -> None:
        """Step only these lanes [L] from now on, and count only their episodes."""
        self.active = np.repeat(lanes[:, None], self.obs.shape[1], 1)
        self.env.set_active(self.active)

    def collect(
        self, actor: Actor, obs_filter: ObsFilter, length: Length, *, steps: np.ndarray, keep_final: bool
    ) -> Rollout:
        """A rollout everywhere; steps [L]: environment steps each run has taken before."""
        horizon, awake = length.horizon, self.active
        noise = np.stack([actor.noise(g, (horizon, self.obs.shape[1])) for g in self.generators])
        push = actor.push(noise)
        actions = np.zeros((*noise.shape[:3], self.env.spec.action_columns), dtype=np.float32)
        rollout = _empty_rollout(self.obs, actions, length, keep_final=keep_final)
        taken = np.zeros(awake.shape, dtype=np.int64)
        for t in range(horizon):
            rollout.obs[:, t] = self.obs
            actions[:, t] = action = actor(obs_filter(self.obs), push[:, t])
            step = self.env.step(action.astype(np.float64))
            taken += awake
            _record(rollout, t, step, awake)
            over = self._count(step, awake)
            if over.any():
                self._end_episodes(rollout.episodes, over, steps + taken.sum(1))
            self.obs = step.obs
            if length.episodes_after is not None and (resting := over & (taken > length.episodes_after)).any():
                awake = awake & ~resting
                self.env.set_active(awake)
                if not awake.any():
                    break
        rollout.obs[:, horizon] = self.obs
        if rollout.stepped is not None:
            _blank(rollout, rested=~rollout.stepped)
            self.env.set_active(self.active)
        return rollout._replace(taken=taken.sum(1))

    def _count(self, step: Step, awake: Bools) -> Bools:
        """Add a step to the running episodes; returns which of them ended [L, N]."""
        np.add(self.returns, step.reward, out=self.returns, where=awake)
        self.lengths += awake
        return (step.terminated | step.truncated) & awake

    def _end_episodes(self, episodes: list[list[Episode]], over: Bools, now: np.ndarray) -> None:
        """Note the episodes that ended; now [L]: environment steps of each run."""
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


def _empty_rollout(obs: Floats, actions: np.ndarray, length: Length, *, keep_final: bool) -> Rollout:
    """A rollout to be filled in; `actions` [L, T, N, action] is seen through it."""
    shape, (lanes, actors, obs_size) = actions.shape[:3], obs.shape
    return Rollout(
        obs=np.zeros((lanes, shape[1] + 1, actors, obs_size)),
        final_obs=np.zeros((*shape, obs_size)) if keep_final else None,
        action=torch.from_numpy(actions),
        reward=np.zeros(shape),
        terminated=np.zeros(shape, dtype=bool),
        truncated=np.zeros(shape, dtype=bool),
        stepped=None if length.episodes_after is None else np.zeros(shape, dtype=bool),
        taken=np.zeros(lanes, dtype=np.int64),
        episodes=[[] for _ in range(lanes)],
    )


def _record(rollout: Rollout, t: int, step: Step, awake: Bools) -> None:
    rollout.reward[:, t] = step.reward
    rollout.terminated[:, t] = step.terminated
    rollout.truncated[:, t] = step.truncated
    if rollout.stepped is not None:
        rollout.stepped[:, t] = awake
    if rollout.final_obs is not None:
        rollout.final_obs[:, t] = step.final_obs


def _blank(rollout: Rollout, *, rested: Bools) -> None:
    """Set to 0 what actors at rest left behind: until when they did depends on their lane's mates (law 1)."""
    arrays = [rollout.obs[:, :-1], rollout.reward, rollout.terminated, rollout.truncated, rollout.action.numpy()]
    for array in [*arrays, *([] if rollout.final_obs is None else [rollout.final_obs])]:
        array[rested] = 0


def not_finite(rollout: Rollout) -> dict[int, int]:
    """The lanes in which a reward or observation is not finite, and after how many steps of theirs."""
    fine = np.isfinite(rollout.reward).all(-1) & np.isfinite(rollout.obs[:, 1:]).all((-1, -2))
    finite = np.asarray(fine)  # [L, T]
    if finite.all():
        return {}
    counted = np.ones_like(rollout.reward, dtype=bool) if rollout.stepped is None else rollout.stepped
    lanes = np.flatnonzero(~finite.all(1)).tolist()
    return {lane: int(counted[lane, : np.argmin(finite[lane]) + 1].sum()) for lane in lanes}
