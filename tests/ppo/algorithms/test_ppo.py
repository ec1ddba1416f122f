"""PPO's learner: what it estimates, how often it steps on what, its schedules, its betas and what it records."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from ppo.algorithms.ppo import Batch, PPOLearner, explained_variance
from ppo.algorithms.ppo_step import Coefficients
from ppo.collect import Rollout
from ppo.compose import compose
from ppo.envs.lockstep import Floats, Spec
from ppo.filters import ObsFilter, RewardFilter
from ppo.networks import FlatNetwork
from ppo.streams import make_streams

SPEC = Spec(3, 2, False, -np.ones(2), np.ones(2))
SMALL = ["horizon=32", "minibatch_size=8", "epochs=3", "network.hidden=[4]"]
START = np.zeros(3)  # progress of three lanes


def make_learner(*overrides: str, lanes: Sequence[Sequence[str]] = ((), (), ())) -> PPOLearner:
    """A pack of runs that share `overrides`; seeds are 0, 1, 2 unless a lane's own overrides say otherwise."""
    shared = [f"algorithm.{o}" for o in (*SMALL, *overrides)]
    configs = [compose([*shared, f"seed={i}", *own, "compile=false"]) for i, own in enumerate(lanes)]
    streams = [make_streams(c.seed, c.algorithm.num_actors) for c in configs]
    network = FlatNetwork(SPEC, configs[0].algorithm.network)
    theta = torch.stack([network.init(torch.Generator().manual_seed(c.seed)) for c in configs])
    return PPOLearner(configs, network, theta, streams)


def make_filter(lanes: int = 3) -> ObsFilter:
    return ObsFilter(lanes, SPEC.obs_size, enabled=True)


def make_rollout(horizon: int = 32, actors: int = 1, *, keep_final: bool = False, seed: int = 0) -> Rollout:
    """Three lanes of made-up experience, far from mean 0 and deviation 1, in which episodes end now and then."""
    rng = np.random.default_rng(seed)
    grid = (3, horizon, actors)
    obs = rng.normal(7.0, 3.0, (3, horizon + 1, actors, 3))
    ends = rng.random(grid)
    terminated, truncated = ends < 0.1, (ends > 0.1) & (ends < 0.2)
    final_obs = obs[:, 1:].copy()
    final_obs[terminated | truncated] += 1.0  # not what the next episode starts with
    action = torch.from_numpy(rng.normal(size=(*grid, 2))).float()
    final = final_obs if keep_final else None
    return Rollout(obs, final, action, rng.normal(size=grid), terminated, truncated, [[], [], []])


def learn(learner: PPOLearner, rollout: Rollout, progress: Floats = START, obs_filter: ObsFilter | None = None) -> dict:
    obs_filter = obs_filter or make_filter()
    return learner.update(learner.estimate_advantages(rollout, obs_filter), obs_filter, progress)


class Spy:
    """Writes down what each minibatch step is given, and takes it."""

    def __init__(self, learner: PPOLearner) -> None:
        self.take, learner._step = learner._step, self
        self.theta: list[Tensor] = []
        self.samples: list[Tensor] = []
        self.coefficients: list[Coefficients] = []

    def __call__(self, theta: Tensor, adam: object, totals: Tensor, samples: Tensor, coefficients: Tensor) -> None:
        self.theta.append(theta.clone())
        self.samples.append(samples.clone())
        self.coefficients.append(Coefficients(*coefficients.unbind(-1)))
        self.take(theta, adam, totals, samples, coefficients)


def policy(network: FlatNetwork, theta: Tensor, obs: Tensor) -> Independent:
    mean, log_std = network.policy(theta, obs).chunk(2, -1)
    return Independent(Normal(mean, log_std.exp()), 1)


# -- advantages --------------------------------------------------------------------------------------------------------


def test_values_are_those_of_rollout_time_before_the_filter_moves() -> None:
    learner, rollout, obs_filter = make_learner(), make_rollout(), make_filter()
    obs_filter.update(np.random.default_rng(9).normal(5.0, 2.0, (3, 100, 3)))
    batch = learner.estimate_advantages(rollout, obs_filter)
    seen = torch.from_numpy(obs_filter(rollout.obs[:, :-1, 0]))
    for lane in range(3):
        expected = learner.network.value(learner.theta[lane], seen[lane])
        np.testing.assert_allclose(batch.value[lane], expected, rtol=1e-5, atol=1e-6)


