"""What varies inside a sweep is in the labels of its rows: no row averages over different settings (law 9)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ppo.config.compose import compose
from ppo.config.run import Config
from sweeps.planning import runs as module
from sweeps.planning.runs import Run, listed_runs, select, sweep_runs
from sweeps.planning.spec import load, parse
from tests.sweeps.declared import declare, runs_of


def smoke(*overrides: str, only: tuple[str, ...] = ()) -> list[Run]:
    return sweep_runs(load("smoke"), overrides, only)


def test_what_varies_inside_a_setting_is_in_its_labels() -> None:
    runs = declare([], grid={"algorithm.lr": ["1e-3", "1e-4"], "seed": [0, 1]}, settings={"A": []})
    by_rate = {run.config.algorithm.lr: run.label for run in runs}
    assert len(set(by_rate.values())) == 2
    assert all(label.startswith("A, lr=") for label in by_rate.values())
    assert all(run.label == by_rate[run.config.algorithm.lr] for run in runs)


def test_no_two_settings_share_a_label_whatever_the_command_line_varies() -> None:
    runs = smoke("algorithm.lr=1e-3,3e-4", "algorithm.gamma=0.9,0.99")
    assert len(runs) == 48
    settings = {run.label: {r.row.setting_hash for r in runs if r.label == run.label} for run in runs}
    assert {len(hashes) for hashes in settings.values()} == {1}
    assert len(settings) == 12


def test_choices_that_vary_are_named_and_not_every_key_in_which_they_differ() -> None:
    runs = declare([], grid={"algorithm": ["ppo", "trpo", "cem"]}, settings={"A": []})
    assert [run.label for run in runs] == ["A, ppo, clip", "A, trpo", "A, cem"]
    bare = listed_runs([compose([job]) for job in ("algorithm=trpo", "algorithm=ppo", "algorithm.lr=1e-3")])
    assert [run.label for run in bare] == ["trpo", "ppo clip epsilon=0.2 lr=0.0003", "ppo clip epsilon=0.2 lr=0.001"]


def test_seeds_and_tasks_make_no_labels() -> None:
    assert {run.label for run in smoke("seed=0,1,2,3", "env=hopper,reacher,swimmer")} == {
        run.label for run in runs_of("smoke")
    }


def test_a_part_of_a_sweep_has_the_labels_of_the_whole() -> None:
    grid = {"algorithm.lr": ["1e-3", "1e-4"], "seed": [0, 1]}
    content = {"grid": grid, "settings": {"A": [], "B": ["surrogate=none"]}}
    whole = {run.hash: run for run in declare([], **content)}
    for overrides, only in ((["algorithm.lr=1e-3"], []), (["seed=0", "algorithm.lr=1e-4"], ["B"]), ([], ["A"])):
        part = sweep_runs(parse("mine", content), overrides, only)
        assert part
        assert all(run == whole[run.hash] for run in part)


def test_a_setting_is_chosen_by_its_declared_label_and_by_its_final_one() -> None:
    sweep = parse("mine", {"grid": {"algorithm.lr": ["1e-3", "1e-4"]}, "settings": {"A": [], "B": ["surrogate=none"]}})
    both = sweep_runs(sweep, [], ["A"])
    assert len(both) == 2
    assert sweep_runs(sweep, [], [both[0].label]) == both[:1]


def test_what_varies_among_runs_given_one_by_one_is_in_their_labels() -> None:
    jobs = [[f"algorithm.lr={rate}", f"seed={seed}"] for rate in ("1e-4", "3e-3") for seed in (0, 1)]
    runs = listed_runs([compose(job) for job in jobs])
    assert len({run.label for run in runs}) == 2
    assert [run.label for run in runs[::2]] == [run.label for run in runs[1::2]]


def test_several_values_in_a_setting_are_as_many_runs_each_with_its_label() -> None:
    runs = declare([], grid={"seed": [0, 1]}, settings={"A": ["algorithm.lr=1e-3,1e-4"]})
    assert len(runs) == 4
    assert len({run.label for run in runs}) == 2
    assert all(run.label.startswith("A, lr=") for run in runs)


# -- a part and its whole ---------------------------------------------------------------------------------------------


def test_the_whole_of_a_part_is_what_the_file_declares() -> None:
    part = select(load("smoke"), ["env=reacher", "seed=0"], ["Clip*"])
    assert len(part.runs) == 1
    assert part.declared == list(runs_of("smoke"))
    assert select(load("smoke"), ["threads=2", "seed=0"]).declared == smoke("threads=2")


def test_other_runs_than_the_file_declares_are_a_whole_of_their_own() -> None:
    other = select(load("smoke"), ["seed=0", "total_steps=4096"])
    assert other.declared == other.runs
    assert len(other.runs) == 6


def test_a_sweep_is_composed_once_however_it_is_narrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    composed: list[Sequence[str]] = []

    def count(overrides: Sequence[str]) -> Config:
        composed.append(overrides)
        return compose(overrides)

    monkeypatch.setattr(module, "compose", count)
    smoke("env=reacher", only=("Clip*",))
    assert len(composed) == 12


def test_a_label_tells_what_the_command_line_replaced_of_its_setting() -> None:
    settings = {"Clipping, epsilon = 0.2": ["surrogate=clip", "surrogate.epsilon=0.2"]}
    content = {"grid": {"seed": [0, 1]}, "settings": settings}
    for override, expected in (("surrogate.epsilon=0.3", "Clipping, epsilon = 0.2, epsilon=0.3"),
                               ("surrogate.epsilon=0.20", "Clipping, epsilon = 0.2"),
                               ("algorithm.lr=1e-3", "Clipping, epsilon = 0.2")):  # fmt: skip
        assert {run.label for run in sweep_runs(parse("mine", content), [override])} == {expected}
    chosen = sweep_runs(parse("mine", content), ["surrogate.epsilon=0.3"], ["Clipping, epsilon = 0.2"])
    assert len(chosen) == 2, "it is chosen by its declared label all the same"


def test_a_part_of_a_sweep_is_one_however_its_values_are_spelled() -> None:
    sweep = parse("mine", {"grid": {"algorithm.lr": ["1e-3", "1e-4"], "seed": [0, 1]}})
    part = select(sweep, ["algorithm.lr=0.001"])
    assert (len(part.runs), len(part.declared)) == (2, 4)
    assert part == select(sweep, ["algorithm.lr=1e-3"])


def test_a_declared_label_that_another_setting_comes_to_is_distinguished_by_the_hash() -> None:
    one, other = ["algorithm.lr=1e-3,1e-4"], ["surrogate=none"]
    first = declare([], settings={"A": one, "A, lr=0.001": other})
    assert len({run.label for run in first}) == 3
    taken = next(run.label for run in first if run.label.startswith("A, lr=0.001 ("))
    again = declare([], settings={"A": one, "A, lr=0.001": other, taken: ["surrogate=kl_fixed"]})
    assert len({run.label for run in again}) == 4
