"""The suite `atari`: games of the Arcade Learning Environment, as the paper's authors wrapped them (section 6.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from ppo.config import choices
from ppo.config.schema import Count, Rule, integer
from ppo.data import Kind
from ppo.envs.atari import games
from ppo.envs.base import Generators, Marker, Origin, Suite

if TYPE_CHECKING:
    from ppo.envs.atari.lockstep import AtariLockStep

TIME_LIMIT = 100_000  # steps, each of 4 frames

Noops = Annotated[int, integer(0, 1000)]
Chance = Annotated[float, Rule("a number of at least 0 and below 1", lambda v: 0 <= v < 1)]


@choices.suite("atari")
@dataclass(frozen=True)
class Atari(Suite):
    """A game, by the name of its ROM."""

    shows: ClassVar[Kind | None] = "frames"

    id: str
    time_limit: Count | None
    full_actions: bool
    sticky: Chance
    noops: Noops
    end_on_life_loss: bool
    stack_at_reset: Literal["refill", "zero"]

    def resolved(self) -> Atari:
        """Itself, the usual time limit as null: a game has one name. `check` looks it up, as that needs ale-py."""
        return replace(self, time_limit=None) if self.time_limit == TIME_LIMIT else self

    def check(self) -> None:
        """UserError without ale-py, or if it ships no such game."""
        games.check(self.id)

    def origins(self) -> tuple[Origin, ...]:
        """The emulator and the games."""
        installed = next((found.version for found in distributions(name="ale-py")), None)
        return (Origin("ale_py", None, "ale-py", installed),)

    def discrete(self) -> bool:
        """A joystick has a few positions."""
        return True

    def episode_limit(self) -> int:
        """Of a game, and so of a life."""
        return self.time_limit or TIME_LIMIT

    def make(self, generators: Generators, marker: Marker) -> AtariLockStep:
        """The emulators of the game."""
        from ppo.envs.atari.lockstep import AtariLockStep

        return AtariLockStep(self, generators, marker)
