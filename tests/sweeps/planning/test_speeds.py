"""Estimates are the measured speeds between their sizes, scaled by what this machine's own runs took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ppo.config.compose import compose
from ppo.config.run import Config
from ppo.runs.machine import processor
from sweeps.planning import speeds as module
from sweeps.planning.speeds import START_SECONDS, Speeds, measured, microseconds, speeds
from tests.sweeps.declared import TOY, million, runs_of

HERE = "the processor of this test"


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of 40, 20 and 10 microseconds in packs of 1, 3 and 33, on a processor of our own."""
    monkeypatch.setattr(module, "measured", lambda: TOY)
    monkeypatch.setattr(module, "processor", lambda: HERE)


def configs_of(sweep: str) -> list[Config]:
    """The runs of a sweep."""
    return [run.config for run in runs_of(sweep)]


def whole(config: Config) -> int:
    """All steps of a run."""
    return config.goal


def result(env: str = "hopper", algorithm: str = "ppo", **changes: Any) -> tuple[Config, dict[str, Any]]:
    """A run alone that took twice as long as the table says, and its result: 15 + 2 x 40 seconds."""
    measured = {"pack_size": 1, "steps": 1_000_000, "seconds": 95.0, "processor": HERE}
    return compose([f"env={env}", f"algorithm={algorithm}"]), measured | changes


# -- the table ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "time"),
    [
        (1, 40.0),
        (2, 25.0),  # 1/2 is a quarter of the way from 1/3 to 1
        (3, 20.0),
        (11, 12.0),  # 1/11 is a fifth of the way from 1/33 to 1/3
        (33, 10.0),
        (66, 10.0),  # beyond 33 nothing is gained
    ],
)
def test_between_measured_sizes_a_steps_time_is_linear_in_one_over_the_size(size: int, time: float) -> None:
    assert microseconds(million("halfcheetah"), size) == pytest.approx(time)


def test_a_task_that_was_never_measured_is_as_fast_as_halfcheetah(monkeypatch: pytest.MonkeyPatch) -> None:
    assert microseconds(million("reacher"), 3) == 20.0
    monkeypatch.setattr(module, "measured", lambda: TOY | {"Reacher-v5": ((0.5, 1.0), (1.0, 2.0))})
    assert microseconds(million("reacher"), 1) == 2.0


def test_games_are_as_fast_as_their_suite_algorithm_network_and_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    game = compose(["env=atari", "env.id=pong", "experiment=table5", "network.precision=bfloat16"])
    monkeypatch.setattr(module, "measured", lambda: TOY | {"atari ppo a3c_cnn bfloat16": ((1.0,), (900.0,))})
    assert microseconds(game, 1) == 900.0


@pytest.mark.parametrize("sweep", ["table6", "table6_smoke", "atari7", "atari2_long"])
def test_every_kind_of_game_that_a_sweep_trains_was_measured(sweep: str) -> None:
    kinds = {f"{c.env.suite} {c.algorithm.name} {c.network.name} {c.network.precision}" for c in configs_of(sweep)}
    assert kinds <= set(measured())


def test_the_table_is_read_with_large_packs_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "speeds.csv"
    path.write_text("env,pack,microseconds\nA,1,40\nB,2,7.5\nA,4,10\n")
    monkeypatch.setattr(module, "TABLE", path)
    assert measured.__wrapped__() == {"A": ((0.25, 1.0), (10.0, 40.0)), "B": ((0.5,), (7.5,))}


def test_every_task_of_table_1_was_measured_and_packs_are_faster_than_runs_alone() -> None:
    table = measured()
    assert {run.config.env.id for run in runs_of("table1")} <= set(table)
    for sizes, times in (speed for kind, speed in table.items() if " " not in kind):
        assert (sizes[0], sizes[-1]) == (1 / 33, 1.0)
        assert list(times) == sorted(times)


# -- a pack ------------------------------------------------------------------------------------------------------------


def test_a_pack_takes_its_start_and_its_steps() -> None:
    plain = Speeds({}, 1.0, "")
    assert plain.seconds(million(), 1, whole(million())) == pytest.approx(START_SECONDS + 40)
    assert plain.seconds(million(), 33, whole(million())) == pytest.approx(START_SECONDS + 33 * 10)


def test_a_tasks_own_factor_is_taken_before_the_overall_one() -> None:
    scaled = Speeds({("Hopper-v5", "ppo"): 2.0}, 3.0, "")
    assert scaled.seconds(million("hopper"), 1, whole(million("hopper"))) == pytest.approx(START_SECONDS + 80)
    assert scaled.seconds(million("reacher"), 1, whole(million("reacher"))) == pytest.approx(START_SECONDS + 120)


# -- this machine ------------------------------------------------------------------------------------------------------


def test_a_run_that_took_twice_as_long_as_the_table_says_doubles_the_estimate() -> None:
    scaled = speeds([result()])
    assert scaled.factors == {("Hopper-v5", "ppo"): 2.0}
    assert scaled.source == "1 finished runs on this machine"


def test_a_packs_run_is_compared_with_its_packs_time() -> None:
    assert speeds([result(pack_size=33, seconds=345.0)]).factors == {("Hopper-v5", "ppo"): 1.0}


def test_a_factor_is_the_median_of_its_runs() -> None:
    assert speeds([result(seconds=s) for s in (55.0, 5500.0, 135.0)]).factors == {("Hopper-v5", "ppo"): 3.0}


def test_tasks_and_algorithms_have_factors_of_their_own_and_the_rest_their_median() -> None:
    others = [result(env="reacher", seconds=55.0), result(algorithm="random", seconds=215.0)]
    scaled = speeds([result(), *others])
    assert scaled.factors == {("Hopper-v5", "ppo"): 2.0, ("Reacher-v5", "ppo"): 1.0, ("Hopper-v5", "random"): 5.0}
    assert scaled.overall == 2.0
    assert scaled.source == "3 finished runs on this machine"


@pytest.mark.parametrize(
    "changes",
    [
        {"processor": "another"},
        {"processor": None},
        {"steps": 99_999},  # mostly start
        {"steps": None},
        {"seconds": None},
        {"pack_size": None},
    ],
)
def test_what_says_nothing_about_this_machine_is_left_out(changes: dict[str, Any]) -> None:
    scaled = speeds([result(**changes)])
    assert (scaled.factors, scaled.overall) == ({}, 1.0)
    assert HERE in scaled.source


def test_runs_of_other_machines_do_not_move_the_factor() -> None:
    assert speeds([result(), result(processor="another", seconds=1.0)]) == speeds([result()])


def test_nothing_finished_means_the_tables_own_speeds() -> None:
    assert speeds([]).seconds(million(), 3, whole(million())) == pytest.approx(75)


def test_this_machines_processor_has_a_name() -> None:
    assert processor()