def test_the_value_target_is_the_raw_advantage_plus_the_value_however_advantages_are_normalised() -> None:
    batches = {
        mode: make_learner(f"normalize_adv={mode}").estimate_advantages(make_rollout(), make_filter())
        for mode in ("batch", "minibatch", "none")
    }
    raw = batches["none"]
    np.testing.assert_allclose(raw.value_target, raw.adv + raw.value)
    np.testing.assert_array_equal(batches["minibatch"].adv, raw.adv)
    centred = raw.adv - raw.adv.mean(1, keepdims=True)
    np.testing.assert_allclose(batches["batch"].adv, centred / raw.adv.std(1, keepdims=True))
    for batch in batches.values():
        np.testing.assert_array_equal(batch.value_target, raw.value_target)


def test_the_last_state_of_an_unfinished_episode_is_worth_its_value() -> None:
    learner, rollout, obs_filter = make_learner("normalize_adv=none"), make_rollout(), make_filter()
    rollout.terminated[:, -1], rollout.truncated[:, -1] = False, False
    batch = learner.estimate_advantages(rollout, obs_filter)
    last = torch.from_numpy(obs_filter(rollout.obs[:, -1]))
    for lane in range(3):
        future = 0.99 * learner.network.value(learner.theta[lane], last[lane]).item()
        expected = rollout.reward[lane, -1, 0] + future - batch.value[lane, -1]
        assert batch.adv[lane, -1] == pytest.approx(expected, abs=1e-5)


def both_readings_of_a_time_limit(lam: float) -> tuple[Floats, Floats, Rollout, Floats]:
    """Advantages [3, T] as terminal and as bootstrap, the rollout, and gamma V of what each step led to [3, T]."""
    rollout, obs_filter = make_rollout(keep_final=True), make_filter()
    cuts, bootstraps = (
        make_learner("normalize_adv=none", f"lam={lam}", f"time_limit={reading}")
        for reading in ("terminal", "bootstrap")
    )
    assert (cuts.keep_final, bootstraps.keep_final) == (False, True)
    terminal = cuts.estimate_advantages(rollout._replace(final_obs=None), obs_filter).adv
    bootstrap = bootstraps.estimate_advantages(rollout, obs_filter).adv
    final = torch.from_numpy(obs_filter(rollout.final_obs[:, :, 0]))
    value = torch.stack([cuts.network.value(cuts.theta[lane], final[lane]) for lane in range(3)])
    return terminal, bootstrap, rollout, 0.99 * value.numpy()


def test_the_reading_of_a_time_limit_matters_at_truncated_steps_only() -> None:
    terminal, bootstrap, rollout, future = both_readings_of_a_time_limit(lam=0.0)
    truncated = rollout.truncated[:, :, 0]
    assert truncated.any()
    assert rollout.terminated.any()
    np.testing.assert_allclose(bootstrap - terminal, np.where(truncated, future, 0.0), atol=1e-6)


def test_with_lambda_it_matters_to_the_episodes_that_were_truncated_only() -> None:
    terminal, bootstrap, rollout, _ = both_readings_of_a_time_limit(lam=0.95)
    for lane in range(3):
        matters = False
        for t in reversed(range(32)):
            if rollout.truncated[lane, t, 0]:
                matters = True
            elif rollout.terminated[lane, t, 0]:
                matters = False
            assert (abs(bootstrap[lane, t] - terminal[lane, t]) > 1e-5) == matters


def test_normalised_rewards_take_the_place_of_rewards() -> None:
    rollout, gamma = make_rollout(actors=2), np.full(3, 0.99)
    over = rollout.terminated | rollout.truncated
    scaled = rollout._replace(reward=RewardFilter(3, 2)(rollout.reward, over, gamma))
    assert not np.allclose(scaled.reward, rollout.reward)
    plain, normalising = make_learner("num_actors=2"), make_learner("num_actors=2", "normalize_reward=true")
    expected = plain.estimate_advantages(scaled, make_filter())
    ours = normalising.estimate_advantages(rollout, make_filter())
    np.testing.assert_array_equal(ours.value_target, expected.value_target)


def test_each_run_has_its_own_gamma_and_lambda() -> None:
    own = (["algorithm.gamma=0.5"], ["algorithm.lam=0.1"], [])
    mixed = make_learner(lanes=own).estimate_advantages(make_rollout(), make_filter())
    for lane, overrides in enumerate(own):
        alike = make_learner(lanes=[overrides] * 3)
        alike.theta[:] = make_learner(lanes=own).theta
        np.testing.assert_array_equal(
            mixed.adv[lane], alike.estimate_advantages(make_rollout(), make_filter()).adv[lane]
        )


