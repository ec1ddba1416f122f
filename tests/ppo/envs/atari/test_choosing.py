"""Choosing a game: what is shipped, what is refused in one sentence, and what a task says of itself."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from ppo.config import choices
from ppo.config.compose import compose
from ppo.config.identity import run_hash
from ppo.config.naming import setting_name
from ppo.envs.atari import games
from ppo.errors import UserError
from tests.ppo.envs.atari.made import AS_IN_YAML, made, task

RUN = ["env=atari", "env.id=pong", "algorithm=random", "network=a3c_cnn"]


def complaint(game: str) -> str:
    with pytest.raises(UserError) as error:
        task(game).check()
    return str(error.value)


def test_all_49_games_of_table_6_are_shipped() -> None:
    assert len(games.TABLE6) == len(set(games.TABLE6)) == 49
    assert set(games.TABLE6) < games.shipped()
    for game in games.TABLE6:
        task(game).check()


def test_what_is_shipped_is_what_the_emulator_has_rules_for() -> None:
    from ale_py import ALEInterface, roms

    names = set(roms.get_all_rom_ids())
    supported = {name for name in names if ALEInterface.isSupportedROM(Path(roms.__file__).parent / f"{name}.bin")}
    assert games.shipped() == supported
    assert names - supported == set(games.FOR_TWO)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("brekout", "breakout"),
        ("Breakout", "breakout"),
        ("ALE/MsPacman-v5", "ms_pacman"),
        ("SpaceInvadersNoFrameskip-v4", "space_invaders"),
        ("PongDeterministic-v0", "pong"),
        ("beam-rider", "beam_rider"),
    ],
)
def test_an_unknown_game_is_one_sentence_with_the_game_that_was_meant(name: str, meant: str) -> None:
    assert complaint(name).startswith(f"env.id={name} is invalid: expected a game that ale-py ships")
    assert complaint(name).endswith(f"Did you mean {meant}?")


@pytest.mark.parametrize("name", ["combat", "", "../pong", "pong.bin", "nothing of the kind"])
def test_what_is_no_game_for_one_player_is_refused(name: str) -> None:
    assert "expected a game that ale-py ships for one player" in complaint(name)


def test_without_ale_py_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    games.shipped.cache_clear()
    monkeypatch.setattr(games, "find_spec", lambda name: None)
    assert complaint("pong") == (
        "env=atari is invalid: expected the extra that it needs: pip install 'ppo-sweeps[atari]'."
    )
    assert compose(RUN).env.id == "pong"  # what others trained can be read without it


def test_what_a_run_depends_on_is_the_emulators_version_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [(o.package, o.version) for o in task("pong").origins()] == [("ale-py", version("ale-py"))]
    monkeypatch.setattr("ppo.envs.atari.schema.distributions", lambda name: iter(()))
    assert [(o.package, o.version) for o in task("pong").origins()] == [("ale-py", None)]


def test_games_are_listed_without_torch_and_ale_py() -> None:
    code = (
        "import sys; from ppo.config.compose import compose; "
        f"compose({RUN!r}).env.check(); print({{'torch', 'ale_py'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("time_limit", 0, "an integer from 1 to 1000000000 or null"),
        ("sticky", 1, "a number of at least 0 and below 1"),
        ("sticky", -0.1, "a number of at least 0 and below 1"),
        ("noops", -1, "an integer from 0 to 1000"),
        ("noops", 1001, "an integer from 0 to 1000"),
        ("full_actions", 18, "true or false"),
        ("end_on_life_loss", "no", "true or false"),
        ("stack_at_reset", "keep", "refill or zero"),
    ],
)
def test_an_invalid_value_is_refused(key: str, value: object, expected: str) -> None:
    with pytest.raises(UserError, match=rf"^env\.{key}=.* is invalid: expected {expected}\.$"):
        choices.suite.build(AS_IN_YAML | {"id": "pong", key: value}, "env")


def test_the_yaml_has_the_values_of_the_tests() -> None:
    assert compose(RUN).env == task("pong")


def test_the_usual_time_limit_is_no_choice_and_other_keys_make_another_run_with_a_name() -> None:
    assert run_hash(compose([*RUN, "env.time_limit=100_000"])) == run_hash(compose(RUN))
    assert (task("pong").episode_limit(), task("pong", time_limit=7).episode_limit()) == (100_000, 7)
    others = ["sticky=0.25", "noops=0", "full_actions=true", "end_on_life_loss=false", "stack_at_reset=zero"]
    runs = [compose([*RUN, f"env.{other}"]) for other in others]
    assert len({run_hash(run) for run in [compose(RUN), *runs]}) == 1 + len(others)
    for run, other in zip(runs, others, strict=True):
        assert setting_name(run) == f"{setting_name(compose(RUN))} env.{other}"


def test_actions_are_the_games_own_or_all_of_the_joystick() -> None:
    assert task("breakout").discrete()
    assert [made("breakout", full_actions=full).spec.action.size for full in (False, True)] == [4, 18]
