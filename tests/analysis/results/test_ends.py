"""End scores beside the ends of Figure 3's curves, on hand-made runs with known answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.results import ends
from analysis.store import load_sweep
from analysis.writers import markdown
from tests.analysis.folders import entry, write_done, write_list

CLIP, VPG = "Clipping, epsilon = 0.2", "Vanilla PG, Adaptive"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two of three seeds of PPO on Hopper, scoring 2000 and 2200; one run of vanilla PG; TRPO of 2017 never ran."""
    clip = [entry("Hopper-v5", seed, CLIP, "ppo-clip-epsilon=0.2") for seed in range(3)]
    others = [entry("Hopper-v5", 0, VPG, "vpg"), entry("Reacher-v5", 0, "TRPO of 2017", "trpo_2017")]
    for run, score in zip([*clip[:2], others[0]], [2000.0, 2200.0, 80.0], strict=True):
        write_done(tmp_path, run, score=score)
    write_list(tmp_path, [*clip, *others])
    return tmp_path


def test_each_cell_is_mean_and_sample_deviation_beside_the_papers_end(store: Path) -> None:
    frame = ends.compute(load_sweep("mine", store)).set_index(["label", "env"])
    clip = frame.loc[(CLIP, "Hopper-v5")]
    assert (clip["mean"], clip.done, clip.declared, clip.paper) == (2100.0, 2, 3, 2330.0)
    assert clip["std"] == pytest.approx(np.sqrt(20000))
    assert frame.loc[("TRPO of 2017", "Reacher-v5")].paper == -115.0
    assert np.isnan(frame.loc[(VPG, "Hopper-v5")].paper)


def test_the_table_tells_what_is_missing(store: Path) -> None:
    runs = load_sweep("mine", store)
    table = ends.to_table(ends.compute(runs), runs)
    assert table.rows == [
        [CLIP, "2100 ± 141 (2/3)", "-"],
        ["    paper: PPO (Clip)", "2330", "-"],
        [VPG, "80.0 (n=1)", "-"],
        ["TRPO of 2017", "-", "- (0/1)"],
        ["    paper: TRPO", "-", "-115"],
    ]
    assert "Incomplete: 3 of 5 runs are done" in markdown(table)
