"""A surrogate of somebody else's: it trains and packs as the paper's own do, and changes no bit of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from torch import Tensor

from ppo.config import choices
from ppo.config.compose import compose
from ppo.config.identity import pack_key
from ppo.config.run import Config
from ppo.config.schema import CLIP_RANGE, PER_RUN, NonNegative, Positive
from ppo.learning.surrogates.base import Surrogate, Terms
from ppo.train import train
from tests.ppo.handmade import composed, own_registries, records

SMALL = ["algorithm.horizon=256", "algorithm.epochs=2", "total_steps=1024", "network.hidden=[16]"]
SETTINGS = [  # of the seeds 0, 1, 2
    {"epsilon": 0.2, "slope": 0.1},
    {"epsilon": 0.1, "slope": 0.5},
    {"epsilon": 0.4, "slope": 0.0},
]


@dataclass(frozen=True)
class SoftClip(Surrogate):
    """Beyond the clipping range the ratio still counts, but less."""

    epsilon: Annotated[Positive, PER_RUN, CLIP_RANGE]
    slope: Annotated[NonNegative, PER_RUN]

    def objective(self, t: Terms) -> Tensor:
        clipped = t.ratio.clamp(1 - self.epsilon, 1 + self.epsilon)
        return (t.ratio * t.adv).minimum((clipped + self.slope * (t.ratio - clipped)) * t.adv)


@pytest.fixture
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    own_registries(monkeypatch)
    choices.surrogate("my_lab/soft_clip")(SoftClip)


def soft(outputs: Path, seed: int, *extra: str, **changes: float) -> Config:
    surrogate: dict[str, Any] = {"name": "my_lab/soft_clip", **SETTINGS[seed % 3], **changes}
    return composed([*SMALL, "compile=false", f"seed={seed}", f"outputs={outputs}", *extra], surrogate=surrogate)


def finish(configs: Sequence[Config]) -> list[tuple[bytes, bytes]]:
    outcomes = train(configs)
    assert [outcome.error for outcome in outcomes] == [None] * len(configs)
    modes = {outcome.result["compiled"] for outcome in outcomes if outcome.result}
    assert modes == {configs[0].execution.compile}, "there is no C++ compiler here"
    return [records(outcome.folder) for outcome in outcomes]


def assert_law_1(tmp_path: Path, *extra: str) -> None:
    """The same bytes in packs of three, of two and alone."""
    configs = [soft(tmp_path / "3", seed, *extra) for seed in range(3)]
    assert len({pack_key(config) for config in configs}) == 1
    three = finish(configs)
    assert len(set(three)) == 3
    assert len(three[0][0].splitlines()) > 3, "too few episodes to compare"
    assert finish([soft(tmp_path / "2", seed, *extra) for seed in (2, 0)]) == [three[2], three[0]]
    for seed in range(3):
        assert finish([soft(tmp_path / "1", seed, *extra)]) == [three[seed]]


@pytest.mark.usefixtures("_registered")
def test_it_has_the_same_bytes_in_packs_of_one_two_and_three(tmp_path: Path) -> None:
    assert_law_1(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("_registered")
def test_so_it_has_where_its_updates_are_compiled(tmp_path: Path) -> None:
    assert_law_1(tmp_path, "compile=true")


@pytest.mark.usefixtures("_registered")
def test_its_coefficients_matter(tmp_path: Path) -> None:
    wild = "algorithm.lr=3e-3"  # so that ratios leave the range
    plain, other = (finish([soft(tmp_path, 0, wild, slope=slope)])[0] for slope in (0.0, 0.9))
    assert plain != other


@pytest.mark.usefixtures("_registered")
def test_with_a_slope_of_zero_it_is_the_papers_clip_to_the_bit(tmp_path: Path) -> None:
    """Both are one expression; only the graphs around them differ, and without a compiler those do not matter."""
    ours = finish([soft(tmp_path, 0, slope=0.0)])
    papers = finish([compose([*SMALL, "compile=false", "surrogate.epsilon=0.2", f"outputs={tmp_path}"])])
    assert [episodes for episodes, _ in ours] == [episodes for episodes, _ in papers]


@pytest.mark.usefixtures("_registered")
def test_it_never_shares_a_pack_with_the_papers_own(tmp_path: Path) -> None:
    ours = soft(tmp_path, 0)
    papers = [compose([*SMALL, "compile=false", f"surrogate={name}"]) for name in ("clip", "none", "kl_adaptive")]
    assert len({pack_key(config) for config in papers}) == 1
    assert pack_key(ours) != pack_key(papers[0])
    assert ours.surrogate.family() == {"name": "my_lab/soft_clip"}
    outcomes = train([ours, compose([*SMALL, "compile=false", f"outputs={tmp_path}"])])
    assert [outcome.result["pack_size"] for outcome in outcomes if outcome.result] == [1, 1]


def papers_pack(outputs: Path, *extra: str) -> list[tuple[bytes, bytes]]:
    names = ("clip", "kl_fixed", "none")
    return finish([compose([*SMALL, f"surrogate={n}", f"outputs={outputs}", *extra]) for n in names])


def test_its_registration_changes_no_bit_of_the_papers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = papers_pack(tmp_path / "before", "compile=false")
    own_registries(monkeypatch)
    choices.surrogate("my_lab/soft_clip")(SoftClip)
    assert "my_lab/soft_clip" in choices.surrogate.names()
    assert papers_pack(tmp_path / "after", "compile=false") == before


@pytest.mark.slow
def test_nor_of_the_papers_own_where_they_are_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = papers_pack(tmp_path / "before", "compile=true")
    own_registries(monkeypatch)
    choices.surrogate("my_lab/soft_clip")(SoftClip)
    assert papers_pack(tmp_path / "after", "compile=true") == before
