"""What the trainer asks of a suite of environments: many copies of one task, stepped in lock-step (DESIGN: ppo).

Arrays run over lanes L (the runs of a pack) and actors N (the paper's parallel actors of one run).
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Spec(NamedTuple):
    """Sizes of a task's observation and action; the same for every lane and actor."""

    obs_size: int
    action_size: int  # dimensions of a Box, choices of a Discrete
    discrete: bool
    low: Floats  # [action dimensions] bounds that uniformly random actions are drawn from
    high: Floats

    @property
    def action_columns(self) -> int:
        """Numbers that say an action: one each dimension, or the choice."""
        return 1 if self.discrete else self.action_size


class Step(NamedTuple):
    """What one lock-step of all environments returns. Episodes that ended have already been reset."""

    obs: Floats  # [L, N, obs] what the policy sees next: the first observation of the new episode where one ended
    reward: Floats  # [L, N] raw
    terminated: Bools  # [L, N] the task ended the episode
    truncated: Bools  # [L, N] the time limit ended it
    final_obs: Floats  # [L, N, obs] the observation before any reset


class LockStep(Protocol):
    """L x N copies of one task. An actor that is not active is never stepped; its row keeps its last values."""

    spec: Spec
    failures: dict[int, Exception]  # lane -> why its simulator cannot go on; such a lane is no longer stepped
    restores_exactly: bool  # whether `set_state` continues mid-episode with the same bits
    marker: NDArray[np.uint32]  # [0] is set to 1 + the lane being stepped, and back to 0 (`ppo.runs.marker`)

    def reset(self) -> Floats:
        """Start an episode everywhere; returns obs [L, N, obs]."""
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

    def set_state(self, lane: int, state: dict[str, Any]) -> Floats | None:
        """Put one lane back to where `get_state` was called.

        A suite that cannot do so exactly starts new episodes there and returns their obs [N, obs].
        """
        ...
