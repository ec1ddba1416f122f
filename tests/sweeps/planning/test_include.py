"""What a sweep leaves out, and what it takes from other sweeps."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from sweeps.planning.runs import Run, sweep_runs
from sweeps.planning.spec import load, parse
from tests.sweeps.declared import complaint, declare, runs_of


def seeds(runs: list[Run]) -> list[int]:
    return [run.config.seed for run in runs]


def points(runs: list[Run]) -> list[tuple[str, int]]:
    return [(run.label, run.config.seed) for run in runs]


def test_what_an_entry_of_exclude_names_is_left_out_together() -> None:
    content = {"grid": {"seed": [0, 1, 2]}, "settings": {"A": [], "B": ["surrogate=none"]}}
    runs = declare([], **content, exclude=[{"seed": [1, 2], "setting": "A"}, {"seed": 0, "setting": "B"}])
    assert points(runs) == [("A", 0), ("B", 1), ("B", 2)]


def test_what_was_left_out_stays_out_under_overrides() -> None:
    assert seeds(declare(["seed=1,2,3"], grid={"seed": [0, 1]}, exclude=[{"seed": 1}])) == [2, 3]


def test_a_sweep_of_which_nothing_is_left_is_reported_in_a_sentence() -> None:
    sweep = parse("mine", {"grid": {"seed": [0, 1]}, "exclude": [{"seed": [0, 1]}]})
    assert complaint(sweep_runs, sweep).startswith("sweep mine has no runs here")


def test_a_sweep_may_include_some_settings_of_another_or_all_of_them() -> None:
    some = declare([], include={"smoke": ["No clipping or penalty", "Clipping, epsilon = 0.2"]})
    assert some == [run for run in runs_of("smoke") if not run.label.startswith("Adaptive")]
    assert declare([], include={"smoke": None}) == list(runs_of("smoke"))


def test_a_sweep_is_the_union_of_its_grid_and_what_it_includes() -> None:
    own = {"settings": {"Mine": ["surrogate=clip", "surrogate.epsilon=0.5"]}, "grid": {"seed": [5]}}
    runs = declare([], include={"smoke": ["No clipping or penalty"]}, **own)
    assert Counter(run.label for run in runs) == {"No clipping or penalty": 4, "Mine": 1}


def test_a_run_that_two_included_sweeps_share_is_one_run() -> None:
    runs = declare([], include={"table1": None, "figure3": ["Clipping, epsilon = 0.2"]})
    assert runs == list(runs_of("table1"))


def test_a_label_that_the_included_sweep_lacks_is_reported_with_its_near_matches() -> None:
    sentence = complaint(sweep_runs, parse("mine", {"include": {"smoke": ["Clipping, epsilon = 0.3"]}}))
    assert sentence.startswith("sweep mine: sweep smoke has no setting 'Clipping, epsilon = 0.3': ")
    assert "Did you mean Clipping, epsilon = 0.2" in sentence


def test_an_unknown_sweep_cannot_be_included() -> None:
    sentence = complaint(sweep_runs, parse("mine", {"include": {"smok": None}}))
    assert sentence.startswith("sweep smok is unknown: ")
    assert "Did you mean smoke?" in sentence


def test_a_sweep_cannot_include_itself_not_even_through_another(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(json.dumps({"include": {str(other): None}}))
    other.write_text(json.dumps({"include": {str(one): None}}))
    names = [load(str(path)).name for path in (one, other, one)]
    assert complaint(sweep_runs, load(str(one))) == f"sweep {names[0]} includes itself: {' -> '.join(names)}."


def test_a_file_of_the_stem_of_one_of_ours_may_include_that(tmp_path: Path) -> None:
    path = tmp_path / "smoke.yaml"
    path.write_text(json.dumps({"include": {"smoke": None}}))
    assert sweep_runs(load(str(path))) == list(runs_of("smoke"))
