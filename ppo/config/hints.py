"""What somebody may have meant by a key that is not there: near leaves, nested keys, other libraries' words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from ppo.config.flatten import flatten
from ppo.errors import UserError

# Other libraries' words (Stable-Baselines3, CleanRL, RLlib, Tianshou, Spinning Up) -> ours.
ELSEWHERE = {
    "batch_size": "minibatch_size",
    "clip_coef": "epsilon",
    "clip_eps": "epsilon",
    "clip_param": "epsilon",
    "clip_range": "epsilon",
    "clip_ratio": "epsilon",
    "clip_range_vf": "value_clip",
    "discount": "gamma",
    "ent_coef": "c2",
    "entropy_coef": "c2",
    "entropy_coeff": "c2",
    "env_id": "id",
    "gae_lambda": "lam",
    "hidden_sizes": "hidden",
    "kl_coeff": "beta",
    "lambda": "lam",
    "learning_rate": "lr",
    "n_envs": "num_actors",
    "n_epochs": "epochs",
    "n_steps": "horizon",
    "net_arch": "hidden",
    "num_envs": "num_actors",
    "num_epochs": "epochs",
    "num_minibatches": "minibatch_size",
    "num_sgd_iter": "epochs",
    "num_steps": "horizon",
    "random_seed": "seed",
    "rollout_length": "horizon",
    "sgd_minibatch_size": "minibatch_size",
    "target_kl": "d_targ",
    "timesteps": "total_steps",
    "total_timesteps": "total_steps",
    "update_epochs": "epochs",
    "vf_coef": "c1",
    "vf_loss_coeff": "c1",
}


def unknown_key(key: str, values: Mapping[str, Any]) -> UserError:
    """The error of a key that a composed config has not, with what it may have meant."""
    known = list(flatten(values))
    found = meant(key, known)
    if found:
        return UserError(f"unknown key {key}: expected a key of this run. Did you mean {' or '.join(found)}?")
    parent = key.rpartition(".")[0]
    siblings = [k for k in known if k.startswith(f"{parent}.")] if parent else []
    listed = siblings or sorted({k.partition(".")[0] for k in known})
    return UserError(f"unknown key {key}: expected one of {', '.join(listed)}.")


def meant(key: str, known: list[str]) -> list[str]:
    """The known dotted keys that are nearest to `key`: by its leaf first, wherever that stands."""
    leaf = key.rpartition(".")[2]
    word = ELSEWHERE.get(leaf, leaf)
    same = [k for k in known if k.rpartition(".")[2] == word]
    if same:
        return same[:3]
    leaves: dict[str, list[str]] = {}
    for dotted in known:
        leaves.setdefault(dotted.rpartition(".")[2], []).append(dotted)
    close = difflib.get_close_matches(leaf, leaves, n=3, cutoff=0.6)
    return [dotted for name in close for dotted in leaves[name]][:3]
