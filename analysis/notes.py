"""What a reader of a table has to know of the runs behind it: what is missing, damaged, mixed or not exact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from analysis.grouping import by_label
from ppo.runs.states import State
from ppo.runs.sweep_names import how_to_train
from ppo.runs.words import counted

MOST_NAMED = 4  # settings or runs in a note
UNKNOWN = "unknown"


def find_faults(sweep: str, frame: pd.DataFrame) -> list[str]:
    """What is incomplete, damaged or mixed among a sweep's runs, in sentences."""
    done = frame[frame.state == State.DONE]
    notes = [*_missing(frame, done), *_damaged(sweep, frame[frame.state == State.DAMAGED])]
    if unscored := int(done.score.isna().sum()):
        notes.append(f"No score: {unscored} runs completed no episode.")
    return [*notes, *_skipped(done), *_resumed(done), *_mixed_code(done), *_mixed_modes(done)]


def _missing(frame: pd.DataFrame, done: pd.DataFrame) -> list[str]:
    missing = frame[frame.state != State.DONE]
    states = ", ".join(f"{count} {state}" for state, count in missing.state.value_counts().sort_index().items())
    return [f"Incomplete: {len(done)} of {len(frame)} runs are done ({states})."] if len(missing) else []


def _damaged(sweep: str, damaged: pd.DataFrame) -> list[str]:
    """Runs whose files do not fit: none of their numbers counts."""
    if damaged.empty:
        return []
    runs = listed([f"{run.label}, {run.env}, seed {run.seed}: {run.damage}" for run in damaged.itertuples()], "; ")
    again = how_to_train(sweep, "retry")
    return [f"Damaged: {counted(len(damaged), 'run')} ({runs}): {again} trains what is damaged again."]


def _skipped(done: pd.DataFrame) -> list[str]:
    some = done[pd.to_numeric(done.skipped).fillna(0) > 0]
    if some.empty:
        return []
    steps = counted(int(some.skipped.sum()), "gradient step")
    return [f"Skipped: {steps} in {counted(len(some), 'run')} ({_settings(some)}), since a gradient was not finite."]


def _resumed(done: pd.DataFrame) -> list[str]:
    """Runs whose numbers an uninterrupted run may not have."""
    inexact, changed = [], []
    what: dict[str, None] = {}
    for i, resumes in done.resumes.items():
        found = [resume for resume in resumes if isinstance(resume, Mapping)] if isinstance(resumes, list) else []
        listed_ones = [resume["differences"] for resume in found if isinstance(resume.get("differences"), list)]
        differences = [str(difference) for some in listed_ones for difference in some]
        inexact += [i] if any(resume.get("exact") is False for resume in found) else []
        changed += [i] if differences else []
        what |= dict.fromkeys(differences)
    notes = []
    if inexact:
        notes.append(f"Resumed, not exactly: {counted(len(inexact), 'run')} ({_settings(done.loc[inexact])}).")
    if changed:
        runs = f"{counted(len(changed), 'run')} ({_settings(done.loc[changed])})"
        notes.append(f"Resumed on other terms: {runs}: {listed(what, '; ')}.")
    return notes


# -- mixed -------------------------------------------------------------------------------------------------------------


class Version(NamedTuple):
    """A version of a part of the training code."""

    digest: str
    runs: list[Any]  # rows that it trained


def _mixed_code(done: pd.DataFrame) -> list[str]:
    """Parts of the training code of which there are several versions among these runs, and what each has trained."""
    parts: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for i, code in done.code.items():
        for part, digest in (code if isinstance(code, Mapping) else {"all": UNKNOWN}).items():
            parts[part][str(digest)].append(i)
    notes = [
        _versions("" if part == "all" else part, [Version(*version) for version in sorted(found.items())], done)
        for part, found in sorted(parts.items())
        if len(found) > 1
    ]
    if "all" in parts and len(parts) > 1:
        notes.append("some runs recorded one hash for all code, others one for each part")
    return [f"Mixed code: {'; '.join(notes)}."] if notes else []


def _versions(part: str, versions: list[Version], done: pd.DataFrame) -> str:
    """`core: 1a2b3c4d trained 2 runs (A), 5e6f7a8b 3 runs (B)`, and which settings several have trained."""
    said = [f"{v.digest} trained {counted(len(v.runs), 'run')} ({_settings(done.loc[v.runs])})" for v in versions]
    owners: dict[str, int] = defaultdict(int)
    for version in versions:
        for label in done.loc[version.runs].label.unique():
            owners[label] += 1
    several = [label for label, count in owners.items() if count > 1]
    end = f"several trained {listed(several, '; ')}" if several else "no setting was trained by two versions"
    return f"{part + ': ' if part else ''}version {', '.join(said)}: {end}"


def _mixed_modes(done: pd.DataFrame) -> list[str]:
    """Settings of which some runs, or parts of a run, were compiled and others not: last digits may differ."""
    modes = by_label(done.dropna(subset="compiled")).compiled.nunique()
    mixed = [str(label) for label in modes[modes > 1].index]
    notes = [f"Mixed modes: some runs were compiled, others were not ({'; '.join(mixed)})."] if mixed else []
    changed = done[done.mixed_modes.eq(True)]
    if len(changed):
        begun = f"{len(changed)} runs went on in another mode than they were begun in"
        notes.append(f"Mixed modes: {begun} ({_settings(changed)}).")
    return notes


def _settings(runs: pd.DataFrame) -> str:
    return listed(runs.label.unique(), "; ")


def listed(words: Iterable[object], separator: str) -> str:
    """The first few of some words."""
    texts = list(map(str, words))
    more = len(texts) - MOST_NAMED
    return separator.join(texts[:MOST_NAMED]) + (f"{separator}and {more} more" if more > 0 else "")
