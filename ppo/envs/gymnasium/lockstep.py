"""Gymnasium environments in lock-step: a plain loop over bare environments, each episode with a seed of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import numpy as np

from ppo.data import Bools, Floats, Obs
from ppo.envs.base import Generators, Marker, Step
from ppo.envs.foreign import Foreign
from ppo.envs.gymnasium.global_generators import GlobalGenerators
from ppo.envs.gymnasium.seat import Seat, Unequal
from ppo.envs.watchdog import WATCH

_log = logging.getLogger(__name__)


class GymnasiumLockStep:
    """The LockStep of any environment by its id. `generators` are PCG64, [L][N], and from now on the suite's own.

    Every episode starts with a seed drawn from the actor's generator. An environment's inner state is out of reach:
    `get_state` saves that seed and the episode's actions, and `set_state` plays them again. Where that does not come
    to the same numbers, it starts new episodes.
    """

    def __init__(self, env_id: str, generators: Generators, time_limit: int | None, marker: Marker) -> None:
        self._generators, self._marker = generators, marker
        self.foreign = Foreign(marker)
        self._outside = GlobalGenerators()
        self._seats: list[list[Seat]] = [[] for _ in generators]
        self.failures: dict[int, Exception] = {}
        self.inexact: dict[int, str] = {}
        self.replayed: dict[int, int] = {}
        grid = (len(generators), len(generators[0]))
        self._active = np.ones(grid, np.bool_)
        with self._inside():
            for lane in range(len(generators)):
                self._guarded(lane, self._make, lane, env_id, time_limit)
        made = [seats for lane, seats in enumerate(self._seats) if lane not in self.failures]
        if not made:
            raise self.failures[0]
        self.spec = made[0][0].spec
        self._draw = any(seat.draws for seats in made for seat in seats)
        obs, none = np.zeros((*grid, *self.spec.obs.shape)), np.zeros(grid, np.bool_)
        self._last = Step(obs, np.zeros(grid), none, none, obs)

    def _make(self, lane: int, env_id: str, time_limit: int | None) -> None:
        """The environments of one lane; each of its own make, as constructors may draw too."""
        seats = [Seat(env_id, time_limit, _seed(actor)) for actor in self._generators[lane]]
        first = next((seats[0].spec for seats in self._seats if seats), seats[0].spec)
        if any((seat.spec.obs, *seat.spec.action[:2]) != (first.obs, *first.action[:2]) for seat in seats):
            raise ValueError("the environment's spaces have another size each time that it is made")
        self._seats[lane] = seats

    def reset(self) -> Obs:
        """Start an episode everywhere; returns obs [L, N, obs]."""
        obs = self._last.obs.copy()
        for lane in range(len(self._seats)):
            self._start_lane(lane, obs)
        none = np.zeros_like(self._last.terminated)
        self._last = Step(obs, np.zeros_like(self._last.reward), none, none, obs)
        return obs.copy()

    def step(self, action: Floats) -> Step:
        """Advance every active actor by one action [L, N, action], sent unclipped ([L, N, 1] choices if discrete)."""
        step = self._last.copy()
        with self._inside(needed=self._draw):
            for lane in np.flatnonzero(self._active.any(1)).tolist():
                self._guarded(lane, self._step_lane, lane, action, step)
        self._last = step
        return step

    def _step_lane(self, lane: int, action: Floats, step: Step) -> None:
        """Write a step of one lane's actors into their rows."""
        for actor in np.flatnonzero(self._active[lane]).tolist():
            WATCH.calls += 1  # to the watchdog, each is a call of its own
            at = (lane, actor)
            seen = self._seats[lane][actor].step(action[at])
            step.obs[at] = step.final_obs[at] = seen.obs
            step.reward[at], step.terminated[at], step.truncated[at] = seen[1:]
            if seen.terminated or seen.truncated:
                WATCH.calls += 1
                step.obs[at] = self._start(lane, actor)

    def set_active(self, actors: Bools) -> None:
        """Step only these actors [L, N] from now on. A lane that has failed stays out."""
        self._active = np.array(actors, np.bool_)
        self._active[list(self.failures)] = False

    def close(self, lane: int) -> None:
        """Let go of what a lane's environments hold; it is never stepped again."""
        self._active[lane] = False
        with self._inside():
            for seat in self._seats[lane]:
                with suppress(Exception):
                    self._call(lane, seat.close)
        self._seats[lane] = []

    def get_state(self, lane: int) -> dict[str, Any]:
        """The lane's generators and running episodes; torch.load(weights_only=True) can read them."""
        return {
            "generators": [generator.bit_generator.state for generator in self._generators[lane]],
            "episodes": [seat.get_state() for seat in self._seats[lane]],
        }

    def set_state(self, lane: int, state: dict[str, Any]) -> Obs | None:
        """Play the saved episodes of a lane again; None if that came to the same numbers.

        Else new episodes are started, the same ones for the same state, and their obs [N, obs] returned.
        """
        for generator, saved in zip(self._generators[lane], state["generators"], strict=True):
            generator.bit_generator.state = saved
        self.inexact.pop(lane, None)
        self._last = self._last.copy()
        try:
            with self._inside():
                self._replay(lane, state.get("episodes", []))
        except Unequal as error:
            self.inexact[lane] = f"{error}: new episodes were started"
            self._start_lane(lane, self._last.obs)
            return self._last.obs[lane].copy()
        except Exception as error:
            self._fail(lane, error)
        return None

    def _replay(self, lane: int, episodes: list[dict[str, Any]]) -> None:
        """Play a lane's saved episodes again, with nothing drawn from its generators."""
        if not episodes:
            raise Unequal("the checkpoint is an older version's and has no actions")
        for actor, episode in enumerate(episodes):
            try:
                seen, differing = self._seats[lane][actor].replay(episode, partial(self._call, lane))
            except Unequal as error:
                raise Unequal(f"environment {actor + 1} of {len(episodes)}: {error}") from None
            for rows, value in zip(self._last[:5], (*seen, seen.obs), strict=True):
                rows[lane, actor] = value
            if differing:
                what = ", ".join(differing[:3]) + (", ..." if len(differing) > 3 else "")
                self.inexact[lane] = f"the environment carries state from one episode to the next ({what})"
        self.replayed[lane] = sum(seat.steps for seat in self._seats[lane])

    def _start_lane(self, lane: int, obs: Obs) -> None:
        """Begin new episodes in one lane, and put what they show into its row of obs [L, N, obs]."""
        with self._inside():
            self._guarded(lane, self._start_all, lane, obs)

    def _start_all(self, lane: int, obs: Obs) -> None:
        for actor in range(len(self._seats[lane])):
            WATCH.calls += 1
            obs[lane, actor] = self._start(lane, actor)

    def _start(self, lane: int, actor: int) -> Floats:
        """Begin a new episode of one actor; returns its first observation."""
        # A seed, not the generator itself: environments may draw from sources that only their own `reset` can seed.
        return self._seats[lane][actor].start(_seed(self._generators[lane][actor]))

    @contextmanager
    def _inside(self, *, needed: bool = True) -> Iterator[None]:
        """While open, the environments' global generators may be in place of the process's."""
        if needed:
            self._outside.take()
        try:
            yield
        finally:
            if needed:
                self._outside.put()

    def _guarded(self, lane: int, function: Callable[..., None], *args: Any) -> None:
        """Let a lane's environments work, once for all of them, as the guard costs as much as a small one's step."""
        try:
            self._call(lane, function, *args)
        except Exception as error:
            self._fail(lane, error)

    def _call(self, lane: int, function: Callable[..., Any], *args: Any) -> Any:
        """Call somebody else's code for a lane, which the marker names meanwhile."""
        before = self._marker[0]
        try:
            return self.foreign.call(lane, function, *args)
        finally:
            self._marker[0] = before

    def _fail(self, lane: int, error: Exception) -> None:
        """Take a lane out, and let the others go on."""
        _log.debug("lane %d has failed", lane, exc_info=error)
        self.failures[lane] = error
        self._active[lane] = False


def _seed(generator: np.random.Generator) -> int:
    return int(generator.integers(2**31))
