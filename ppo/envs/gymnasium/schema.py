"""The suite `gymnasium`: any registered environment with a flat Box observation and a Box or Discrete action."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ppo.config import choices
from ppo.config.schema import Count
from ppo.envs.base import Generators, Marker, Suite

if TYPE_CHECKING:
    from ppo.envs.gymnasium.lockstep import GymnasiumLockStep


@choices.suite("gymnasium")
@dataclass(frozen=True)
class Gymnasium(Suite):
    """A task by its Gymnasium id, `CartPole-v1`, or `MODULE:ID` where importing MODULE registers it."""

    id: str
    time_limit: Count | None

    def resolved(self) -> Gymnasium:
        """The task with its version, and with its module only where Gymnasium does not know it by itself."""
        from ppo.envs.gymnasium import registered

        return replace(self, id=registered.resolve(self.id))

    def check(self) -> None:
        """UserError if it cannot be made, or has spaces that the networks cannot take; makes one and closes it."""
        from ppo.envs.gymnasium import registered

        registered.check(self.id)

    def episode_limit(self) -> int | None:
        """The given limit, or the one that it was registered with."""
        from ppo.envs.gymnasium import registered

        return self.time_limit or registered.episode_limit(self.id)

    def make(self, generators: Generators, marker: Marker) -> GymnasiumLockStep:
        """Its environments."""
        from ppo.envs.gymnasium.lockstep import GymnasiumLockStep

        return GymnasiumLockStep(self.id, generators, self.time_limit, marker)
