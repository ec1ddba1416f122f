"""Collecting: run the policies of a pack, for T steps or for whole episodes (Algorithm 1, line 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ppo.data import Bools, Episode, Length, Obs, Rollout, RolloutSpec
from ppo.envs.base import Game, LockStep, Step
from ppo.learning import faults
from ppo.learning.faults import Fault
from ppo.learning.filters import ObsFilter
from ppo.networks.acting import Actor
from ppo.streams import Streams


class Collector:
    """The environments of a pack, between rollouts: episodes straddle them."""

    def __init__(self, env: LockStep, streams: list[Streams]) -> None:
        self.env = env
        self.generators = [s.action for s in streams]
        self.obs = env.reset()  # [L, N, *obs]
        self.returns = np.zeros(self.obs.shape[:2])
        self.lengths = np.zeros(self.obs.shape[:2], dtype=np.int64)
        self.active = np.ones(self.obs.shape[:2], dtype=bool)  # [L, N]
        self._frames: Obs | None = None

    def set_active(self, lanes: Bools) -> None:
        """Step only these lanes [L] from now on, and count only their episodes."""
        self.active = np.repeat(lanes[:, None], self.obs.shape[1], 1)
        self.env.set_active(self.active)

    def collect(self, actor: Actor, obs_filter: ObsFilter, wanted: RolloutSpec, *, steps: np.ndarray) -> Rollout:
        """A rollout everywhere; steps [L]: environment steps each run has taken before."""
        length, awake = wanted.length, self.active
        horizon = length.horizon
        draws = np.stack([actor.draw(g, (horizon, self.obs.shape[1])) for g in self.generators])
        noise = actor.noise(draws)
        actions = np.zeros((*draws.shape[:3], self.env.spec.action.columns), dtype=np.float32)
        rollout = _empty_rollout(self.obs, actions, length, keep_final=wanted.keep_final)
        if self.obs.dtype == np.uint8:
            rollout = rollout._replace(obs=self._room(rollout.obs))
        taken = np.zeros(awake.shape, dtype=np.int64)
        found: dict[int, Fault] = {}  # in last observations
        most = faults.LARGEST[obs_filter.filtering]
        for t in range(horizon):
            rollout.obs[:, t] = self.obs
            actions[:, t] = action = actor(obs_filter(self.obs), noise[:, t])
            step = self.env.step(action.astype(np.float64))
            taken += awake
            _record(rollout, t, step, awake)
            over = self._count(step, awake)
            now = steps + taken.sum(1)
            if over.any():
                found = faults.find_last(step.final_obs, over, taken.sum(1), most) | found
            if step.ended is not None:
                _add_games(rollout.episodes, step.ended, awake, now)
            elif over.any():
                self._end_episodes(rollout.episodes, over, now)
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
        rollout = rollout._replace(taken=taken.sum(1))
        return rollout._replace(faults=faults.first(found, faults.find(rollout, most)))

    def _room(self, obs: Obs) -> Obs:
        """The frames of the last rollout to be written over, if they have this shape: new pages cost time."""
        if self._frames is None or self._frames.shape != obs.shape:
            self._frames = obs
        return self._frames

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


def _add_games(episodes: list[list[Episode]], games: Sequence[Game], awake: Bools, now: np.ndarray) -> None:
    """Note the games that a step finished; now [L]: environment steps of each run."""
    for game in games:
        if awake[game.lane, game.actor]:
            episodes[game.lane].append(Episode(int(now[game.lane]), game.ret, game.length))


def _empty_rollout(obs: Obs, actions: np.ndarray, length: Length, *, keep_final: bool) -> Rollout:
    """A rollout to be filled in; `actions` [L, T, N, action] is seen through it."""
    shape, (lanes, actors, *of_one) = actions.shape[:3], obs.shape
    return Rollout(
        obs=np.zeros((lanes, shape[1] + 1, actors, *of_one), obs.dtype),
        final_obs=np.zeros((*shape, *of_one), obs.dtype) if keep_final else None,
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

