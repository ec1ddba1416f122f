"""Packs hold every run once, never mix, never grow too large, and keep the workers busy."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from ppo.config.compose import compose
from ppo.config.identity import pack_key
from sweeps.planning import speeds
from sweeps.planning.packing import LARGEST, Pace, PlannedPack, cut, make_pack, makespan
from sweeps.planning.runs import Run
from sweeps.planning.speeds import Speeds
from tests.sweeps.declared import TOY, many, million, runs_of

PLAIN = Speeds({}, 1.0, "")


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """45 + 10 s seconds for a pack of s up to three runs, 48 + 9 s beyond."""
    monkeypatch.setattr(speeds, "measured", lambda: TOY)


def packed(runs: Sequence[Run], workers: int = 1, most: int | None = None) -> list[PlannedPack]:
    return cut(runs, workers=workers, most=most, pace=Pace(PLAIN))


def sizes(packs: Sequence[PlannedPack]) -> list[int]:
    return [len(pack.runs) for pack in packs]


def last(*seconds: float, workers: int) -> float:
    return makespan([PlannedPack([], s) for s in seconds], workers)


# -- what a pack is ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 5, 400])
@pytest.mark.parametrize("most", [None, 1, 10, 33])
def test_every_run_of_table_1_is_in_exactly_one_pack(workers: int, most: int | None) -> None:
    packs = packed(runs_of("table1"), workers, most)
    assert sorted(run.hash for pack in packs for run in pack.runs) == sorted(run.hash for run in runs_of("table1"))
    assert all(pack.runs for pack in packs)


@pytest.mark.parametrize("workers", [1, 3, 64])
def test_a_pack_has_one_pack_key(workers: int) -> None:
    runs = [*runs_of("table1"), *runs_of("random"), *runs_of("smoke")]
    random.Random(0).shuffle(runs)
    for pack in packed(runs, workers):
        assert len({pack_key(run.config) for run in pack.runs}) == 1


def test_runs_whose_network_is_called_lane_by_lane_are_not_packed_unless_asked_for() -> None:
    config = compose(["experiment=table5", "env=atari", "env.id=pong"])
    assert sizes(packed(many(4, config))) == [1] * 4
    assert sizes(packed(many(4, config), most=4)) == [4]


def test_a_task_of_table_1_is_one_pack_for_one_worker() -> None:
    assert sizes(packed(runs_of("table1"))) == [33] * 7


def test_packs_start_longest_first() -> None:
    seconds = [pack.seconds for pack in packed(runs_of("table1"), workers=4)]
    assert seconds == sorted(seconds, reverse=True)
    assert len(set(seconds)) > 1


def test_nothing_to_train_is_no_pack() -> None:
    assert packed([], workers=2) == []


@pytest.mark.parametrize("most", [1, 2, 3, 7, 33, 40])
def test_a_pack_is_never_larger_than_allowed_and_there_are_no_more_than_needed(most: int) -> None:
    for count in range(1, 71):
        made = sizes(packed(many(count, million()), workers=2, most=most))
        assert sum(made) == count
        assert max(made) <= most
        assert len(made) == -(-count // most)


def test_packs_of_one_task_are_of_even_sizes() -> None:
    assert sorted(sizes(packed(many(34, million()), most=33))) == [17, 17]
    assert sorted(sizes(packed(many(11, million()), most=4))) == [3, 4, 4]


@pytest.mark.parametrize("count", [34, 66, 67, 200])
def test_left_alone_a_pack_has_33_runs_at_most(count: int) -> None:
    assert max(sizes(packed(many(count, million())))) <= LARGEST == 33


# -- how long it takes -------------------------------------------------------------------------------------------------


def test_each_worker_takes_the_longest_pack_that_is_left() -> None:
    assert last(3, 7, 4, 5, workers=1) == 19
    assert last(3, 7, 4, 5, workers=2) == 10  # 7 and 5; 5 + 4; 7 + 3
    assert last(3, 7, 4, 5, workers=3) == 7  # 7; 5; 4 + 3
    assert last(3, 7, 4, 5, workers=9) == 7
    assert last(workers=2) == 0


@pytest.mark.usefixtures("toy")
def test_a_pack_takes_as_long_as_its_size_says() -> None:
    assert [packed(many(size, million()))[0].seconds for size in (1, 3, 33)] == pytest.approx([55, 75, 345])


@pytest.mark.usefixtures("toy")
def test_steps_are_counted_in_whole_iterations() -> None:
    (pack,) = packed(many(1, million("hopper", "total_steps=1_000_001")))
    assert pack.seconds == pytest.approx(15 + 1.001 * 40)


@pytest.mark.usefixtures("toy")
def test_two_workers_share_a_pack_of_33() -> None:
    packs = packed(many(33, million()), workers=2)
    assert sizes(packs) == [17, 16]
    assert [pack.seconds for pack in packs] == pytest.approx([201, 192])  # 48 + 9 s


@pytest.mark.usefixtures("toy")
def test_two_workers_share_the_last_of_three_tasks() -> None:
    tasks = ("hopper", "reacher", "swimmer")
    packs = packed([run for task in tasks for run in many(33, million(task))], workers=2)
    assert makespan(packs, 2) <= 345 + 201  # two whole packs and a half, where three whole ones take 690
    assert sum(sizes(packs)) == 99


@pytest.mark.usefixtures("toy")
def test_a_pack_stays_whole_where_halves_would_end_no_earlier() -> None:
    assert sizes(packed(many(33, million()), workers=1)) == [33]
    both = [*many(33, million("hopper")), *many(33, million("reacher"))]
    assert sizes(packed(both, workers=2)) == [33, 33]


@pytest.mark.usefixtures("toy")
def test_as_many_workers_as_runs_get_one_each() -> None:
    assert sizes(packed(many(8, million()), workers=8)) == [1] * 8


@pytest.mark.parametrize("workers", range(1, 9))
def test_cutting_for_the_workers_never_makes_the_sweep_end_later(workers: int) -> None:
    draw = random.Random(workers)
    for _ in range(12):
        tasks = draw.sample(["hopper", "reacher", "swimmer", "walker2d", "halfcheetah"], draw.randint(1, 5))
        runs = [run for task in tasks for run in many(draw.randint(1, 80), million(task))]
        assert makespan(packed(runs, workers), workers) <= makespan(packed(runs, workers, LARGEST), workers)


def test_more_workers_never_make_table_1_end_later() -> None:
    ends = [makespan(packed(runs_of("table1"), workers), workers) for workers in (1, 2, 4, 8, 16, 32)]
    assert ends == sorted(ends, reverse=True)


def test_what_checkpoints_have_is_not_estimated_again(toy: None) -> None:
    runs = many(2, million())
    taken = {run.hash: steps for run, steps in zip(runs, (900_000, 500_000), strict=True)}
    pack = make_pack(runs, Pace(PLAIN, taken))
    assert pack.seconds == pytest.approx(15 + 2 * 500_000 * 25e-6)  # until the run that has less is done
