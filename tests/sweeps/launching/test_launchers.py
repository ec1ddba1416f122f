"""Where packs run is chosen by overrides, and a mistake in one is reported in a sentence."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from sweeps.launching import launchers
from sweeps.launching.launchers import LAUNCHERS, Local, Slurm, compose_launcher, physical_cores, split_overrides
from tests.sweeps.declared import complaint


def slurm(*overrides: str) -> Slurm:
    launcher = compose_launcher(["launcher=slurm", *overrides])
    assert isinstance(launcher, Slurm)
    return launcher


# -- choosing ----------------------------------------------------------------------------------------------------------


def test_every_launcher_has_a_yaml_and_every_yaml_a_launcher() -> None:
    assert {path.stem for path in launchers.FOLDER.glob("*.yaml")} == set(LAUNCHERS)
    assert [type(compose_launcher([f"launcher={name}"])) for name in LAUNCHERS] == list(LAUNCHERS.values())


def test_packs_run_on_this_machine_by_default() -> None:
    assert compose_launcher([]) == Local("local", workers="auto", pack_size="auto")


def test_overrides_change_what_they_name_wherever_the_choice_stands() -> None:
    assert compose_launcher(["launcher.workers=3", "launcher.pack_size=5"]) == Local("local", 3, 5)
    assert compose_launcher(["launcher.time=60", "launcher=slurm"]) == slurm("launcher.time=60")
    assert slurm("launcher.time=60").time == 60


def test_free_options_of_sbatch_are_given_one_by_one_or_together() -> None:
    assert slurm().sbatch == {}
    assert slurm("launcher.sbatch.nice=100").sbatch == {"nice": 100}
    together = slurm("launcher.sbatch={constraint: avx512, nice: 1}", "launcher.sbatch.nice=2")
    assert together.sbatch == {"constraint": "avx512", "nice": 2}


def test_one_composition_leaves_no_trace_in_the_next() -> None:
    slurm("launcher.sbatch.nice=100", "launcher.setup=[module load gcc]")
    assert (slurm().sbatch, slurm().setup) == ({}, ())


def test_a_launcher_is_never_written_to() -> None:
    with pytest.raises(FrozenInstanceError):
        compose_launcher([]).workers = 2  # type: ignore[misc]


def test_overrides_of_the_launcher_and_of_runs_are_separated() -> None:
    of_launcher, rest = split_overrides(
        ["seed=0", "launcher=slurm", "env=hopper", "launcher.time=60", "algorithm.lr=1"]
    )
    assert of_launcher == ["launcher=slurm", "launcher.time=60"]
    assert rest == ["seed=0", "env=hopper", "algorithm.lr=1"]


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ("launcher=slum", "launcher=slum|local, slurm|Did you mean slurm"),
        ("launcher.wokers=2", "launcher.wokers|launcher.workers"),
        ("launcher.workers=0", "launcher.workers=0|auto|integer from 1"),
        ("launcher.workers=1.5", "launcher.workers=1.5|integer"),
        ("launcher.pack_size=none", "launcher.pack_size=none|auto"),
        ("launcher.workers=1,2", "launcher.workers=1,2"),
        ("launcher.partition=cpu", "launcher.partition"),  # a key of slurm only
        ("launcher.name=slurm", "launcher.name|launcher=NAME"),
        ("launcher=slurm,local", "launcher=slurm,local|key=value"),
        ("launcher=slurm launcher.sbatch.nice=1,2", "launcher.sbatch.nice=1,2|key=value"),
        ("launcher=slurm launcher.time=15 launcher.stop_seconds=900", "launcher.stop_seconds=900|15 minutes"),
        ("launcher", "launcher|key=value"),
        ("~launcher.workers", "~launcher.workers|key=value"),
        ("launcher=slurm launcher.workers=auto", "launcher.workers=auto|integer"),
        ("launcher=slurm launcher.time=14", "launcher.time=14|from 15"),
        ("launcher=slurm launcher.memory_gb=0", "launcher.memory_gb=0|from 0.1"),
        ("launcher=slurm launcher.setup=cd", "launcher.setup=cd|list of lines"),
        ("launcher=slurm launcher.setup={}", "launcher.setup|list of lines"),
        ("launcher=slurm launcher.sbatch=3", "launcher.sbatch=3|mapping"),
        ("launcher=slurm launcher.sbatches=3", "launcher.sbatches|launcher.sbatch"),
    ],
)
def test_a_mistake_in_an_override_is_reported(overrides: str, words: str) -> None:
    sentence = complaint(compose_launcher, overrides.split())
    assert all(word in sentence for word in words.split("|")), sentence


# -- workers -----------------------------------------------------------------------------------------------------------


def machine(monkeypatch: pytest.MonkeyPatch, siblings: dict[int, str], quota: str, folder: Path) -> None:
    """A machine of these CPUs, in a control group with this cpu.max."""
    file = folder / "cpu.max"
    file.write_text(quota)
    monkeypatch.setattr(launchers.os, "sched_getaffinity", lambda pid: set(siblings), raising=False)
    monkeypatch.setattr(launchers, "_siblings", siblings.__getitem__)
    monkeypatch.setattr(launchers, "Path", lambda path: file)


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 3), ("800000 100000", 3), ("200000 100000", 2), ("120000 100000", 2), ("50000 100000", 1)],
)
def test_workers_are_cores_not_hyperthreads_within_the_containers_share(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, cores: int
) -> None:
    machine(monkeypatch, {0: "0,3", 1: "1,4", 3: "0,3", 4: "1,4", 5: "2,5"}, quota, tmp_path)
    assert physical_cores() == cores
    assert compose_launcher([]).most_workers == cores


def test_this_machine_has_a_core() -> None:
    assert physical_cores() >= 1


def test_a_number_of_workers_is_taken_as_it_is() -> None:
    assert compose_launcher(["launcher.workers=999"]).most_workers == 999
    assert slurm("launcher.workers=20").most_workers == 20
