"""Where packs run is chosen by overrides, and a mistake in one is told in a sentence."""

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


def test_packs_run_on_this_machine_unless_told_otherwise() -> None:
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


def test_overrides_of_the_launcher_are_told_from_those_of_runs() -> None:
    ours, rest = split_overrides(["seed=0", "launcher=slurm", "env=hopper", "launcher.time=60", "algorithm.lr=1"])
    assert ours == ["launcher=slurm", "launcher.time=60"]
    assert rest == ["seed=0", "env=hopper", "algorithm.lr=1"]


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "start"),
    [
        ("launcher=slum", "launcher=slum is unknown: did you mean slurm? allowed: local, slurm"),
        ("launcher.wokers=2", "unknown key launcher.wokers: did you mean launcher.workers"),
        ("launcher.workers=0", "launcher.workers=0 is not possible: allowed is auto or a whole number of at least 1"),
        ("launcher.workers=1.5", "launcher.workers=1.5 is not possible"),
        ("launcher.pack_size=none", "launcher.pack_size=none is not possible"),
        ("launcher.workers=1,2", "launcher.workers=1,2"),
        ("launcher.partition=cpu", "unknown key launcher.partition"),  # a key of slurm only
        ("launcher.name=slurm", "launcher.name is not possible: launcher=NAME is allowed"),
        ("launcher=slurm,local", "launcher=slurm,local is not possible: a launcher's key has one value"),
        ("launcher=slurm launcher.sbatch.nice=1,2", "launcher.sbatch.nice=1,2 is not possible"),
        ("launcher=slurm launcher.time=15 launcher.stop_seconds=900", "launcher.stop_seconds=900 leaves nothing of "),
        ("launcher", "'launcher' is not an override"),
        ("~launcher.workers", "~launcher.workers is not possible: a launcher's key has one value"),
        ("launcher=slurm launcher.workers=auto", "launcher.workers=auto is not possible: allowed is a whole number"),
        ("launcher=slurm launcher.time=14", "launcher.time=14 is not possible: allowed is a whole number of at least "),
        ("launcher=slurm launcher.memory_gb=0", "launcher.memory_gb=0 is not possible: allowed is a number above 0"),
        ("launcher=slurm launcher.setup=cd", "launcher.setup=cd is not possible: allowed is a list of texts"),
        ("launcher=slurm launcher.sbatch=3", "launcher.sbatch=3 is not possible: a mapping {option: value} is"),
        ("launcher=slurm launcher.sbatches=3", "unknown key launcher.sbatches: did you mean launcher.sbatch"),
    ],
)
def test_a_mistake_in_an_override_is_told_in_a_sentence(overrides: str, start: str) -> None:
    assert complaint(compose_launcher, overrides.split()).startswith(start)


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