def test_explained_variance_by_hand() -> None:
    value, target = np.array([[1.0, 2.0, 3.0, 3.0], [0.0] * 4]), np.array([[1.0, 2.0, 3.0, 4.0], [5.0] * 4])
    batch = Batch(np.empty(0), torch.empty(0), np.empty(0), value, target)
    explained = explained_variance(batch)["explained_variance"]
    assert explained[0] == pytest.approx(1 - 0.1875 / 1.25)
    assert math.isnan(explained[1])


# -- what is stepped on ------------------------------------------------------------------------------------------------


def test_table_3_makes_320_adam_steps_per_iteration() -> None:
    table_3 = compose().algorithm
    counts = {key: getattr(table_3, key) for key in ("horizon", "minibatch_size", "epochs")}
    assert counts == {"horizon": 2048, "minibatch_size": 64, "epochs": 10}
    learner = make_learner(*(f"{key}={value}" for key, value in counts.items()))
    spy = Spy(learner)
    learn(learner, make_rollout(2048))
    assert learner.adam.steps.tolist() == [320, 320, 320]
    assert len(spy.samples) == 320
    assert {s.shape[:2] for s in spy.samples} == {(3, 64)}


def test_every_sample_is_used_once_per_epoch_in_an_order_of_its_own() -> None:
    learner, rollout = make_learner("num_actors=2"), make_rollout(actors=2)
    number = np.arange(64.0)
    rollout.action[..., 0] = torch.from_numpy(number).float().reshape(32, 2)
    spy = Spy(learner)
    learn(learner, rollout)
    used = torch.stack(spy.samples)[..., 3].transpose(0, 1).reshape(3, 3, 64).numpy()  # [lane, epoch, sample]
    assert (np.sort(used, -1) == number).all()
    orders = {tuple(epoch) for lane in used for epoch in lane}
    assert len(orders) == 9
    assert tuple(number) not in orders


def test_runs_of_one_seed_are_shuffled_alike() -> None:
    learner = make_learner(lanes=(["seed=4"], ["seed=4"], ["seed=5"]))
    spy = Spy(learner)
    learn(learner, make_rollout()._replace(obs=np.broadcast_to(np.arange(33.0)[None, :, None, None], (3, 33, 1, 3))))
    first, second, third = torch.stack(spy.samples, 1)[..., 0]
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_at_the_first_minibatch_the_ratio_is_one_although_the_filter_has_moved() -> None:
    learner, rollout, behaviour, obs_filter = make_learner(), make_rollout(), make_filter(), make_filter()
    network, spy = learner.network, Spy(learner)
    learn(learner, rollout, obs_filter=obs_filter)

    def logp(theta: Tensor, obs: Tensor, action: Tensor) -> Tensor:
        return network.distribution.logp(network.policy(theta, obs), action)

    samples, raw = spy.samples[0], rollout.obs[:, :-1, 0]
    old, new = (torch.from_numpy(f(raw)) for f in (behaviour, obs_filter))
    for lane, theta in enumerate(spy.theta[0]):
        now = logp(theta, samples[lane, :, :3], samples[lane, :, 3:5])
        assert (torch.exp(now - samples[lane, :, 9]) - 1).abs().max() < 1e-6
        action = rollout.action[lane, :, 0]  # under the filter that acted it had another probability
        ratio = torch.exp(logp(theta, new[lane], action) - logp(theta, old[lane], action))
        assert (ratio - 1).abs().max() > 1e-3


def test_every_minibatch_holds_the_old_policy_of_its_own_samples() -> None:
    learner, rollout, obs_filter = make_learner("lr=0.1"), make_rollout(), make_filter()
    theta_old, spy = learner.theta.clone(), Spy(learner)
    learn(learner, rollout, obs_filter=obs_filter)
    for samples in spy.samples:
        for lane in range(3):
            dist = learner.network.policy(theta_old[lane], samples[lane, :, :3])
            torch.testing.assert_close(samples[lane, :, 5:9], dist)
    assert not torch.equal(learner.theta, theta_old)


# -- schedules ---------------------------------------------------------------------------------------------------------

