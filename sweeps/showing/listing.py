"""The runs of a store as a list to filter, and what one run recorded."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from operator import ge, gt, le, lt
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from ppo.config.flatten import flatten
from ppo.config.identity import short
from ppo.config.naming import setting_name
from ppo.config.run import to_config
from ppo.errors import UserError, did_you_mean, shown, unknown
from ppo.runs import published
from ppo.runs.configs import read_config
from ppo.runs.files import open_regular, read_bytes
from ppo.runs.finding import run_folders
from ppo.runs.states import ENDED, State, standing
from ppo.runs.words import counted
from sweeps.planning.runs import matches

FOLLOW_SECONDS = 1.0
COLUMNS = (  # any other is a dotted key of config.yaml
    "state", "env", "setting", "seed", "run", "step", "score", "episodes", "seconds", "attempts", "host", "pid",
    "heartbeat", "compiled", "error", "code", "commit", "folder",
)  # fmt: skip
DEFAULT_COLUMNS = ("state", "env", "setting", "seed", "step", "score", "run")
Row = dict[str, Any]


class Listing(NamedTuple):
    """Some runs of a store, as columns."""

    outputs: Path
    columns: list[str]
    rows: list[Row]


def list_runs(outputs: Path, filters: Sequence[str], columns: list[str]) -> Listing:
    """The runs of a store that match every filter; UserError where there is no store or a column is unknown."""
    if not outputs.is_dir():
        raise UserError(f"outputs={outputs} is invalid: expected a folder that exists.")
    wanted = list(map(_filter, filters))
    keys = [*columns, *(one.key for one in wanted)]
    with_config = any(key not in COLUMNS for key in keys)
    rows = [*(_of_folder(folder, with_config) for folder in run_folders(outputs)), *_published(outputs, with_config)]
    _check(keys, rows)
    _check_states([value for one in wanted if one.key == "state" for value in one.values])
    return Listing(outputs, columns, [row for row in rows if all(one.fits(row.get(one.key)) for one in wanted)])


def print_aligned(found: Listing) -> None:
    """For a person: hashes cut to the digits that name a folder."""
    rows = [{**row, "run": short(str(row.get("run") or ""))} for row in found.rows]
    table = [found.columns, *([cell(row.get(column)) for column in found.columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    print(f"{counted(len(rows), 'run')} in {found.outputs}")


def write_csv(found: Listing, out: TextIO) -> None:
    """As comma-separated values, the header first."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(found.columns)
    writer.writerows([cell(row.get(column)) for column in found.columns] for row in found.rows)


def to_json(found: Listing) -> list[Row]:
    """For programs."""
    return [{column: row.get(column) for column in found.columns} for row in found.rows]


def cell(value: Any) -> str:
    """A value as a string."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return " ".join(f"{key}={part}" for key, part in value.items())
    if isinstance(value, (str, Path)):
        return str(value)
    return f"{value:.6g}" if isinstance(value, float) and value < 1e6 else shown(value)


# -- rows --------------------------------------------------------------------------------------------------------------


def _of_folder(folder: Path, with_config: bool) -> Row:
    """A run folder as columns."""
    found = standing(folder)
    config = _config(folder) if with_config or found.state != State.DONE else {}
    row: Row = {key: found.status.get(key) for key in ("attempts", "host", "pid", "heartbeat", "compiled")}
    row |= _of_result(found.result) if found.result else _of_config(folder, config)
    row |= {"state": str(found.state), "step": found.step, "folder": folder}
    row["error"] = found.error
    return flatten(config) | row


def _of_result(result: Mapping[str, Any]) -> Row:
    keys = ("env", "setting", "seed", "run", "score", "episodes", "seconds", "code", "commit")
    return {key: result.get(key) for key in keys}


def _of_config(folder: Path, config: Mapping[str, Any]) -> Row:
    """What the config of an unfinished run says; of one that cannot be read, what its folder is called."""
    row: Row = {"env": folder.parent.parent.name, "setting": folder.parent.name, "seed": None}
    row["run"] = _run_of(folder)
    try:
        run = to_config(config)
    except (UserError, TypeError, ValueError, AttributeError):
        return row
    return row | {"env": run.env.id, "setting": setting_name(run), "seed": run.seed}


def _run_of(folder: Path) -> str:
    """The hash in the first line of config.yaml, or the digits of it in the folder's name."""
    try:
        found = re.match(rb"# Run ([0-9a-f]{64})\.", read_bytes(folder / "config.yaml"))
    except OSError:
        found = None
    return found[1].decode() if found else folder.name.split("-")[2]


def _config(folder: Path) -> Row:
    content = read_config(folder / "config.yaml")
    return content if isinstance(content, dict) else {}


