"""An explicit choice without effect is an error, wherever it was made; our yaml files' own values are not (law 7)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ppo.config import choices
from ppo.config import groups as module
from ppo.config.compose import add_config_dir, compose, expand, groups
from ppo.config.identity import run_hash
from ppo.config.schema import hints
from ppo.errors import UserError

CARTPOLE = "env=gymnasium env.id=CartPole-v1"
# what is chosen beside it, the choice without effect, why
WITHOUT = [
    ("algorithm=trpo", "surrogate=kl_fixed", "maximises no surrogate"),
    ("algorithm=trpo", "surrogate.epsilon=0.2", "maximises no surrogate"),
    ("algorithm=cem", "surrogate=clip", "maximises no surrogate"),
    ("surrogate=none", "algorithm.epsilon_schedule=linear", "no clipping range"),
    ("surrogate=kl_adaptive", "algorithm.epsilon_schedule=constant", "no clipping range"),
    ("algorithm.c1=0", "algorithm.value_clip=0.2", "value function is not trained"),
    ("algorithm.log_std_final=-1", "algorithm.c2=0.01", "annealed"),
    ("algorithm.gamma=0", "algorithm.lam=0.9", "gamma is 0"),
    ("algorithm.horizon=1 algorithm.minibatch_size=1", "algorithm.lam=0.9", "horizon 1"),
    ("algorithm=a2c algorithm.horizon=1", "algorithm.lam=0.9", "horizon 1"),
    ("algorithm=trpo algorithm.gamma=0", "algorithm.lam=0.9", "gamma is 0"),
    ("algorithm=vpg algorithm.gamma=0", "algorithm.lam=0.9", "gamma is 0"),
    ("algorithm=a2c", "algorithm.average_decay=0.9", "trust region"),
    ("algorithm=cem algorithm.extra_std=0", "algorithm.extra_until=0.3", "extra_std is 0"),
    ("algorithm=cem algorithm.extra_until=0", "algorithm.extra_std=0.1", "extra_until is 0"),
    ("algorithm=cem algorithm.num_actors=1", "algorithm.elite_fraction=0.5", "one sample"),
    ("algorithm=random", "network.shared=true", "no value function"),
    ("algorithm=random algorithm.policy=uniform", "network=mlp_32x32", "no network"),
    ("algorithm=random algorithm.policy=uniform", "network.hidden=[8]", "no network"),
    ("algorithm=random algorithm.policy=uniform", "network={hidden: [8]}", "no network"),
    ("algorithm=random algorithm.policy=uniform", "algorithm.policy_scale=1", "no network"),
    ("algorithm=random algorithm.policy=uniform", "algorithm.log_std=1", "no network"),
    ("network.hidden=[]", "network.activation=relu", "no hidden layer"),
    ("network.hidden=[]", "network.shared=true", "no hidden layer"),
    (CARTPOLE, "algorithm.log_std=-1", "discrete"),
    (CARTPOLE, "algorithm.log_std_final=-1", "discrete"),
    (f"{CARTPOLE} algorithm=trpo", "algorithm.train_log_std=false", "discrete"),
]


@pytest.mark.parametrize(("others", "chosen", "why"), WITHOUT)
def test_an_explicit_choice_without_effect_is_refused(others: str, chosen: str, why: str) -> None:
    assert compose(others.split())  # the yaml's own value of that key is not
    for overrides in ([*others.split(), chosen], [chosen, *others.split()]):
        with pytest.raises(UserError) as error:
            compose(overrides)
        assert str(error.value).startswith(f"{chosen} has no effect: ")
        assert why in str(error.value)


def test_every_key_that_a_schema_names_is_one_of_a_run() -> None:
    every = [(group, r.find(name, group)) for group, r in choices.GROUPS.items() for name in r.names()]
    keys = {f"{group}.{key}" for group, cls in every for key in hints(cls)}
    for others, _, _ in WITHOUT:
        run = compose(others.split())
        named = {key for group in choices.GROUPS if (c := getattr(run, group)) for key in c.without_effect(run)}
        assert named <= keys | {"network"}


@pytest.mark.parametrize("algorithm", groups()["algorithm"])
def test_what_only_the_yaml_files_chose_is_never_refused(algorithm: str) -> None:
    assert compose([f"algorithm={algorithm}"])


@pytest.mark.parametrize(
    "overrides",
    [
        "algorithm=a2c_trust_region algorithm.average_decay=0.9",
        "algorithm=random algorithm.policy=untrained network=mlp_32x32",
        "algorithm.c1=0.1 algorithm.value_clip=0.2",
        "env=gymnasium env.id=Pendulum-v1 algorithm.log_std=-1",
        "surrogate=clip_log algorithm.epsilon_schedule=linear",
        "algorithm=trpo compile=false threads=2",
    ],
)
def test_a_choice_with_an_effect_is_not(overrides: str) -> None:
    assert compose(overrides.split())


def test_a_multirun_that_ignores_a_choice_in_one_of_its_runs_is_refused() -> None:
    with pytest.raises(UserError, match="surrogate=clip has no effect"):
        _ = [compose(run) for run in expand(["algorithm=ppo,trpo", "surrogate=clip,none"])]


# -- experiments -------------------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own yaml files."""
    monkeypatch.setattr(module, "_added", [])
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "first.yaml").write_text("# @package _global_\nseed: 3\n")
    add_config_dir(tmp_path)
    return tmp_path / "experiment"


