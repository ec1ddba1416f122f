"""The process's global generators (`random`, `numpy.random`, `torch`), one set of states for each environment."""

from __future__ import annotations

import random
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.utils import EzPickle
from gymnasium.wrappers import OrderEnforcing, TimeLimit
from numpy.random.mtrand import get_bit_generator, set_bit_generator

_PROBE = 64  # bits of a draw that shows whether `random` was used: to read its whole state costs as much as a step

_OWN, _BASES = "gymnasium.envs.", (*gymnasium.Env.__mro__, EzPickle)


class GlobalGenerators:
    """States of the global generators: put in place before somebody's code runs, taken back after it.

    NumPy's generator is swapped itself, and torch's state is small. Python's costs 7 us to read, which is left out
    where the next number is the one that it would have drawn anyway: one use in 2**64 goes unseen.
    """

    def __init__(self) -> None:
        """With the states as they are now."""
        self._own = np.random.MT19937(0)  # where `seed` starts from, whatever an environment has put in its place
        self._python, self._next = random.getstate(), -1  # no draw is -1
        self.take()

    def put(self) -> None:
        """Make these states the process's."""
        set_bit_generator(self._numpy)
        random.setstate(self._python)
        torch.default_generator.set_state(self._torch)

    def take(self) -> None:
        """Keep the process's states as these."""
        self._numpy = get_bit_generator()
        self._torch = torch.default_generator.get_state()
        # gauss() keeps a number back (state[2]), and hands it out without drawing.
        if random.getrandbits(_PROBE) != self._next or self._python[2] is not None:
            self._python = random.getstate()
            self._next = random.getrandbits(_PROBE)

    def seed(self, seed: int) -> None:
        """Seed all three; they are in place afterwards."""
        set_bit_generator(self._own)
        np.random.seed(seed)
        random.seed(seed)
        torch.default_generator.manual_seed(seed)


def never_drawn_from(env: gymnasium.Env[Any, Any]) -> bool:
    """Whether an environment is known to leave the global generators alone: Gymnasium's own do, a test says."""
    while isinstance(env, (OrderEnforcing, TimeLimit)):
        env = env.env
    return all(kind.__module__.startswith(_OWN) for kind in type(env).__mro__ if kind not in _BASES)