def _published(outputs: Path, with_config: bool) -> Iterator[Row]:
    """The published runs of a store, each once."""
    rows: dict[str, Row] = {}
    for path in published.files(outputs):
        try:
            sweep = published.read(path)
        except (ValueError, OSError) as error:
            rows[str(path)] = {"state": str(State.DAMAGED), "setting": path.name, "error": str(error), "folder": path}
            continue
        for run in sweep.runs:
            record = sweep.records.get(run.run)
            result: Mapping[str, Any] = record["result"] if record else {}
            config = record.get("config") if record and with_config else None
            row: Row = flatten(config) if isinstance(config, dict) else {}
            row |= _of_result(result) | {"env": run.env, "setting": run.setting, "seed": run.seed, "run": run.run}
            why = sweep.damage.get(run.run)
            state = State.DONE if record else State.DAMAGED if why else State.NEW
            row |= {"state": str(state), "step": result.get("steps", 0), "folder": path, "error": why}
            rows.setdefault(run.run, row)
    yield from rows.values()


# -- filters -----------------------------------------------------------------------------------------------------------


COMPARISONS: dict[str, Callable[[Any, float], bool]] = {">=": ge, "<=": le, ">": gt, "<": lt}


class Filter(NamedTuple):
    """What a column's value must be, or be compared with."""

    key: str
    sign: str
    values: list[str]

    def fits(self, value: Any) -> bool:
        """Whether a value is one of ours, or compares with ours as it must."""
        if self.sign == "=":
            return any(_equal(value, pattern) or matches(pattern, cell(value)) for pattern in self.values)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and COMPARISONS[self.sign](value, float(self.values[0]))


def _filter(text: str) -> Filter:
    """`key=a,b` or `key>1`; commas inside brackets separate nothing."""
    found = re.fullmatch(r"([^<>=]+)(>=|<=|>|<|=)(.*)", text, re.DOTALL)
    if not found:
        raise UserError(f"{text} is not a filter: expected key=value, or key>number.")
    key, sign, value = found.groups()
    if sign == "=":
        return Filter(key, sign, re.split(r",(?![^\[]*\])", value))
    try:
        float(value)
    except ValueError:
        raise UserError(f"{text} is not a filter: expected a number after {sign}.") from None
    return Filter(key, sign, [value])


def _equal(value: Any, text: str) -> bool:
    """Whether a string means a value: 1e6 is 1000000, True is true, [64, 64] is [64,64]."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(text) == value
        except ValueError:
            return False
    return text.replace(" ", "").lower() == shown(value).replace(" ", "").lower()


def _check(columns: Sequence[str], rows: Sequence[Row]) -> None:
    """UserError for a column that no run has."""
    known = {*COLUMNS, *(key for row in rows for key in row)}
    for column in columns:
        if column not in known and (rows or "." not in column):
            expected = f"expected {', '.join(COLUMNS)}, or a key of config.yaml"
            raise UserError(f"column {column} is unknown: {expected}.{did_you_mean(column, known)}")


def _check_states(patterns: Sequence[str]) -> None:
    """UserError for a state that no run can have."""
    for pattern in patterns:
        if not any(matches(pattern, state) for state in State):
            raise unknown("state", pattern, State)


# -- logs --------------------------------------------------------------------------------------------------------------


def print_logs(folder: Path, out: TextIO, *, follow: bool) -> None:
    """Print a run's log and traceback; with `follow`, print what is added until the run has ended."""
    offset = 0
    while True:
        offset = _print_from(folder / "log.txt", offset, out)
        found = standing(folder)
        if not follow or found.state in ENDED:
            break
        time.sleep(FOLLOW_SECONDS)
    _print_from(folder / "log.txt", offset, out)
    if found.state == State.FAILED:
        _print_from(folder / "traceback.txt", 0, out)
    if found.state == State.DAMAGED:
        out.write(f"damaged: {found.damage}\n")


def find(run: str, outputs: Path) -> Path:
    """The folder of a run, by its path, its hash or the beginning of it, or a part of its folder's name."""
    if not run.strip():
        raise UserError("the run is missing: expected its hash or the beginning of it, or its folder.")
    with suppress(OSError, ValueError):  # a name that is too long for a path is none
        if (Path(run) / "config.yaml").exists():
            return Path(run)
    name = short(run) if re.fullmatch(r"[0-9a-f]{12,64}", run) else run
    found = [folder for folder in run_folders(outputs) if name in folder.name]
    if len(found) != 1:
        some = ", ".join(folder.name for folder in found[:5]) or "none"
        how = "ambiguous" if found else "unknown"
        raise UserError(f"run {run} is {how}: expected one folder of {outputs}, found {some}.")
    return found[0]


def _print_from(path: Path, offset: int, out: TextIO) -> int:
    try:
        with open_regular(path) as file:
            file.seek(offset)
            content = file.readall()
    except OSError:
        return offset
    out.write(content.decode(errors="replace"))
    out.flush()
    return offset + len(content)