SCHEDULES = (
    ["algorithm.lr_schedule=linear", "algorithm.lr=1e-3"],
    ["algorithm.epsilon_schedule=linear", "surrogate.epsilon=0.1"],
    ["surrogate=none"],
)


@pytest.mark.parametrize("progress", [0.0, 0.25, 0.5, 0.999])
def test_stepsize_and_clipping_range_go_from_one_to_zero_times_their_value_if_linear(progress: float) -> None:
    learner = make_learner(lanes=SCHEDULES)
    spy = Spy(learner)
    columns = learn(learner, make_rollout(), np.full(3, progress))
    remaining = 1 - progress
    assert columns["lr"].tolist() == pytest.approx([1e-3 * remaining, 3e-4, 3e-4])
    assert columns["epsilon"].tolist() == pytest.approx([0.2, 0.1 * remaining, math.inf])
    for c in spy.coefficients:
        np.testing.assert_allclose(c.lr, columns["lr"], rtol=1e-6)
        np.testing.assert_allclose(c.epsilon, columns["epsilon"], rtol=1e-6)


def test_each_run_of_a_pack_is_at_its_own_point_of_the_schedule() -> None:
    learner = make_learner(lanes=[["algorithm.lr_schedule=linear"]] * 3)
    columns = learn(learner, make_rollout(), np.array([0.0, 0.5, 0.75]))
    assert columns["lr"].tolist() == pytest.approx([3e-4, 1.5e-4, 0.75e-4])


def test_at_the_end_of_a_linear_schedule_nothing_moves() -> None:
    learner = make_learner("lr_schedule=linear")
    before = learner.theta.clone()
    learn(learner, make_rollout(), np.ones(3))
    assert torch.equal(learner.theta, before)


@pytest.mark.xfail(
    raises=RuntimeWarning, reason="ppo.py:140: infinity times 0, where a finished lane waits for its mates", strict=True
)
def test_at_the_end_of_a_linear_schedule_an_absent_clip_is_still_absent() -> None:
    columns = learn(make_learner("epsilon_schedule=linear", lanes=[["surrogate=none"]] * 3), make_rollout(), np.ones(3))
    assert (columns["epsilon"] == math.inf).all()


def test_a_runs_coefficients_reach_its_steps() -> None:
    own = ["algorithm.c1=0.5", "algorithm.c2=0.01", "algorithm.adam_epsilon=1e-8", "surrogate=kl_fixed"]
    learner = make_learner("max_grad_norm=0.5", "value_clip=0.2", lanes=([*own, "surrogate.beta=3"], [], []))
    spy = Spy(learner)
    learn(learner, make_rollout())
    c = spy.coefficients[0]
    assert c.c1.tolist() == pytest.approx([0.5, 1, 1])
    assert c.c2.tolist() == pytest.approx([0.01, 0, 0])
    assert c.adam_epsilon.tolist() == pytest.approx([1e-8, 1e-5, 1e-5])
    assert c.beta.tolist() == [3, 0, 0]
    assert c.epsilon.tolist() == pytest.approx([math.inf, 0.2, 0.2])
    assert c.max_grad_norm.tolist() == [0.5] * 3
    assert c.value_clip.tolist() == pytest.approx([0.2] * 3)


# -- beta --------------------------------------------------------------------------------------------------------------


def test_an_adaptive_beta_moves_after_the_iteration_and_is_used_in_the_next_one_only() -> None:
    still, wild = ["surrogate=kl_adaptive", "algorithm.lr=1e-12"], ["surrogate=kl_adaptive", "algorithm.lr=0.3"]
    fixed = ["surrogate=kl_fixed", "algorithm.lr=0.3", "surrogate.beta=10"]
    learner = make_learner(lanes=(still, wild, fixed))
    spy = Spy(learner)
    for beta in ([1, 1, 10], [0.5, 2, 10]):
        spy.coefficients.clear()
        columns = learn(learner, make_rollout())
        assert columns["kl"][0] < 0.01 / 1.5
        assert columns["kl"][1] > 0.01 * 1.5
        assert columns["beta"].tolist() == beta
        assert {tuple(c.beta.tolist()) for c in spy.coefficients} == {tuple(beta)}
    assert learner.beta.tolist() == [0.25, 4, 10]


# -- what is recorded --------------------------------------------------------------------------------------------------


