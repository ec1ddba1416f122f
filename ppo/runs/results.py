"""The result of a finished run, `result.json`: sealed when it is written, verified by whoever reads it (law 4).

A result names its run, its steps, the rows of both tables and the sha256 of its config, tables and artefacts, and has a
digest of its own over all the rest. What does not fit is damage: it is never shown as a result.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ppo.runs import verified
from ppo.runs.files import read_bytes, write_atomically
from ppo.runs.finding import SEED_FOLDER

RESULT, DIGEST = "result.json", "digest"
SCORED = 100  # episodes, the last of a run, of which the score is the mean return
CONFIG, EPISODES, UPDATES = "config.yaml", "episodes.csv", "updates.csv"
KINDS: dict[str, Any] = dict.fromkeys(("score", "seconds"), (int, float)) | dict.fromkeys(
    ("seed", "episodes", "steps", "pack_size", "skipped"), int) | dict.fromkeys(
    ("run", "env", "suite", "algorithm", "surrogate", "setting", "setting_hash", "commit", DIGEST), str
    ) | dict.fromkeys(("compiled", "mixed_modes"), bool) | dict.fromkeys(("versions", "rows", "sha256"), dict) | {
    "code": (dict, str), "resumes": list}  # fmt: skip
NEEDED = ("run", "steps", "episodes", "rows", "sha256", DIGEST)
UNREADABLE = f"{RESULT} cannot be read as a result"


class Reading(NamedTuple):
    """What is found in the place of a result."""

    result: dict[str, Any] | None  # None where there is none, or none that fits
    damage: list[str]  # what does not fit, one sentence each, which begins with the file's name


# -- writing -----------------------------------------------------------------------------------------------------------


def seal(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they are read back from JSON (NaN becomes None), with their digest as the last one."""
    finite = {key: _finite(value) for key, value in values.items() if key != DIGEST}
    plain: dict[str, Any] = json.loads(json.dumps(finite, allow_nan=False))
    return plain | {DIGEST: digest_of(plain)}


