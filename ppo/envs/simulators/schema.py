"""The suite `mujoco`: the paper's tasks on the raw simulator, with Gymnasium v5 semantics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ppo.config import choices
from ppo.config.schema import Count
from ppo.data import Kind
from ppo.envs.base import Generators, Marker, Suite

if TYPE_CHECKING:
    from ppo.envs.simulators.lockstep import MujocoLockStep


@choices.suite("mujoco")
@dataclass(frozen=True)
class Mujoco(Suite):
    """A MuJoCo task, by Gymnasium's id."""

    shows: ClassVar[Kind | None] = "vectors"

    id: str
    time_limit: Count | None

    def resolved(self) -> Mujoco:
        """Itself, its own time limit as null: ids of tasks hold their version."""
        from ppo.envs.simulators import tasks

        return replace(self, time_limit=None) if self.time_limit == tasks.find(self.id).time_limit else self

    def check(self) -> None:
        """UserError if there is no such task."""
        from ppo.envs.simulators import tasks

        tasks.find(self.id)

    def discrete(self) -> bool:
        """None of the simulators' tasks has a choice of actions."""
        return False

    def episode_limit(self) -> int:
        """The given limit, or the task's own."""
        from ppo.envs.simulators import tasks

        return self.time_limit or tasks.find(self.id).time_limit

    def make(self, generators: Generators, marker: Marker) -> MujocoLockStep:
        """The simulators of the task."""
        from ppo.envs.simulators.lockstep import MujocoLockStep

        return MujocoLockStep(self.id, generators, self.time_limit, marker)
