"""Table 3 prints what is run: every key of conf/algorithm/ppo.yaml, and the paper's values beside ours."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from analysis import hyperparameters
from analysis.hyperparameters import CONF, compute, to_table
from tests.analysis.folders import complaint

# Appendix A, Table 3 of arXiv 1707.06347v2, typed off the paper.
PAPER = {
    "Horizon (T)": 2048.0,
    "Adam stepsize": 0.0003,
    "Num. epochs": 10.0,
    "Minibatch size": 64.0,
    "Discount (gamma)": 0.99,
    "GAE parameter (lambda)": 0.95,
}


@pytest.fixture
def table3() -> pd.DataFrame:
    return compute("table3")


def test_every_row_of_the_papers_table_is_there_first_and_in_its_order(table3: pd.DataFrame) -> None:
    assert list(table3.hyperparameter[:6]) == list(PAPER)
    assert set(table3.hyperparameter[6:]) == {""}


def test_what_is_run_is_what_the_paper_says(table3: pd.DataFrame) -> None:
    assert dict(zip(table3.hyperparameter, table3.value.map(to_float), strict=True)).items() >= PAPER.items()


def test_what_is_printed_as_the_papers_is_what_the_paper_says(table3: pd.DataFrame) -> None:
    printed = table3[table3.hyperparameter != ""]
    assert dict(zip(printed.hyperparameter, printed.paper.astype(float), strict=True)) == PAPER


def to_float(text: str) -> float | str:
    return float(text) if text[0].isdigit() else text


def test_every_key_of_the_configuration_is_a_row_once(table3: pd.DataFrame) -> None:
    content = yaml.safe_load((CONF / "algorithm" / "ppo.yaml").read_text())
    nested = {f"network.{key}" for key in content.pop("network")}
    assert sorted(table3.key) == sorted((set(content) | nested) - {"name"})


def test_a_changed_configuration_changes_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = yaml.safe_load((CONF / "algorithm" / "ppo.yaml").read_text()) | {"horizon": 512, "new_key": 7}
    (tmp_path / "algorithm").mkdir()
    (tmp_path / "algorithm" / "ppo.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setattr(hyperparameters, "CONF", tmp_path)
    frame = compute("table3").set_index("key")
    assert (frame.value["horizon"], frame.paper["horizon"], frame.value["new_key"]) == ("512", "2048", "7")


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("lr", "3e-4"),
        ("max_grad_norm", "none"),
        ("normalize_obs", "yes"),
        ("normalize_reward", "no"),
        ("network.hidden", "[64, 64]"),
        ("c2", "0.0"),
        ("lr_schedule", "constant"),
    ],
)
def test_a_value_is_printed_as_a_person_would_write_it(table3: pd.DataFrame, key: str, shown: str) -> None:
    assert table3.set_index("key").value[key] == shown


def test_the_table_prints_the_frame_and_names_its_file() -> None:
    table = to_table("table3")
    assert table.header == ["hyperparameter", "key", "value", "paper"]
    assert table.rows[0] == ["Horizon (T)", "horizon", "2048", "2048"]
    assert len(table.rows) == len(table.data)
    assert "conf/algorithm/ppo.yaml" in table.notes[0]


def test_a_table_without_a_configuration_is_told_with_those_that_have_one() -> None:
    sentence = complaint(compute, "table9")
    assert sentence.startswith("table9 is not possible yet: ")
    assert "; allowed: table3" in sentence
