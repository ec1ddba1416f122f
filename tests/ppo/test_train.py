"""The one way in: which runs are trained, where, together with whom, in which mode, and what stops them."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ppo.config.compose import compose
from ppo.config.identity import run_hash
from ppo.config.run import Config
from ppo.errors import UserError
from ppo.learning import compiling
from ppo.runs.store import folder_of
from ppo.train import Interrupted, Outcome, check_device, train
from tests.ppo.handmade import records

SMALL = [
    "env=inverted_pendulum",
    "algorithm.horizon=128",
    "algorithm.epochs=1",
    "network.hidden=[4]",
    "total_steps=384",
]


def run(outputs: Path, *extra: str, seed: int = 0) -> Config:
    return compose([*SMALL, "compile=false", f"seed={seed}", f"outputs={outputs}", *extra])


def stop_after(iterations: int, configs: Sequence[Config]) -> None:
    asked = iter(range(iterations))
    with pytest.raises(Interrupted):
        train(configs, stop=lambda: next(asked, None) is None)


def result(outcome: Outcome) -> dict[str, Any]:
    assert outcome.error is None
    assert outcome.result is not None
    return outcome.result


def only(config: Config) -> Outcome:
    (outcome,) = train([config])
    return outcome


# -- which runs, and where ---------------------------------------------------------------------------------------------


def test_outcomes_come_in_the_order_of_the_runs_whatever_is_packed(tmp_path: Path) -> None:
    configs = [
        run(tmp_path, seed=2),
        run(tmp_path, "algorithm.horizon=64"),
        run(tmp_path, "surrogate=none"),
    ]
    outcomes = train(configs)
    assert [outcome.config for outcome in outcomes] == configs
    assert [result(outcome)["run"] for outcome in outcomes] == [run_hash(config) for config in configs]
    assert [result(outcome)["pack_size"] for outcome in outcomes] == [2, 1, 2]
    assert [outcome.folder for outcome in outcomes] == [folder_of(config) for config in configs]


def test_a_run_named_twice_is_trained_once(tmp_path: Path) -> None:
    first, other, again = train([run(tmp_path), run(tmp_path, seed=1), run(tmp_path)])
    assert first is again
    assert result(first)["pack_size"] == 2
    assert result(other)["seed"] == 1


def test_a_task_spelled_in_three_ways_is_one_run(tmp_path: Path) -> None:
    spellings = ("CartPole", "CartPole-v1", "os:CartPole-v1")
    outcomes = train([run(tmp_path, "env=gymnasium", f"env.id={spelling}") for spelling in spellings])
    assert all(outcome is outcomes[0] for outcome in outcomes)
    assert (result(outcomes[0])["env"], result(outcomes[0])["pack_size"]) == ("CartPole-v1", 1)


def test_a_run_that_is_done_is_left_alone(tmp_path: Path) -> None:
    before = only(run(tmp_path))
    stamps = {path.name: path.stat().st_mtime_ns for path in before.folder.iterdir()}
    after, fresh = train([run(tmp_path), run(tmp_path, seed=1)])
    assert [before.trained, after.trained, fresh.trained] == [True, False, True]
    assert result(after) == result(before)
    assert result(fresh)["pack_size"] == 1
    assert {path.name: path.stat().st_mtime_ns for path in before.folder.iterdir()} == stamps


def test_a_run_that_is_not_to_resume_is_trained_beside_what_is_there(tmp_path: Path) -> None:
    first, second = only(run(tmp_path)), only(run(tmp_path, "resume=false"))
    assert second.folder.name == f"{first.folder.name}-2"
    assert records(second.folder) == records(first.folder)


def test_folders_may_be_settled_already(tmp_path: Path) -> None:
    places = [tmp_path / "b", tmp_path / "a"]
    outcomes = train([run(tmp_path, seed=seed) for seed in range(2)], folders=places)
    assert [outcome.folder for outcome in outcomes] == places
    assert all((place / "result.json").exists() for place in places)


def test_a_folder_of_another_run_is_refused_before_anything_starts(tmp_path: Path) -> None:
    there = only(run(tmp_path, f"run_dir={tmp_path / 'here'}"))
    with pytest.raises(UserError, match=r"different config .*algorithm\.gamma"):
        train([run(tmp_path, seed=5), run(tmp_path, f"run_dir={there.folder}", "algorithm.gamma=0.5")])
    assert not list(tmp_path.rglob("seed-5-*/config.yaml"))


def test_a_folder_that_cannot_be_locked_costs_its_own_run_only(tmp_path: Path) -> None:
    configs = [run(tmp_path, seed=seed) for seed in (0, 1, 2)]
    (folder_of(configs[1]) / ".lock").mkdir(parents=True)
    with pytest.raises(UserError, match="cannot be locked"):
        train(configs)
    done = [(folder_of(config) / "result.json").exists() for config in configs]
    assert done == [True, False, True]
    assert not (folder_of(configs[1]) / "status.json").exists(), "nothing is written without the lock"


def test_a_marker_names_nobody_once_all_is_done(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    train([run(tmp_path, seed=seed) for seed in range(2)], marker=marker)
    content = np.fromfile(marker, np.uint32)
    assert content[0] == 0
    assert [f"{digits:08x}" for digits in content[1:]] == [run_hash(run(tmp_path, seed=s))[:8] for s in range(2)]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^device=cuda is invalid: expected cpu"):
        check_device("cuda")
    with pytest.raises(UserError, match=r"^device=cuda is invalid"):
        train([run(tmp_path, "device=cuda")])
    assert not list(tmp_path.iterdir())


# -- stopping ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_for_the_end_of_the_iteration_and_handlers_are_put_back(
    tmp_path: Path, number: signal.Signals
) -> None:
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            signal.raise_signal(number)
        return False

    with pytest.raises(Interrupted):
        train([run(tmp_path)], stop=stop)
    assert asked == 2
    assert json.loads((folder_of(run(tmp_path)) / "status.json").read_text())["step"] == 256
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_second_ctrl_c_takes_effect_at_once(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)

    def stop() -> bool:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the first one is noted, the second one raises")

    with pytest.raises(KeyboardInterrupt):
        train([run(tmp_path)], stop=stop)
    assert signal.getsignal(signal.SIGINT) is before
    assert len(train([run(tmp_path)])) == 1


def test_packs_that_have_not_begun_when_it_is_stopped_stay_as_they_were(tmp_path: Path) -> None:
    first, second = run(tmp_path), run(tmp_path, "algorithm.horizon=64")
    stop_after(1, [first, second])
    assert (folder_of(first) / "checkpoint.pt").exists()
    assert not (folder_of(second) / "status.json").exists()
    assert [result(outcome)["steps"] for outcome in train([first, second])] == [384, 384]


# -- the compile mode --------------------------------------------------------------------------------------------------


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether there is one: [True]; what it makes of a function is the function."""
    found = [True]
    for module in ("ppo.learning.compiling", "ppo.train"):
        monkeypatch.setattr(f"{module}.has_compiler", lambda: found[0])
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    return found


