"""Whether a run is compiled follows from its own config, and from there being a compiler."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from ppo.config.compose import compose
from ppo.learning import compiling
from ppo.learning.compiling import wants_compile


@pytest.fixture(autouse=True)
def _compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "has_compiler", lambda: True)


def test_a_run_of_table_3_takes_320_minibatch_steps_in_each_of_489_iterations() -> None:
    run = compose()
    assert (run.algorithm.batch.gradient_steps, run.iterations) == (320, 489)
    assert compose(["algorithm=random"]).algorithm.batch.gradient_steps == 0
    assert not wants_compile(compose(["algorithm=random"]))


@pytest.mark.parametrize(("iterations", "compiled"), [(31, False), (32, True)])  # 9,920 and 10,240 minibatch steps
def test_auto_compiles_runs_that_are_long_enough_to_gain(iterations: int, compiled: bool) -> None:
    assert wants_compile(compose([f"total_steps={2048 * iterations}"])) == compiled


def test_what_is_asked_for_is_done() -> None:
    assert wants_compile(compose(["total_steps=2048", "compile=true"]))
    assert not wants_compile(compose(["compile=false"]))


def test_without_a_compiler_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "has_compiler", lambda: False)
    assert not wants_compile(compose(["compile=true"]))
    assert not wants_compile(compose())


class Machine:
    """What is installed, as far as torch.compile can tell."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        self.patch, self.present = monkeypatch, {"ls"}
        monkeypatch.setattr("shutil.which", lambda name: name if name in self.present else None)
        monkeypatch.delenv("CXX", raising=False)

    def has_compiler(self) -> bool:
        compiling.has_compiler.cache_clear()
        return compiling.has_compiler()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    yield Machine(monkeypatch)
    compiling.has_compiler.cache_clear()


@pytest.mark.parametrize("name", ["g++", "clang++"])
def test_a_compiler_is_found_by_its_name(machine: Machine, name: str) -> None:
    machine.present.add(name)
    assert machine.has_compiler()


def test_a_compiler_is_found_by_cxx(machine: Machine) -> None:
    machine.present.add("my-cxx")
    assert not machine.has_compiler()
    machine.patch.setenv("CXX", "my-cxx")
    assert machine.has_compiler()


def test_that_there_is_none_is_said_once(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert not machine.has_compiler()
        assert not compiling.has_compiler()
    assert caplog.text.count("no C++ compiler found") == 1
