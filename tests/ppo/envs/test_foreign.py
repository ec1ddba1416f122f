"""The guard around environments: what they raise, change and print costs and concerns their own run only."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppo.console import StderrHandler
from ppo.envs.foreign import Foreign, ForeignError
from ppo.envs.output import DROPPED, MOST
from ppo.envs.process import set_handler
from ppo.errors import UserError, one_line
from tests.ppo.handmade import raising

# -- what is raised ----------------------------------------------------------------------------------------------------


class Bare(BaseException):
    """No Exception."""


class Mute(Exception):
    def __str__(self) -> str:
        raise SystemExit("from __str__")


class Wrong(Exception):
    def __str__(self) -> Any:
        return 7


ODD = {
    "exit": (SystemExit(0), "sys.exit(0)"),
    "exit with text": (SystemExit("so long"), "sys.exit('so long')"),
    "interrupt": (KeyboardInterrupt("now"), "KeyboardInterrupt: now"),
    "generator": (GeneratorExit(), "GeneratorExit"),
    "cancelled": (asyncio.CancelledError(), "CancelledError"),
    "bare": (Bare("\udcff\udcfe bytes"), "Bare"),
    "surrogates": (ValueError("\ud800"), "\\ud800"),
    "mute": (Mute(), "cannot be shown"),
    "wrong": (Wrong(), "cannot be shown"),
    "group": (ExceptionGroup("many", [Mute()]), "many"),
    "huge": (ValueError("x" * 10**7), "ValueError: xxx"),
}


@pytest.mark.usefixtures("_as_in_training")
@pytest.mark.parametrize(("error", "words"), ODD.values(), ids=ODD.keys())
def test_whatever_is_raised_becomes_an_exception_that_can_be_written_down(
    guard: Foreign, error: BaseException, words: str
) -> None:
    with pytest.raises(ForeignError) as caught:
        guard.call(1, raising(error))
    text = str(caught.value)
    assert words in text
    assert len(text.encode()) < 10_000
    assert words[:20] in one_line(caught.value)


@pytest.mark.parametrize("error", [ValueError("no"), UserError("no such task"), ZeroDivisionError()])
def test_an_ordinary_exception_stays_as_it_is(guard: Foreign, error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        guard.call(0, raising(error))
    assert caught.value is error


def test_an_ordinary_exception_raised_from_an_odd_one_is_replaced(guard: Foreign) -> None:
    def act() -> None:
        try:
            raise Mute
        except Mute as first:
            raise ValueError("second") from first

    with pytest.raises(ForeignError, match="ValueError: second"):
        guard.call(0, act)


def test_an_interrupt_of_a_person_who_asked_twice_ends_the_process(guard: Foreign) -> None:
    before = set_handler(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            guard.call(0, lambda: os.kill(os.getpid(), signal.SIGINT) or time.sleep(5))
    finally:
        set_handler(signal.SIGINT, before)


def test_the_text_of_an_odd_exception_survives_one_line() -> None:
    assert one_line(Mute()) == "Mute: (its text cannot be shown)"
    assert one_line(ValueError("a\ud800\n b")) == "ValueError: a\\ud800 b"


# -- the marker --------------------------------------------------------------------------------------------------------


def test_the_marker_names_the_lane_while_its_code_runs() -> None:
    marker = np.zeros(4, np.uint32)
    guard = Foreign(marker)
    assert guard.call(2, lambda: int(marker[0])) == 3
    assert marker[0] == 0
    with pytest.raises(ValueError, match="no"):
        guard.call(1, raising(ValueError("no")))
    assert marker[0] == 0


# -- children ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["returns", "raises", "exits"])
def test_a_forked_child_never_comes_back_from_foreign_code(guard: Foreign, ends: str, tmp_path: Path) -> None:
    pid = 0

    def act() -> None:
        nonlocal pid
        pid = os.fork()
        if pid == 0 and ends != "returns":
            raise (ValueError("child") if ends == "raises" else SystemExit(7))

    guard.call(0, act)
    (tmp_path / str(os.getpid())).touch()
    assert os.waitpid(pid, 0)[1] == 0
    assert [path.name for path in tmp_path.iterdir()] == [str(os.getpid())]


# -- what is printed ---------------------------------------------------------------------------------------------------


def test_what_is_printed_goes_to_the_notes_of_its_lane(guard: Foreign, capsys: pytest.CaptureFixture[str]) -> None:
    guard.call(0, lambda: print("one"))
    guard.call(2, lambda: sys.stderr.buffer.write(b"two \xff"))
    guard.call(0, lambda: print("three"))
    assert capsys.readouterr() == ("", "")
    assert [guard.take_output(lane) for lane in range(3)] == ["one\nthree", "", "two \ufffd"]


def test_what_is_printed_beyond_a_limit_is_dropped_and_that_is_said_once(guard: Foreign) -> None:
    for _ in range(3):
        guard.call(1, lambda: print("x" * MOST))
    first = guard.take_output(1)
    guard.call(1, lambda: print("x"))
    assert guard.take_output(1) == ""
    assert MOST <= len(first) < MOST + 200
    assert first.endswith(DROPPED)
    guard.call(2, lambda: print("its mate's"))
    assert guard.take_output(2) == "its mate's"


def test_our_own_log_is_not_taken_for_an_environments_output(
    guard: Foreign, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = StderrHandler()

    def log() -> None:
        for name in ("ppo.train", "theirs"):
            handler.handle(logging.LogRecord(name, logging.WARNING, "", 0, f"from {name}", None, None))

    guard.call(0, log)
    assert capsys.readouterr().err == "from ppo.train\n"
    assert guard.take_output(0) == "from theirs"


@pytest.mark.parametrize("spoil", [lambda: sys.stdout.close(), lambda: setattr(sys, "stdout", None)])
def test_a_stream_that_is_closed_or_replaced_is_there_for_the_next(
    guard: Foreign, spoil: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    guard.call(0, spoil)
    print("ours")
    guard.call(0, lambda: print("theirs"))
    assert capsys.readouterr().out == "ours\n"
    assert guard.take_output(0) == "theirs"
