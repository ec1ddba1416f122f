"""`conf/` composes in every combination, as Hydra composes it, and says what its keys mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from ppo.config.compose import CONF, compose, compose_mapping, groups
from ppo.errors import UserError

# What a choice leaves to the user.
FRAMES = ["env.id=breakout", "network=a3c_cnn", "algorithm.normalize_obs=false"]
NEEDED = {"gymnasium": ["env.id=CartPole-v1"], "atari": FRAMES}
VARIANTS = {"trpo_2017": "trpo", "a2c_trust_region": "a2c"}  # an algorithm with other hyperparameters

# -- conf/ -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env", sorted(set(groups()["env"]) - {"atari"}))
def test_every_environment_of_vectors_composes_with_every_algorithm_and_every_surrogate(env: str) -> None:
    for algorithm in groups()["algorithm"]:
        for surrogate in groups()["surrogate"] if algorithm == "ppo" else [None]:
            chosen = [f"algorithm={algorithm}", *([f"surrogate={surrogate}"] if surrogate else [])]
            run = compose([f"env={env}", *chosen, *NEEDED.get(env, [])])
            assert run.algorithm.name == VARIANTS.get(algorithm, algorithm)
            assert (None if run.surrogate is None else run.surrogate.name) == surrogate


@pytest.mark.parametrize("chosen", [[], ["algorithm=a2c"], ["surrogate=kl_fixed"], ["algorithm=random", "~filter"]])
def test_games_compose_with_algorithms_that_take_frames(chosen: list[str]) -> None:
    needed = FRAMES[:-1] if "~filter" in chosen else FRAMES
    run = compose(["env=atari", *needed, *(word for word in chosen if word != "~filter")])
    assert (run.env.suite, run.env.id, run.env.episode_limit()) == ("atari", "breakout", 100_000)


@pytest.mark.parametrize("network", [name for name in groups()["network"] if name.startswith("mlp")])
def test_every_network_of_vectors_composes_with_every_algorithm(network: str) -> None:
    runs = [compose([f"algorithm={algorithm}", f"network={network}"]) for algorithm in groups()["algorithm"]]
    assert len({run.network for run in runs}) == 1


@pytest.mark.parametrize("network", ["a3c_cnn", "nature_cnn"])
@pytest.mark.parametrize("env", [["env=reacher"], ["env=gymnasium", "env.id=CartPole-v1"]])
def test_a_network_of_frames_is_refused_where_there_are_vectors(network: str, env: list[str]) -> None:
    with pytest.raises(UserError, match=rf"^network\.name={network} is invalid: expected a network for vectors"):
        compose([*env, f"network={network}"])


def test_an_algorithm_may_choose_a_network_and_the_user_has_the_last_word() -> None:
    assert compose(["algorithm=trpo"]).network.hidden == (32, 32)
    assert compose(["algorithm=cem"]).network.hidden == (10, 5)
    for overrides in (["algorithm=trpo", "network=mlp"], ["network=mlp", "algorithm=trpo"]):
        assert compose(overrides).network.hidden == (64, 64)
    assert compose(["algorithm=trpo", "network.hidden=[8]"]).network.hidden == (8,)


def test_the_papers_tables_are_whole_experiments() -> None:
    assert compose(["experiment=table3"]) == compose()
    atari, roboschool = compose(["experiment=table5"]), compose(["experiment=table4"])
    assert (atari.surrogate.epsilon, atari.algorithm.epochs, atari.network.shared) == (0.1, 3, True)
    assert (roboschool.algorithm.log_std_final, roboschool.network.hidden) == (-1.6, (256, 128))
    assert compose(["experiment=table5", "surrogate.epsilon=0.3"]).surrogate.epsilon == 0.3


def test_the_papers_seven_tasks_and_eleven_settings_can_be_chosen() -> None:
    ids = [compose([f"env={env}"]).env.id for env in groups()["env"] if env not in NEEDED]
    names = ["HalfCheetah", "Hopper", "InvertedDoublePendulum", "InvertedPendulum", "Reacher", "Swimmer", "Walker2d"]
    assert {f"{name}-v5" for name in names} <= set(ids)
    table_1 = {
        "none": [[]],
        "clip": [[f"surrogate.epsilon={e}"] for e in (0.1, 0.2, 0.3)],
        "kl_adaptive": [[f"surrogate.d_targ={d}"] for d in (0.003, 0.01, 0.03)],
        "kl_fixed": [[f"surrogate.beta={b}"] for b in (0.3, 1, 3, 10)],
    }
    runs = [compose([f"surrogate={name}", *rest]) for name, settings in table_1.items() for rest in settings]
    assert len({run.surrogate for run in runs}) == 11
    assert all(run.surrogate.beta == 1 for run in runs if run.surrogate.name == "kl_adaptive")


def test_episodes_are_cut_after_1000_steps_and_reachers_after_50() -> None:
    runs = {env: compose([f"env={env}"]).env for env in groups()["env"] if env not in NEEDED}
    assert {env.time_limit for env in runs.values()} == {None}  # the task's own
    limits = {env: run.episode_limit() for env, run in runs.items()}
    assert limits.pop("reacher") == 50
    assert set(limits.values()) == {1000}


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda p: str(p.relative_to(CONF)))
def test_every_yaml_opens_with_a_comment_that_says_what_it_is(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    first = lines[1] if lines[0] == "# @package _global_" else lines[0]
    assert first.startswith("# ")
    assert len(first.split()) > 3
    assert first.rstrip().endswith((".", ")", ")."))


KEYED = [p for group in ("env", "algorithm", "network", "surrogate", "launcher") for p in (CONF / group).glob("*.yaml")]
WHOLE = [
    path for path in KEYED if "defaults:" not in path.read_text(encoding="utf-8").replace("defaults:\n  - override", "")
]


@pytest.mark.parametrize("path", [CONF / "config.yaml", *sorted(WHOLE)], ids=lambda p: str(p.relative_to(CONF)))
def test_every_key_has_its_meaning_beside_it(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    keys = [line for line in lines if ":" in line and not line.lstrip().startswith(("#", "-"))]
    assert not [line for line in keys if "#" not in line and not line.startswith(("defaults:", "name:", "suite:"))]


# -- Hydra itself ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["env=reacher", "algorithm=ppo", "surrogate=clip_log", "surrogate.reading=objective"],
        ["env=gymnasium", "surrogate=kl_adaptive", "env.id=Some-v0", "seed=4"],
        ["algorithm=random", "env=walker2d", "network=mlp_32x32", "total_steps=1e6"],
        ["algorithm=trpo_2017", "algorithm.max_kl=0.02"],
        ["algorithm=cem", "network.hidden=[4]"],
        ["experiment=table5", "surrogate.epsilon=0.3", "algorithm={lr: 1, epochs: 2}"],
        ["experiment=table4", "network=mlp"],
        ["algorithm.minibatch_size=${algorithm.horizon}", "algorithm.horizon=1024"],
    ],
)
def test_what_is_composed_is_what_hydra_composes_at_once(overrides: list[str]) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        at_once = hydra_compose("config", overrides=overrides)
    ours, _ = compose_mapping(overrides)
    assert ours == OmegaConf.to_container(at_once, resolve=True)
