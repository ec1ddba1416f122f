"""Records and the table of scores, on hand-made runs with known answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis.__main__ import main
from analysis.records import CurvePoint, publish, read_store, thin
from analysis.scores import Published, late_return, score_rows, to_markdown


def make_run(store: Path, seed: int, score: float) -> None:
    """A finished run of 2000 steps: 20 episodes of 100 steps, the k-th returning k, at 50 and then 100 steps/s."""
    folder = store / "Hopper-v5" / "clip" / f"seed={seed}-0000000{seed}"
    folder.mkdir(parents=True)
    rows = "".join(f"{100 * k},{float(k)},100\n" for k in range(1, 21))
    (folder / "episodes.csv").write_text("step,return,length\n" + rows)
    (folder / "updates.csv").write_text("iteration,step,steps_per_second\n1,1000,50\n2,2000,100\n")
    (folder / "config.yaml").write_text("seed: 0\n")
    result = {"env": "Hopper-v5", "setting": "clip", "seed": seed, "score": score, "steps": 2000}
    result["run"] = f"0000000{seed}"
    (folder / "result.json").write_text(json.dumps(result))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for seed, score in enumerate((10.0, 20.0, 30.0)):
        make_run(tmp_path / "runs", seed, score)
    return tmp_path / "runs"


def test_a_row_is_mean_and_sample_deviation_over_seeds(store: Path) -> None:
    (row,) = score_rows(read_store(store), [])
    assert (row.env, row.setting, row.runs, row.mean, row.deviation) == ("Hopper-v5", "clip", 3, 20.0, 10.0)


def test_seconds_are_the_wall_time_of_the_iterations(store: Path) -> None:
    assert {r.seconds for r in read_store(store)} == {1000 / 50 + 1000 / 100}


def test_the_last_tenth_of_the_steps_is_averaged_over_its_episodes(store: Path) -> None:
    assert late_return(read_store(store)[0]) == 19.5  # those that ended at steps 1900 and 2000


def test_one_run_has_no_deviation(store: Path) -> None:
    assert score_rows(read_store(store)[:1], [])[0].deviation is None


def test_published_scores_stand_beside_ours(store: Path) -> None:
    published = [
        Published("Hopper", "PPO paper Fig.3 (somebody)", "curve end", 2330.0),
        Published("Hopper", "a", "last 100 training episodes", 2000.0),
        Published("Hopper", "b", "max over evaluations", 9999.0),
        Published("Reacher", "c", "last 100 training episodes", -4.0),
    ]
    (row,) = score_rows(read_store(store), published)
    assert (row.paper, row.baselines, row.others) == (2330.0, None, [2000.0])


def test_a_curve_has_a_point_for_each_stretch_in_which_an_episode_ended() -> None:
    assert thin([(5, 1.0), (10, 3.0), (11, 7.0), (1000, 9.0)], 2000) == [
        CurvePoint(10, 2.0, 2),
        CurvePoint(20, 7.0, 1),
        CurvePoint(1000, 9.0, 1),
    ]


def test_a_published_record_gives_the_same_table(store: Path, tmp_path: Path) -> None:
    for record in read_store(store):
        publish(record, tmp_path / "published")
    tables = [to_markdown(score_rows(read_store(s), [])) for s in (store, tmp_path / "published")]
    assert tables[0] == tables[1]


def test_a_store_without_runs_is_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scores", str(tmp_path)]) == 2
    assert "no finished run under" in capsys.readouterr().err


def test_analysis_needs_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, analysis.__main__; assert not {'torch', 'ppo'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
