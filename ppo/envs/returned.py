"""What an environment returned, checked where it is written into the arrays of a pack: nothing is broadcast or cast.

Whether numbers are finite is looked at for a whole rollout (`ppo.collect`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ppo.data import Space
from ppo.errors import text_of

_NUMBERS = (int, float, np.integer, np.floating, np.bool_)
_TRUTH = (bool, np.bool_)


def observation(value: Any, space: Space) -> np.ndarray:
    """An observation [*space.shape] of real numbers; bytes where the space is of bytes. TypeError for anything else."""
    obs = value if type(value) is np.ndarray else _array(value)
    kind = obs.dtype.kind
    if obs.shape != space.shape or kind not in "fiub" or (obs.dtype != space.dtype and space.dtype == np.uint8):
        wanted = f"an observation of shape {space.shape} and type {space.dtype}"
        raise TypeError(f"the environment returned {_found(value, obs)}, expected {wanted}")
    return obs


def reward(value: Any) -> float:
    """A reward; TypeError unless it is one real number."""
    if isinstance(value, _NUMBERS) or (type(value) is np.ndarray and value.shape == () and value.dtype.kind in "fiub"):
        return float(value)
    raise TypeError(f"the environment returned the reward {_shown(value)}, expected a number")


def ending(value: Any, name: str) -> bool:
    """`terminated` or `truncated`; TypeError unless it is true or false, or 0 or 1."""
    if isinstance(value, _TRUTH) or (isinstance(value, _NUMBERS) and value in (0, 1)):
        return bool(value)
    raise TypeError(f"the environment returned {name}={_shown(value)}, expected true or false")


def parts(value: Any, count: int, what: str) -> tuple[Any, ...]:
    """The tuple that a `reset` or `step` returned; TypeError unless it has so many parts."""
    if not isinstance(value, tuple) or len(value) != count:
        found = f"a tuple of {len(value)}" if isinstance(value, tuple) else _shown(value)
        raise TypeError(f"the environment's {what} returned {found}, expected a tuple of {count}")
    return value


def _array(value: Any) -> np.ndarray:
    if np.ma.is_masked(value):  # there is nothing behind a mask
        return np.asarray(None)
    try:
        return np.asarray(value)
    except ValueError:  # lists of different lengths
        return np.asarray(None)


def _found(value: Any, obs: np.ndarray) -> str:
    if obs.dtype.kind in "OUSV":
        return f"the observation {_shown(value)}"
    return f"an observation of shape {obs.shape} and type {obs.dtype}"


def _shown(value: Any) -> str:
    return f"{' '.join(text_of(value, 100, show=repr).split())} ({type(value).__name__})"