def test_kl_is_that_of_the_old_from_the_new_policy_over_the_whole_batch_and_entropy_is_the_new_ones() -> None:
    learner, rollout, obs_filter = make_learner("lr=0.03", "c2=1"), make_rollout(), make_filter()
    theta_old = learner.theta.clone()
    columns = learn(learner, rollout, obs_filter=obs_filter)
    obs = torch.from_numpy(obs_filter(rollout.obs[:, :-1, 0]))
    for lane in range(3):
        old, new = (policy(learner.network, theta[lane], obs[lane]) for theta in (theta_old, learner.theta))
        kl, reversed_kl = kl_divergence(old, new).mean().item(), kl_divergence(new, old).mean().item()
        assert abs(kl - reversed_kl) > 0.1 * kl  # the order matters here
        assert columns["kl"][lane] == pytest.approx(kl, rel=1e-4)
        assert columns["entropy"][lane] == pytest.approx(new.entropy().mean().item(), rel=1e-5)


def test_objective_and_value_loss_are_means_over_all_minibatches() -> None:
    learner = make_learner("lr=1e-12", "epochs=2", "normalize_adv=none")
    rollout = make_rollout()
    batch = learner.estimate_advantages(rollout, make_filter())
    obs_filter = make_filter()
    columns = learner.update(batch, obs_filter, START)
    obs = torch.from_numpy(obs_filter(rollout.obs[:, :-1, 0]))
    for lane in range(3):
        value = learner.network.value(learner.theta[lane], obs[lane]).numpy()
        assert columns["objective"][lane] == pytest.approx(batch.adv[lane].mean(), rel=1e-4, abs=1e-6)  # ratios are 1
        assert columns["value_loss"][lane] == pytest.approx(np.mean((value - batch.value_target[lane]) ** 2), rel=1e-4)
    assert columns["clip_fraction"].tolist() == [0, 0, 0]
    assert columns["skipped"].tolist() == [0, 0, 0]


def test_a_run_that_sees_nan_skips_and_counts_every_step_and_its_mates_do_not_notice() -> None:
    clean, broken = make_rollout(), make_rollout()
    broken.reward[1, 10] = math.nan
    healthy, ill = make_learner(), make_learner()
    before = ill.theta.clone()
    learn(healthy, clean)
    columns = learn(ill, broken)
    assert columns["skipped"].tolist() == [0, 12, 0]
    assert torch.equal(ill.theta[1], before[1])
    assert ill.adam.steps.tolist() == [12, 0, 12]
    for ours, theirs in ((ill.theta, healthy.theta), *zip(ill.adam, healthy.adam, strict=True)):
        assert torch.equal(ours[[0, 2]], theirs[[0, 2]])


# -- from one iteration to the next ------------------------------------------------------------------------------------


def test_the_actor_acts_with_the_new_parameters() -> None:
    learner = make_learner("lr=0.1")
    obs, still = np.ones((3, 1, 3), np.float32), torch.zeros(3, 1, 2)
    before = learner.actor(obs, still)
    learn(learner, make_rollout())
    after = learner.actor(obs, still)
    assert not torch.equal(before, after)
    for lane in range(3):
        mean = learner.network.policy(learner.theta[lane], torch.ones(1, 3))[:, :2]
        torch.testing.assert_close(after[lane], mean)


def test_adams_moments_are_kept_from_iteration_to_iteration() -> None:
    learner = make_learner()
    learn(learner, make_rollout())
    learn(learner, make_rollout(seed=1))
    assert learner.adam.steps.tolist() == [24, 24, 24]


def test_a_lane_put_back_into_another_pack_goes_on_with_the_same_bits() -> None:
    lanes = (["surrogate=kl_adaptive"], ["surrogate=clip"], ["surrogate=none"])
    straight, resumed = (make_learner("normalize_reward=true", "lr=0.01", lanes=lanes) for _ in range(2))
    learn(straight, make_rollout())
    resumed.theta[:] = 0
    for lane in range(3):
        resumed.set_state(lane, straight.get_state(lane))
        resumed.orders[lane].bit_generator.state = straight.orders[lane].bit_generator.state
    first, second = (learn(learner, make_rollout(seed=1)) for learner in (straight, resumed))
    assert torch.equal(straight.theta, resumed.theta)
    assert torch.equal(straight.beta, resumed.beta)
    assert all(np.array_equal(first[k], second[k], equal_nan=True) for k in first)
    torch.testing.assert_close(straight.actor.head, resumed.actor.head, rtol=0, atol=0)
