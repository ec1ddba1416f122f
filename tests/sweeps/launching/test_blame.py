"""A pack with a run that kills it: exactly that run fails, the others finish, in few starts; accidents fail nothing."""

from __future__ import annotations

import random
import signal
from collections import deque
from collections.abc import Callable, Collection
from typing import NamedTuple

import pytest

from ppo.runs.marker import DIGITS
from sweeps.launching.blame import MOST_ALONE, Blame
from sweeps.planning.runs import Run
from tests.sweeps.declared import fake_run

Mark = Callable[[list[Run]], str | None]  # the marker that a dying pack leaves


class End(NamedTuple):
    """What became of a pack."""

    failed: set[str]
    finished: set[str]
    extra: int  # starts beyond the first


def make_runs(count: int) -> list[Run]:
    return [fake_run(f"{i:08x}") for i in range(1, count + 1)]


def play(runs: list[Run], poison: Collection[Run], number: int, mark: Mark) -> End:
    """Every pack with poison on board dies of a signal, every other one finishes."""
    blame, queue, starts = Blame(), deque([runs]), 0
    failed: list[str] = []
    finished: list[str] = []
    while queue:
        pack = queue.popleft()
        starts += 1
        assert starts < 1000, "it never ends"
        if not any(run in poison for run in pack):
            finished += [run.hash for run in pack]
            continue
        verdict = blame.judge(pack, mark(pack), number)
        failed += [run.hash for run in verdict.failed]
        queue.extendleft(reversed(verdict.packs))
    assert sorted(failed + finished) == [run.hash for run in runs], "every run ends once"
    return End(set(failed), set(finished), starts - 1)


def right(poison: Collection[Run]) -> Mark:
    """A marker that names the run that kills."""
    return lambda pack: marked(next(run for run in pack if run in poison))


def marked(run: Run) -> str:
    """A run as a marker names it."""
    return run.hash[:DIGITS]


def none(_pack: list[Run]) -> None:
    """A marker of a process that was working for all of its runs at once."""


# -- one poison run in a pack of 33 ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "extra"), [(signal.SIGSEGV, 2), (signal.SIGABRT, 2), (signal.SIGKILL, 3)])
def test_a_run_that_the_marker_names_fails_alone_in_few_starts(number: int, extra: int) -> None:
    runs = make_runs(33)
    for victim in runs:
        end = play(runs, [victim], number, right([victim]))
        assert end.failed == {victim.hash}
        assert len(end.finished) == 32
        assert end.extra == extra <= 6


def test_a_run_that_no_marker_names_is_found_by_halving() -> None:
    runs = make_runs(33)
    ends = [(play(runs, [victim], signal.SIGKILL, none), victim) for victim in runs]
    assert all(end.failed == {victim.hash} for end, victim in ends)
    assert all(len(end.finished) == 32 for end, _ in ends)
    assert max(end.extra for end, _ in ends) == 15, "one more for all, halves of 33, 17, 9, 5, 3, 2, and two alone"


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_two_runs_that_markers_name_both_fail_and_their_mates_finish(number: int) -> None:
    runs = make_runs(33)
    for i in range(0, 33, 4):
        poison = [runs[i], runs[(i + 7) % 33]]
        end = play(runs, poison, number, right(poison))
        assert end.failed == {run.hash for run in poison}
        assert len(end.finished) == 31


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 17])
@pytest.mark.parametrize("mark", ["right", "none"])
def test_smaller_packs_end_the_same_way(size: int, mark: str) -> None:
    runs = make_runs(size)
    for victim in runs:
        end = play(runs, [victim], signal.SIGKILL, right([victim]) if mark == "right" else none)
        assert end.failed == {victim.hash}
        assert len(end.finished) == size - 1


def test_a_run_that_no_marker_names_fails_alone_in_a_large_pack_too() -> None:
    runs = make_runs(66)
    assert {len(play(runs, [victim], signal.SIGKILL, none).failed) for victim in runs} == {1}


# -- accidents ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
def test_a_single_kill_starts_the_pack_once_more_and_fails_nothing(named: bool) -> None:
    runs = make_runs(33)
    victim = marked(runs[5]) if named else None
    assert Blame().judge(runs, victim, signal.SIGKILL) == ([], [runs])


def test_a_single_crash_sets_the_named_run_apart_and_fails_nothing() -> None:
    runs = make_runs(4)
    assert Blame().judge(runs, marked(runs[2]), signal.SIGSEGV) == ([], [[runs[2]], [runs[0], runs[1], runs[3]]])


def test_a_run_that_crashed_once_and_then_finishes_is_not_failed() -> None:
    runs = make_runs(2)
    blame = Blame()
    verdict = blame.judge(runs, marked(runs[0]), signal.SIGSEGV)
    assert verdict.failed == []
    assert blame.judge([runs[1]], None, signal.SIGKILL).failed == [], "its mate is judged by its own deaths"


def test_kills_while_working_for_one_run_after_another_fail_nobody() -> None:
    runs = make_runs(33)
    blame = Blame()
    assert blame.judge(runs, marked(runs[0]), signal.SIGKILL) == ([], [runs])
    assert blame.judge(runs, marked(runs[1]), signal.SIGKILL).failed == []


def test_a_marker_of_a_run_that_has_ended_blames_nobody() -> None:
    runs = make_runs(3)
    assert Blame().judge(runs, "deadbeef", signal.SIGSEGV) == ([], [runs])


# -- giving up ---------------------------------------------------------------------------------------------------------


def test_a_run_alone_is_failed_at_the_second_death_that_its_marker_names() -> None:
    (run,) = make_runs(1)
    blame = Blame()
    assert blame.judge([run], marked(run), signal.SIGKILL) == ([], [[run]])
    assert blame.judge([run], marked(run), signal.SIGKILL) == ([run], [])


def test_a_run_that_dies_alone_is_given_up_after_a_few_deaths_marked_or_not() -> None:
    (run,) = make_runs(1)
    blame = Blame()
    for _ in range(MOST_ALONE - 1):
        assert blame.judge([run], None, signal.SIGKILL) == ([], [[run]])
    assert blame.judge([run], None, signal.SIGKILL) == ([run], [])


def test_nobody_is_given_up_for_deaths_in_company() -> None:
    blame, runs = Blame(), make_runs(33)
    for _ in range(20):
        assert blame.judge(runs, None, signal.SIGKILL).failed == []


def test_every_run_is_failed_or_started_again_whatever_dies_of_whatever() -> None:
    rng = random.Random(0)
    for _ in range(200):
        blame, runs = Blame(), make_runs(rng.randrange(1, 34))
        for _ in range(20):
            pack = rng.sample(runs, rng.randrange(1, len(runs) + 1))
            victim = rng.choice([None, marked(rng.choice(runs))])
            verdict = blame.judge(pack, victim, rng.choice([signal.SIGKILL, signal.SIGSEGV]))
            judged = [run for group in (verdict.failed, *verdict.packs) for run in group]
            assert sorted(r.hash for r in judged) == sorted(r.hash for r in pack)
            assert all(verdict.packs)
