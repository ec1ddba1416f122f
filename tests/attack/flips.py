"""Single bits flipped in the files of interrupted and finished runs: found or harmless, with equal bytes at the end."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ppo.runs.checkpoints import NEWEST, PREVIOUS, unpacked
from ppo.runs.results import CONFIG, EPISODES, RESULT, UPDATES, read_result
from ppo.runs.states import State, standing
from ppo.runs.store import folder_of
from tests.attack._small import Bytes, bytes_of, complaint, config, quiet, train_on, train_some
from tests.attack.result import Result

TABLES = (EPISODES, UPDATES)
FILES = {  # file -> how often its turn comes
    NEWEST: 3, PREVIOUS: 1, RESULT: 3, CONFIG: 1, "status.json": 1, EPISODES: 2, UPDATES: 2,
}  # fmt: skip


class Case(NamedTuple):
    """A run folder before anything happens to it."""

    name: str  # interrupted, finished
    copy: Path
    names: list[str]  # its files, as often as their turn comes


class Flip(NamedTuple):
    """A bit."""

    case: Case
    name: str
    bit: int


def attack(full: bool) -> Result:
    """Flip, look, train on, compare; 500 times if `full`."""
    tried = 500 if full else 40
    with tempfile.TemporaryDirectory() as scratch, quiet():
        place, expected, cases = _prepared(Path(scratch))
        generator, broke, counts = random.Random(0), [], Counter[str]()
        for number in range(tried):
            flip = _draw(generator, cases[number % len(cases)])
            try:
                what, wrong = _outlived(flip, place, expected)
            except Exception as error:
                what, wrong = "raised", f"{type(error).__name__}: {error}"
            counts[what] += 1
            if wrong:
                broke.append(f"bit {flip.bit} of {flip.name} of the {flip.case.name} run: {wrong}")
    note = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    return Result("single bits flipped in the files of a run", tried, broke, note)


def _prepared(scratch: Path) -> tuple[Path, Bytes, list[Case]]:
    """The place of the run, what it must come to, and copies of its folder."""
    run = config(scratch / "store")
    place, cases = folder_of(run), []
    for name, iterations in (("interrupted", 5), ("finished", 99)):
        train_some([run], iterations)
        copy = scratch / name
        shutil.copytree(place, copy)
        there = [file for file, turns in FILES.items() for _ in range(turns) if (copy / file).exists()]
        cases.append(Case(name, copy, there))
    return place, bytes_of(place), cases


def _draw(generator: random.Random, case: Case) -> Flip:
    """A bit of a file; of a table, before the size that the newest checkpoint knows."""
    name = generator.choice(case.names)
    size = (case.copy / name).stat().st_size
    if name in TABLES:
        size = unpacked((case.copy / NEWEST).read_bytes())[0]["tables"][name][0]
    return Flip(case, name, generator.randrange(8 * size))


def _outlived(flip: Flip, place: Path, expected: Bytes) -> tuple[str, str]:
    """Whether the flip was found, and what is wrong with the run in the end; nothing if all is well."""
    shutil.rmtree(place)
    shutil.copytree(flip.case.copy, place)
    whole = read_result(place)
    content = bytearray((place / flip.name).read_bytes())
    content[flip.bit // 8] ^= 1 << flip.bit % 8
    (place / flip.name).write_bytes(content)
    found = standing(place)
    if found.state == State.DONE and found.result != whole:
        return "believed", "another result is shown"
    train_on([config(place.parents[3])])
    detected = found.state == State.DAMAGED or any(place.glob("*.bad"))
    return "detected" if detected else "harmless", complaint(place, expected)
