"""Splicing compositions gives what Hydra composes, in few compositions."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from ppo.config import compose as module
from ppo.config import groups as places
from ppo.config.compose import add_config_dir, compose, expand, groups
from ppo.config.groups import config_dirs
from ppo.config.identity import run_hash
from ppo.config.splice import spliced


def pairs() -> list[tuple[str, ...]]:
    """Every choice of every group with every one of another group, and some triples."""
    choices = {group: [f"{group}={name}" for name in names] for group, names in groups().items()}
    some = list(itertools.product(choices["env"][:2], choices["algorithm"], choices["surrogate"]))
    two = itertools.chain(*(itertools.product(a, b) for a, b in itertools.permutations(choices.values(), 2)))
    return [*two, *some, ("network=mlp", "algorithm=trpo"), ("algorithm=trpo", "network=mlp")]


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is composed by Hydra from now on, nothing being known before."""
    found: list[object] = []
    original = module.hydra_compose
    monkeypatch.setattr(module, "hydra_compose", lambda *a, **k: found.append(k["overrides"]) or original(*a, **k))
    for cached in (module._base, module._unresolved):
        cached.cache_clear()
    return found


@pytest.mark.slow
def test_what_is_spliced_is_what_hydra_composes() -> None:
    for choices in pairs():
        whole = module._unresolved(config_dirs(), choices)
        assert module._base(config_dirs(), choices).values == whole, choices


def test_a_sweep_of_many_choices_is_composed_by_hydra_once_for_each_choice(composed: list[object]) -> None:
    tasks, surrogates = groups()["env"][1:6], groups()["surrogate"]
    axes = [f"env={','.join(tasks)}", f"surrogate={','.join(surrogates)}", "algorithm.lr=1e-3,1e-4", "seed=range(4)"]
    runs = [compose(overrides) for overrides in expand(axes)]
    assert len({run_hash(run) for run in runs}) == 5 * 5 * 2 * 4
    assert len(composed) <= 1 + 5 + 5, "none of the 25 combinations"


def test_runs_that_differ_in_values_alone_are_composed_by_hydra_once(composed: list[object]) -> None:
    runs = [compose(overrides) for overrides in expand(["algorithm.lr=1e-3,1e-4", "seed=range(50)"])]
    assert len({run_hash(run) for run in runs}) == 100
    assert len(composed) == 1


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


def test_a_choice_that_takes_values_from_others_follows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (module.CONF / "algorithm" / "vpg.yaml").read_text(encoding="utf-8")
    (tmp_path / "algorithm").mkdir()
    theirs = re.sub(r"(?m)^gamma:.*$", "gamma: ${oc.select:env.nothing,0.5}", source)
    theirs = re.sub(r"(?m)^value_minibatch_size:.*$", "value_minibatch_size: ${algorithm.batch_steps}", theirs)
    (tmp_path / "algorithm" / "theirs.yaml").write_text(theirs)
    monkeypatch.setattr(places, "_added", [])
    add_config_dir(tmp_path)
    assert compose(["env=reacher", "algorithm=theirs"]).algorithm.gamma == 0.5
    run = compose(["env=reacher", "algorithm=theirs", "algorithm.batch_steps=100"])
    assert run.algorithm.value_minibatch_size == 100
