"""Random policies are looked up task by task in every store, and averaged over one setting only."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis import store
from analysis.randoms import find_randoms
from analysis.store import Runs, find_runs
from tests.analysis.folders import Analysis, config_of, entry, write_done, write_list, write_randoms, write_sweep

STORE = Path("outputs")


def runs_on(analysis: Analysis, *envs: str, suite: str = "mujoco") -> Runs:
    """A finished run on each task."""
    entries = [entry(env) for env in envs]
    for run in entries:
        write_done(analysis.store, run, config=config_of(run, suite=suite))
    write_list(analysis.store, entries)
    return find_runs("mine", STORE)


def test_each_policy_of_each_task_is_found_in_the_store(analysis: Analysis) -> None:
    write_randoms(analysis.store, "Hopper-v5", untrained=1.0, uniform=2.0)
    write_randoms(analysis.store, "Reacher-v5", untrained=-3.0, uniform=-4.0)
    randoms = find_randoms(runs_on(analysis, "Hopper-v5", "Reacher-v5"), STORE)
    assert randoms == (
        {"untrained": {"Hopper-v5": 1.0, "Reacher-v5": -3.0}, "uniform": {"Hopper-v5": 2.0, "Reacher-v5": -4.0}},
        {},
        (),
    )


def test_they_are_found_whether_or_not_a_sweep_lists_them(analysis: Analysis) -> None:
    write_randoms(analysis.store, "CartPole-v1", untrained=20.0, sweep=None)
    assert find_randoms(runs_on(analysis, "CartPole-v1"), STORE).scores["untrained"] == {"CartPole-v1": 20.0}


def test_own_tasks_do_not_hide_the_published_policies_of_others(
    analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_randoms(analysis.folder / "theirs", "Hopper-v5", untrained=5.0)
    analysis.prints("publish", "random", "outputs=theirs", "--out", "checkout")
    monkeypatch.setattr(store, "CHECKOUT", analysis.folder / "checkout")
    write_randoms(analysis.store, "CartPole-v1", untrained=20.0)
    randoms = find_randoms(runs_on(analysis, "Hopper-v5", "CartPole-v1"), STORE)
    assert randoms.scores["untrained"] == {"CartPole-v1": 20.0, "Hopper-v5": 5.0}
    assert randoms.missing == {}
    (note,) = randoms.notes
    assert "published records for Hopper-v5" in note


def test_a_policy_of_the_store_comes_before_a_published_one(
    analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_randoms(analysis.store, "Hopper-v5", untrained=5.0)
    analysis.prints("publish", "random", "--out", "checkout")
    monkeypatch.setattr(store, "CHECKOUT", analysis.folder / "checkout")
    write_randoms(analysis.store, "Hopper-v5", untrained=7.0)
    assert find_randoms(runs_on(analysis, "Hopper-v5"), STORE).scores["untrained"] == {"Hopper-v5": 7.0}


def test_the_command_that_trains_a_missing_policy_is_exact(analysis: Analysis) -> None:
    ours = find_randoms(runs_on(analysis, "CartPole-v1", suite="gymnasium"), STORE)
    assert ours.missing["CartPole-v1"].endswith("ppo-sweeps run random env=gymnasium env.id=CartPole-v1")
    theirs = find_randoms(runs_on(analysis, "Hopper-v5"), STORE)
    assert theirs.missing["Hopper-v5"].endswith("ppo-sweeps run random env=hopper")
    elsewhere = find_randoms(runs_on(analysis, "Hopper-v5"), Path("elsewhere"))
    assert elsewhere.missing["Hopper-v5"].endswith("ppo-sweeps run random env=hopper outputs=elsewhere")


def test_policies_of_several_settings_are_not_averaged(analysis: Analysis) -> None:
    for seed, (setting, score) in enumerate([("random a", 1.0), ("random b", 10.0), ("random b", 20.0)]):
        run = entry("Hopper-v5", seed, "Random", setting)
        write_done(analysis.store, run, score, config=config_of(run, "random", policy="untrained"))
    randoms = find_randoms(runs_on(analysis, "Hopper-v5"), STORE)
    assert randoms.scores["untrained"] == {"Hopper-v5": 15.0}
    assert any("several settings" in note for note in randoms.notes)


def test_a_policy_without_a_score_or_not_done_does_not_count(analysis: Analysis) -> None:
    write_randoms(analysis.store, "Hopper-v5")
    for path in analysis.store.glob("runs/*/random-untrained/*/result.json"):
        path.write_text(path.read_text().replace('"score": 0.0', '"score": null'))
    for path in analysis.store.glob("runs/*/random-uniform/*/result.json"):
        path.unlink()
    randoms = find_randoms(runs_on(analysis, "Hopper-v5"), STORE)
    assert randoms.scores == {"untrained": {}, "uniform": {}}


def test_a_config_that_cannot_be_read_does_not_count(analysis: Analysis) -> None:
    write_sweep(analysis.store, [1.0])
    write_randoms(analysis.store, "Hopper-v5")
    for path in analysis.store.glob("runs/*/random-*/*/config.yaml"):
        path.write_text("[: nonsense")
    assert find_randoms(find_runs("mine", STORE), STORE).scores["untrained"] == {}


def test_they_are_found_by_their_task_and_not_by_what_a_folder_is_called(analysis: Analysis) -> None:
    write_randoms(analysis.store, "Hopper-v5", untrained=3.0)
    (analysis.store / "runs" / "Hopper-v5").rename(analysis.store / "runs" / "moved here")
    assert find_randoms(runs_on(analysis, "Hopper-v5"), STORE).scores["untrained"] == {"Hopper-v5": 3.0}


def test_policies_of_another_suite_s_task_of_the_same_id_do_not_count(analysis: Analysis) -> None:
    for run in (entry("Hopper-v5", setting="random"),):
        write_done(analysis.store, run, 9.0, config=config_of(run, "random", "gymnasium", policy="untrained"))
    randoms = find_randoms(runs_on(analysis, "Hopper-v5"), STORE)
    assert randoms.scores["untrained"] == {}
    assert "env=hopper" in randoms.missing["Hopper-v5"]


def test_a_task_of_runs_of_several_suites_is_not_normalised(analysis: Analysis) -> None:
    write_randoms(analysis.store, "Hopper-v5")
    entries = [entry(), entry(seed=1)]
    for run, suite in zip(entries, ("mujoco", "gymnasium"), strict=True):
        write_done(analysis.store, run, config=config_of(run, suite=suite))
    write_list(analysis.store, entries)
    randoms = find_randoms(find_runs("mine", STORE), STORE)
    assert "several suites" in randoms.missing["Hopper-v5"]
