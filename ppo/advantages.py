"""Advantage estimates over a pack's rollout: truncated GAE (section 5, equations (11) and (12))."""

from __future__ import annotations

import numpy as np

from ppo.envs.lockstep import Bools, Floats


def gae(
    reward: Floats, value: Floats, next_value: Floats, *, terminal: Bools, cut: Bools, gamma: Floats, lam: Floats
) -> Floats:
    """Advantages [L, T, N] of one segment.

    reward, value, next_value: [L, T, N], V of the state before and after each step. terminal: the step led to a state
    without a future. cut: an episode ended after the step, for whatever reason. gamma, lam: [L].
    The recursion is `delta_t = r_t + gamma V(s_{t+1}) - V(s_t)`, `adv_t = delta_t + gamma lam adv_{t+1}`; unlike the
    paper's sums it is cut where an episode ends inside the segment.
    """
    discount, weight = gamma[:, None, None], (gamma * lam)[:, None, None]
    delta = reward + discount * np.where(terminal, 0.0, next_value) - value
    weights = np.where(cut, 0.0, weight)
    adv = np.empty_like(delta)
    running = np.zeros_like(delta[:, 0])
    for t in range(delta.shape[1] - 1, -1, -1):
        running = delta[:, t] + weights[:, t] * running
        adv[:, t] = running
    return adv


def standardize(adv: Floats) -> Floats:
    """Advantages [L, B] to mean 0 and population deviation 1 per lane; a constant lane becomes 0."""
    centred = adv - adv.mean(1, keepdims=True)
    deviation = adv.std(1, keepdims=True)
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 0)
