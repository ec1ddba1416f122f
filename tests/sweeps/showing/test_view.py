"""What a person sees while a sweep runs: plain lines in a file, a live table on a terminal, figures as by hand."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from ppo import console as progress
from ppo.runs import states
from sweeps.planning.runs import Run
from sweeps.showing import view, watch
from sweeps.showing.view import LiveView, PlainView, Summary, headline, make_view
from sweeps.showing.watch import PackLine, Watch, pack_title
from tests.sweeps.folders import tiny_runs, write_done, write_status

SUMMARY = Summary(name="table1", runs=231, done=12, failed=0, waiting=0, left=60.0)
LINES = [
    PackLine("Hopper-v5  33 settings", 33, 1, 2, "410k of 1M", 6789.4, 3723.0, 0.41),
    PackLine("Reacher-v5  ppo-none", 3, 0, 0, "0 of 1M", None, 3600.0, 0.0),
]
NOTE = "failed   runs/[x]/seed=0 at step 3: OSError: [/data] is full"


class Clock:
    """The time that a module sees."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *modules: object) -> None:
        self.now, self.set_by = 1e9, 0.0
        line = SimpleNamespace(
            time=lambda: self.now + self.set_by, monotonic=lambda: self.now, strftime=lambda _: "12:34:56", sleep=None
        )
        for module in modules:
            monkeypatch.setattr(module, "time", line)


def file_console() -> Console:
    return Console(file=io.StringIO(), width=100)


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)


def text(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined]


# -- the headline ------------------------------------------------------------------------------------------------------


def test_the_headline_leaves_out_what_is_none() -> None:
    assert headline(SUMMARY) == "table1: 12 of 231 runs done, 1:00 left"
    full = SUMMARY._replace(failed=2, waiting=5, left=3723.0)
    assert headline(full) == "table1: 12 of 231 runs done, 2 failed, 5 packs waiting, 1:02:03 left"


# -- plain lines -------------------------------------------------------------------------------------------------------


def test_a_file_gets_a_view_of_plain_lines_and_a_terminal_a_live_one() -> None:
    assert isinstance(make_view(file_console()), PlainView)
    live = make_view(terminal())
    live.close()
    assert isinstance(live, LiveView)


def test_an_event_is_one_line_with_its_time_however_long_and_whatever_brackets_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Clock(monkeypatch, view)
    console = file_console()
    plain = PlainView(console)
    plain.event(NOTE + "!" * 200)
    plain.event("ended    all")
    plain.close()
    assert text(console) == f"12:34:56  {NOTE}{'!' * 200}\n12:34:56  ended    all\n"


def test_the_progress_is_a_line_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, console = Clock(monkeypatch, view), file_console()
    plain = PlainView(console)
    for _ in range(200):
        clock.now += 1
        plain.show(SUMMARY, LINES)
    lines = text(console).splitlines()
    assert len(lines) == 3
    packs = "Hopper-v5  33 settings 41%; Reacher-v5  ppo-none 0%"
    assert lines[0] == f"12:34:56  table1: 12 of 231 runs done, 1:00 left: {packs}"


# -- a live table ------------------------------------------------------------------------------------------------------


def test_a_terminal_sees_a_row_for_each_pack_and_the_headline() -> None:
    console = terminal()
    live = LiveView(console)
    live.show(SUMMARY, LINES)
    live.close()
    rows = [line.split() for line in text(console).splitlines() if line.startswith(("Hopper", "Reacher"))]
    assert rows[-2] == [
        "Hopper-v5",
        "33",
        "settings",
        "33",
        "41%",
        "410k",
        "of",
        "1M",
        "6,789",
        "1:02:03",
        "2",
        "failed",
    ]
    assert rows[-1] == ["Reacher-v5", "ppo-none", "3", "0%", "0", "of", "1M", "starting", "1:00:00"]
    assert "table1: 12 of 231 runs done, 1:00 left" in text(console)


def test_events_stay_above_the_table_as_they_are() -> None:
    console = terminal()
    live = LiveView(console)
    live.show(SUMMARY, LINES)
    live.event(NOTE)
    live.show(SUMMARY._replace(done=13), LINES)
    live.close()
    printed = text(console)
    assert printed.count(NOTE) == 1
    assert printed.index(NOTE) < printed.rindex("13 of 231 runs done")


def test_without_packs_in_training_there_is_still_a_headline() -> None:
    console = terminal()
    live = LiveView(console)
    live.show(SUMMARY, [])
    live.close()
    assert "table1: 12 of 231 runs" in " ".join(text(console).split())


# -- figures -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """Four runs of 256 steps each: 1,024 steps of a pack."""
    return tiny_runs(tmp_path, seeds=4)[:4]


def beat(runs: list[Run], clock: Clock, *steps: int) -> None:
    """Heartbeats of all runs, now."""
    for run, step in zip(runs, steps, strict=True):
        write_status(run.folder, "running", step=step, heartbeat=clock.now)


def begun(runs: list[Run], clock: Clock) -> Watch:
    """A watch whose clock has started, at 16 steps of each run."""
    follower = Watch(runs, 90.0)
    for step in (0, 16):
        beat(runs, clock, *[step] * len(runs))
        assert follower.look()[-3:-1] == (None, 90.0)
        clock.now += 40
    clock.now -= 40
    return follower


