"""A sweep file is read as it was typed, and whatever is invalid in one is reported in a sentence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ppo.errors import UserError, shown
from sweeps.planning.spec import FOLDER, Sweep, load, names, parse
from tests.sweeps.declared import complaint, runs_of


def write(folder: Path, content: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(content, encoding="utf-8")
    return str(path)


# -- conf/sweep --------------------------------------------------------------------------------------------------------


def test_the_sweeps_there_are_hold_the_papers_table_and_figure() -> None:
    assert {"table1", "figure3", "random", "smoke"} <= set(names())
    assert names() == sorted(names())


@pytest.mark.parametrize("name", names())
def test_every_sweep_there_is_loads_and_composes(name: str) -> None:
    assert load(name).name == name
    runs = runs_of(name)
    assert all(run.label for run in runs)
    assert len({run.folder for run in runs}) == len({run.hash for run in runs}) == len(runs) > 0


# -- what a file says --------------------------------------------------------------------------------------------------


def test_a_sweep_file_is_read_as_what_would_be_typed() -> None:
    content = {
        "grid": {"env": ["hopper", "reacher"], "seed": 0},
        "settings": {"No clipping": ["surrogate=none"], 0.2: ["surrogate=clip"]},
        "exclude": [{"env": "reacher", "setting": ["No clipping"]}],
        "include": {"table1": None, "smoke": ["Clipping, epsilon = 0.2"]},
    }
    assert parse("mine", content) == Sweep(
        name="mine",
        grid={"env": ["hopper", "reacher"], "seed": ["0"]},
        settings={"No clipping": ["surrogate=none"], "0.2": ["surrogate=clip"]},
        exclude=[{"env": ["reacher"], "setting": ["No clipping"]}],
        include={"table1": None, "smoke": ["Clipping, epsilon = 0.2"]},
    )


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (102400, "102400"),
        (0.0003, "0.0003"),
        ("3e-4", "3e-4"),  # plain yaml reads no number here
        ([64, 64], "[64,64]"),
        ([], "[]"),
        ({"hidden": [64], "shared": False}, "{hidden:[64],shared:false}"),
    ],
)
def test_a_value_is_spelled_as_on_the_command_line(value: Any, typed: str) -> None:
    assert shown(value) == typed


def test_a_setting_may_change_nothing() -> None:
    assert parse("mine", {"settings": {"As it is": None}}).settings == {"As it is": []}


def test_a_file_elsewhere_is_a_sweep_called_by_its_stem_and_its_path(tmp_path: Path) -> None:
    sweep = load(write(tmp_path, "grid:\n  seed: [0, 1]\n"))
    assert re.fullmatch("mine-[0-9a-f]{6}", sweep.name)
    assert sweep == Sweep(sweep.name, grid={"seed": ["0", "1"]})


def test_two_files_of_one_stem_are_two_sweeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, "grid: {seed: 0}")
    one, other = (load(str(tmp_path / folder / "mine.yaml")).name for folder in ("a", "b"))
    assert one != other
    monkeypatch.chdir(tmp_path / "a")
    assert load("mine.yaml").name == one, "however its path is spelled"


def test_a_file_of_ours_named_by_its_path_is_that_sweep() -> None:
    assert load(str(FOLDER / "smoke.yaml")) == load("smoke")


@pytest.mark.parametrize("value", ["010", "1:30", "1_000", "0x10", "1e-4", "yes", "True", "null", ".5"])
def test_a_value_is_taken_as_it_was_typed(tmp_path: Path, value: str) -> None:
    assert load(write(tmp_path, f"grid: {{seed: [{value}]}}")).grid == {"seed": [value]}


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ('"range(0,3)"', ["0", "1", "2"]),
        ('["range(0,2)", 7]', ["0", "1", "7"]),
        ('"1,2"', ["1", "2"]),
        ('"choice(1,2)"', ["1", "2"]),
        ("[[64, 64], [32]]", ["[64,64]", "[32]"]),
        ('"[64,64]"', ["[64,64]"]),
    ],
)
def test_several_values_in_one_string_mean_what_they_mean_on_the_command_line(
    tmp_path: Path, typed: str, values: list[str]
) -> None:
    assert load(write(tmp_path, f"grid: {{algorithm.x: {typed}}}")).grid == {"algorithm.x": values}


def test_a_byte_order_mark_is_no_part_of_a_key(tmp_path: Path) -> None:
    assert load(write(tmp_path, "\ufeffgrid: {seed: 0}")).grid == {"seed": ["0"]}


# -- mistakes ----------------------------------------------------------------------------------------------------------


def test_an_unknown_sweep_is_reported_with_its_near_matches() -> None:
    sentence = complaint(load, "tabel1")
    assert sentence.startswith("sweep tabel1 is unknown: ")
    assert "Did you mean table1" in sentence
    assert all(name in sentence for name in names())


@pytest.mark.parametrize("name", ["absent.yaml", "folder.yaml", ""])
def test_what_is_no_file_is_an_unknown_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.yaml").mkdir()
    sentence = complaint(load, name)
    assert sentence.startswith(f"sweep {name} is unknown: ")
    assert ("existing file" in sentence) == name.endswith(".yaml")


@pytest.mark.parametrize(
    ("content", "start"),
    [
        ({"gird": {"seed": 0}}, "sweep mine: unknown key gird: expected grid, settings, exclude, include."),
        ({1: 2}, "sweep mine: unknown key 1: expected "),
        ({"grid": {"seed": []}}, "sweep mine: grid.seed has no values: "),
        ({"grid": [0, 1]}, "sweep mine: grid must be a mapping of keys, not '[0,1]'"),
        ({"settings": ["surrogate=none"]}, "sweep mine: settings must be a mapping of keys"),
        ({"settings": {"A": "surrogate=none"}}, "sweep mine: setting 'A' must be a list, not 'surrogate=none'"),
        (
            {"settings": {"A": ["surrogate"]}},
            "sweep mine: setting 'A': surrogate is not an override: expected key=value",
        ),
        ({"settings": {"A": [3]}}, "sweep mine: setting 'A': 3 is not an override"),
        ({"settings": {"A": [{"seed": 1}]}}, "sweep mine: setting 'A': {seed:1} is not an override"),
        ({"include": ["table1"]}, "sweep mine: include must be a mapping of keys"),
        ({"include": {"table1": "A"}}, "sweep mine: include.table1 must be a list, not 'A'"),
        ({}, "sweep mine defines no runs: add grid, settings or include"),
        ({"grid": {}, "settings": None}, "sweep mine defines no runs"),
        ({"exclude": [{"setting": "A"}]}, "sweep mine defines no runs"),
        (None, "sweep mine must be a mapping of keys, not 'null'"),
        ([], "sweep mine must be a mapping of keys, not '[]'"),
        ("table1", "sweep mine must be a mapping of keys, not 'table1'"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_reported_in_a_sentence(content: Any, start: str) -> None:
    assert complaint(parse, "mine", content).startswith(start)


@pytest.mark.parametrize(
    ("exclude", "start"),
    [
        ({"seed": 0}, "sweep mine: exclude must be a list, not '{seed:0}'"),
        (["seed"], "sweep mine: an entry of exclude must be a mapping of keys, not 'seed'"),
        ([{"sead": 0}], "sweep mine: exclude.sead is not an axis: expected seed, setting. Did you mean seed?"),
        ([{"seed": []}], "sweep mine: exclude.seed has no values"),
        ([{"seed": 3}], "sweep mine: exclude.seed=3 is invalid: expected 0, 1"),
    ],
)
def test_a_mistake_in_what_is_left_out_is_reported_in_a_sentence(exclude: Any, start: str) -> None:
    assert complaint(parse, "mine", {"grid": {"seed": [0, 1]}, "exclude": exclude}).startswith(start)


@pytest.mark.parametrize(
    ("content", "twice"),
    [
        ("grid: {seed: 0}\ngrid: {env: hopper}\n", "duplicate key 'grid'"),
        ("grid:\n  seed: [0]\n  seed: [1]\n", "duplicate key 'seed'"),
        ("settings:\n  A: [seed=0]\n  A: [seed=1]\n", "duplicate key 'A'"),
    ],
)
def test_a_duplicate_key_is_refused(tmp_path: Path, content: str, twice: str) -> None:
    sentence = complaint(load, write(tmp_path, content))
    assert "mine.yaml cannot be read as a sweep" in sentence
    assert twice in sentence


@pytest.mark.parametrize("content", ["grid: [", "\tgrid: 1", "grid: {? [seed] : 0}", "? {seed: 0}\n: 1\n"])
def test_a_file_that_is_no_yaml_of_ours_is_reported_in_a_sentence(tmp_path: Path, content: str) -> None:
    assert "mine.yaml cannot be read as a sweep" in complaint(load, write(tmp_path, content))


@pytest.mark.parametrize(
    ("grid", "settings", "words"),
    [
        ({"seed": [0, 1, 0]}, {}, ["grid.seed", "value 0 twice"]),
        ({"seed": ["range(0,3)", 1]}, {}, ["grid.seed", "value 1 twice"]),
        ({"seed": [0, 1]}, {"A": ["seed=3"]}, ["setting 'A'", "overrides seed", "axis"]),
        ({"surrogate": ["clip", "none"]}, {"A": ["surrogate=clip"]}, ["setting 'A'", "overrides surrogate"]),
    ],
)
def test_what_would_be_dropped_silently_is_refused(
    grid: dict[str, Any], settings: dict[str, Any], words: list[str]
) -> None:
    sentence = complaint(parse, "mine", {"grid": grid, "settings": settings})
    assert all(word in sentence for word in words)


def test_a_file_that_refers_to_itself_is_reported(tmp_path: Path) -> None:
    for content in ("grid: &a {seed: *a}", "grid: " + "[" * 5000):
        assert "cannot be read" in complaint(load, write(tmp_path, content))


def test_a_file_that_is_no_text_is_reported_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\x80\x02}q\x00")  # a checkpoint, by mistake
    assert "mine.yaml cannot be read as a sweep" in complaint(load, str(path))


def test_a_sweep_file_runs_no_code(tmp_path: Path) -> None:
    made = tmp_path / "made"
    complaint(load, write(tmp_path, f"grid: !!python/object/apply:os.mkdir ['{made}']\n"))
    assert not made.exists()


@pytest.mark.parametrize("label", [" ", "A ", " A", "A  B", "A\nB", "A\u200b"])
def test_a_label_is_seen_as_it_is(label: str) -> None:
    with pytest.raises(UserError, match="printable"):
        parse("mine", {"settings": {label: ["surrogate=none"]}})


@pytest.mark.parametrize("override", ["++algorithm.lr=5", "algorithm={lr:0.5}"])
def test_a_setting_overrides_no_axis_however_it_is_spelled(override: str) -> None:
    with pytest.raises(UserError, match="lr, an axis"):
        parse("mine", {"grid": {"algorithm.lr": "1e-3"}, "settings": {"A": [override]}})
