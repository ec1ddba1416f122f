"""What the trainer asks of a suite of environments: many copies of one task, stepped in lock-step.

Arrays run over lanes L (the runs of a pack) and actors N (the paper's parallel actors of one run).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ppo.data import Bools, Floats, Kind, Obs, Space

if TYPE_CHECKING:
    from ppo.config.run import Config

Generators = list[list[np.random.Generator]]  # one per lane and actor, [L][N]; PCG64
Marker = NDArray[np.uint32]  # [0] is set to 1 + the lane being stepped, and back to 0 (`ppo.runs.marker`)


class Actions(NamedTuple):
    """What an action is: real numbers in a box, or one of several choices."""

    size: int  # dimensions of a box, choices of a discrete one
    discrete: bool
    low: Floats  # [action dimensions] bounds that uniformly random actions are drawn from
    high: Floats

    @property
    def columns(self) -> int:
        """Numbers that say an action: one each dimension, or the choice."""
        return 1 if self.discrete else self.size


class Spec(NamedTuple):
    """A task's observations and actions; the same for every lane and actor."""

    obs: Space
    action: Actions


class Game(NamedTuple):
    """A finished game: what a score counts, where an episode of learning is only a part of it, such as one life."""

    lane: int
    actor: int
    ret: float  # undiscounted raw return of the whole game
    length: int  # steps


class Step(NamedTuple):
    """What one lock-step of all environments returns. Episodes that ended have already been reset."""

    obs: Obs  # [L, N, *obs] what the policy sees next: the first observation of the new episode where one ended
    reward: Floats  # [L, N] raw
    terminated: Bools  # [L, N] the task ended the episode
    truncated: Bools  # [L, N] the time limit ended it
    final_obs: Obs  # [L, N, *obs] the observation before any reset
    ended: Sequence[Game] | None = None  # games that this step finished; None: every episode that ended is one

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All that has a row for each lane and actor, by name."""
        return {name: rows for name, rows in self._asdict().items() if name != "ended"}

    def copy(self) -> Step:
        """The same step in arrays of its own."""
        return Step._make([*(rows.copy() for rows in self.arrays.values()), self.ended])


class LockStep(Protocol):
    """L x N copies of one task. An actor that is not active is never stepped; its row keeps its last values.

    A suite that runs other people's code has the guard through which it does as `foreign` (`ppo.envs.foreign`).
    """

    spec: Spec
    failures: dict[int, Exception]  # lane -> why its simulator cannot go on; such a lane is no longer stepped
    inexact: dict[int, str]  # lane -> why `set_state` did not restore it to the bit; empty where it did

    def reset(self) -> Obs:
        """Start an episode everywhere; returns obs [L, N, *obs]."""
        ...

    def step(self, action: Floats) -> Step:
        """Advance every active actor by one action [L, N, action], sent unclipped ([L, N, 1] choices if discrete)."""
        ...

    def set_active(self, actors: Bools) -> None:
        """Step only these actors [L, N] from now on. A lane that has failed stays out."""
        ...

    def get_state(self, lane: int) -> dict[str, Any]:
        """Everything of one lane that the next steps depend on: physics, clocks, generators."""
        ...

    def set_state(self, lane: int, state: dict[str, Any]) -> Obs | None:
        """Put one lane back to where `get_state` was called.

        A suite that cannot do so exactly says why in `inexact`. It starts new episodes there, and returns their obs
        [N, *obs].
        """
        ...

    def close(self, lane: int) -> None:
        """Let go of what a lane holds, such as files and windows; it is never stepped again."""
        ...


class Origin(NamedTuple):
    """Other people's code that a task's numbers depend on."""

    module: str
    place: Path | None  # its source, a file or a folder; None: not known
    package: str | None  # that it was installed with
    version: str | None  # of the package


class Suite(Protocol):
    """The schema of `conf/env/*.yaml` with this `suite`: a frozen dataclass, registered by `@choices.suite(name)`."""

    name: ClassVar[str]
    shows: ClassVar[Kind | None] = None  # kind of its observations; None: known only once it is made
    id: str  # of the task
    time_limit: int | None  # steps after which an episode is cut; None: the task's own

    @property
    def suite(self) -> str:
        """The suite's name."""
        return self.name

    def resolved(self) -> Suite:
        """The same task under its full id, version included: what a run's identity rests on. UserError if unknown."""
        ...

    def check(self) -> None:
        """UserError if the task cannot be trained on; builds no pack."""
        ...

    def without_effect(self, run: Config, /) -> Mapping[str, str]:
        """Dotted keys that change nothing in this run, and why: choosing one of them explicitly is an error."""
        del run
        return {}

    def origins(self) -> tuple[Origin, ...]:
        """Whose code the task is, where it does not come with the suite: a part of what made a number."""
        return ()

    def discrete(self) -> bool:
        """Whether an action is one of several choices, and so a policy is not Gaussian."""
        ...

    def episode_limit(self) -> int | None:
        """The most steps of an episode; None: no bound is known."""
        ...

    def make(self, generators: Generators, marker: Marker) -> LockStep:
        """The task's environments; the generators are the suite's own from now on."""
        ...
