"""Splicing compositions gives what Hydra composes, in few compositions."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from ppo.config import compose as module
from ppo.config.compose import add_config_dir, groups
from ppo.config.splice import spliced
from sweeps.planning.runs import sweep_runs
from sweeps.planning.spec import parse


def pairs() -> list[tuple[str, ...]]:
    """Every choice of every group with every one of another group, and some triples."""
    choices = {group: [f"{group}={name}" for name in names] for group, names in groups().items()}
    some = list(itertools.product(choices["env"][:2], choices["algorithm"], choices["surrogate"]))
    two = itertools.chain(*(itertools.product(a, b) for a, b in itertools.permutations(choices.values(), 2)))
    return [*two, *some, ("network=mlp", "algorithm=trpo"), ("algorithm=trpo", "network=mlp")]


@pytest.mark.slow
def test_what_is_spliced_is_what_hydra_composes() -> None:
    for choices in pairs():
        assert module._plain(choices) == module._container_of(choices), choices


TASKS = ["hopper", "reacher", "swimmer", "walker2d", "halfcheetah", "inverted_pendulum"]


def test_a_sweep_of_many_choices_is_composed_by_hydra_once_for_each_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    module._plain.cache_clear()
    composed: list[tuple[str, ...]] = []
    by_hydra = module._container_of

    def count(choices: tuple[str, ...]) -> object:
        composed.append(choices)
        return by_hydra(choices)

    monkeypatch.setattr(module, "_container_of", count)
    surrogates = ["clip", "none", "kl_fixed", "kl_adaptive"]
    grid = {"env": TASKS, "surrogate": surrogates, "algorithm": "ppo", "seed": "range(0,4)"}
    runs = sweep_runs(parse("mine", {"grid": grid}))
    monkeypatch.undo()
    assert len(runs) == 6 * 4 * 4
    assert len(set(composed)) <= 1 + 6 + 4 + 1, "none of the 24 combinations"


def test_a_choice_that_two_others_change_is_composed_as_a_whole() -> None:
    def by_hand(choices: tuple[str, ...]) -> dict[str, object]:
        values: dict[str, object] = {"a": "a1", "b": "b1", "seed": 0}
        for choice in choices:
            group, _, name = choice.partition("=")
            values[group] = name
            if choice == "b=b2":
                values["a"] = "a of b2"  # as an algorithm that has a network of its own
            if choice == "a=loud":
                values["seed"] = 7
        return values

    for choices in itertools.permutations(["a=a2", "b=b2"]):
        assert spliced(tuple(choices), by_hand) == by_hand(tuple(choices))
    for choices in (("a=loud", "b=b3"), ("b=b2", "a=loud"), ("a=a2", "a=a3"), ("a=a2",), ()):
        assert spliced(choices, by_hand) == by_hand(choices)


def test_a_choice_that_takes_values_from_others_is_composed_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (module.CONF / "algorithm" / "vpg.yaml").read_text(encoding="utf-8")
    (tmp_path / "algorithm").mkdir()
    theirs = re.sub(r"(?m)^gamma:.*$", "gamma: ${oc.select:env.nothing,0.5}", source)
    (tmp_path / "algorithm" / "theirs.yaml").write_text(theirs)
    monkeypatch.setattr(module, "_extra", [])
    try:
        add_config_dir(tmp_path)
        assert module._interpolates("algorithm=theirs")
        assert not module._interpolates("algorithm=vpg")
        assert module._plain(("env=reacher", "algorithm=theirs"))["algorithm"]["gamma"] == 0.5
    finally:
        for cached in (module.groups, module._composed, module._container_of, module._interpolates, module._plain):
            cached.cache_clear()
