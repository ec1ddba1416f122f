"""Where a sweep is looked for: the named store, what was published from it, what we publish."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analysis import store
from analysis.results import publish
from analysis.store import find_runs, load_sweep, stores
from ppo.runs.sweep_names import how_to_train, sweep_name
from tests.analysis.folders import (
    Analysis,
    complaint,
    entry,
    write_done,
    write_list,
)

STORE = Path("outputs")


def test_the_store_is_searched_before_what_was_published_from_it_and_before_what_we_publish(two: Analysis) -> None:
    two.prints("publish", "mine")
    assert find_runs("mine", STORE).source == Path("outputs")
    (two.store / "sweeps" / "mine" / "runs.json").unlink()
    assert find_runs("mine", STORE).source == Path("outputs/published/mine.json.gz")


def test_what_we_publish_is_found_from_any_folder_and_with_any_store(
    two: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.prints("publish", "mine", "--out", "checkout")
    monkeypatch.setattr(store, "CHECKOUT", two.folder / "checkout")
    assert find_runs("mine", Path("elsewhere")).source == two.folder / "checkout" / "mine.json.gz"


def test_without_a_checkout_the_installed_copy_is_what_we_publish(
    two: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.prints("publish", "mine", "--out", "installed")
    monkeypatch.setattr(store, "INSTALLED", two.folder / "installed")
    assert stores(STORE)[-1] == two.folder / "installed"
    assert find_runs("mine", Path("elsewhere")).source == two.folder / "installed" / "mine.json.gz"


def test_our_own_published_folder_is_searched_once(two: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    (two.store / "published").mkdir()
    monkeypatch.setattr(store, "CHECKOUT", two.store / "published")
    assert stores(STORE) == [Path("outputs"), Path("outputs/published")]


def test_a_sweep_that_is_nowhere_is_reported_with_the_command_that_trains_it(analysis: Analysis) -> None:
    assert "ppo-sweeps run mine" in complaint(find_runs, "mine", STORE)


def test_a_sweep_of_a_file_elsewhere_is_found_by_its_path(two: Analysis) -> None:
    file = two.folder / "own" / "lr.yaml"
    name = sweep_name(file)
    write_list(two.store, [entry()], name)
    write_done(two.store, entry(), 3.0)
    assert find_runs("own/lr.yaml", STORE).sweep == find_runs(str(file), STORE).sweep == name
    two.prints("publish", "own/lr.yaml", "--out", "out")
    assert Path(f"out/{name}.json.gz").exists()


def test_the_command_that_trains_a_sweep_is_one_that_can_be_typed() -> None:
    assert how_to_train("table1") == "ppo-sweeps run table1"
    assert how_to_train("own/lr.yaml") == "ppo-sweeps run own/lr.yaml"
    assert how_to_train("lr-291b45") == "ppo-sweeps run lr.yaml"


def test_a_sweep_of_a_similar_name_is_suggested(two: Analysis) -> None:
    two.prints("publish", "random")
    assert complaint(find_runs, "mine-1", STORE).endswith("Did you mean mine?")
    assert complaint(find_runs, "randon", STORE).endswith("Did you mean random?")
    write_list(two.store, [entry()], "their_own-123abc")
    assert complaint(find_runs, "their_own", STORE).endswith("Did you mean their_own-123abc?")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"runs": 3}', '{"runs": []}', '{"runs": [{"label": 3}]}'])
def test_a_list_that_cannot_be_read_is_named(tmp_path: Path, content: str) -> None:
    path = write_list(tmp_path, [entry()])
    path.write_text(content)
    assert complaint(load_sweep, "mine", tmp_path).startswith(f"{path} is not a readable list of runs")


def test_a_run_outside_its_store_is_refused(tmp_path: Path) -> None:
    write_list(tmp_path, [entry()._replace(folder="../outside")])
    assert "not a readable list" in complaint(load_sweep, "mine", tmp_path)


# -- weight ------------------------------------------------------------------------------------------------------------


def test_no_command_imports_torch_or_sweeps_or_what_trains() -> None:
    code = "import sys, analysis.__main__, analysis.command; analysis.command.commands(); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert publish.__name__ in loaded
    assert not loaded & {"torch", "sweeps", "matplotlib", "hydra", "scipy", "ppo.train", "ppo.session"}
    rooms = {name.split(".")[1] for name in loaded if name.startswith("ppo.")}
    assert rooms <= {"config", "runs", "errors"}
