"""Somebody else's algorithm, network body and suite train, with nothing of ours changed: they are all in this file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import grad_and_value, vmap

from ppo.algorithms.base import Algorithm, Batching, Learner, product
from ppo.config import choices
from ppo.config.compose import compose
from ppo.config.run import Config, to_config, to_mapping
from ppo.config.schema import PER_RUN, Count, Finite, Positive
from ppo.data import Bools, Columns, Floats, Length, Moment, Obs, PackSpec, Rollout, RolloutSpec, Space
from ppo.envs.base import Generators, LockStep, Marker, Step, Suite
from ppo.networks.acting import PolicyActor
from ppo.networks.base import Affine, Body
from ppo.networks.layers import Dense
from ppo.train import Interrupted, Outcome, train
from tests.ppo.handmade import box, own_registries, records

# -- a suite -----------------------------------------------------------------------------------------------------------


class LineLockStep:
    """A point on a line is pushed about; the nearer to 0, the better; an episode is ten steps."""

    spec = box(2, 1)
    inexact: ClassVar[dict[int, str]] = {}

    def __init__(self, generators: Generators) -> None:
        self.generators, shape = generators, (len(generators), len(generators[0]))
        self.at, self.time, self.active = np.zeros(shape), np.zeros(shape, np.int64), np.ones(shape, bool)
        self.failures: dict[int, Exception] = {}

    def look(self) -> Obs:
        return np.stack([self.at, self.time / 10], -1)

    def reset(self) -> Obs:
        self._start(np.ones_like(self.active))
        return self.look()

    def _start(self, where: Bools) -> None:
        for lane, actor in np.argwhere(where):
            self.at[lane, actor], self.time[lane, actor] = self.generators[lane][actor].normal(), 0

    def step(self, action: Floats) -> Step:
        self.at += np.where(self.active, 0.3 * np.clip(action[..., 0], -1, 1), 0)
        self.time += self.active
        final, over = self.look(), (self.time == 10) & self.active
        reward = -np.square(self.at)
        self._start(over)
        return Step(self.look(), reward, np.zeros_like(over), over, final)

    def set_active(self, actors: Bools) -> None:
        self.active = actors.copy()

    def close(self, lane: int) -> None:
        pass

    def get_state(self, lane: int) -> dict[str, Any]:
        states = [g.bit_generator.state for g in self.generators[lane]]
        return {"at": self.at[lane].tolist(), "time": self.time[lane].tolist(), "generators": states}

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        self.at[lane], self.time[lane] = state["at"], state["time"]
        for generator, value in zip(self.generators[lane], state["generators"], strict=True):
            generator.bit_generator.state = value


@dataclass(frozen=True)
class Line(Suite):
    """A suite of one task."""

    id: str
    time_limit: Literal[None]

    def resolved(self) -> Line:
        return self

    def check(self) -> None: ...

    def episode_limit(self) -> int:
        return 10

    def discrete(self) -> bool:
        return False

    def make(self, generators: Generators, marker: Marker) -> LockStep:
        return LineLockStep(generators)


# -- a network body ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Linear(Body):
    """One linear layer."""

    shared: ClassVar[bool] = False  # type: ignore[misc]

    width: Count

    def check(self, obs: Space) -> None: ...

    def features(self, obs: Space) -> int:
        return self.width

    def module(self, obs: Space, generator: torch.Generator) -> nn.Module:
        return Dense(obs.size, self.width, scale=1.0, generator=generator)

    def prepare(self, weights: Mapping[str, np.ndarray]) -> Any:
        return weights["weight"], weights["bias"]

    def forward(self, prepared: Any, x: np.ndarray, affine: Affine) -> np.ndarray:
        return affine(x, *prepared)


# -- an algorithm ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reinforce(Algorithm):
    """The gradient of the mean discounted reward to come."""

    columns: ClassVar[tuple[str, ...]] = ("gain", "lr")

    horizon: Count
    num_actors: Count
    lr: Annotated[Positive, PER_RUN]
    policy_scale: Positive
    log_std: Finite

    @property
    def batch(self) -> Batching:
        steps, words = product(num_actors=self.num_actors, horizon=self.horizon)
        return Batching(steps, 1, words)

    def check(self, run: Config) -> None: ...

    def learner(self, pack: PackSpec) -> Learner:
        return ReinforceLearner(pack)


class ReinforceLearner(Learner):
    """Its parameters."""

    def __init__(self, pack: PackSpec) -> None:
        self.network, self.theta, self.lr = pack.network, pack.theta, pack.per_run("lr")
        self.actor, self.rollout = PolicyActor(pack.network, pack.theta), RolloutSpec(Length(pack.schemas[0].horizon))

    def estimate_advantages(self, rollout: Rollout, see: Callable[[Obs], np.ndarray]) -> tuple[Tensor, ...]:
        to_come = np.cumsum(rollout.reward[:, ::-1], 1)[:, ::-1] / rollout.reward.shape[1]
        lanes, obs = len(to_come), torch.from_numpy(see(rollout.flat_obs))
        return obs, rollout.action.flatten(1, 2), torch.from_numpy(to_come.reshape(lanes, -1)).float()

    def update(self, batch: tuple[Tensor, ...], moment: Moment) -> Columns:
        def gain(theta: Tensor, obs: Tensor, action: Tensor, weight: Tensor) -> Tensor:
            logp = self.network.distribution.logp(self.network.policy(theta, obs), action)
            return (logp * (weight - weight.mean())).mean()

        gradient, gained = vmap(grad_and_value(gain))(self.theta, *batch)
        self.theta += torch.from_numpy(self.lr).float()[:, None] * gradient
        self.actor.refresh(self.theta)
        return {"gain": gained.double().numpy(), "lr": self.lr}

    def get_state(self, lane: int) -> dict[str, Any]:
        return {"theta": self.theta[lane].clone()}

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        self.theta[lane] = state["theta"]
        self.actor.refresh(self.theta)


@dataclass(frozen=True)
class Careless(Reinforce):
    """Returns a column that it has not declared."""

    columns: ClassVar[tuple[str, ...]] = ("lr",)


# -- runs of them ------------------------------------------------------------------------------------------------------

ALGORITHM = {"name": "my_lab/reinforce", "horizon": 50, "num_actors": 2, "policy_scale": 0.01, "log_std": 0.0}
NETWORK = {"name": "my_lab/linear", "width": 5}
ENV = {"suite": "my_lab/line", "id": "Line-v0", "time_limit": None}


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    own_registries(monkeypatch)
    choices.algorithm("my_lab/reinforce")(Reinforce)
    choices.algorithm("my_lab/careless")(Careless)
    choices.network("my_lab/linear")(Linear)
    choices.suite("my_lab/line")(Line)


def run(outputs: Path, seed: int = 0, lr: float = 0.1, **groups: Any) -> Config:
    """Of this file's choices, or with others in place of some; `None` leaves a group out."""
    execution = to_mapping(compose([f"outputs={outputs}", "compile=false"]))
    chosen = {"env": ENV, "network": NETWORK, "algorithm": ALGORITHM | {"lr": lr}, "surrogate": None} | groups
    values = execution | {"seed": seed, "total_steps": 1000} | chosen
    return to_config({key: value for key, value in values.items() if value is not None or key != "surrogate"})


