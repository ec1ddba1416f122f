"""The surrogates of a pack side by side: each lane maximises its own, with coefficients that nobody else's change."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import vmap

from ppo.config import choices
from ppo.learning.objectives import Objectives
from ppo.learning.surrogates.base import Surrogate, Terms
from ppo.learning.surrogates.clip import Clip, ClipLog
from ppo.learning.surrogates.none import Unclipped
from ppo.learning.surrogates.penalty import AdaptiveKL, FixedKL
from tests.ppo.handmade import own_registries

PAPER: dict[str, Surrogate] = {
    "none": Unclipped(),
    "clip": Clip(0.25),
    "clip_log": ClipLog(0.25, "ratio"),
    "clip_log objective": ClipLog(0.25, "objective"),
    "kl_fixed": FixedKL(3.0),
    "kl_adaptive": AdaptiveKL(0.01, 1.5),
}
NAMES = list(PAPER)
FORMULAS: dict[str, Callable[..., np.ndarray]] = {  # of ratio, adv and kl
    "none": lambda r, a, kl: r * a,
    "clip": lambda r, a, kl: np.minimum(r * a, np.clip(r, 0.75, 1.25) * a),
    "clip_log": lambda r, a, kl: np.minimum(r * a, np.exp(np.clip(np.log(r), -0.25, 0.25)) * a),
    "clip_log objective": lambda r, a, kl: np.minimum(
        np.log(r) * a, np.clip(np.log(r), math.log(0.75), math.log(1.25)) * a
    ),
    "kl_fixed": lambda r, a, kl: r * a - 3.0 * kl,
    "kl_adaptive": lambda r, a, kl: r * a - 1.5 * kl,
}


def all_six() -> Objectives:
    """One lane of each."""
    return Objectives(list(PAPER.values()))


def rows(objectives: Objectives, lanes: int = len(PAPER), scale: float = 1.0) -> Tensor:
    return objectives.rows(np.full(lanes, scale))


def terms(log_ratio: Tensor, adv: Tensor, kl: Tensor) -> Terms:
    return Terms(log_ratio, torch.exp(log_ratio), kl, adv)


def random_terms(lanes: int = len(PAPER), count: int = 1000) -> Terms:
    generator = torch.Generator().manual_seed(0)
    log_ratio, adv, kl = torch.randn(3, count, dtype=torch.float64, generator=generator)
    return Terms(*(x.expand(lanes, -1) for x in terms(log_ratio, adv, kl.abs())))


def with_tensors(surrogate: Surrogate) -> Surrogate:
    """With coefficients as `objective` gets them."""
    return type(surrogate)(**{k: torch.tensor(v) if isinstance(v, float) else v for k, v in vars(surrogate).items()})


# -- values and gradients ----------------------------------------------------------------------------------------------


def test_each_lane_maximises_its_own_formula() -> None:
    objectives, sample = all_six(), random_terms()
    chosen = vmap(objectives.choose)(rows(objectives).double(), sample)
    for lane, name in enumerate(NAMES):
        expected = FORMULAS[name](sample.ratio[lane].numpy(), sample.adv[lane].numpy(), sample.kl[lane].numpy())
        np.testing.assert_allclose(chosen[lane], expected, rtol=1e-13, err_msg=name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("far", [80.0, -80.0, 0.0])
def test_objectives_that_are_not_chosen_leak_neither_a_value_nor_a_gradient(name: str, far: float) -> None:
    objectives, lane = all_six(), NAMES.index(name)
    row, results = rows(objectives)[lane], []
    kl = torch.full((3,), 1.0 if name.startswith("kl") else math.inf)  # as far as it goes where nobody asks for it
    for objective in (lambda t: objectives.choose(row, t), with_tensors(PAPER[name]).objective):
        log_ratio = torch.full((3,), far, requires_grad=True)
        value = objective(terms(log_ratio, torch.tensor([1.0, -1.0, 0.0]), kl))
        value.sum().backward()
        results.append((value.detach(), log_ratio.grad))
    for ours, alone in zip(*results, strict=True):
        assert torch.isfinite(ours).all()
        assert torch.equal(ours, alone)


def test_only_penalties_use_kl() -> None:
    objectives = all_six()
    used = vmap(objectives.uses_kl)(rows(objectives))
    assert [name for name, uses in zip(NAMES, used.tolist(), strict=True) if uses] == ["kl_fixed", "kl_adaptive"]


# -- coefficients ------------------------------------------------------------------------------------------------------


def test_a_lanes_row_does_not_depend_on_its_mates() -> None:
    together = rows(all_six())
    for lane, surrogate in enumerate(PAPER.values()):
        alone = Objectives([surrogate])
        assert torch.equal(rows(alone, 1)[0], together[lane])
        assert [type(kind) for kind in alone.kinds] == [type(kind) for kind in all_six().kinds]


def test_a_clipping_range_is_annealed_in_double_precision_and_rounded_once() -> None:
    epsilon, differs = 0.2, 0
    objectives = Objectives([Clip(epsilon), ClipLog(epsilon, "ratio")])
    log_ratio = torch.full((2, 1), 10.0)  # far above any range: the objective is its upper end
    sample = terms(log_ratio, torch.ones(2, 1), torch.zeros(2, 1))
    for scale in (np.arange(1, 489) / 489).tolist():
        of_clip, of_clip_log = vmap(objectives.choose)(rows(objectives, 2, scale), sample)[:, 0]
        annealed = torch.tensor(epsilon * scale, dtype=torch.float32)
        assert of_clip == 1 + annealed
        assert of_clip_log == annealed.exp()
        differs += bool(annealed != torch.tensor(epsilon) * torch.tensor(scale))
    assert differs > 50, "single precision would have done"


def test_only_clipping_ranges_are_annealed() -> None:
    objectives, sample = all_six(), random_terms()
    half, full = (vmap(objectives.choose)(rows(objectives, scale=scale).double(), sample) for scale in (0.5, 1.0))
    for lane, name in enumerate(NAMES):
        assert torch.equal(half[lane], full[lane]) == (not name.startswith("clip")), name


def test_the_clipping_range_of_a_surrogate_that_clips_nothing_is_infinite() -> None:
    objectives, expected = all_six(), [math.inf, 0.25, 0.25, 0.25, math.inf, math.inf]
    assert objectives.clip_range.tolist() == expected
    assert vmap(objectives.clip_range_of)(rows(objectives)).tolist() == expected
    assert vmap(objectives.clip_range_of)(rows(objectives, scale=0.5)).tolist() == [e / 2 for e in expected]


def test_a_coefficient_is_found_by_lane_and_name() -> None:
    objectives = all_six()
    assert [objectives.of(lane, "beta") for lane in range(6)] == [None, None, None, None, 3, 1.5]


# -- after an iteration ------------------------------------------------------------------------------------------------


def betas(objectives: Objectives, lanes: int) -> list[float]:
    return [objectives.of(lane, "beta") or 0.0 for lane in range(lanes)]


def test_only_adaptive_betas_adapt_each_to_its_own_kl() -> None:
    objectives = Objectives([AdaptiveKL(0.01, 1.0), AdaptiveKL(0.01, 1.0), FixedKL(1.0), AdaptiveKL(1.0, 8.0)])
    objectives.after(torch.tensor([1.0, 0.01, 1.0, 0.1]))
    assert betas(objectives, 4) == [2, 1, 1, 4]


def test_a_lane_put_back_into_another_pack_has_the_beta_it_had() -> None:
    straight = Objectives([FixedKL(3.0), AdaptiveKL(0.01, 1.0), Clip(0.2)])
    other = Objectives([AdaptiveKL(0.01, 1.0), AdaptiveKL(0.01, 1.0), AdaptiveKL(0.01, 1.0)])
    for _ in range(3):
        straight.after(torch.ones(3))
    state = straight.get_state(1)
    straight.after(torch.ones(3))  # a state is a copy
    other.set_state(2, state)
    assert betas(other, 3) == [1, 1, 8]
    other.after(torch.ones(3))
    assert betas(other, 3) == [2, 2, 16]
    assert betas(straight, 3) == [3, 16, 0]


def test_a_state_names_the_lanes_own_coefficients_only() -> None:
    objectives = all_six()
    states = {name: {k: float(v) for k, v in objectives.get_state(lane).items()} for lane, name in enumerate(NAMES)}
    assert states["none"] == {}
    assert states["clip"] == {"epsilon": 0.25}
    assert states["kl_adaptive"] == {"d_targ": pytest.approx(0.01), "beta": 1.5}


# -- kinds -------------------------------------------------------------------------------------------------------------


def test_the_papers_own_are_one_family() -> None:
    assert [surrogate.family() for surrogate in PAPER.values()] == [None] * 6


@dataclass(frozen=True)
class HalfClip(Clip):
    """Somebody else's, which inherits all that it does not say."""

    def objective(self, t: Terms) -> Tensor:
        return 0.5 * super().objective(t)


def test_a_surrogate_derived_from_one_of_the_papers_is_a_family_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    own_registries(monkeypatch)
    before = [type(kind) for kind in all_six().kinds]
    choices.surrogate("my_lab/half_clip")(HalfClip)
    assert HalfClip(0.2).family() == {"name": "my_lab/half_clip"}
    assert [type(kind) for kind in Objectives([HalfClip(0.2)]).kinds] == [HalfClip]
    assert [type(kind) for kind in all_six().kinds] == before
