"""What Gymnasium's registry knows of a task: its full id, whether it can be trained on, the sizes of its spaces."""

from __future__ import annotations

import importlib
import re
from contextlib import suppress
from functools import lru_cache
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec, parse_env_id
from gymnasium.spaces import Box, Discrete, Space

from ppo import data
from ppo.envs.base import Actions, Spec
from ppo.envs.gymnasium import packages
from ppo.envs.untouched import untouched
from ppo.envs.watchdog import TooLong, limited
from ppo.errors import UserError, did_you_mean, invalid, one_line

MOST_SECONDS = 600.0  # for a module to be imported, and for an environment to be made and looked at


def resolve(env_id: str) -> str:
    """The id with its version, after importing the module before its colon; UserError if nothing is registered so.

    The module is kept where the environment is not one of Gymnasium's own, so that any process can import it again.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        _import(env_id, module)
    spec = gymnasium.registry.get(_versioned(env_id, name))
    if spec is None:
        expected = "an id that gymnasium.pprint_registry() lists, or MODULE:ID where importing MODULE registers it"
        raise invalid("env.id", env_id, expected, _hint(name))
    own = str(spec.entry_point).startswith("gymnasium.")
    return f"{module}:{spec.id}" if module and not own else spec.id


def _import(env_id: str, module: str) -> None:
    try:
        with untouched(variables=False), limited(MOST_SECONDS):
            importlib.import_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the module's own code runs here
        reason = f"a module that can be imported before the colon ({one_line(error)})"
        raise invalid("env.id", env_id, reason) from error


def _versioned(env_id: str, name: str) -> str:
    """`name` itself if it is registered or has a version, else its highest version."""
    if name in gymnasium.registry:
        return name
    try:
        namespace, bare, version = parse_env_id(name)
    except gymnasium.error.Error:
        raise invalid("env.id", env_id, "an id such as CartPole-v1", _hint(name)) from None
    return name if version is not None else _latest().get((namespace, bare), (0, name))[1]


def _latest() -> dict[tuple[str | None, str], tuple[int, str]]:
    """Namespace and name -> highest version and the id that has it."""
    latest: dict[tuple[str | None, str], tuple[int, str]] = {}
    for env_id in gymnasium.registry:
        namespace, name, version = parse_env_id(env_id)
        key = (namespace, name)
        latest[key] = max(latest.get(key, (-1, "")), (version or 0, env_id))
    return latest


def _hint(name: str) -> str:
    """` Did you mean X?`: an installed package's environment under this very name, else the nearest ids."""
    module = packages.registering(name)
    return f" Did you mean {module}:{name}?" if module else did_you_mean(name, _latest_ids())


def _latest_ids() -> list[str]:
    """The registered ids, each environment in its highest version only."""
    return [env_id for _, env_id in _latest().values()]


def check(env_id: str) -> None:
    """UserError if the environment cannot be made, or has spaces that the networks cannot take."""
    _look(env_id)


@lru_cache
def is_discrete(env_id: str) -> bool:
    """Whether an environment's action is one of several choices; makes one and closes it."""
    return _look(env_id)[0].action.discrete


def spec_of(env_id: str) -> EnvSpec:
    """What is registered under an id."""
    return gymnasium.registry[resolve(env_id).rpartition(":")[2]]


def registered_limit(env_id: str) -> int | None:
    """The number of steps after which an episode is cut, as registered."""
    return spec_of(env_id).max_episode_steps


@lru_cache
def episode_limit(env_id: str) -> int | None:
    """As registered, or as the environment's own wrappers have it; makes one and closes it if it must."""
    return registered_limit(env_id) or _look(env_id)[1]


def make(env_id: str, time_limit: int | None = None) -> gymnasium.Env[Any, Any]:
    """One environment; UserError with its own reason if it cannot be made."""
    try:
        return gymnasium.make(env_id, max_episode_steps=time_limit, disable_env_checker=True)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # not only Gymnasium's: the environment's own code runs here, and may even exit
        raise UserError(f"env.id={env_id} cannot be made: {one_line(error).rstrip('.')}.") from error


def _look(env_id: str) -> tuple[Spec, int | None]:
    """An environment's spaces and the limit that it has itself; makes one and closes it."""
    with untouched(), limited(MOST_SECONDS):
        env = make(env_id)
        try:
            limit = getattr(env.spec, "max_episode_steps", None)
            return to_spec(env_id, env.observation_space, env.action_space), limit if isinstance(limit, int) else None
        except (KeyboardInterrupt, UserError):
            raise
        except BaseException as error:
            raise UserError(f"env.id={env_id} cannot be looked at: {one_line(error).rstrip('.')}.") from error
        finally:
            with suppress(Exception, SystemExit, TooLong):  # how it closes is no matter
                env.close()


def to_spec(env_id: str, observations: Space[Any], actions: Space[Any]) -> Spec:
    """The two spaces; UserError if the networks cannot take them."""
    if not isinstance(observations, Box) or len(observations.shape) != 1:
        found = f"an environment whose observations are a Box of one dimension, not {_in_a_line(observations)}"
        raise invalid("env.id", env_id, found)
    if not all(observations.shape):
        raise invalid("env.id", env_id, "an environment that shows at least one number")
    obs = data.Space(observations.shape, np.dtype(np.float64))
    if isinstance(actions, Discrete):
        size = int(actions.n)
        return Spec(obs, Actions(size, True, np.zeros(1), np.full(1, size - 1.0)))
    if not isinstance(actions, Box) or not np.issubdtype(actions.dtype, np.floating):
        found = f"an environment whose actions are Discrete or a Box of real numbers, not {_in_a_line(actions)}"
        raise invalid("env.id", env_id, found)
    low, high = (bound.astype(np.float64).ravel() for bound in (actions.low, actions.high))
    return Spec(obs, Actions(low.size, False, low, high))


def _in_a_line(space: Space[Any]) -> str:
    """A space as part of a sentence."""
    line = re.sub(r"\s+", " ", str(space))
    return line if len(line) <= 80 else f"{line[:77]}..."
