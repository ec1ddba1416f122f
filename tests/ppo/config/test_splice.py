"""Splicing compositions gives what Hydra composes, in few compositions."""

from __future__ import annotations

import itertools

import pytest

from ppo.config import compose as module
from ppo.config.compose import compose
from ppo.config.groups import config_dirs, groups


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", groups()["algorithm"])
def test_what_is_spliced_is_what_hydra_composes(algorithm: str) -> None:
    for surrogate, network in itertools.product(groups()["surrogate"], groups()["network"]):
        choices = (f"surrogate={surrogate}", f"network={network}", f"algorithm={algorithm}", "env=swimmer")
        assert module._base(config_dirs(), choices).values == module._unresolved(config_dirs(), choices)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", groups()["experiment"])
def test_an_experiment_beside_other_choices_is_what_hydra_composes(experiment: str) -> None:
    for others in itertools.chain.from_iterable(
        itertools.combinations(("env=swimmer", "network=mlp_10x5", "surrogate=clip_log"), n) for n in range(4)
    ):
        choices = (f"experiment={experiment}", *others)
        assert module._base(config_dirs(), choices).values == module._unresolved(config_dirs(), choices)


def test_many_combinations_of_few_choices_need_few_compositions(monkeypatch: pytest.MonkeyPatch) -> None:
    composed = []
    real = module._composed
    monkeypatch.setattr(module, "_composed", lambda folders, lines: composed.append(lines) or real(folders, lines))
    module._base.cache_clear()
    module._unresolved.cache_clear()
    for env, surrogate in itertools.product(("hopper", "swimmer", "reacher"), ("clip", "none", "kl_fixed")):
        compose([f"env={env}", f"surrogate={surrogate}"])
    assert len(composed) == len(set(composed)) <= 3 + 3 + 1