def test_a_pack_that_has_not_begun_has_no_speed_and_the_time_left_that_was_planned(
    runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch, watch, states)
    line = Watch(runs, 90.0).look()
    assert line == PackLine("InvertedPendulum-v5  Clip", 4, 0, 0, "0 of 256", None, 90.0, 0.0)


def test_speed_and_time_left_are_those_between_heartbeats(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, watch, states)
    follower = begun(runs, clock)
    clock.now += 10
    beat(runs, clock, 64, 64, 64, 64)
    line = follower.look()
    assert line.speed == pytest.approx(19.2)  # (256 - 64) steps in 10 s
    assert line.left == pytest.approx(40.0)  # (1024 - 256) / 19.2
    assert (line.steps, line.share) == ("64 of 256", 0.25)


def test_the_time_in_which_a_pack_compiles_is_not_counted(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, watch, states)
    follower = Watch(runs, 90.0)
    for later, step in ((0, 0), (20, 0), (20, 1), (2, 2)):  # the first step takes 40 s, the second 2
        clock.now += later
        beat(runs, clock, *[step] * 4)
        line = follower.look()
    assert line.speed == pytest.approx(2.0)  # 4 runs, a step in 2 s


def test_between_heartbeats_the_time_left_goes_down_and_never_below_0(
    runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, watch, states)
    follower = begun(runs, clock)
    clock.now += 10
    beat(runs, clock, 64, 64, 64, 64)
    clock.now += 15
    assert follower.look().left == pytest.approx(25.0)
    clock.now += 30
    assert follower.look().left == 0.0


def test_steps_from_before_an_interruption_are_not_counted_as_speed(
    runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, watch, states)
    for run in runs:
        write_status(run.folder, "planned", step=128, heartbeat=clock.now - 1000)
    follower = Watch(runs, 90.0)
    assert follower.look().speed is None
    for step in (0, 144):  # a run says 0 until its checkpoint is read and an iteration is over
        beat(runs, clock, *[step] * 4)
        assert follower.look().speed is None
    clock.now += 8
    beat(runs, clock, 176, 176, 176, 176)
    assert follower.look().speed == pytest.approx(16.0)  # 4 x 32 steps in 8 s


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0])
def test_a_clock_that_is_set_midway_makes_no_pack_faster_or_slower(
    runs: list[Run], monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    clock = Clock(monkeypatch, watch, states)
    follower = begun(runs, clock)
    speeds = []
    for number in range(1, 7):
        clock.now += 10
        clock.set_by = jump if number >= 3 else 0.0
        for run in runs:
            write_status(run.folder, "running", step=16 + 16 * number, heartbeat=clock.now + clock.set_by)
        speeds.append(follower.look().speed)
    assert speeds == pytest.approx([6.4] * 6)  # 4 x 16 steps in 10 s
    assert follower.look().left == pytest.approx(90.0)  # 4 x (256 - 112) steps
    clock.now += 10
    assert follower.look().left == pytest.approx(80.0)


def test_runs_that_are_done_or_failed_are_counted(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, watch, states)
    beat(runs, clock, 128, 128, 128, 128)
    write_done(runs[0].folder)
    write_status(runs[1].folder, "failed", step=64)
    line = Watch(runs, 90.0).look()
    assert (line.size, line.done, line.failed) == (4, 1, 1)
    assert line.share == 0.75  # (256 + 256 + 128 + 128) / 1024: a failed run takes no more


def test_a_pack_whose_runs_have_all_ended_has_no_time_left(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    follower = begun(runs, Clock(monkeypatch, watch, states))
    for run in runs:
        write_done(run.folder)
    assert (follower.look().left, follower.look().share) == (0.0, 1.0)


@pytest.mark.parametrize("when", [0, 1, 2])  # before the first step, before the clock starts, while it runs
def test_a_run_that_fails_makes_its_mates_neither_faster_nor_slower(
    runs: list[Run], monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    clock = Clock(monkeypatch, watch, states)
    follower = Watch(runs, 90.0)
    for look, (later, step) in enumerate([(0, 0), (40, 16), (10, 64), (10, 112)]):  # it compiles for 40 s
        clock.now += later
        beat(runs, clock, *[step] * 4)
        if look >= when:
            write_status(runs[0].folder, "failed", step=0)
        line = follower.look()
    assert line.speed == pytest.approx(14.4)  # 3 x 96 steps in 20 s
    assert line.left == pytest.approx(30.0)  # 3 x 144 steps


def test_a_pack_that_is_saved_keeps_the_speed_it_had(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, watch, states)
    follower = begun(runs, clock)
    clock.now += 10
    beat(runs, clock, 64, 64, 64, 64)
    follower.look()
    for run in runs:
        write_status(run.folder, "planned", step=64, heartbeat=clock.now)
    assert follower.look()[-3:-1] == pytest.approx((19.2, 40.0))


@pytest.mark.parametrize(("seconds", "shown"), [(0.0, "0:00"), (59.6, "1:00"), (3600.0, "1:00:00")])
def test_seconds_are_rounded_before_they_are_minutes(seconds: float, shown: str) -> None:
    assert progress.clock(seconds) == shown


def test_a_pack_is_called_by_its_task_and_its_setting_or_how_many(tmp_path: Path) -> None:
    runs = tiny_runs(tmp_path, seeds=2)
    assert pack_title(runs[2:4]) == "InvertedPendulum-v5  None"
    assert pack_title(runs) == "InvertedPendulum-v5  3 settings"