def digest_of(values: Mapping[str, Any]) -> str:
    """The sha256 of the canonical JSON of all but the digest; ValueError if a number is not finite."""
    rest = {key: value for key, value in values.items() if key != DIGEST}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_result(folder: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Seal a result and write it; returns it."""
    result = seal(values)
    write_atomically(folder / RESULT, _bytes(result))
    return result


def rows_of(folder: Path) -> dict[str, int]:
    """The rows of both tables as they are on disk."""
    return {name: max(0, read_bytes(folder / name).count(b"\n") - 1) for name in (EPISODES, UPDATES)}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _bytes(result: Mapping[str, Any]) -> bytes:
    return (json.dumps(result, indent=2, allow_nan=False) + "\n").encode()


# -- reading -----------------------------------------------------------------------------------------------------------


def read_result(folder: Path) -> dict[str, Any] | None:
    """The result in a folder, if it is whole by its own digest; the files that it names are not looked at."""
    return _read(folder).result


def examine(folder: Path, *, thorough: bool = False) -> Reading:
    """The result in a folder, if it and all files that it names fit; else what does not.

    Files are hashed when they are first read and whenever their size, times or inode have changed; if `thorough`, all
    of them, and config.yaml is asked whether it is this run.
    """
    for _ in range(3):
        found = _read(folder)
        if found.result is None:
            return found
        damage = [*_misplaced(folder, found.result), *verified.mismatches(folder, found.result, thorough=thorough)]
        if thorough and not damage:
            damage = _identity(folder, found.result)
        if not damage:
            return found
        if _read(folder).result == found.result:  # else the run is being trained again at this moment: look again
            break
    return Reading(None, damage)


def verify(folder: Path, *, thorough: bool) -> list[str]:
    """What does not fit in a run's folder, one sentence for each; of an unfinished one, `thorough`, its checkpoints."""
    found = examine(folder, thorough=thorough)
    if found.result is None and not found.damage and thorough:
        from ppo.runs.checkpoints import damage_of  # the tables of a run that is not finished are known to these

        return damage_of(folder)
    return found.damage


def is_result(values: Mapping[str, Any]) -> bool:
    """Whether the values that a result has are of the right types, and finite."""
    present = {key: kind for key, kind in KINDS.items() if values.get(key) is not None}
    finite = all(math.isfinite(value) for value in map(values.get, present) if isinstance(value, float))
    return finite and all(isinstance(values[key], kind) for key, kind in present.items())


def is_sealed(values: Mapping[str, Any]) -> bool:
    """Whether a mapping is a whole result: what every one has, of the right types, with the digest of all the rest."""
    try:
        complete = is_result(values) and all(values.get(key) is not None for key in NEEDED)
        return complete and digest_of(values) == values[DIGEST]
    except ValueError:
        return False


def _read(folder: Path) -> Reading:
    try:
        content = read_bytes(folder / RESULT)
    except (FileNotFoundError, NotADirectoryError):
        return Reading(None, [])
    except OSError as error:
        return Reading(None, [f"{RESULT} cannot be read ({error.strerror})"])
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        return Reading(None, [UNREADABLE])
    if not isinstance(values, dict) or not is_result(values):
        return Reading(None, [UNREADABLE])
    if DIGEST not in values:
        return Reading(None, [f"{RESULT} has no digest: another version wrote it, or something else"])
    if not is_sealed(values):
        return Reading(None, [f"{RESULT} does not fit its digest"])
    return Reading(values, [])


def _misplaced(folder: Path, result: Mapping[str, Any]) -> list[str]:
    """What a result says that cannot be true of its folder or of itself."""
    damage, name = [], SEED_FOLDER.fullmatch(folder.name)
    if name and not result["run"].startswith(name[2]):
        damage.append(f"{RESULT} is of run {result['run'][:12]}, not of this folder's")
    if result["rows"].get(EPISODES) != result["episodes"]:
        damage.append(f"{RESULT} counts {result['episodes']} episodes and {result['rows'].get(EPISODES)} rows of them")
    if unnamed := [name for name in (CONFIG, EPISODES, UPDATES) if name not in result["sha256"]]:
        damage.append(f"{RESULT} does not name {unnamed[0]}")
    return damage


def _identity(folder: Path, result: Mapping[str, Any]) -> list[str]:
    """Whether a result is that of the run in config.yaml, trained to its end, and written as we write results."""
    from ppo.runs.configs import facts_of, read_config  # slower to load than what other readers need

    facts = facts_of(read_config(folder / CONFIG))  # empty if it is another version's
    damage = [] if facts.get("run") in (result["run"], None) else [f"{CONFIG} is of another run than {RESULT}"]
    if result["steps"] < facts.get("goal", 0):
        damage.append(f"{RESULT} has {result['steps']} of {facts['goal']} steps")
    damage += [f"{RESULT} has {key}={result[key]}, and {CONFIG} {facts[key]}" for key in ("env", "seed", "setting_hash")
               if key in facts and result.get(key, facts[key]) != facts[key]]  # fmt: skip
    rows = rows_of(folder)
    damage += [f"{name} has {rows[name]} rows, not {count}" for name, count in result["rows"].items()
               if rows.get(name, count) != count]  # fmt: skip
    if "score" in result and not _is_score(folder, result["score"]):
        damage.append(f"{RESULT} has another score than {EPISODES}")
    if read_bytes(folder / RESULT) != _bytes(result):
        damage.append(f"{RESULT} has other bytes than we write")
    return damage


def _is_score(folder: Path, score: float | None) -> bool:
    """Whether it is the mean return of a run's last episodes."""
    lines = read_bytes(folder / EPISODES).decode(errors="replace").split()[1:][-SCORED:]
    try:
        returns = [float(line.split(",")[1]) for line in lines]
    except (ValueError, IndexError):
        return False
    mean = math.fsum(returns) / len(returns) if returns else math.nan
    return math.isclose(mean, score, rel_tol=1e-6, abs_tol=1e-6) if score is not None else not math.isfinite(mean)
