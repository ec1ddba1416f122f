"""A key that is not there: near leaves, nested keys for bare names, other libraries' words, keys of other choices."""

from __future__ import annotations

import pytest

from ppo.config import choices
from ppo.config.compose import compose
from ppo.config.hints import ELSEWHERE
from ppo.config.run import KEYS
from ppo.config.schema import hints
from ppo.errors import UserError


def complaint(*overrides: str) -> str:
    with pytest.raises(UserError) as error:
        compose(overrides)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("lr=1", "algorithm.lr"),  # a bare name
        ("gamma=1", "algorithm.gamma"),
        ("epsilon=1", "surrogate.epsilon"),
        ("hidden=[8]", "network.hidden"),
        ("id=x", "env.id"),
        ("algorithm.clip_range=0.1", "surrogate.epsilon"),  # another library's word
        ("clip_coef=0.1", "surrogate.epsilon"),
        ("num_envs=8", "algorithm.num_actors"),
        ("algorithm.learning_rate=1", "algorithm.lr"),
        ("gae_lambda=1", "algorithm.lam"),
        ("ent_coef=1", "algorithm.c2"),
        ("vf_coef=1", "algorithm.c1"),
        ("n_steps=1", "algorithm.horizon"),
        ("total_timesteps=1", "total_steps"),
        ("batch_size=1", "algorithm.minibatch_size"),
        ("net_arch=[1]", "network.hidden"),
        ("algorithm.network.hidden=[8]", "network.hidden"),  # version 0.1
        ("algorithm.network.log_std=1", "algorithm.log_std"),
        ("interpolation=true", "algorithm.record"),
        ("anneal_lr=true", "algorithm.lr_schedule"),
        ("num_envs_per_worker=8", "algorithm.num_actors"),
        ("rollout_fragment_length=8", "algorithm.horizon"),
        ("algorithm.grad_clip=0.5", "algorithm.max_grad_norm"),
        ("step_per_collect=8", "algorithm.horizon"),
        ("vf_share_layers=true", "network.shared"),
        ("max_epoch=8", "total_steps"),
        ("algorithm.hiddn=[8]", "network.hidden"),  # nearly spelled, elsewhere
        ("algorithm.minibatchsize=8", "algorithm.minibatch_size"),
        ("totalsteps=8", "total_steps"),
        ("time_limt=8", "algorithm.time_limit or env.time_limit"),
    ],
)
def test_a_key_that_is_not_there_is_compared_by_its_last_part(override: str, meant: str) -> None:
    sentence = complaint(override)
    assert sentence.startswith(f"unknown key {override.partition('=')[0]}: expected ")
    assert f"Did you mean {meant}" in sentence


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ("algorithm.target_kl=0.01", ["surrogate.d_targ: surrogate=kl_adaptive", "algorithm.max_kl: algorithm=trpo"]),
        ("target_kl=0.01", ["surrogate.d_targ: surrogate=kl_adaptive"]),
        ("surrogate.beta=1", ["surrogate.beta: surrogate=kl_adaptive or surrogate=kl_fixed"]),
        ("surrogate=none clip_range=1", ["surrogate.epsilon: surrogate=clip or surrogate=clip_log"]),
        ("algorithm=a2c algorithm.epochs=3", ["algorithm.epochs: algorithm=ppo"]),
        ("algorithm=a2c n_epochs=3", ["algorithm.epochs: algorithm=ppo"]),
        ("elite_fraction=1", ["algorithm.elite_fraction: algorithm=cem"]),
    ],
)
def test_a_key_of_a_choice_that_was_not_taken_names_the_choice(overrides: str, words: list[str]) -> None:
    sentence = complaint(*overrides.split())
    assert all(word in sentence for word in words)


def test_a_key_that_resembles_nothing_lists_what_there_is() -> None:
    assert "expected one of algorithm, " in complaint("zzz=1")
    assert "expected one of env.suite, env.id, env.time_limit" in complaint("env.zzz=1")


def test_every_word_stands_for_keys_that_some_run_has() -> None:
    keys = {key for group, r in choices.GROUPS.items() for name in r.names() for key in hints(r.find(name, group))}
    assert {word for words in ELSEWHERE.values() for word in words} <= keys | set(KEYS)
    assert not set(ELSEWHERE) & (keys - {"kl_target"})


@pytest.mark.parametrize("word", ["dual_clip", "recompute_adv", "algorithm.use_sde", "render"])
def test_a_word_for_what_we_do_not_have_gets_no_hint(word: str) -> None:
    assert "Did you mean" not in complaint(f"{word}=1")
