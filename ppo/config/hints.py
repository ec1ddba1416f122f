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

# Words of Stable-Baselines3, CleanRL, RLlib, Tianshou, Spinning Up, rsl_rl and version 0.1 of this one -> ours;
# none, where nothing here does what it did.
ELSEWHERE: dict[str, tuple[str, ...]] = {
    "activation_fn": ("activation",),
    "adv_norm": ("normalize_adv",),
    "advantage_normalization": ("normalize_adv",),
    "anneal_lr": ("lr_schedule",),
    "batch_size": ("minibatch_size",),
    "clip_coef": ("epsilon",),
    "clip_eps": ("epsilon",),
    "clip_param": ("epsilon",),
    "clip_range": ("epsilon",),
    "clip_range_vf": ("value_clip",),
    "clip_ratio": ("epsilon",),
    "clip_vloss": ("value_clip",),
    "cuda": ("device",),
    "discount": ("gamma",),
    "discount_factor": ("gamma",),
    "dual_clip": (),
    "ent_coef": ("c2",),
    "entropy_coef": ("c2",),
    "entropy_coeff": ("c2",),
    "entropy_coeff_schedule": ("c2",),
    "env_config": ("id",),
    "env_id": ("id",),
    "env_name": ("id",),
    "epoch": ("total_steps",),
    "eps_clip": ("epsilon",),
    "exp_name": ("outputs",),
    "gae_lambda": ("lam",),
    "grad_clip": ("max_grad_norm",),
    "hidden_sizes": ("hidden",),
    "init_noise_std": ("log_std",),
    "interpolation": ("record",),
    "kl_coeff": ("beta",),
    "kl_target": ("d_targ", "kl_target"),
    "lambda": ("lam",),
    "lambda_": ("lam",),
    "learning_rate": ("lr",),
    "log_std_init": ("log_std",),
    "logdir": ("outputs",),
    "lr_decay": ("lr_schedule",),
    "max_episode_steps": ("time_limit",),
    "max_epoch": ("total_steps",),
    "n_envs": ("num_actors",),
    "n_epochs": ("epochs",),
    "n_steps": ("horizon",),
    "net_arch": ("hidden",),
    "norm_adv": ("normalize_adv",),
    "normalize_advantage": ("normalize_adv",),
    "num_env_runners": ("num_actors",),
    "num_envs": ("num_actors",),
    "num_envs_per_env_runner": ("num_actors",),
    "num_envs_per_worker": ("num_actors",),
    "num_epochs": ("epochs",),
    "num_gpus": ("device",),
    "num_iterations": ("total_steps",),
    "num_learning_epochs": ("epochs",),
    "num_minibatches": ("minibatch_size",),
    "num_sgd_iter": ("epochs",),
    "num_steps": ("horizon",),
    "num_timesteps": ("total_steps",),
    "num_workers": ("num_actors",),
    "observation_filter": ("normalize_obs",),
    "ortho_init": (),
    "policy_kwargs": ("hidden", "activation"),
    "random_seed": ("seed",),
    "recompute_adv": (),
    "render": (),
    "render_mode": (),
    "repeat_per_collect": ("epochs",),
    "rew_norm": ("normalize_reward",),
    "reward_threshold": (),
    "rms_prop_eps": ("rms_epsilon",),
    "rollout_fragment_length": ("horizon",),
    "rollout_length": ("horizon",),
    "save_path": ("outputs",),
    "sgd_minibatch_size": ("minibatch_size",),
    "step_per_collect": ("horizon",),
    "step_per_epoch": ("total_steps",),
    "steps_per_epoch": ("horizon",),
    "target_kl": ("d_targ", "max_kl", "kl_target"),
    "task": ("id",),
    "tensorboard_log": ("outputs",),
    "timesteps": ("total_steps",),
    "total_timesteps": ("total_steps",),
    "track": (),
    "train_batch_size": ("horizon",),
    "training_num": ("num_actors",),
    "update_epochs": ("epochs",),
    "use_gae": ("lam",),
    "use_sde": (),
    "vf_clip_param": ("value_clip",),
    "vf_coef": ("c1",),
    "vf_loss_coeff": ("c1",),
    "vf_share_layers": ("shared",),
    "wandb_project_name": (),
}
MOST = 4  # suggestions


def unknown_key(key: str, values: Mapping[str, Any]) -> UserError:
    """The error of a key that a composed config does not have, with what it may have meant."""
    known = list(flatten(values))
    same = _same(key, known)
    others = [] if same else _of_other_choices(key, values)
    if others:
        return UserError(f"unknown key {key}: expected a key of this run, or the choice that has {_which(others)}.")
    nothing = ELSEWHERE.get(_plain(key)) == ()
    if found := same or ([] if nothing else _near(key, known)):
        return UserError(f"unknown key {key}: expected a key of this run. Did you mean {_or(found)}?")
    parent = key.rpartition(".")[0]
    siblings = [k for k in known if k.startswith(f"{parent}.")] if parent else []
    listed = siblings or sorted({k.partition(".")[0] for k in known})
    return UserError(f"unknown key {key}: expected one of {', '.join(listed)}.")


def _words(key: str) -> tuple[str, ...]:
    """The last part of a key, and our words for it."""
    return tuple(dict.fromkeys((key.rpartition(".")[2], *ELSEWHERE.get(_plain(key), ()))))


def _plain(key: str) -> str:
    """The last part of a key, as other libraries' words are listed."""
    return key.rpartition(".")[2].lower().replace("-", "_")


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
