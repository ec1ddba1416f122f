"""The rows of a sweep's runs, composed once and stored: a cache that may be deleted at any time."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ppo.config.compose import CONF, parse
from ppo.config.schema import Folder, convert
from ppo.errors import UserError
from ppo.runs.files import read_json, write_json
from ppo.runs.finding import located
from ppo.runs.provenance import PACKAGE
from ppo.runs.results import DIGEST, digest_of, seal
from ppo.runs.row import RunRow
from ppo.runs.store import default_store, store_path
from sweeps.home import Home
from sweeps.planning.points import own_files
from sweeps.planning.runs import outputs_of, sweep_runs
from sweeps.planning.spec import load

DEPENDS_ON_ELSEWHERE = re.compile(r"\$\{\s*\w+(\.\w+)*\s*:")  # a resolver, such as ${oc.env:SEED}: read anew each time


class Catalogue(NamedTuple):
    """A sweep's rows, and the store that they are in."""

    name: str
    outputs: Path
    rows: list[RunRow]

    @property
    def home(self) -> Home:
        """The sweep's own folder."""
        return Home(self.outputs, self.name)


def catalogue(name: str, overrides: Sequence[str], only: Sequence[str]) -> Catalogue:
    """The rows of a sweep under overrides; UserError as from `sweep_runs`."""
    sweep = load(name)
    home = Home(store_of(overrides), sweep.name)
    path = home.path / f"catalogue-{_digest(name, overrides, only)}.json"
    lasting = not any(DEPENDS_ON_ELSEWHERE.search(text) for text in [*overrides, *_texts(name)])
    if lasting and (cached := _read(path)):
        return Catalogue(sweep.name, home.outputs, located(cached, home.outputs))
    runs = sweep_runs(sweep, overrides, only)
    found = Catalogue(sweep.name, outputs_of([run.config for run in runs]), [run.row for run in runs])
    if lasting and path.parent.is_dir():  # the sweep was run before: asking for its status makes no folders
        with suppress(OSError):  # a store that may only be read has no cache
            for old in path.parent.glob("catalogue-*.json"):
                old.unlink(missing_ok=True)
            write_json(path, seal({"rows": [row.to_json() for row in found.rows]}))
    return found


def store_of(overrides: Sequence[str]) -> Path:
    """The store that overrides name, or the default one."""
    named = [o for o in parse(overrides) if o.key_or_group == "outputs"]
    if named and named[-1].is_sweep_override():
        raise UserError(f"{named[-1].input_line} is invalid: expected one store for a sweep.")
    return store_path(convert(named[-1].value(), Folder, "outputs") if named else default_store())


def _read(path: Path) -> list[RunRow]:
    """The rows of a cache; empty if it cannot be read."""
    try:
        content = read_json(path) or {}
        return [RunRow.from_json(row) for row in content["rows"]] if digest_of(content) == content[DIGEST] else []
    except (LookupError, TypeError, ValueError):
        return []


def _digest(name: str, *arguments: object) -> str:
    """Of what is asked and of every file that the answer depends on."""
    digest = hashlib.sha256(json.dumps([name, *arguments]).encode())
    for path in [*sorted([*_ours(), *PACKAGE.rglob("*.py")]), *own_files(name)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _ours() -> list[Path]:
    return [*CONF.rglob("*.yaml"), *Path(__file__).resolve().parents[1].rglob("*.py")]


def _texts(name: str) -> Iterator[str]:
    """The yaml that a sweep's runs are made of."""
    for path in [*CONF.rglob("*.yaml"), *own_files(name)]:
        yield path.read_text(encoding="utf-8-sig")
