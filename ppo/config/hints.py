"""What somebody may have meant by a key that is not there: near leaves, other choices' keys, other libraries' words."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from ppo.config import choices
from ppo.config.flatten import flatten
from ppo.config.schema import hints
from ppo.errors import UserError

# Words of Stable-Baselines3, CleanRL, RLlib, Tianshou, Spinning Up, rsl_rl and version 0.1 of this one -> ours.
ELSEWHERE: dict[str, tuple[str, ...]] = {
    "activation_fn": ("activation",),
    "adv_norm": ("normalize_adv",),
    "batch_size": ("minibatch_size",),
    "clip_coef": ("epsilon",),
    "clip_eps": ("epsilon",),
    "clip_param": ("epsilon",),
    "clip_range": ("epsilon",),
    "clip_ratio": ("epsilon",),
    "clip_range_vf": ("value_clip",),
    "clip_vloss": ("value_clip",),
    "cuda": ("device",),
    "discount": ("gamma",),
    "discount_factor": ("gamma",),
    "ent_coef": ("c2",),
    "entropy_coef": ("c2",),
    "entropy_coeff": ("c2",),
    "env_id": ("id",),
    "env_name": ("id",),
    "eps_clip": ("epsilon",),
    "gae_lambda": ("lam",),
    "hidden_sizes": ("hidden",),
    "init_noise_std": ("log_std",),
    "interpolation": ("record",),
    "kl_coeff": ("beta",),
    "kl_target": ("d_targ", "kl_target"),
    "lambda": ("lam",),
    "lambda_": ("lam",),
    "learning_rate": ("lr",),
    "log_std_init": ("log_std",),
    "max_episode_steps": ("time_limit",),
    "n_envs": ("num_actors",),
    "n_epochs": ("epochs",),
    "n_steps": ("horizon",),
    "net_arch": ("hidden",),
    "norm_adv": ("normalize_adv",),
    "normalize_advantage": ("normalize_adv",),
    "num_envs": ("num_actors",),
    "num_epochs": ("epochs",),
    "num_learning_epochs": ("epochs",),
    "num_minibatches": ("minibatch_size",),
    "num_sgd_iter": ("epochs",),
    "num_steps": ("horizon",),
    "num_timesteps": ("total_steps",),
    "num_workers": ("num_actors",),
    "random_seed": ("seed",),
    "repeat_per_collect": ("epochs",),
    "rew_norm": ("normalize_reward",),
    "rollout_length": ("horizon",),
    "sgd_minibatch_size": ("minibatch_size",),
    "steps_per_epoch": ("horizon",),
    "target_kl": ("d_targ", "max_kl", "kl_target"),
    "task": ("id",),
    "timesteps": ("total_steps",),
    "total_timesteps": ("total_steps",),
    "train_batch_size": ("horizon",),
    "update_epochs": ("epochs",),
    "vf_clip_param": ("value_clip",),
    "vf_coef": ("c1",),
    "vf_loss_coeff": ("c1",),
}
MOST = 4  # suggestions


def unknown_key(key: str, values: Mapping[str, Any]) -> UserError:
    """The error of a key that a composed config does not have, with what it may have meant."""
    known = list(flatten(values))
    same = _same(key, known)
    others = [] if same else _of_other_choices(key, values)
    if others:
        return UserError(f"unknown key {key}: expected a key of this run, or the choice that has {_which(others)}.")
    if found := same or _near(key, known):
        return UserError(f"unknown key {key}: expected a key of this run. Did you mean {_or(found)}?")
    parent = key.rpartition(".")[0]
    siblings = [k for k in known if k.startswith(f"{parent}.")] if parent else []
    listed = siblings or sorted({k.partition(".")[0] for k in known})
    return UserError(f"unknown key {key}: expected one of {', '.join(listed)}.")


def _words(key: str) -> tuple[str, ...]:
    """The last part of a key, and our words for it."""
    leaf = key.rpartition(".")[2]
    return tuple(dict.fromkeys((leaf, *ELSEWHERE.get(leaf.lower().replace("-", "_"), ()))))


def _same(key: str, known: Iterable[str]) -> list[str]:
    """The known dotted keys with the same last part, wherever they are, or one of our words for it."""
    words = _words(key)
    return [k for word in words for k in known if k.rpartition(".")[2] == word][:MOST]


def _near(key: str, known: Iterable[str]) -> list[str]:
    """The known dotted keys whose last part is spelled nearly like that of `key`."""
    by_leaf: dict[str, list[str]] = defaultdict(list)
    for dotted in known:
        by_leaf[dotted.rpartition(".")[2]].append(dotted)
    close = difflib.get_close_matches(key.rpartition(".")[2], by_leaf, n=3, cutoff=0.6)
    return [dotted for leaf in close for dotted in by_leaf[leaf]][:MOST]


@lru_cache
def _keys_of_choices() -> tuple[tuple[str, str, str], ...]:
    """Group, choice and key of everything registered."""
    return tuple(
        (group, name, f"{group}.{key}")
        for group, registry in choices.GROUPS.items()
        if group != "env"
        for name in registry.names()
        for key in hints(registry.find(name, group))
    )


def _of_other_choices(key: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Choices that this run has not taken, as `group=name`, and their key of this name."""
    words = _words(key)
    group = key.partition(".")[0] if "." in key else ""
    found = [(g, f"{g}={name}", k) for g, name, k in _keys_of_choices() if k.rpartition(".")[2] in words]
    if any(g == group for g, _, k in found if k.rpartition(".")[2] == words[0]):
        found = [(g, choice, k) for g, choice, k in found if g == group]  # its own group has such a key
    taken = {f"{g}={values[g]['name']}" for g in values if isinstance(values[g], Mapping) and "name" in values[g]}
    return [(choice, k) for _, choice, k in found if choice not in taken]


def _which(others: list[tuple[str, str]]) -> str:
    by_key: dict[str, list[str]] = defaultdict(list)
    for choice, key in others:
        by_key[key].append(choice)
    return "; ".join(f"{key}: {_or(found[:MOST])}" for key, found in by_key.items())


def _or(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
