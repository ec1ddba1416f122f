"""Results of hand-written run folders: sealed as training seals them, with the files that they name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ppo.runs.files import sha256_of
from ppo.runs.finding import SEED_FOLDER
from ppo.runs.results import CONFIG, EPISODES, RESULT, UPDATES, rows_of, write_result

DEFAULTS = {CONFIG: "seed: 0\n", EPISODES: "step,return,length\n", UPDATES: "step,steps_per_second\n"}


def write_sealed(folder: Path, result: Mapping[str, Any], artefacts: Iterable[str] = ()) -> dict[str, Any]:
    """Write a result for what a folder has; its missing files are written too, with a row for each episode."""
    for name, content in DEFAULTS.items():
        if not (folder / name).exists():
            score = 1.0 if result.get("score") is None else result["score"]
            rows = f"1,{score},1\n" * int(result.get("episodes") or 0) if name == EPISODES else ""
            (folder / name).write_text(content + rows)
    named = SEED_FOLDER.fullmatch(folder.name)
    values = {"run": (named[2] if named else "").ljust(64, "0"), "episodes": 0, "steps": 0} | dict(result)
    return write_result(folder, values | described(folder, artefacts))


def described(folder: Path, artefacts: Iterable[str] = ()) -> dict[str, Any]:
    """`rows` and `sha256` of a run folder's files as they are on disk."""
    names = (CONFIG, EPISODES, UPDATES, *artefacts)
    return {"rows": rows_of(folder), "sha256": {name: sha256_of(folder / name) for name in names}}


def reseal(folder: Path) -> None:
    """Seal the result of a folder again, whose files were changed by hand."""
    result = json.loads((folder / RESULT).read_bytes())
    rows = (folder / EPISODES).read_bytes().count(b"\n") - 1
    write_sealed(folder, result | {"episodes": rows}, set(result["sha256"]) - set(DEFAULTS))
