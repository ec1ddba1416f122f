"""What each algorithm has to choose; `conf/algorithm/*.yaml` says what each key means.

A key with a default was added later: at its default it is no part of a run's identity, so
runs that were trained before there was the key are still the same runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ppo.config.schema import Count, Finite, Fraction, NonNegative, Positive, Sizes


@dataclass(frozen=True)
class Network:
    """Layers of policy and value function (section 6.1)."""

    hidden: Sizes
    shared: bool
    log_std: Finite
    log_std_final: Finite | None = None
    activation: Literal["tanh", "relu"] = "tanh"
    policy_scale: Positive = 0.01


@dataclass(frozen=True)
class PPO:
    """Algorithm 1 with the hyperparameters of Tables 3-5."""

    name: Literal["ppo"]
    horizon: Count
    num_actors: Count
    time_limit: Literal["terminal", "bootstrap"]
    gamma: Fraction
    lam: Fraction
    normalize_adv: Literal["batch", "minibatch", "none"]
    normalize_reward: bool
    epochs: Count
    minibatch_size: Count
    lr: Positive
    lr_schedule: Literal["constant", "linear", "kl"]
    epsilon_schedule: Literal["constant", "linear"]
    adam_epsilon: Positive
    c1: NonNegative
    c2: NonNegative
    max_grad_norm: Positive | None
    value_clip: Positive | None
    network: Network
    normalize_obs: bool
    lr_kl_target: Positive | None = None

    @property
    def batch_size(self) -> int:
        """Environment steps per iteration, N * T."""
        return self.horizon * self.num_actors

    @property
    def gradient_steps(self) -> int:
        """Adam steps per iteration."""
        return self.batch_size // self.minibatch_size * self.epochs


@dataclass(frozen=True)
class Random:
    """A policy that never learns."""

    name: Literal["random"]
    policy: Literal["untrained", "uniform"]
    horizon: Count
    num_actors: Count
    network: Network

    @property
    def batch_size(self) -> int:
        """Environment steps per iteration."""
        return self.horizon * self.num_actors

    @property
    def gradient_steps(self) -> int:
        """None are taken."""
        return 0


@dataclass(frozen=True)
class TRPO:
    """Trust region policy optimization, as in the authors' code of 2017."""

    name: Literal["trpo", "trpo_2017"]
    horizon: Count
    num_actors: Count
    time_limit: Literal["terminal", "bootstrap"]
    gamma: Fraction
    lam: Fraction
    max_kl: Positive
    cg_iterations: Count
    damping: Positive
    fisher_stride: Count
    backtracks: Count
    kl_slack: Positive
    train_log_std: bool
    value_epochs: Count
    value_minibatch_size: Count
    value_lr: Positive
    network: Network
    normalize_obs: bool

    @property
    def batch_size(self) -> int:
        """Environment steps per iteration, N * T."""
        return self.horizon * self.num_actors

    @property
    def gradient_steps(self) -> int:
        """Of the value function, per iteration."""
        return self.batch_size // self.value_minibatch_size * self.value_epochs


@dataclass(frozen=True)
class VPG:
    """Vanilla policy gradient with an adaptive stepsize."""

    name: Literal["vpg"]
    batch_steps: Count
    num_actors: Count
    time_limit: Literal["terminal", "bootstrap"]
    gamma: Fraction
    lam: Fraction
    lr: Positive
    kl_target: Positive
    value_epochs: Count
    value_minibatch_size: Count
    value_lr: Positive
    network: Network
    normalize_obs: bool

    @property
    def batch_size(self) -> int:
        """Environment steps per iteration, at least: whole episodes are collected."""
        return self.batch_steps

    @property
    def gradient_steps(self) -> int:
        """Of the value function, per iteration, at least."""
        return max(self.batch_steps // self.value_minibatch_size, 1) * self.value_epochs


@dataclass(frozen=True)
class A2C:
    """Synchronous advantage actor critic, with or without the trust region of Wang et al. 2017."""

    name: Literal["a2c", "a2c_trust_region"]
    horizon: Count
    num_actors: Count
    updates: Count
    time_limit: Literal["terminal", "bootstrap"]
    gamma: Fraction
    lam: Fraction
    lr: Positive
    lr_schedule: Literal["constant", "linear"]
    rms_decay: Fraction
    rms_epsilon: Positive
    c1: NonNegative
    c2: NonNegative
    max_grad_norm: Positive | None
    trust_region: Positive | None
    average_decay: Fraction
    network: Network
    normalize_obs: bool

    @property
    def batch_size(self) -> int:
        """Environment steps per iteration, of several updates."""
        return self.horizon * self.num_actors * self.updates

    @property
    def gradient_steps(self) -> int:
        """RMSProp steps per iteration."""
        return self.updates


@dataclass(frozen=True)
class CEM:
    """The cross-entropy method."""

    name: Literal["cem"]
    num_actors: Count
    elite_fraction: Fraction
    initial_variance: Positive
    extra_std: NonNegative
    extra_until: Fraction
    network: Network
    normalize_obs: bool

    @property
    def batch_size(self) -> int:
        """Environment steps per iteration, at least: one of every episode."""
        return self.num_actors

    @property
    def gradient_steps(self) -> int:
        """None are taken."""
        return 0


Algorithm = PPO | Random | TRPO | VPG | A2C | CEM
ALGORITHMS: dict[str, type[Algorithm]] = {
    "ppo": PPO,
    "random": Random,
    "trpo": TRPO,
    "trpo_2017": TRPO,
    "vpg": VPG,
    "a2c": A2C,
    "a2c_trust_region": A2C,
    "cem": CEM,
}
WHOLE_EPISODES = (VPG, CEM)  # algorithms whose iterations end with episodes, so that their length is not known before
