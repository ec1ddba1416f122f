"""`conf/` composes in every combination, overrides are Hydra's, and a mistake in one is told in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from ppo.config.compose import CONF, compose, compose_mapping, expand, groups, load_mapping
from ppo.config.run import Config, to_config, to_mapping
from ppo.errors import UserError

NEEDED = {"gymnasium": ["env.id=CartPole-v1"]}  # what a choice leaves to the user
VARIANTS = {"ppo_atari": "ppo", "ppo_roboschool": "ppo"}  # an algorithm with other hyperparameters


def complaint(*overrides: str) -> str:
    with pytest.raises(UserError) as error:
        compose(overrides)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


# -- conf/ -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env", groups()["env"])
def test_every_environment_composes_with_every_algorithm_and_every_surrogate(env: str) -> None:
    choices = [("ppo", surrogate) for surrogate in groups()["surrogate"]]
    choices += [(algorithm, "clip") for algorithm in groups()["algorithm"] if algorithm != "ppo"]
    for algorithm, surrogate in choices:
        run = compose([f"env={env}", f"algorithm={algorithm}", f"surrogate={surrogate}", *NEEDED.get(env, [])])
        assert isinstance(run, Config)
        assert run.algorithm.name == VARIANTS.get(algorithm, algorithm)
        assert run.surrogate is None or run.surrogate.name == surrogate


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
    limits = {env: compose([f"env={env}"]).env.time_limit for env in groups()["env"] if env not in NEEDED}
    assert limits.pop("reacher") == 50
    assert set(limits.values()) == {1000}


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda p: str(p.relative_to(CONF)))
def test_every_yaml_opens_with_a_comment_that_says_what_it_is(path: Path) -> None:
    first = path.read_text(encoding="utf-8").split("\n", 1)[0]
    assert first.startswith("# ")
    assert len(first.split()) > 3
    assert first.rstrip().endswith((".", ")", ")."))


@pytest.mark.parametrize("name", ["config", "algorithm/ppo", "env/mujoco", "env/gymnasium"])
def test_every_key_of_the_manual_carries_its_meaning_beside_it(name: str) -> None:
    lines = (CONF / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    keys = [line for line in lines if ":" in line and not line.lstrip().startswith(("#", "-"))]
    bare = [line for line in keys if "#" not in line and not line.startswith(("defaults:", "name:", "suite:"))]
    assert not bare


# -- overrides ---------------------------------------------------------------------------------------------------------


def test_an_override_changes_one_value() -> None:
    before, after = to_mapping(compose()), to_mapping(compose(["algorithm.lr=1e-3"]))
    assert after["algorithm"].pop("lr") == 0.001
    assert before["algorithm"].pop("lr") == 0.0003
    assert before == after


def test_a_choice_counts_wherever_it_stands() -> None:
    first = compose(["surrogate=kl_fixed", "surrogate.beta=3"])
    assert compose(["surrogate.beta=3", "surrogate=kl_fixed"]) == first
    assert first.surrogate.beta == 3


def test_one_composition_leaves_no_trace_in_the_next() -> None:
    default = compose()
    compose(["algorithm.lr=1", "algorithm.network.hidden=[3]", "seed=5"])
    assert compose() == default


@pytest.mark.parametrize(
    ("override", "start", "words"),
    [
        ("sead=1", "unknown key sead", ["did you mean seed", "allowed: ", "total_steps"]),
        ("algorithm.gama=1", "unknown key algorithm.gama", ["algorithm.gamma", "allowed: "]),
        ("surrogate.beta=1", "unknown key surrogate.beta", ["surrogate.epsilon", "allowed: "]),
        ("+sead=1", "unknown key sead", ["seed"]),
        ("hydra.run.dir=x", "unknown key hydra.run.dir", ["allowed: "]),
        ("env=hoper", "env=hoper is unknown", ["did you mean hopper", "walker2d"]),
        ("env=mujoco", "env=mujoco is unknown", ["allowed: "]),  # what the seven share, no task
        ("surrogate=klip", "surrogate=klip is unknown", ["clip", "none"]),
        ("env=gymnasium", "env.id is missing", ["env.id=VALUE"]),
        ("algorithm.network=5", "algorithm.network=5 is not possible", ["group of keys"]),
        ("~seed", "~seed is not possible", ["cannot be removed"]),
        ("~env", "~env is not possible", ["env=CHOICE is allowed"]),
        ("+env=hopper", "+env=hopper is not possible", ["env=CHOICE is allowed"]),
        ("seed", "'seed' is not an override", ["key=value is allowed"]),
        ("seed=[1", "'seed=[1' is not an override", ["key=value is allowed"]),
        ("seed=0,1", "seed=0,1 names several values", ["add -m"]),
        ("env=hopper,walker2d", "env=hopper,walker2d names several values", ["add -m"]),
        ("seed=${nothing}", "the config cannot be resolved", ["nothing"]),
    ],
)
def test_a_mistake_in_an_override_is_told_in_a_sentence(override: str, start: str, words: list[str]) -> None:
    sentence = complaint(override)
    assert sentence.startswith(start)
    for word in words:
        assert word in sentence


def test_an_unknown_key_inside_a_group_given_as_a_whole_is_told_in_a_sentence() -> None:
    assert complaint("algorithm.network={hiden: [3]}").startswith("unknown key algorithm.network.hiden")


@pytest.mark.parametrize("group", ["{hidden: [3]}", "{hidden: [3], shared: false}"])
def test_a_group_given_as_a_whole_changes_the_keys_it_names(group: str) -> None:
    assert compose([f"algorithm.network={group}"]) == compose(["algorithm.network.hidden=[3]"])


@pytest.mark.parametrize("override", ["seed={}", "sead={}", "surrogate.epsilon={}"])
def test_an_empty_group_is_not_passed_over(override: str) -> None:
    assert override.split("=")[0] in complaint(override)


# -- multirun ----------------------------------------------------------------------------------------------------------


def test_a_multirun_is_the_product_of_its_values_the_last_one_fastest() -> None:
    assert expand(["env=hopper,walker2d", "algorithm.lr=1e-3", "seed=0,1,2"]) == [
        ["env=hopper", "algorithm.lr=1e-3", "seed=0"],
        ["env=hopper", "algorithm.lr=1e-3", "seed=1"],
        ["env=hopper", "algorithm.lr=1e-3", "seed=2"],
        ["env=walker2d", "algorithm.lr=1e-3", "seed=0"],
        ["env=walker2d", "algorithm.lr=1e-3", "seed=1"],
        ["env=walker2d", "algorithm.lr=1e-3", "seed=2"],
    ]


def test_every_run_of_a_multirun_composes() -> None:
    runs = [compose(o) for o in expand(["surrogate=clip,none", "seed=range(3)", "algorithm.network.hidden=[8],[8,8]"])]
    assert [(r.surrogate.name, r.seed, r.algorithm.network.hidden) for r in runs] == [
        (surrogate, seed, hidden) for surrogate in ("clip", "none") for seed in range(3) for hidden in ((8,), (8, 8))
    ]


def test_a_list_is_one_value() -> None:
    assert len(expand(["algorithm.network.hidden=[64,64]"])) == 1


def test_nothing_to_vary_is_one_run() -> None:
    assert expand([]) == [[]]
    assert expand(["seed=3"]) == [["seed=3"]]


def test_a_glob_is_refused_in_a_sentence() -> None:
    with pytest.raises(UserError, match=r"surrogate=glob\(\*\) is not possible: list the choices"):
        expand(["surrogate=glob(*)"])


def test_an_interval_is_refused_in_a_sentence() -> None:
    with pytest.raises(UserError, match=r"seed=interval\(0,9\) is not possible"):
        expand(["seed=interval(0,9)"])


# -- a run folder's config.yaml ----------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def write(file: Path, run: Config) -> None:
    file.write_text(yaml.safe_dump(to_mapping(run), sort_keys=False), encoding="utf-8")


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["surrogate=none", "algorithm.adam_epsilon=1e-8", "total_steps=1e6"],
        ["surrogate=clip_log", "surrogate.reading=objective", "algorithm.max_grad_norm=0.5"],
        ["surrogate=kl_adaptive", "algorithm.network.hidden=[]", "run_dir='0'", "compile=false"],
        ["algorithm=random", "env=gymnasium", "env.id=CartPole-v1"],
    ],
)
def test_a_config_written_and_read_is_the_same_run(file: Path, overrides: list[str]) -> None:
    run = compose(overrides)
    write(file, run)
    assert to_config(load_mapping(file, [])) == run


def test_overrides_change_what_was_read(file: Path) -> None:
    write(file, compose(["surrogate=none"]))
    assert to_config(load_mapping(file, ["seed=7"])) == compose(["surrogate=none", "seed=7"])


def test_numbers_in_a_file_are_spelled_as_on_the_command_line(file: Path) -> None:
    write(file, compose())
    file.write_text(file.read_text().replace("lr: 0.0003", "lr: 3e-4"))
    assert to_config(load_mapping(file, [])) == compose()


@pytest.mark.parametrize(("content", "reason"), [("- 1\n", "it must be a mapping"), ("a: [", "cannot be read")])
def test_a_file_that_is_no_config_is_told_in_a_sentence(file: Path, content: str, reason: str) -> None:
    file.write_text(content)
    with pytest.raises(UserError, match=reason) as error:
        load_mapping(file, [])
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_told_in_a_sentence(file: Path) -> None:
    with pytest.raises(UserError, match=r"config\.yaml cannot be read as a config \(.*No such file"):
        load_mapping(file, [])


def test_an_empty_file_is_told_in_a_sentence(file: Path) -> None:
    file.write_text("")
    with pytest.raises(UserError):
        load_mapping(file, [])


def test_a_file_that_is_no_text_is_told_in_a_sentence(file: Path) -> None:
    file.write_bytes(b"\x80\x02}q\x00")  # a checkpoint, by mistake
    with pytest.raises(UserError):
        load_mapping(file, [])


def test_a_choice_cannot_be_made_anew_for_a_run_that_was_written_down(file: Path) -> None:
    write(file, compose())
    with pytest.raises(UserError, match="surrogate=none is not possible: surrogate is a group of keys"):
        load_mapping(file, ["surrogate=none"])


@pytest.mark.parametrize(
    "choices",
    [
        ["env=reacher", "algorithm=ppo", "surrogate=clip_log"],
        ["env=gymnasium", "surrogate=kl_adaptive"],
        ["algorithm=random", "env=walker2d"],
        [],
    ],
)
def test_choices_composed_one_by_one_are_what_hydra_composes_at_once(choices: list[str]) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        at_once = hydra_compose("config", overrides=[*choices, "env.id=Some-v0"])
    ours = compose_mapping([*choices, "env.id=Some-v0"])
    assert ours == OmegaConf.to_container(at_once)
