"""Damaged files of a store: only the run, or the one list, is affected; every command works on the rest."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.attack._store import COMMANDS, Said, Sample, run_command, write_sample
from tests.attack.result import Result

FEW = 20
Change = Callable[[Path, Sample], object]


def _bytes(change: Callable[[bytes], bytes]) -> Change:
    return lambda path, _: path.write_bytes(change(path.read_bytes()))


def _json(change: Callable[[Any], Any]) -> Change:
    """A change of a file's mapping."""
    return lambda path, _: path.write_text(json.dumps(change(json.loads(path.read_bytes()))))


def _instead(make: Callable[[Path], object]) -> Change:
    """Something else in the place of a file."""

    def change(path: Path, _: Sample) -> None:
        path.unlink()
        make(path)

    return change


def _twins(path: Path, sample: Sample) -> None:
    """The file of another run."""
    shutil.copyfile(sample.runs[-1].folder / path.name, path)


def _all_values(value: Any) -> Change:
    return _json(lambda content: dict.fromkeys(content, value))


ANY: dict[str, Change] = {  # of every file
    "empty": _bytes(lambda _: b""),
    "truncated": _bytes(lambda content: content[: len(content) // 2]),
    "random bytes": _bytes(lambda content: bytes(range(256)) * 4),
    "a flipped bit": _bytes(lambda content: content[:-9] + bytes([content[-9] ^ 4]) + content[-8:]),
    "a byte order mark": _bytes(lambda content: b"\xef\xbb\xbf" + content),
    "no UTF-8": _bytes(lambda content: b"\xff\xfe" + content),
    "zeros": _bytes(lambda content: bytes(len(content))),
    "a list": _bytes(lambda _: b"[1, 2]"),
    "a number": _bytes(lambda _: b"7"),
    "null": _bytes(lambda _: b"null"),
    "deep nesting": _bytes(lambda _: b"[" * 100_000),
    "deep mappings": _bytes(lambda _: b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
    "an anchor of itself": _bytes(lambda _: b"a: &a [*a]\nb: *a\n"),
    "a folder": _instead(Path.mkdir),
    "a link to itself": _instead(lambda path: path.symlink_to(path)),
    "a link to nothing": _instead(lambda path: path.symlink_to("nothing")),
    "a pipe": _instead(os.mkfifo),
    "missing": _instead(lambda path: None),
    "a strange neighbour": lambda path, _: (path.parent / os.fsdecode(b"\xff\n.json")).touch(),
}
OF_JSON: dict[str, Change] = {
    "an empty mapping": _json(lambda _: {}),
    "text for all values": _all_values("x"),
    "lists for all values": _all_values([[1]]),
    "mappings for all values": _all_values({"a": {}}),
    "NaN for all values": _all_values(float("nan")),
    "infinity for all values": _all_values(float("inf")),
    "huge numbers": _all_values(10**4000),
    "minus one for all values": _all_values(-1),
    "null for all values": _all_values(None),
    "true for all values": _all_values(True),
    "more keys": _json(lambda content: content | {"../x": 1, "": []}),
}
OF_CSV: dict[str, Change] = {
    "another header": _bytes(lambda content: content.replace(b"step", b"stop", 1)),
    "a row twice": _bytes(lambda content: content + content.splitlines(keepends=True)[-1]),
    "blank rows": _bytes(lambda content: content.replace(b"\n", b"\n\n")),
    "a row less": _bytes(lambda content: b"".join(content.splitlines(keepends=True)[:-1])),
    "carriage returns": _bytes(lambda content: content.replace(b"\n", b"\r\n")),
    "a quote": _bytes(lambda content: content + b'"'),
}
OF_RUN = ("config.yaml", "status.json", "result.json", "episodes.csv", "updates.csv", "log.txt")
OF_SWEEP = ("runs.json", "driver.json", "jobs.json", "catalogue-*.json", "packs/*.json")


class Case(NamedTuple):
    """A kind of damage to one file."""

    place: str  # as a pattern, from the run's folder, the sweep's, or the store
    kind: str
    change: Change

    def path(self, sample: Sample) -> Path:
        """The file that is damaged: of the first run."""
        (home,) = (sample.store / "sweeps").iterdir()
        folder = sample.runs[0].folder if self.place in OF_RUN else home if self.place in OF_SWEEP else sample.store
        return next(iter(folder.glob(self.place)))


def cases() -> list[Case]:
    """Every kind of damage to every kind of file."""
    return list(_cases())


def _cases() -> Iterator[Case]:
    for place in (*OF_RUN, *OF_SWEEP, "published/*.json.gz"):
        kinds: Mapping[str, Change] = ANY
        kinds = kinds | (OF_JSON if place.endswith(".json") else OF_CSV if place.endswith(".csv") else {})
        kinds = kinds | ({"another run's": _twins} if place in OF_RUN else {})
        yield from (Case(place, kind, change) for kind, change in kinds.items())


# -- what must be so ---------------------------------------------------------------------------------------------------


def faults(case: Case, sample: Sample, before: Mapping[str, Said]) -> Iterator[str]:
    """How the commands give way under a kind of damage, one line for each."""
    case.change(case.path(sample), sample)
    for name in COMMANDS:
        said = run_command(name, sample)
        if said.status not in (0, 1, 2) or "Traceback" in said.err:
            yield f"{name}: {said.status}"
        elif said.status == 2 and not (_may_refuse(name, case) and said.err.count("\n") == 1):
            yield f"{name} refuses: {said.err.strip()[:200]}"
        elif said.status != 2 and name in ("ls", "table1", "scores", "status"):
            yield from (f"{name}: {what}" for what in _others_differ(name, said, before[name], sample))


def _may_refuse(name: str, case: Case) -> bool:
    """What cannot be done without the damaged file: tables of a list of runs, publishing damaged runs."""
    if name == "cancel":  # SLURM may not be there to cancel the job
        return True
    return name in ("table1", "scores", "publish") if case.place == "runs.json" else name == "publish"


def _others_differ(name: str, said: Said, before: Said, sample: Sample) -> Iterator[str]:
    """Numbers that are other than before: only the first run may lack, and what its setting's row says."""
    first = sample.runs[0]
    now, then = (_numbers(name, one.out) for one in (said, before))
    for key, value in then.items():
        if key in (first.hash, first.label) or (name == "scores" and first.label in key):
            if key == first.hash and key in now and now[key] != value and "done" in str(now[key]):
                yield f"{key[:12]} is done with {now[key]}, not {value}"
        elif now.get(key) != value:
            yield f"{key[:30]} is {now.get(key)}, not {value}"


def _numbers(name: str, out: str) -> dict[str, Any]:
    """What a command prints of each run or row."""
    content = json.loads(out)
    if name == "ls":
        return {row["run"]: row for row in content if row["run"]}
    if name == "status":
        return {row["run"]: [row["state"], row["score"]] for row in content["runs"]}
    rows = [row for table in content["tables"] for row in table["rows"]]
    return {str(row.get("label") or row.get("setting")): _kept(row) for row in rows}


def _kept(row: Mapping[str, Any]) -> Any:
    return [row.get(key) for key in ("mean", "std", "count", "runs", "late")]


def attack(full: bool) -> Result:
    """Damage each file in each way; all commands after each."""
    chosen, broke = cases(), []
    if not full:
        chosen = chosen[:: len(chosen) // FEW][:FEW]
    with tempfile.TemporaryDirectory() as folder:
        whole = write_sample(Path(folder))
        before = {name: run_command(name, whole) for name in COMMANDS}
        for number, case in enumerate(chosen):
            store = Path(folder) / f"store-{number}"
            shutil.copytree(whole.store, store, symlinks=True)
            found = list(faults(case, whole.copied(store), before))
            broke += [f"{case.place}, {case.kind}: {what}" for what in found[:1]]
            shutil.rmtree(store)
    return Result("damaged files of a store", len(chosen), broke, f"{len(COMMANDS)} commands after each")
