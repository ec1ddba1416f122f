"""A 0 and a 1 that are written once and stay: `--freeze` and `--reference`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.folders import Analysis, cells, entry, write_done, write_list, write_sweep


def test_a_frozen_reference_stays_when_a_better_run_comes(two: Analysis) -> None:
    before = cells(two.prints("table1", "--sweep", "mine", "--freeze", "frozen.json"), "Clip")[0]
    write_done(two.store, entry("Hopper-v5", 0, "Better", "better"), 60.0)
    write_list(two.store, [entry(seed=0), entry(seed=1), entry("Hopper-v5", 0, "Better", "better")])
    frozen = two.prints("table1", "--sweep", "mine", "--reference", "frozen.json")
    assert (before, cells(frozen, "Clip")[0], cells(frozen, "Better")[0]) == ("0.67", "0.67", "2.00")
    assert cells(two.prints("table1", "--sweep", "mine"), "Clip")[0] == "0.33"
    assert cells(two.prints("robust", "--sweep", "mine", "--reference", "frozen.json"), "Clip")[0] == "0.67"


def test_the_order_of_settings_may_be_that_under_a_frozen_reference(two: Analysis) -> None:
    two.prints("table1", "--sweep", "mine", "--freeze", "frozen.json")
    better = [entry("Hopper-v5", seed, "Better", "better") for seed in (0, 1)]
    for run in better:
        write_done(two.store, run, 60.0)
    write_list(two.store, [entry(seed=0), entry(seed=1), *better])
    assert cells(two.prints("order", "--sweep", "mine", "--reference", "frozen.json"), "1. Better")[0] == "2.00"
    assert cells(two.prints("order", "--sweep", "mine"), "1. Better")[0] == "1.00"


def test_a_task_that_the_frozen_reference_lacks_is_not_normalised(two: Analysis) -> None:
    two.prints("table1", "--sweep", "mine", "--freeze", "frozen.json")
    write_sweep(two.store, [1.0, 2.0], "other", env="Ant-v5")
    out = two.prints("table1", "--sweep", "other", "--reference", "frozen.json")
    assert cells(out.partition("Scores by task")[0], "Clip")[0] == "-"
    assert "Not normalised: Ant-v5" in out
    assert "--freeze" in out
    assert "Ant-v5" in two.refuses("robust", "--sweep", "other", "--reference", "frozen.json")


@pytest.mark.parametrize("content", [None, "", "{}", '{"random": {}}'])
def test_a_frozen_reference_that_cannot_be_read_is_named(two: Analysis, content: str | None) -> None:
    if content is not None:
        Path("frozen.json").write_text(content)
    sentence = two.refuses("table1", "--sweep", "mine", "--reference", "frozen.json", "--out", "new")
    assert sentence.startswith("frozen.json is not a readable reference")
