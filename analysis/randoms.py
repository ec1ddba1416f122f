"""Random policies, the 0 of normalised scores: looked up task by task in every store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from statistics import fmean
from typing import Any, NamedTuple

import pandas as pd
import yaml

from analysis.store import Runs, load_sweep, stores
from ppo.runs.states import State, standing

ALGORITHM = "random"  # also the name of the sweep that trains it on the paper's tasks
POLICIES = ("untrained", "uniform")


class RandomRun(NamedTuple):
    """A finished run of a random policy."""

    env: str
    policy: str
    setting: str  # its suite and the hash of its setting
    score: float


class Randoms(NamedTuple):
    """What random policies score."""

    scores: dict[str, dict[str, float]]  # policy -> task -> mean score
    missing: dict[str, str]  # task without one -> what to do about it
    notes: tuple[str, ...] = ()


def find_randoms(runs: Runs, outputs: Path) -> Randoms:
    """The random policies of the tasks of some runs: of each, those of the first store that has it."""
    scores: dict[str, dict[str, float]] = {policy: {} for policy in POLICIES}
    published: list[str] = []
    notes: list[str] = []
    tasks = dict(list(runs.frame.groupby("env", sort=False)))
    for store in stores(outputs):
        wanted = {env: part.folder.iloc[0] for env, part in tasks.items() if not all(env in s for s in scores.values())}
        groups: dict[tuple[str, str], list[RandomRun]] = {}
        for run in (*_published(store, list(wanted)), *_in_folders(store, wanted)):
            groups.setdefault((run.env, run.policy), []).append(run)
        for (env, policy), found in groups.items():
            if env in scores[policy]:
                continue
            chosen = _largest_setting(found)
            scores[policy][env] = fmean(run.score for run in chosen)
            if len(chosen) < len(found):
                notes.append(f"{env} has several settings of the {policy} policy: the one with most runs is used.")
            if store not in (runs.source, runs.source.parent, outputs) and env not in published:
                published.append(env)
    missing = {env: _advice(part, env, outputs) for env, part in tasks.items() if env not in scores[POLICIES[0]]}
    if published:
        notes.append(f"Random policies: published records for {', '.join(published)}.")
    return Randoms(scores, missing, tuple(notes))


def _largest_setting(found: Sequence[RandomRun]) -> list[RandomRun]:
    """The runs of the setting with most runs: scores of different settings are not averaged."""
    settings: dict[str, list[RandomRun]] = {}
    for run in found:
        settings.setdefault(run.setting, []).append(run)
    return max(settings.values(), key=len)


def _published(store: Path, envs: Sequence[str]) -> Iterator[RandomRun]:
    """Those of a published store."""
    if not envs or (store / "sweeps").is_dir() or (runs := load_sweep(ALGORITHM, store)) is None:
        return
    for row in runs.frame[(runs.frame.state == State.DONE) & runs.frame.env.isin(envs)].itertuples():
        record = runs.read(row.run)
        yield from _random_run(record.result, record.config)


def _in_folders(store: Path, folders: Mapping[str, str]) -> Iterator[RandomRun]:
    """Those of the run folders of some tasks, given the folder of one run of each task."""
    for env, folder in folders.items():
        for path in sorted((store / PurePosixPath(folder).parents[1]).glob("*/*/result.json")):
            result = standing(path.parent).result
            if result.get("algorithm") == ALGORITHM and result.get("env") == env:
                yield from _random_run(result, _read_config(path.with_name("config.yaml")))


def _random_run(result: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[RandomRun]:
    """A run, if it has a score and is of a policy that we know."""
    algorithm, score = config.get("algorithm"), result.get("score")
    policy = algorithm.get("policy") if isinstance(algorithm, Mapping) else None
    if isinstance(score, int | float) and policy in POLICIES:
        setting = f"{result.get('suite')} {result.get('setting_hash')}"
        yield RandomRun(str(result["env"]), policy, setting, float(score))


def _read_config(path: Path) -> Mapping[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return config if isinstance(config, Mapping) else {}


def _advice(runs: pd.DataFrame, env: str, outputs: Path) -> str:
    """The command that trains the random policies of a task."""
    from ppo.runs.store import default_store  # loads Hydra

    suites = [suite for suite in runs.suite.dropna() if suite != "mujoco"]  # the sweep trains MuJoCo's seven tasks
    task = f" env={suites[0]} env.id={env}" if suites else ""
    store = "" if str(outputs) == default_store() else f" outputs={outputs}"
    return f"no random policy was found; train one with ppo-sweeps run {ALGORITHM}{task}{store}"
