"""Artefacts: who asked for one gets it, of its first update and of no other; nobody else notices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ppo.config.compose import compose
from ppo.config.identity import pack_key
from ppo.config.run import Config
from ppo.pack import Pack
from ppo.runs.marker import make_marker
from ppo.train import Interrupted, train
from tests.ppo.handmade import records

SMALL = ["env=reacher", "algorithm.horizon=128", "algorithm.epochs=2", "network.hidden=[8]", "total_steps=640"]
ASKED = (True, False, True)  # lane by lane


def run(outputs: Path, seed: int, *, asks: bool) -> Config:
    record = ["algorithm.record=[interpolation]"] * asks
    return compose([*SMALL, "compile=false", f"seed={seed}", f"outputs={outputs}", *record])


def runs(outputs: Path) -> list[Config]:
    configs = [run(outputs, seed, asks=asks) for seed, asks in enumerate(ASKED)]
    assert len({pack_key(config) for config in configs}) == 1
    return configs


def stop_after(iterations: int, configs: Sequence[Config]) -> None:
    asked = iter(range(iterations))
    with pytest.raises(Interrupted):
        train(configs, stop=lambda: next(asked, None) is None)


def lines(configs: Sequence[Config]) -> list[bytes | None]:
    """The tables of runs that were trained to their end, None where there is none."""
    outcomes = train(configs)
    assert all(outcome.error is None for outcome in outcomes)
    paths = [outcome.folder / "interpolation.csv" for outcome in outcomes]
    return [path.read_bytes() if path.exists() else None for path in paths]


def test_in_a_pack_only_those_who_asked_get_a_table_and_it_is_the_one_they_get_alone(tmp_path: Path) -> None:
    packed = lines(runs(tmp_path / "packed"))
    assert [line is not None for line in packed] == list(ASKED)
    assert packed[0] != packed[2]
    for lane in range(3):
        assert lines([runs(tmp_path / "alone")[lane]]) == [packed[lane]]


def test_it_is_of_the_first_update_only() -> None:
    pack = Pack(runs(Path("unused")), make_marker(None, ["0" * 8] * 3), compiled=False)
    kept = [pack.iterate().artefacts for _ in range(3)]
    assert [[sorted(lane) for lane in iteration] for iteration in kept] == [
        [["interpolation"], [], ["interpolation"]],
        [[], [], []],
        [[], [], []],
    ]


def test_a_lane_at_its_first_update_gets_one_beside_lanes_that_are_long_past_it() -> None:
    configs, marker = runs(Path("unused")), make_marker(None, ["0" * 8] * 3)
    old, new = (Pack(configs, marker, compiled=False) for _ in range(2))
    for _ in range(2):
        old.iterate()
    for lane in (0, 1):
        new.set_state(lane, old.get_state(lane))
    assert [sorted(lane) for lane in new.iterate().artefacts] == [[], [], ["interpolation"]]


def test_after_a_resume_it_is_the_same_whatever_became_of_its_file(tmp_path: Path) -> None:
    configs = runs(tmp_path)
    stop_after(2, configs)
    paths = sorted(tmp_path.rglob("interpolation.csv"))
    assert len(paths) == 2
    before = [path.read_bytes() for path in paths]
    paths[0].unlink()
    paths[1].write_text("broken")
    found = lines(configs)
    assert sorted(line for line in found if line is not None) == sorted(before)
    assert found.count(None) == 1


def test_a_run_killed_before_its_first_checkpoint_makes_it_again(tmp_path: Path) -> None:
    undisturbed = lines(runs(tmp_path / "undisturbed"))
    configs = runs(tmp_path / "killed")
    stop_after(1, configs)
    for path in (tmp_path / "killed").rglob("checkpoint*.pt"):
        path.unlink()
    assert lines(configs) == undisturbed


def test_whoever_asks_changes_nothing_for_the_others(tmp_path: Path) -> None:
    beside = [records(outcome.folder) for outcome in train(runs(tmp_path / "a"))]
    nobody = [run(tmp_path / "b", seed, asks=False) for seed in range(3)]
    assert [records(outcome.folder) for outcome in train(nobody)] == beside