def write(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.yaml").write_text(f"# @package _global_\n{text}")
    module._choices_in.cache_clear()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("defaults:\n  - override /algorithm: a2c\nalgorithm:\n  average_decay: 0.9\n", "algorithm.average_decay"),
        ("defaults:\n  - override /algorithm: trpo\n  - override /surrogate: clip\n", "surrogate"),
        ("surrogate:\n  epsilon: 0.1\ndefaults:\n  - override /algorithm: trpo\n", "surrogate.epsilon"),
        ("defaults:\n  - table5\n  - _self_\nsurrogate:\n  epsilon: 0.1\nalgorithm:\n  gamma: 0\n  lam: 0.1\n", "lam"),
    ],
)
def test_a_choice_without_effect_in_an_experiment_of_ones_own_is_refused(own: Path, text: str, words: str) -> None:
    write(own, "mine", text)
    with pytest.raises(UserError, match="has no effect") as error:
        compose(["experiment=mine"])
    assert words in str(error.value)
    assert "experiment=mine" in str(error.value)


def test_an_entropy_bonus_has_an_effect_on_discrete_actions_whatever_a_yaml_says_of_log_std(own: Path) -> None:
    (own.parent / "algorithm").mkdir()
    (own.parent / "algorithm" / "annealed.yaml").write_text("defaults: [ppo, _self_]\nlog_std_final: -1\n")
    module._choices_in.cache_clear()
    assert compose([*CARTPOLE.split(), "algorithm=annealed", "algorithm.c2=0.01"])
    with pytest.raises(UserError, match="annealed and not trained"):
        compose(["algorithm=annealed", "algorithm.c2=0.01"])


def test_an_experiment_of_ones_own_builds_on_ours(own: Path) -> None:
    write(own, "mine", "defaults:\n  - table5\n  - _self_\nalgorithm:\n  epochs: 4\n")
    assert run_hash(compose(["experiment=mine"])) == run_hash(compose(["experiment=table5", "algorithm.epochs=4"]))


def test_an_experiment_that_names_an_unknown_choice_is_refused(own: Path) -> None:
    write(own, "mine", "defaults:\n  - override /surrogate: klip\n")
    with pytest.raises(UserError, match=r"mine\.yaml: surrogate=klip is invalid: expected .*Did you mean clip"):
        compose(["experiment=mine"])


@pytest.mark.parametrize(("text", "words"), [("algorithm:\n  epocs: 3\n", "algorithm.epochs"), ("sead: 3\n", "seed")])
def test_an_experiment_with_an_unknown_key_is_refused(own: Path, text: str, words: str) -> None:
    write(own, "mine", text)
    with pytest.raises(UserError, match=f"unknown key .*Did you mean {re.escape(words)}"):
        compose(["experiment=mine"])


def test_an_experiment_without_its_package_is_refused(own: Path) -> None:
    (own / "mine.yaml").write_text("# Mine.\nseed: 4\n")
    module._choices_in.cache_clear()
    with pytest.raises(UserError, match="@package _global_"):
        compose(["experiment=mine"])


def test_values_that_depend_on_others_follow_what_the_command_line_says(own: Path) -> None:
    write(own, "mine", "algorithm:\n  minibatch_size: ${algorithm.horizon}\n")
    assert compose(["experiment=mine", "algorithm.horizon=512"]).algorithm.minibatch_size == 512
    assert compose(["experiment=mine"]).algorithm.minibatch_size == 2048


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("surrogate=none", "expected a surrogate with epsilon, which experiment=table5 sets"),
        ("surrogate=kl_fixed", "expected a surrogate with epsilon, which experiment=table5 sets"),
        ("algorithm=trpo", "expected an algorithm with epochs, which experiment=table5 sets"),
    ],
)
def test_a_choice_that_does_not_fit_an_experiment_is_one_sentence(override: str, words: str) -> None:
    with pytest.raises(UserError) as error:
        compose(["experiment=table5", override])
    assert str(error.value) == f"{override} is invalid: {words}."
