"""The suite `gymnasium`: any registered environment with a flat Box observation and a Box or Discrete action."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ppo.config import choices
from ppo.config.schema import Count
from ppo.data import Kind
from ppo.envs.base import Generators, Marker, Origin, Suite

if TYPE_CHECKING:
    from ppo.envs.gymnasium.lockstep import GymnasiumLockStep


@choices.suite("gymnasium")
@dataclass(frozen=True)
class Gymnasium(Suite):
    """A task by its Gymnasium id, `CartPole-v1`, or `MODULE:ID` where importing MODULE registers it."""

    shows: ClassVar[Kind | None] = "vectors"

    id: str
    time_limit: Count | None

    def resolved(self) -> Gymnasium:
        """The task with its version, its own time limit as null; its module only where Gymnasium does not know it."""
        from ppo.envs.gymnasium import registered

        env_id = registered.resolve(self.id)
        limit = None if self.time_limit == registered.registered_limit(env_id) else self.time_limit
        return replace(self, id=env_id, time_limit=limit)

    def check(self) -> None:
        """UserError if it cannot be made, or has spaces that the networks cannot take; makes one and closes it."""
        from ppo.envs.gymnasium import registered

        registered.check(self.id)

    def discrete(self) -> bool:
        """Makes one to look at its actions; UserError if it cannot be made."""
        from ppo.envs.gymnasium import registered

        return registered.is_discrete(self.id)

    def episode_limit(self) -> int | None:
        """The given limit, or its own."""
        from ppo.envs.gymnasium import registered

        return self.time_limit or registered.episode_limit(self.id)

    def origins(self) -> tuple[Origin, ...]:
        """Whose code it is, where it is not Gymnasium's."""
        from ppo.envs.gymnasium import packages, registered

        return packages.origins(registered.spec_of(self.id))

    def make(self, generators: Generators, marker: Marker) -> GymnasiumLockStep:
        """Its environments."""
        from ppo.envs.gymnasium.lockstep import GymnasiumLockStep

        return GymnasiumLockStep(self.id, generators, self.time_limit, marker)
