"""Files that people write or that runs leave: a run's config.yaml, yaml trouble, --config-dir, old formats."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ppo.config import groups
from ppo.config.compose import checked, compose, load_mapping
from ppo.config.run import Config, to_mapping
from ppo.errors import UserError

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
        ["surrogate=kl_adaptive", "network.hidden=[]", "run_dir='0'", "compile=false"],
        ["algorithm=trpo_2017", "env.time_limit=500"],
        ["experiment=table4"],
        ["algorithm.record=[interpolation]"],
        ["algorithm=random", "env=gymnasium", "env.id=CartPole-v1"],
    ],
)
def test_a_config_written_and_read_is_the_same_run(file: Path, overrides: list[str]) -> None:
    run = compose(overrides)
    write(file, run)
    assert checked(*load_mapping(file, [])) == run


def test_overrides_change_what_was_read(file: Path) -> None:
    write(file, compose(["surrogate=none"]))
    assert checked(*load_mapping(file, ["seed=7"])) == compose(["surrogate=none", "seed=7"])


def test_numbers_in_a_file_are_spelled_as_on_the_command_line(file: Path) -> None:
    write(file, compose())
    file.write_text(file.read_text().replace("lr: 0.0003", "lr: 3e-4"))
    assert checked(*load_mapping(file, [])) == compose()


@pytest.mark.parametrize(
    ("content", "reason"),
    [("- 1\n", "expected a mapping"), ("a: [", "line 1"), ("", "expected a mapping")],
)
def test_a_file_that_is_no_config_is_one_sentence(file: Path, content: str, reason: str) -> None:
    file.write_text(content)
    with pytest.raises(UserError, match=reason) as error:
        load_mapping(file, [])
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_one_sentence(file: Path) -> None:
    with pytest.raises(UserError, match=r"config\.yaml cannot be read .*No such file"):
        load_mapping(file, [])


def test_a_file_that_is_no_text_is_one_sentence(file: Path) -> None:
    file.write_bytes(b"\x80\x02}q\x00")  # a checkpoint, by mistake
    with pytest.raises(UserError, match="cannot be read"):
        load_mapping(file, [])


def test_a_choice_cannot_be_made_anew_for_a_run_that_was_written_down(file: Path) -> None:
    write(file, compose())
    with pytest.raises(UserError, match="surrogate=none is invalid: expected one of its keys"):
        load_mapping(file, ["surrogate=none"])


def test_an_override_of_a_written_run_must_have_an_effect_and_its_own_values_need_not(file: Path) -> None:
    write(file, compose(["algorithm=a2c"]))
    assert checked(*load_mapping(file, ["algorithm.lr=1e-3"])).algorithm.lr == 1e-3
    with pytest.raises(UserError, match=r"algorithm\.average_decay=0\.9 has no effect"):
        checked(*load_mapping(file, ["algorithm.average_decay=0.9"]))


# -- yaml trouble ------------------------------------------------------------------------------------------------------

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a: &a [*a]\n", "contains itself"),
        ("a: &a {b: *a}\n", "contains itself"),
        (BOMB, "more than 10000 values"),
        ("[" * 5000, "cannot be read"),
        ("a: 1\na: 2\n", "duplicate key"),
        ("seed: 010\n", "line 1: 010 is invalid"),
        ("algorithm:\n  lr: 1:30\n", "line 2: 1:30 is invalid"),
        ("seed: !!python/object/apply:os.system [true]\n", "line 1"),
        ("\tseed: 1\n", "line 1"),
    ],
)
def test_yaml_that_is_not_safe_to_read_is_one_sentence(file: Path, content: str, reason: str) -> None:
    file.write_text(content)
    with pytest.raises(UserError, match=reason) as error:
        checked(*load_mapping(file, []))
    assert "\n" not in str(error.value)
    assert str(file) in str(error.value)


def test_a_byte_order_mark_and_aliases_are_read(file: Path) -> None:
    run = compose(["env=gymnasium", "env.id=CartPole-v1"])
    write(file, run)
    file.write_text("\ufeff" + file.read_text().replace("hidden:\n  - 64\n  - 64", "hidden: [&units 64, *units]"))
    assert "*units" in file.read_text()
    assert checked(*load_mapping(file, [])) == run


def test_a_file_is_read_anew_when_it_has_changed(file: Path) -> None:
    for seed in (1, 2):
        write(file, compose([f"seed={seed}"]))
        assert checked(*load_mapping(file, [])).seed == seed


# -- version 0.1 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"network": {"hidden": [64, 64], "policy_scale": 0.01}}, ["network.hidden", "algorithm.policy_scale"]),
        ({"interpolation": True}, ["algorithm.record=[interpolation]"]),
    ],
)
def test_a_config_of_version_0_1_is_recognised(file: Path, change: dict[str, object], words: list[str]) -> None:
    values = to_mapping(compose())
    if "network" in change:
        values["algorithm"] |= {"network": change["network"]}
        del values["network"]
    else:
        values |= change
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(UserError, match=r"version 0\.1") as error:
        checked(*load_mapping(file, []))
    assert "\n" not in str(error.value)
    assert all(word in str(error.value) for word in words)


# -- folders of one's own ----------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(groups, "_added", [])
    (tmp_path / "own's files" / "env").mkdir(parents=True)
    return tmp_path / "own's files"


def test_a_choice_of_ones_own_is_found_after_ours(own: Path) -> None:
    (own / "env" / "cart.yaml").write_text("# Cart.\nsuite: gymnasium\nid: CartPole-v1\ntime_limit: null\n")
    with pytest.raises(UserError, match="env=cart is invalid"):
        compose(["env=cart"])
    groups.add_config_dir(own)
    assert compose(["env=cart"]) == compose(["env=gymnasium", "env.id=CartPole-v1"])
    assert compose(["env=hopper"]).env.id == "Hopper-v5"
    assert "cart" in groups.groups()["env"]


def test_a_file_that_would_never_be_read_is_refused(own: Path) -> None:
    (own / "env" / "hopper.yaml").write_text("# Mine.\ndefaults: [mujoco]\nid: Walker2d-v5\n")
    with pytest.raises(UserError, match=r"hopper\.yaml hides env=hopper.*another name"):
        groups.add_config_dir(own)


def test_a_copy_of_one_of_our_files_is_harmless(own: Path) -> None:
    (own / "env" / "hopper.yaml").write_text((groups.CONF / "env" / "hopper.yaml").read_text())
    groups.add_config_dir(own)
    assert compose(["env=hopper"]).env.id == "Hopper-v5"


@pytest.mark.parametrize("content", ["id: [", "id: &a [*a]\n", "seed: 010\n"])
def test_a_broken_file_of_ones_own_is_one_sentence(own: Path, content: str) -> None:
    (own / "env" / "mine.yaml").write_text(content)
    with pytest.raises(UserError, match=r"mine\.yaml") as error:
        groups.add_config_dir(own)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_none_is_one_sentence(own: Path) -> None:
    with pytest.raises(UserError, match=r"--config-dir .*nowhere is invalid: expected a folder"):
        groups.add_config_dir(own / "nowhere")
