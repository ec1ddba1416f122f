"""A pack: its score, its counts, its spare lanes, and that a seed decides everything."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from ppo.config.compose import compose
from ppo.data import Bools, Floats
from ppo.envs.base import Step
from ppo.pack import MIN_LANES, Iteration, Pack
from tests.ppo.handmade import box, toy_pack


class Counting:
    """Episode k = 0, 1, 2, ... lasts three steps and returns 3k, whatever is done; observations are noise."""

    spec = box(2, 1)
    inexact: ClassVar[dict[int, str]] = {}

    def __init__(self, generators: list[list[np.random.Generator]]) -> None:
        self.generators = generators
        self.clock = np.zeros((len(generators), len(generators[0])), np.int64)
        self.active = np.ones_like(self.clock, bool)
        self.failures: dict[int, Exception] = {}

    def look(self) -> Floats:
        return np.array([[g.normal(size=2) for g in lane] for lane in self.generators])

    def reset(self) -> Floats:
        return self.look()

    def step(self, action: Floats) -> Step:
        self.clock[self.active] += 1
        over = self.clock % 3 == 0
        obs = self.look()
        return Step(obs, (self.clock - 1) // 3 * 1.0, over, np.zeros_like(over), obs)

    def set_active(self, actors: Bools) -> None:
        self.active = actors.copy()

    def close(self, lane: int) -> None:
        pass

    def get_state(self, lane: int) -> dict[str, Any]:
        return {"clock": self.clock[lane].copy(), "states": [g.bit_generator.state for g in self.generators[lane]]}

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        self.clock[lane] = state["clock"]
        for generator, value in zip(self.generators[lane], state["states"], strict=True):
            generator.bit_generator.state = value


def make_pack(*overrides: str, seeds: tuple[int, ...] = (0,), horizon: int = 8) -> Pack:
    shared = [f"algorithm.horizon={horizon}", "network.hidden=[4]", *overrides]
    return toy_pack([compose([*shared, f"seed={seed}"]) for seed in seeds], Counting)


def idle_pack(horizon: int, total_steps: int) -> Pack:
    """A pack that learns nothing, trained to its end."""
    pack = make_pack("algorithm=random", f"total_steps={total_steps}", horizon=horizon)
    while pack.steps[0] < pack.goals[0]:
        pack.iterate()
    return pack


def learning_pack(*overrides: str, seeds: tuple[int, ...] = (0,)) -> Pack:
    return make_pack("algorithm.minibatch_size=4", "algorithm.epochs=2", "algorithm.lr=0.01", *overrides, seeds=seeds)


# -- score -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("horizon", [320, 64, 10])
def test_the_score_is_the_mean_of_the_last_hundred_episodes_wherever_rollouts_end(horizon: int) -> None:
    pack = idle_pack(horizon, total_steps=320)
    assert pack.num_episodes[0] == 106  # episodes 6 to 105 return 18, 21, ..., 315
    assert pack.score(0) == pytest.approx((18 + 315) / 2)


def test_the_score_of_fewer_episodes_is_the_mean_of_all() -> None:
    assert idle_pack(8, total_steps=32).score(0) == pytest.approx((0 + 27) / 2)  # ten episodes


def test_without_an_episode_there_is_no_score() -> None:
    assert math.isnan(idle_pack(2, total_steps=2).score(0))


# -- counts ------------------------------------------------------------------------------------------------------------


def test_a_run_is_trained_for_whole_iterations() -> None:
    pack = idle_pack(8, total_steps=33)
    assert pack.steps[0] == pack.goals[0] == 40


def test_steps_are_counted_over_all_actors() -> None:
    pack = make_pack("algorithm=random", "algorithm.num_actors=3", "total_steps=1000")
    pack.iterate()
    assert pack.steps[0] == 24
    assert pack.num_episodes[0] == 3 * 2


def test_a_run_alone_is_joined_by_lanes_that_are_never_stepped() -> None:
    pack = idle_pack(8, total_steps=32)
    spare = MIN_LANES - 1
    assert (pack.size, pack.lanes) == (1, [0])
    assert pack.env.clock[:, 0].tolist() == [32, *[0] * spare]
    assert pack.steps.tolist() == [32, *[0] * spare]


def test_a_pack_that_is_large_enough_has_no_spare_lanes() -> None:
    seeds = tuple(range(MIN_LANES))
    assert len(make_pack(seeds=seeds, horizon=64).env.clock) == MIN_LANES


def test_a_lane_that_retires_stands_still_while_the_others_go_on() -> None:
    pack = learning_pack("algorithm.horizon=12", seeds=(0, 1, 2))
    pack.iterate()
    pack.retire(1)  # at the end of an episode, which is not to be counted again
    pack.iterate()
    assert pack.lanes == [0, 2]
    assert pack.steps.tolist() == pack.env.clock[:, 0].tolist() == [24, 12, 24]
    assert pack.num_episodes.tolist() == [8, 4, 8]


def test_progress_through_training_drives_the_schedules() -> None:
    pack = learning_pack("algorithm.lr_schedule=linear", "algorithm.epsilon_schedule=linear", "total_steps=32")
    columns = [pack.iterate().columns[0] for _ in range(4)]
    assert [c["lr"][0] for c in columns] == pytest.approx([0.01, 0.0075, 0.005, 0.0025])
    assert [c["epsilon"][0] for c in columns] == pytest.approx([0.2, 0.15, 0.1, 0.05])


# -- iterations --------------------------------------------------------------------------------------------------------


def test_a_row_is_the_mean_of_an_iterations_updates_but_skipped_steps_are_summed() -> None:
    columns = [
        {"kl": np.array([0.1, 1.0]), "skipped": np.array([0.0, 2.0])},
        {"kl": np.array([0.3, 2.0]), "skipped": np.array([1.0, 3.0])},
        {"kl": np.array([0.2, 6.0]), "skipped": np.array([1.0, 0.0])},
    ]
    iteration = Iteration([[], []], columns, ("skipped",), [{}, {}], {})
    assert iteration.row(0) == {"kl": pytest.approx(0.2), "skipped": 2}
    assert iteration.row(1) == {"kl": pytest.approx(3.0), "skipped": 5}


def test_a_row_of_one_update_is_that_update_to_the_bit() -> None:
    row = Iteration([[]], [{"kl": np.array([0.1]), "lr": np.array([math.nan])}], (), [{}], {}).row(0)
    assert row["kl"] == 0.1
    assert math.isnan(row["lr"])


def test_a_learner_that_records_nothing_has_an_empty_row() -> None:
    assert make_pack("algorithm=random", "total_steps=80").iterate().row(0) == {}


def test_an_iteration_of_several_updates_holds_all_their_episodes_and_columns() -> None:
    single, several = (make_pack("algorithm=random", "total_steps=1000", horizon=4) for _ in range(2))
    several.learner.rollout = several.learner.rollout._replace(updates=5)
    iteration, singles = several.iterate(), [single.iterate() for _ in range(5)]
    assert len(iteration.columns) == 5
    assert iteration.episodes[0] == [e for one in singles for e in one.episodes[0]]
    assert [(e.step, e.ret) for e in iteration.episodes[0]] == [(3 * k, 3 * (k - 1)) for k in range(1, 7)]
    assert (several.steps[0], several.iterations[0]) == (20, 1)
    assert (single.steps[0], single.iterations[0]) == (20, 5)
    assert several.num_episodes[0] == 6


@pytest.mark.parametrize("updates", [1, 3])
def test_the_step_at_which_a_run_broke_is_its_own_and_its_first(updates: int) -> None:
    pack = make_pack("algorithm=random", "total_steps=1000", seeds=(0, 1))
    pack.iterate()
    pack.learner.rollout = pack.learner.rollout._replace(updates=updates)
    step, calls = pack.env.step, 0

    def breaking(action: Floats) -> Step:
        nonlocal calls
        result, calls = step(action), calls + 1
        result.reward[1] = math.nan if calls >= 5 else 0.0
        return result

    pack.env.step = breaking
    failures = pack.iterate().failures
    assert list(failures) == [1]
    assert isinstance(failures[1], FloatingPointError)
    assert f"reward of step {8 + 5} is not finite" in str(failures[1])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of what is made to overflow
@pytest.mark.parametrize("name", ["ppo", "a2c", "trpo", "vpg"])
def test_an_iteration_in_which_no_gradient_was_finite_fails_its_run(name: str) -> None:
    shared = [f"algorithm={name}", "env.time_limit=8"]
    pack = toy_pack([compose([*shared, "network.hidden=[4]", f"seed={s}"]) for s in (0, 1)], Counting)
    assert pack.iterate().failures == {}
    theta = pack.learner.get_state(1)["theta"]
    pack.learner.set_state(1, pack.learner.get_state(1) | {"theta": torch.full_like(theta, 1e30)})
    failures = pack.iterate().failures
    assert list(failures) == [1]
    assert "every gradient step of iteration 2 was skipped" in str(failures[1])


def test_some_skipped_steps_fail_nothing_and_a_line_search_that_finds_no_step_neither() -> None:
    ppo, trpo = compose([]).algorithm, compose(["algorithm=trpo"]).algorithm
    steps = ppo.batch.gradient_steps
    assert not ppo.stuck({"skipped": steps - 1, "grad_norm": 0.0})
    assert ppo.stuck({"skipped": steps, "grad_norm": 0.0})
    assert not trpo.stuck({"skipped": 1, "grad_norm": 0.5})
    assert trpo.stuck({"skipped": 1, "grad_norm": math.nan})
    assert not compose(["algorithm=random"]).algorithm.stuck({})


def test_why_a_lane_cannot_go_on_is_in_its_iteration() -> None:
    pack, error = make_pack("algorithm=random", "total_steps=1000", seeds=(0, 1)), OSError("gone")
    assert pack.iterate().failures == {}
    pack.env.failures[0] = error
    assert pack.iterate().failures == {0: error}


def test_iterations_of_a_retired_lane_are_not_counted() -> None:
    pack = make_pack("algorithm=random", "total_steps=1000", seeds=(0, 1, 2))
    pack.iterate()
    pack.retire(1)
    assert pack.iterate().episodes[1] == []
    assert pack.iterations.tolist() == [2, 1, 2]


# -- seeds and states --------------------------------------------------------------------------------------------------


def theta_after(pack: Pack, iterations: int = 3) -> torch.Tensor:
    for _ in range(iterations):
        pack.iterate()
    return pack.learner.theta


def test_a_seed_gives_the_same_bits_again_and_another_seed_others() -> None:
    once, again = theta_after(learning_pack(seeds=(5, 6, 5))), theta_after(learning_pack(seeds=(5, 6, 5)))
    assert torch.equal(once, again)
    assert torch.equal(once[0], once[2])
    assert not torch.equal(once[0], once[1])


def test_a_rollout_is_taken_in_after_its_advantages_are_estimated_and_before_the_update() -> None:
    pack = learning_pack()
    learner, counts = pack.learner, []
    estimate, update = learner.estimate_advantages, learner.update

    def estimated(rollout: Any, see: Any) -> Any:
        assert see is pack.obs_filter
        counts.append(pack.obs_filter.count[0, 0])
        return estimate(rollout, see)

    def updated(batch: Any, moment: Any) -> Any:
        assert moment.see is pack.obs_filter
        counts.append(pack.obs_filter.count[0, 0])
        return update(batch, moment)

    learner.estimate_advantages, learner.update = estimated, updated
    theta_after(pack, 2)
    assert counts == pytest.approx([0.01, 8.01, 8.01, 16.01])


def test_the_filter_takes_in_each_rollout_once() -> None:
    pack = learning_pack()
    theta_after(pack, 3)
    np.testing.assert_allclose(pack.obs_filter.count[0], 24.01)


def test_an_untrained_policy_keeps_its_parameters_and_its_filter() -> None:
    pack = make_pack("algorithm=random", "total_steps=80")
    before = pack.learner.theta.clone()
    assert torch.equal(theta_after(pack), before)
    np.testing.assert_allclose(pack.obs_filter.count, 0.01)


def test_a_lane_put_into_a_fresh_pack_goes_on_with_the_same_bits() -> None:
    straight, resumed = learning_pack(seeds=(0, 1, 2)), learning_pack(seeds=(2, 0, 1))
    theta_after(straight)
    for lane in range(3):
        resumed.set_state((lane + 1) % 3, straight.get_state(lane))
    theta, moved = theta_after(straight), theta_after(resumed)
    for lane in range(3):
        assert torch.equal(theta[lane], moved[(lane + 1) % 3])
        assert straight.score(lane) == resumed.score((lane + 1) % 3)


def test_a_lane_put_back_where_it_was_has_the_score_it_had() -> None:
    pack = learning_pack()
    theta_after(pack)
    state, score = pack.get_state(0), pack.score(0)
    theta_after(pack)
    pack.set_state(0, state)
    assert pack.score(0) == score


def test_the_number_of_iterations_is_kept() -> None:
    pack, resumed = learning_pack(seeds=(0, 1)), learning_pack(seeds=(0, 1))
    theta_after(pack, 3)
    resumed.set_state(0, pack.get_state(0) | {"iteration": 7})
    resumed.set_state(1, pack.get_state(1))
    assert resumed.iterations.tolist() == [7, 3]