def finish(configs: Sequence[Config]) -> list[tuple[bytes, bytes]]:
    return [records(done(outcome).folder) for outcome in train(configs)]


def done(outcome: Outcome) -> Outcome:
    assert outcome.error is None
    assert outcome.result is not None
    return outcome


def ours(*overrides: str) -> dict[str, Any]:
    """The algorithm and the surrogate of a run of ours."""
    values = to_mapping(compose(overrides))
    return {"algorithm": values["algorithm"], "surrogate": values.get("surrogate")}


def test_all_three_train_together_and_are_named_in_the_result(tmp_path: Path) -> None:
    (outcome,) = train([run(tmp_path)])
    result = done(outcome).result or {}
    named = {key: result[key] for key in ("suite", "env", "algorithm", "surrogate", "steps", "episodes")}
    assert named == {
        "suite": "my_lab/line", "env": "Line-v0", "algorithm": "my_lab/reinforce", "surrogate": None,
        "steps": 1000, "episodes": 100,
    }  # fmt: skip
    header = (outcome.folder / "updates.csv").read_text().splitlines()[0]
    assert header == "iteration,step,episodes,score,gain,lr,steps_per_second"


def test_their_runs_have_the_same_bytes_alone_and_in_packs_of_two_and_three(tmp_path: Path) -> None:
    rates = (0.1, 0.3, 0.01)
    three = finish([run(tmp_path / "3", seed, lr) for seed, lr in enumerate(rates)])
    assert len(set(three)) == 3
    assert finish([run(tmp_path / "2", seed, rates[seed]) for seed in (2, 1)]) == [three[2], three[1]]
    assert finish([run(tmp_path / "1", 1, rates[1])]) == [three[1]]


def test_their_runs_go_on_with_the_same_bytes(tmp_path: Path) -> None:
    undisturbed = finish([run(tmp_path / "a", seed) for seed in range(2)])
    asked, interrupted = iter(range(4)), [run(tmp_path / "b", seed) for seed in range(2)]
    with pytest.raises(Interrupted):
        train(interrupted, stop=lambda: next(asked, None) is None)
    assert finish(interrupted) == undisturbed


def test_the_algorithm_learns_on_the_suite(tmp_path: Path) -> None:
    scores = [done(o).result["score"] for o in train([run(tmp_path, lr=lr) for lr in (1e-9, 0.3)])]  # type: ignore[index]
    assert scores[1] > scores[0] + 1


@pytest.mark.parametrize("overrides", [["algorithm.horizon=128", "algorithm.epochs=2"], ["algorithm=cem"]])
def test_the_suite_and_the_body_train_with_algorithms_of_ours(tmp_path: Path, overrides: list[str]) -> None:
    three = finish([run(tmp_path / "3", seed, **ours(*overrides)) for seed in range(3)])
    assert finish([run(tmp_path / "1", 2, **ours(*overrides))]) == [three[2]]


def test_the_algorithm_trains_on_a_task_of_ours_with_a_body_of_ours(tmp_path: Path) -> None:
    theirs = to_mapping(compose(["env=hopper", "network.hidden=[8]"]))
    (outcome,) = train([run(tmp_path, env=theirs["env"], network=theirs["network"])])
    assert done(outcome).result["env"] == "Hopper-v5"  # type: ignore[index]


def test_a_column_that_was_not_declared_fails_its_own_run_only(tmp_path: Path) -> None:
    careless = run(tmp_path, algorithm=ALGORITHM | {"name": "my_lab/careless", "lr": 0.1})
    first, failed, last = train([run(tmp_path, 0), careless, run(tmp_path, 1)])
    assert failed.error is not None
    assert failed.error.startswith("TypeError: ")
    assert "my_lab/careless" in failed.error
    assert "gain" in failed.error
    assert failed.result is None
    assert "TypeError" in (failed.folder / "traceback.txt").read_text()
    assert [done(outcome).result["pack_size"] for outcome in (first, last)] == [2, 2]  # type: ignore[index]
