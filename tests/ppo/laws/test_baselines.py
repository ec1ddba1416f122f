"""Laws 1 and 2 for the baselines: neither its pack nor an interruption changes a run's bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from ppo.config.compose import compose
from ppo.config.identity import pack_key
from ppo.config.run import Config
from ppo.envs.simulators.lockstep import MujocoLockStep
from ppo.runs.store import folder_of
from ppo.train import Interrupted, Outcome, train

pytestmark = pytest.mark.slow

Records = tuple[bytes, bytes]


class Family(NamedTuple):
    """Algorithms that share packs, in several settings, and how to make their runs short."""

    settings: list[list[str]]
    short: list[str]


FAMILIES = {
    "trpo": Family(
        [
            ["algorithm=trpo"],
            ["algorithm=trpo_2017", "algorithm.kl_slack=0.2"],  # which always has to turn back
            ["algorithm=trpo", "algorithm.max_kl=0.05", "algorithm.gamma=0.9", "algorithm.value_lr=0.01"],
            ["algorithm=trpo_2017", "algorithm.damping=0.01", "algorithm.lam=0.9"],
        ],
        ["algorithm.horizon=256", "algorithm.value_epochs=2", "total_steps=1280"],
    ),
    "vpg": Family(
        [
            ["algorithm=vpg"],
            ["algorithm=vpg", "algorithm.lr=5e-3", "algorithm.kl_target=0.01"],
            ["algorithm=vpg", "algorithm.gamma=0.9", "algorithm.lam=0.5", "algorithm.value_lr=0.01"],
        ],
        ["algorithm.batch_steps=250", "algorithm.num_actors=2", "algorithm.value_epochs=2", "total_steps=1500"],
    ),
    "a2c": Family(
        [
            ["algorithm=a2c"],
            ["algorithm=a2c_trust_region", "algorithm.trust_region=1e-4", "algorithm.lr=5e-3"],
            ["algorithm=a2c", "algorithm.lr_schedule=constant", "algorithm.c2=0.01", "algorithm.max_grad_norm=0.1"],
            ["algorithm=a2c_trust_region", "algorithm.average_decay=0.9"],
        ],
        ["algorithm.num_actors=4", "algorithm.updates=10", "total_steps=1000"],
    ),
    "cem": Family(
        [
            ["algorithm=cem"],
            ["algorithm=cem", "algorithm.elite_fraction=0.5"],
            ["algorithm=cem", "algorithm.initial_variance=0.1", "algorithm.extra_std=0.5"],
        ],
        ["algorithm.num_actors=5", "total_steps=1000"],
    ),
}
every_family = pytest.mark.parametrize("family", FAMILIES)


def runs(family: str, outputs: Path, *extra: str) -> list[Config]:
    """Eleven runs that can share a pack: the settings by turns, each round with another seed."""
    settings, short = FAMILIES[family]
    common = ["compile=false", *short, *extra, f"outputs={outputs}"]
    count = len(settings)
    configs = [compose([*settings[i % count], *common, f"seed={i // count}"]) for i in range(11)]
    assert len({pack_key(config) for config in configs}) == 1
    return configs


def records(outcome: Outcome) -> Records:
    """A run's episodes.csv, and its updates.csv without the column of speeds."""
    assert outcome.error is None
    rows = (outcome.folder / "updates.csv").read_bytes().splitlines()
    return (outcome.folder / "episodes.csv").read_bytes(), b"\n".join(row.rpartition(b",")[0] for row in rows)


def finish(configs: Sequence[Config]) -> list[Records]:
    """Train runs to their end in one pack, whatever was there, and read them."""
    return [records(outcome) for outcome in train(configs)]


def stop_after(iterations: int, configs: Sequence[Config]) -> None:
    """Train a pack and interrupt it after some iterations."""
    asked = iter(range(iterations))
    with pytest.raises(Interrupted):
        train(configs, stop=lambda: next(asked, None) is None)


# -- law 1 -------------------------------------------------------------------------------------------------------------


