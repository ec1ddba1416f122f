"""Random policies, the 0 of normalised scores: looked up task by task in every store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from analysis.store import Runs, stores
from ppo.config.groups import CONF
from ppo.runs import published
from ppo.runs.configs import read_config
from ppo.runs.files import read_bytes
from ppo.runs.finding import run_folders
from ppo.runs.states import standing

ALGORITHM = "random"  # also the name of the sweep that trains it
POLICIES = ("untrained", "uniform")
Tasks = Mapping[str, frozenset[str]]  # task's id -> the suites that its runs are of


class RandomRun(NamedTuple):
    """A finished run of a random policy."""

    run: str  # its hash
    env: str
    policy: str
    setting: str  # the hash of its setting
    score: float


class Randoms(NamedTuple):
    """What random policies score."""

    scores: dict[str, dict[str, float]]  # policy -> task -> mean score
    missing: dict[str, str]  # task without one -> what to do about it
    notes: tuple[str, ...] = ()


def find_randoms(runs: Runs, outputs: Path) -> Randoms:
    """The random policies of the tasks of some runs: of each, those of the first store that has it."""
    scores: dict[str, dict[str, float]] = {policy: {} for policy in POLICIES}
    elsewhere: list[str] = []
    notes: list[str] = []
    tasks = {str(env): frozenset(part.suite.dropna()) for env, part in runs.frame.groupby("env", sort=False)}
    missing = {env: f"runs of several suites have this task: {', '.join(sorted(suites))}"
               for env, suites in tasks.items() if len(suites) > 1}  # fmt: skip
    for store in stores(outputs):
        unknown = [env for env in tasks if env not in missing and not all(env in known for known in scores.values())]
        wanted = {env: tasks[env] for env in unknown}
        groups: dict[tuple[str, str], list[RandomRun]] = {}
        found = {run.run: run for run in (*_published(store, wanted, notes), *_in_folders(store, wanted))}
        for run in found.values():
            groups.setdefault((run.env, run.policy), []).append(run)
        for (env, policy), alike in groups.items():
            if env in scores[policy]:
                continue
            chosen = _largest_setting(alike)
            scores[policy][env] = fmean(run.score for run in chosen)
            if len(chosen) < len(alike):
                notes.append(f"{env} has several settings of the {policy} policy: the one with most runs is used.")
            if store not in (runs.source, runs.source.parent, outputs) and env not in elsewhere:
                elsewhere.append(env)
    unknown = [env for env in tasks if env not in missing and env not in scores[POLICIES[0]]]
    missing |= {env: _advice(env, tasks[env], outputs) for env in unknown}
    if elsewhere:
        notes.append(f"Random policies: published records for {', '.join(elsewhere)}.")
    return Randoms(scores, missing, tuple(notes))


def _largest_setting(found: Sequence[RandomRun]) -> list[RandomRun]:
    """The runs of the setting with most runs: scores of different settings are not averaged."""
    settings: dict[str, list[RandomRun]] = {}
    for run in found:
        settings.setdefault(run.setting, []).append(run)
    return max(settings.values(), key=len)


def _published(store: Path, tasks: Tasks, notes: list[str]) -> Iterator[RandomRun]:
    """Those of a published store, in whichever of its files."""
    for path in published.files(store) if tasks else ():
        try:
            sweep = published.read(path)
        except (OSError, ValueError) as error:
            notes.append(f"Random policies: {error}.")
            continue
        for record in sweep.records.values():
            yield from _random_run(record["result"], record.get("config"), tasks)


def _in_folders(store: Path, tasks: Tasks) -> Iterator[RandomRun]:
    """Those of a store's run folders, whatever these are called."""
    for folder in run_folders(store) if tasks else ():
        if _mentions(folder / "result.json", ALGORITHM):
            yield from _random_run(standing(folder).result, _read_config(folder / "config.yaml"), tasks)


def _mentions(path: Path, word: str) -> bool:
    """Whether a file has a word in quotes: of thousands of results only those that may matter are verified."""
    try:
        return f'"{word}"'.encode() in read_bytes(path)
    except OSError:
        return False


def _random_run(result: Mapping[str, Any], config: Any, tasks: Tasks) -> Iterator[RandomRun]:
    """A run, if it has a score, is of a policy that we know, and on one of these tasks."""
    algorithm = config.get("algorithm") if isinstance(config, Mapping) else None
    env, score = str(result.get("env")), result.get("score")
    if result.get("algorithm") != ALGORITHM or env not in tasks or tasks[env] - {result.get("suite")}:
        return
    policy = algorithm.get("policy") if isinstance(algorithm, Mapping) else None
    if isinstance(score, int | float) and policy in POLICIES:
        yield RandomRun(str(result.get("run")), env, policy, str(result.get("setting_hash")), float(score))


def _read_config(path: Path) -> Mapping[str, Any]:
    config = read_config(path)
    return config if isinstance(config, Mapping) else {}


def _advice(env: str, suites: frozenset[str], outputs: Path) -> str:
    """The command that trains the random policies of a task."""
    from ppo.runs.store import default_store  # loads Hydra

    suite = next(iter(suites), None)
    named = [path.stem for path in sorted((CONF / "env").glob("*.yaml")) if _is_task(_read_config(path), env, suite)]
    task = f" env={named[0]}" if named else f" env={suite} env.id={env}" if suite else ""
    store = "" if str(outputs) == default_store() else f" outputs={outputs}"
    return f"no random policy was found; train one with ppo-sweeps run {ALGORITHM}{task}{store}"


def _is_task(choice: Mapping[str, Any], env: str, suite: str | None) -> bool:
    """Whether a yaml of conf/env is that of a task, itself or by the suite's yaml that it builds on."""
    of = (choice.get("suite"), *(choice.get("defaults") or ()))
    return choice.get("id") == env and (suite is None or suite in of)
