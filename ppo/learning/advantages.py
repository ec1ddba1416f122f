"""Advantage estimates over a pack's rollout: truncated GAE (section 5, equations (11) and (12))."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ppo.data import Bools, Floats


class Segment(NamedTuple):
    """T steps of every lane and actor, each [L, T, N]."""

    reward: Floats
    value: Floats  # V of the state before the step
    next_value: Floats  # V of the state after it
    terminal: Bools  # that state has no future
    cut: Bools  # an episode ended after the step, for whatever reason


def gae(segment: Segment, *, gamma: Floats, lam: Floats) -> Floats:
    """Advantages [L, T, N] of a segment; gamma, lam: [L].

    The recursion is `delta_t = r_t + gamma V(s_{t+1}) - V(s_t)`, `adv_t = delta_t + gamma lam adv_{t+1}`; unlike the
    paper's sums it is cut where an episode ends inside the segment.
    """
    discount, weight = gamma[:, None, None], (gamma * lam)[:, None, None]
    delta = segment.reward + discount * np.where(segment.terminal, 0.0, segment.next_value) - segment.value
    weights = np.where(segment.cut, 0.0, weight)
    adv = np.empty_like(delta)
    running = np.zeros_like(delta[:, 0])
    for t in range(delta.shape[1] - 1, -1, -1):
        running = delta[:, t] + weights[:, t] * running
        adv[:, t] = running
    return adv


def standardize_each(adv: Floats, num_actors: int) -> Floats:
    """Advantages [L, T * N] to mean 0 and deviation 1 per actor, over the actor's own T steps."""
    lanes = len(adv)
    of_actors = adv.reshape(lanes, -1, num_actors).transpose(0, 2, 1)
    each = standardize(of_actors.reshape(lanes * num_actors, -1))
    return each.reshape(of_actors.shape).transpose(0, 2, 1).reshape(lanes, -1)


def standardize(adv: Floats, weight: Floats | None = None) -> Floats:
    """Advantages [L, B] to mean 0 and population deviation 1 per lane; a constant lane becomes 0.

    Those of weight [L, B] 0 do not count, and become 0.
    """
    if weight is not None:
        count = np.maximum(weight.sum(1, keepdims=True), 1)
        highest, lowest = (np.where(weight > 0, adv, end) for end in (-np.inf, np.inf))
        varies = highest.max(1, keepdims=True) > lowest.min(1, keepdims=True)
        centred = (adv - (adv * weight).sum(1, keepdims=True) / count) * weight
        deviation = np.sqrt(np.square(centred).sum(1, keepdims=True) / count)
        return np.divide(centred, deviation, out=np.zeros_like(centred), where=varies)
    varies = adv.max(1, keepdims=True) > adv.min(1, keepdims=True)  # a rounded mean may leave a constant a deviation
    centred = adv - adv.mean(1, keepdims=True)
    return np.divide(centred, adv.std(1, keepdims=True), out=np.zeros_like(centred), where=varies)
