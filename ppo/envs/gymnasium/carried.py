"""What an environment carries from one episode to the next: its attributes, as far as they are plain values.

An episode that can be replayed to the bit does not show a counter or a running mean that later episodes depend on. The
attributes of a fresh environment that has replayed it do. They are read, never called or written.
"""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Any

import gymnasium
import numpy as np
from gymnasium.wrappers import RecordEpisodeStatistics

_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_HARMLESS = (RecordEpisodeStatistics,)  # writes into infos only, which nobody looks at
_SKIPPED = (gymnasium.Env, gymnasium.Space, type)
MOST, DEEPEST, LARGEST = 10_000, 4, 2**20  # values of one attribute; levels below it; bytes of an array


class _NotPlain(Exception):
    """A value that cannot be compared."""


def carried(env: gymnasium.Env[Any, Any]) -> dict[str, str]:
    """Attribute, `Class.name`, of an environment or one of its wrappers -> sixteen hex digits of its value."""
    found: dict[str, str] = {}
    while True:
        if not issubclass(type(env), _HARMLESS):
            for name, value in _attributes(env).items():
                digest = hashlib.blake2b(digest_size=8)
                try:
                    _update(digest, value, [MOST], DEEPEST)
                except Exception:  # such as a dict that another thread is writing to
                    continue
                found[f"{type(env).__name__}.{name}"] = digest.hexdigest()
        if not isinstance(env, gymnasium.Wrapper):
            return found
        env = env.env


def _attributes(value: Any) -> dict[str, Any]:
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        attributes = None
    return dict(attributes) if type(attributes) is dict else {}


def _update(digest: Any, value: Any, left: list[int], depth: int) -> None:
    """Take a value into a digest; raises _NotPlain if it has anything that is no plain value."""
    left[0] -= 1
    if left[0] < 0 or depth < 0 or issubclass(type(value), _SKIPPED):
        raise _NotPlain
    kind = type(value)
    digest.update(kind.__qualname__.encode())
    if kind in _PLAIN:
        digest.update(repr(value).encode())
    elif kind is np.ndarray or issubclass(kind, np.generic):
        if value.dtype.kind not in "biufcSU" or value.nbytes > LARGEST:
            raise _NotPlain
        digest.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
    elif kind is np.random.Generator:
        _update(digest, value.bit_generator.state, left, depth)
    elif kind in (list, tuple, deque):
        for item in value:
            _update(digest, item, left, depth - 1)
    elif kind is dict:
        for key, item in value.items():
            _update(digest, key, left, depth - 1)
            _update(digest, item, left, depth - 1)
    elif attributes := _attributes(value):
        _update(digest, attributes, left, depth - 1)
    else:
        raise _NotPlain