def begun(outputs: Path, mode: str) -> Config:
    """A run that was interrupted after an iteration."""
    config = run(outputs, f"compile={mode}")
    stop_after(1, [config])
    return config


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(("mode", "other", "told"), [("false", "true", "not compiled"), ("true", "false", "compiled")])
def test_a_resume_in_another_mode_is_refused_with_the_way_to_force_it(
    tmp_path: Path, mode: str, other: str, told: str
) -> None:
    folder = folder_of(begun(tmp_path, mode))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError) as error:
        train([run(tmp_path, seed=7), run(tmp_path, f"compile={other}")])
    sentence = str(error.value)
    assert sentence.startswith(f"compile={other} is invalid: expected compile={mode}")
    assert f"begun {told};" in sentence
    assert "resume=force" in sentence
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not list(tmp_path.rglob("seed-7-*/status.json"))


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("mode", ["false", "true"])
def test_auto_goes_on_in_the_mode_that_it_was_begun_in(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(tmp_path, mode)
    monkeypatch.setattr(compiling, "WORTH_COMPILING", 0 if mode == "false" else 10**9)  # auto alone: the other one
    config = run(tmp_path, "compile=auto")
    assert compiling.wants_compile(config) != (mode == "true")
    found = result(only(config))
    assert found["compiled"] == (mode == "true")
    assert "mixed_modes" not in found


@pytest.mark.usefixtures("compiler")
def test_a_forced_resume_goes_on_and_its_result_says_so(tmp_path: Path) -> None:
    folder = folder_of(begun(tmp_path, "false"))
    forced = result(only(run(tmp_path, "compile=true", "resume=force")))
    assert (forced["mixed_modes"], forced["compiled"], forced["steps"]) == (True, True, 384)
    assert "another compile mode" in (folder / "log.txt").read_text()


@pytest.mark.usefixtures("compiler")
def test_once_mixed_a_run_stays_so_even_if_it_goes_back(tmp_path: Path) -> None:
    begun(tmp_path, "false")
    stop_after(1, [run(tmp_path, "compile=true", "resume=force")])
    back = result(only(run(tmp_path, "compile=false", "resume=force")))
    assert (back["mixed_modes"], back["compiled"]) == (True, False)


@pytest.mark.usefixtures("compiler")
def test_force_in_the_same_mode_mixes_nothing(tmp_path: Path) -> None:
    begun(tmp_path, "true")
    assert "mixed_modes" not in result(only(run(tmp_path, "compile=true", "resume=force")))


def test_without_a_compiler_a_run_begun_compiled_is_refused(tmp_path: Path, compiler: list[bool]) -> None:
    begun(tmp_path, "true")
    compiler[0] = False
    with pytest.raises(UserError, match=r"^compile=auto is invalid: .*resume=force.*no C\+\+ compiler"):
        train([run(tmp_path, "compile=auto")])


@pytest.mark.usefixtures("compiler")
def test_before_its_first_checkpoint_a_run_may_change_its_mode(tmp_path: Path) -> None:
    folder = folder_of(begun(tmp_path, "false"))
    for path in folder.glob("checkpoint*.pt"):
        path.unlink()
    found = result(only(run(tmp_path, "compile=true")))
    assert found["compiled"]
    assert "mixed_modes" not in found


@pytest.mark.usefixtures("compiler")
def test_runs_of_two_modes_do_not_share_a_pack(tmp_path: Path) -> None:
    begun(tmp_path, "false")
    outcomes = train([run(tmp_path, "compile=auto", seed=seed) for seed in range(2)])
    assert [result(outcome)["pack_size"] for outcome in outcomes] == [2, 2], "both are too short to be compiled"
    other = tmp_path / "other"
    begun(other, "true")
    outcomes = train([run(other, "compile=auto", seed=seed) for seed in range(2)])
    assert [(result(o)["pack_size"], result(o)["compiled"]) for o in outcomes] == [(1, True), (1, False)]
