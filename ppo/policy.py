"""A trained policy: written at the end of every run as `policy.safetensors`, loaded again to act.

The file opens without this package: its tensors are the parameters by their names (weights of dense layers are
[inputs, outputs]) and the observation filter; its metadata has one key, `policy`, with everything else as JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ppo.config.run import Config, to_config, to_mapping
from ppo.data import Obs, Space
from ppo.envs.base import Actions, Spec
from ppo.errors import UserError, one_line
from ppo.learning.filters import OBS_CLIP
from ppo.networks.acting import UniformActor
from ppo.networks.flat import FlatNetwork, Head
from ppo.runs.files import write_atomically

NAME = "policy.safetensors"
FORMAT, DIGEST = 2, "sha256"
UNSIGNED = 1  # the format without a digest
FILTER = ("obs_filter.mean", "obs_filter.inverse_deviation")


@dataclass(frozen=True)
class Policy:
    """What a run has learned, and what it is to be used with."""

    config: Config
    spec: Spec  # of observations and actions
    theta: Tensor  # [n] parameters of policy and value function, float32
    scaling: tuple[np.ndarray, np.ndarray] | None  # mean and inverse deviation of observations [obs]; None: unscaled
    facts: Mapping[str, Any]  # the run's hash, its versions and whatever else its writer knew

    def act(self, obs: Obs, *, generator: np.random.Generator | None = None) -> np.ndarray:
        """Actions for raw observations [*obs] or [B, *obs], of shape [action] or [B, action]; a discrete one is an int.

        The likeliest action, or, with a generator, one drawn from the policy as in training. Box actions are unclipped,
        as in training; discrete ones count from 0. ValueError for observations of another shape.
        """
        shape = self.spec.obs.shape
        array = np.asarray(obs)
        if array.shape[array.ndim - len(shape) :] != shape or array.ndim not in (len(shape), len(shape) + 1):
            raise ValueError(f"observations have shape {array.shape}: expected {shape}, or a batch of these")
        batch = array.reshape(-1, *shape).astype(self.spec.obs.dtype)
        action = self._act(batch, generator)
        of_one = () if self.spec.action.discrete else (self.spec.action.columns,)
        kind = np.int64 if self.spec.action.discrete else np.float32
        return action.astype(kind).reshape((*array.shape[: array.ndim - len(shape)], *of_one))

    @cached_property
    def _network(self) -> FlatNetwork:
        return _network(self.config, self.spec)

    def _act(self, obs: Obs, generator: np.random.Generator | None) -> np.ndarray:
        """Actions [B, columns] for observations [B, *obs]."""
        acting = self.config.algorithm.acting
        if acting == "uniform":
            actor = UniformActor(self.spec.action)
            return actor.noise(actor.draw(generator or np.random.default_rng(), (len(obs),)))
        network = self._network
        with torch.no_grad():
            dist = network.policy(self.theta, torch.from_numpy(self.see(obs))).numpy()
        head, log_std = dist[:, : self.spec.action.size], dist[:, self.spec.action.size :]
        if generator is None or acting == "mode":
            return network.distribution.mode(head)
        draws = network.distribution.draw(generator, (len(obs),))
        return network.distribution.sample(head, network.distribution.noise(draws, log_std))

    def see(self, obs: Obs) -> np.ndarray:
        """Raw observations [B, *obs] as the network takes them: float32, or bytes as they are."""
        if self.scaling is None:
            return obs if obs.dtype == np.uint8 else obs.astype(np.float32)
        mean, inverse_deviation = self.scaling
        return np.clip((obs - mean) * inverse_deviation, -OBS_CLIP, OBS_CLIP).astype(np.float32)

    def value(self, obs: Obs) -> np.ndarray:
        """The value function [B] of raw observations [B, *obs], as its algorithm left it."""
        with torch.no_grad():
            seen = torch.from_numpy(self.see(np.asarray(obs).astype(self.spec.obs.dtype)))
            return self._network.value(self.theta, seen).numpy()

    # -- files -----------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write it atomically; the same policy gives the same bytes."""
        named = self._network.unflatten(self.theta.detach().cpu())
        tensors = {name: tensor.contiguous().clone() for name, tensor in named.items()}
        if self.scaling is not None:
            tensors |= {name: torch.from_numpy(part.copy()) for name, part in zip(FILTER, self.scaling, strict=True)}
        obs, action = self.spec
        bounds = {"low": _listed(action.low), "high": _listed(action.high)}
        about = dict(self.facts) | {
            "format": FORMAT,
            "config": to_mapping(self.config),
            "obs": {"shape": list(obs.shape), "dtype": obs.dtype.name, "clip": OBS_CLIP if self.scaling else None},
            "action": {"size": action.size, "discrete": action.discrete} | bounds,
        }
        about |= {DIGEST: _digest(about, tensors)}
        metadata = {"policy": json.dumps(about, sort_keys=True)}  # one key: their order would differ between processes
        write_atomically(path, safetensors.torch.save(tensors, metadata))


def load(run: Path | str) -> Policy:
    """The policy of a finished run: its folder, or the file itself. UserError where there is none that can be read."""
    path = Path(run).expanduser()
    path = path / NAME if path.is_dir() else path
    if not path.is_file():
        raise UserError(f"{path} is missing: expected the folder of a finished run, or its {NAME}.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["policy"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _policy_of(about, tensors)
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise UserError(f"{path} cannot be read as a policy ({one_line(error)}).") from None


def _policy_of(about: dict[str, Any], tensors: dict[str, Tensor]) -> Policy:
    """The policy of a file's content; ValueError if it is of another format or incomplete."""
    if about["format"] not in (UNSIGNED, FORMAT):
        raise ValueError(f"it has another format; expected {FORMAT}")
    if about["format"] == FORMAT and about.pop(DIGEST) != _digest(about, tensors):
        raise ValueError("it is damaged")
    about.pop("format")
    config = to_config(about.pop("config"))
    obs, action = about.pop("obs"), about.pop("action")
    low, high = ([end if x is None else x for x in action[k]] for k, end in (("low", -np.inf), ("high", np.inf)))
    actions = Actions(int(action["size"]), bool(action["discrete"]), np.array(low, float), np.array(high, float))
    spec = Spec(Space(tuple(obs["shape"]), np.dtype(obs["dtype"])), actions)
    scaling = [tensors.pop(name).numpy() for name in FILTER if name in tensors]
    network = _network(config, spec)
    if {name: tensor.shape for name, tensor in tensors.items()} != network.shapes:
        raise ValueError("its tensors are not those of its network")
    theta = torch.cat([tensors[name].flatten() for name in network.shapes])
    return Policy(config, spec, theta, (scaling[0], scaling[1]) if scaling else None, about)


def _digest(about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """The sha256 of all that a file says but this."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _network(config: Config, spec: Spec) -> FlatNetwork:
    return FlatNetwork(spec, config.network, Head(config.algorithm.policy_scale, config.algorithm.log_std))


def _listed(bounds: np.ndarray) -> list[float | None]:
    """Bounds as strict JSON, in which there is no infinity: null."""
    return [float(bound) if np.isfinite(bound) else None for bound in bounds]
