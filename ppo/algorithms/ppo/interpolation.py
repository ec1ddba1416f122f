"""The surrogates along the line from the old policy to the new one (Figure 2, section 3)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ppo.algorithms.ppo.step import Samples
from ppo.learning.lanes import over_lanes
from ppo.learning.objectives import ratio_terms
from ppo.networks.flat import FlatNetwork

SCALES = np.arange(-10, 41) / 20  # from -0.5 to 2: theta_old + scale (theta_new - theta_old)
COLUMNS = ("scale", "kl", "cpi", "clipped", "clip")


def interpolate(
    network: FlatNetwork, theta_old: Tensor, theta_new: Tensor, samples: Samples, epsilon: Tensor
) -> Tensor:
    """Scale, mean KL[old, new], r adv, clip(r) adv and the smaller of the two (L^CLIP), [L, scales, 5].

    Means are over whole batches, samples [L, B, ...]; theta [L, n], epsilon [L].
    """

    def at(theta: Tensor, s: Samples, bound: Tensor) -> Tensor:
        dist = network.policy(theta, s.obs)
        distribution = network.distribution
        terms = ratio_terms(distribution.logp(dist, s.action), s.logp_old, distribution.kl(s.dist_old, dist), s.adv)
        clipped = terms.ratio.clamp(1 - bound, 1 + bound) * s.adv
        cpi = terms.ratio * s.adv
        return torch.stack([terms.kl.mean(), cpi.mean(), clipped.mean(), torch.minimum(cpi, clipped).mean()])

    along = over_lanes(at, network)
    with torch.no_grad():
        lines = [along(theta_old + scale * (theta_new - theta_old), samples, epsilon) for scale in SCALES.tolist()]
    values = torch.stack(lines, 1)
    scales = torch.from_numpy(SCALES).to(values).expand(len(values), -1).unsqueeze(-1)
    return torch.cat([scales, values], -1)
