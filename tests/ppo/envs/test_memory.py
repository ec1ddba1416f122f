"""A run that does not fit into memory is refused before anything starts; one that fits is not held up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ppo.config.compose import compose
from ppo.data import Space
from ppo.envs import memory
from ppo.envs.base import Actions, Spec
from ppo.errors import UserError
from ppo.networks.flat import FlatNetwork, Head
from ppo.train import train

GB = 10**9
SMALL = Spec(Space((11,), np.dtype(np.float64)), Actions(3, False, np.zeros(3), np.zeros(3)))


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["network.hidden=[1000000000]"], "network.hidden=[1000000000]"),
        (["network.hidden=[100000,100000]"], "network.hidden=[100000,100000]"),
        (["algorithm.horizon=1000000000", "total_steps=1e10"], "algorithm.horizon=1000000000 with num_actors=1"),
        (["algorithm=a2c", "algorithm.num_actors=1000000", "total_steps=1e10"], "algorithm.num_actors=1000000"),
        (["algorithm=cem", "algorithm.num_actors=100000", "network.hidden=[1000,1000]"], "network.hidden=[1000,1000]"),
    ],
)
def test_what_needs_more_than_there_is_is_named_with_both_figures(overrides: list[str], named: str) -> None:
    with pytest.raises(UserError) as error:
        memory.check_memory([compose(overrides)], 8 * GB)
    assert str(error.value).startswith(f"{named} is invalid: expected a run that fits into 8.0 GB")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["ppo", "a2c", "trpo", "vpg", "cem", "random"])
def test_the_paper_s_runs_fit_into_two_gigabytes(name: str) -> None:
    memory.check_memory([compose([f"algorithm={name}"])], 2 * GB)


@pytest.mark.parametrize("keys", ["hidden=[]", "hidden=[64,64]", "hidden=[10,5]", "shared=true"])
def test_the_weights_are_counted_without_torch_as_torch_makes_them(keys: str) -> None:
    body = compose([f"network.{keys}"]).network
    heads = (body.features(SMALL.obs) + 1) * 4
    counted = body.weights(SMALL.obs) * (1 if body.shared else 2) + heads
    assert counted + 3 == sum(FlatNetwork(SMALL, body, Head(0.01, 0.0)).sizes)  # 3: log standard deviations


def test_the_task_is_made_only_where_it_could_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_spec", lambda env: pytest.fail(f"{env} was made"))
    memory.check_memory([compose([])], 64 * GB)


def test_training_checks_before_it_makes_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="network"):
        train([compose(["network.hidden=[100000000]", f"outputs={tmp_path / 'store'}"])])
    assert not list(tmp_path.iterdir())


def test_a_container_s_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    monkeypatch.setattr(memory, "CGROUPS", (str(tmp_path / "memory.max"), str(tmp_path / "none")))
    assert memory.installed() == 1_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.installed() > 1_000_000