@every_family
def test_a_run_has_the_same_bytes_alone_and_in_packs_of_3_and_11(tmp_path: Path, family: str) -> None:
    largest = finish(runs(family, tmp_path / "11"))
    assert len(set(largest)) == 11, "all runs differ, so their bytes say something"
    for episodes, updates in largest[:3]:
        assert len(episodes.splitlines()) > 3, "too few episodes to compare"
        assert len(updates.splitlines()) > 3, "too few updates to compare"
    assert finish(runs(family, tmp_path / "3")[:3]) == largest[:3]
    for number in range(2):
        assert finish([runs(family, tmp_path / "alone")[number]]) == [largest[number]]


@every_family
def test_so_it_has_where_actions_are_choices_and_layers_are_odd(tmp_path: Path, family: str) -> None:
    extra = ["env=gymnasium", "env.id=CartPole-v1", "network.hidden=[7]"]
    largest = finish(runs(family, tmp_path / "11", *extra))
    assert finish(runs(family, tmp_path / "3", *extra)[:3]) == largest[:3]
    assert finish([runs(family, tmp_path / "alone", *extra)[1]]) == [largest[1]]


@every_family
def test_the_order_of_a_pack_does_not_matter(tmp_path: Path, family: str) -> None:
    forwards = finish(runs(family, tmp_path / "forwards")[:4])
    assert finish(runs(family, tmp_path / "backwards")[3::-1]) == forwards[::-1]


@every_family
@pytest.mark.parametrize("how", ["fails", "turns to nan"])
def test_a_mate_that_breaks_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, how: str
) -> None:
    healthy = finish(runs(family, tmp_path / "healthy")[:4])
    steps, original = 0, MujocoLockStep._advance

    def advance(self: MujocoLockStep, actions: object) -> None:
        nonlocal steps
        steps += 1
        if how == "turns to nan":
            actions[self._actors] = float("nan")  # type: ignore[index]
        elif steps == 50:
            self._fail(1, RuntimeError("the simulator broke"))
        original(self, actions)  # type: ignore[arg-type]

    monkeypatch.setattr(MujocoLockStep, "_advance", advance)
    broken = train(runs(family, tmp_path / "broken")[:4])
    told = "RuntimeError: the simulator broke" if how == "fails" else "not finite"
    assert told in str(broken[1].error)
    assert [records(broken[i]) for i in (0, 2, 3)] == [healthy[i] for i in (0, 2, 3)]


# -- law 2 -------------------------------------------------------------------------------------------------------------


@every_family
@pytest.mark.parametrize("iterations", [1, 3])
def test_an_interrupted_pack_goes_on_with_the_same_bytes(tmp_path: Path, family: str, iterations: int) -> None:
    undisturbed = finish(runs(family, tmp_path / "undisturbed")[:4])
    interrupted = runs(family, tmp_path / "interrupted")[:4]
    stop_after(iterations, interrupted)
    assert finish(interrupted) == undisturbed
    log = (folder_of(interrupted[0]) / "log.txt").read_text()
    assert log.count("starts at step ") == 2
    assert log.count("starts at step 0 ") == 1, "it went on where it was"


@every_family
def test_members_at_different_steps_go_on_in_one_pack_and_a_packed_one_alone(tmp_path: Path, family: str) -> None:
    undisturbed = finish(runs(family, tmp_path / "undisturbed")[:3])
    interrupted = runs(family, tmp_path / "interrupted")[:3]
    stop_after(1, interrupted[:1])
    stop_after(3, interrupted[1:])
    assert finish(interrupted[2:]) == undisturbed[2:]
    assert finish(interrupted[:2]) == undisturbed[:2]


# -- compiled ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@every_family
def test_both_laws_hold_for_compiled_runs(tmp_path: Path, family: str) -> None:
    compiled = ["compile=true", "network.hidden=[16]"]
    undisturbed = finish(runs(family, tmp_path / "3", *compiled)[:3])
    for number in range(2):
        assert finish([runs(family, tmp_path / "alone", *compiled)[number]]) == [undisturbed[number]]
    interrupted = runs(family, tmp_path / "interrupted", *compiled)[:3]
    stop_after(2, interrupted)
    assert finish(interrupted) == undisturbed
