"""Ids of Gymnasium's tasks: however one is spelled, it is the same run; one that is unknown is one sentence."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import pytest

from ppo.__main__ import main
from ppo.config.compose import compose
from ppo.config.identity import run_hash
from ppo.envs.gymnasium import registered
from ppo.envs.gymnasium.registered import resolve
from ppo.envs.gymnasium.schema import Gymnasium
from ppo.errors import UserError
from ppo.runs.provenance import code_hashes, provenance

MODULE = """
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

for version in (0, 2, 10):
    gymnasium.register(f"Cart-v{version}", lambda: CartPoleEnv(), max_episode_steps=7)
    gymnasium.register(f"mine/Cart-v{version + 1}", lambda: CartPoleEnv())
gymnasium.register("Bare", lambda: CartPoleEnv())
gymnasium.register("Limited-v0", lambda: gymnasium.wrappers.TimeLimit(CartPoleEnv(), 9))


def broken(how=None):
    exit("no licence") if how == "exit" else [].pop()


gymnasium.register("Broken-v0", broken)
gymnasium.register("Exits-v0", broken, kwargs={"how": "exit"})
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module that registers tasks of somebody else's when it is imported."""
    (tmp_path / "somebodys_tasks.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    before = set(gymnasium.registry)
    yield "somebodys_tasks"
    sys.modules.pop("somebodys_tasks", None)
    for env_id in set(gymnasium.registry) - before:
        del gymnasium.registry[env_id]


def hash_of(env_id: str) -> str:
    return run_hash(compose(["env=gymnasium", f"env.id={env_id}"]))


@pytest.mark.parametrize(
    "spelling", ["CartPole", "CartPole-v1", "os:CartPole-v1", "os.path:CartPole", "math:CartPole-v1"]
)
def test_one_task_is_one_run_however_it_is_spelled(spelling: str) -> None:
    assert resolve(spelling) == "CartPole-v1"
    assert compose(["env=gymnasium", f"env.id={spelling}"]).env.id == "CartPole-v1"
    assert hash_of(spelling) == hash_of("CartPole-v1")


def test_another_version_is_another_run() -> None:
    assert resolve("CartPole-v0") == "CartPole-v0"
    assert hash_of("CartPole-v0") != hash_of("CartPole-v1")


def test_a_task_of_somebody_elses_keeps_its_module_so_that_any_process_finds_it(module: str) -> None:
    assert resolve(f"{module}:Cart-v2") == f"{module}:Cart-v2"
    assert resolve(f"{module}:mine/Cart-v1") == f"{module}:mine/Cart-v1"
    assert resolve(f"{module}:Bare") == f"{module}:Bare"


def test_without_a_version_the_highest_number_is_meant(module: str) -> None:
    assert resolve(f"{module}:Cart") == f"{module}:Cart-v10"
    assert resolve(f"{module}:mine/Cart") == f"{module}:mine/Cart-v11"


def test_the_limit_of_a_task_of_somebody_elses_is_known(module: str) -> None:
    limits = [Gymnasium(f"{module}:{name}", None).episode_limit() for name in ("Cart-v2", "mine/Cart-v1")]
    assert limits == [7, None]
    assert Gymnasium(f"{module}:Cart-v2", 3).episode_limit() == 3


@pytest.mark.parametrize(
    ("env_id", "told"),
    [
        ("CartPol-v1", r"Did you mean CartPole-v1"),
        ("CartPole-v9", r"Did you mean CartPole-v1"),
        ("no such thing", r"expected an id "),
        ("Nope", r"expected an id "),
        ("nowhere_at_all:Env-v0", r"ModuleNotFoundError"),
        ("os:Nope-v0", r"expected an id "),
        (":CartPole-v1:", r"invalid: expected"),
    ],
)
def test_an_id_that_cannot_be_found_is_one_sentence(env_id: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        resolve(env_id)
    sentence = str(error.value)
    assert sentence.startswith(f"env.id={env_id} is invalid: expected ")
    assert len(sentence.splitlines()) == 1
    assert re.search(told, sentence)


def test_a_module_that_breaks_while_it_is_imported_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_tasks.py").write_text("raise RuntimeError('no display\\nat all')", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"RuntimeError: no display at all\)\.$"):
        resolve("broken_tasks:Env-v0")


# -- somebody else's tasks, all the way ------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["vpg", "cem"])
def test_a_limit_that_only_the_made_environment_has_is_enough_for_whole_episodes(module: str, algorithm: str) -> None:
    run = compose([f"algorithm={algorithm}", "env=gymnasium", f"env.id={module}:Limited-v0"])
    assert run.env.episode_limit() == 9
    with pytest.raises(UserError, match=r"^env\.time_limit=null is invalid"):
        compose([f"algorithm={algorithm}", "env=gymnasium", f"env.id={module}:Bare"])


@pytest.mark.parametrize(
    ("name", "reason"), [("Broken-v0", r"IndexError: pop from empty list"), ("Exits-v0", r"SystemExit: no licence")]
)
@pytest.mark.parametrize("algorithm", ["ppo", "cem"])
def test_an_environment_that_cannot_be_made_is_told_with_its_own_reason(
    module: str, name: str, reason: str, algorithm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["env=gymnasium", f"env.id={module}:{name}", f"algorithm={algorithm}", f"outputs={tmp_path}/store"]
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert re.search(rf"env\.id={module}:{name} cannot be made: {reason}", told)
    assert told.count("\n") == 1
    assert not (tmp_path / "store").exists()


HANGING = """
import os
import time
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv
def hang(self):
    while True:
        time.sleep(0.01)
gymnasium.register("Made-v0", type("Made", (CartPoleEnv,), {"__init__": hang}))
gymnasium.register("Looked-v0", type("Looked", (CartPoleEnv,), {"observation_space": property(hang, lambda *_: None)}))
gymnasium.register("Left-v0", type("Left", (CartPoleEnv,), {"__init__": lambda self: os._exit(0)}))
gymnasium.register("Closed-v0", type("Closed", (CartPoleEnv,), {"close": hang}))
"""


def test_an_environment_that_hangs_or_ends_the_process_before_it_is_trained_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hanging_tasks.py").write_text(HANGING, encoding="utf-8")
    (tmp_path / "hanging_import.py").write_text("while True: pass\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registered, "MOST_SECONDS", 0.5)
    real = os._exit
    with pytest.raises(UserError, match=r"module that can be imported .*more than 0\.5 seconds"):
        resolve("hanging_import:Made-v0")
    resolve("hanging_tasks:Made-v0")
    for name, what in {"Made": "made", "Looked": "(made|looked at)"}.items():
        with pytest.raises(UserError, match=rf"cannot be {what}: TooLong: it took more than 0\.5 seconds"):
            registered.check(f"hanging_tasks:{name}-v0")
    with pytest.raises(UserError, match=r"cannot be made: SystemExit: os\._exit\(0\)"):
        registered.check("hanging_tasks:Left-v0")
    registered.check("hanging_tasks:Closed-v0")
    assert os._exit is real


@pytest.mark.parametrize(
    ("name", "told"), [("Nope-v0", "Nope-v0 is invalid"), ("somebodys_tasks:Broken-v0", "cannot be made")]
)
@pytest.mark.usefixtures("module")
def test_one_bad_id_among_several_starts_nothing(
    name: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = f"env.id={name},CartPole-v1"
    assert main(["-m", "env=gymnasium", ids, "total_steps=2048", f"outputs={tmp_path}/store"]) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.rglob("config.yaml"))


def test_an_id_of_an_installed_package_is_named_with_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_tasks" / "inner").mkdir(parents=True)
    (tmp_path / "their_tasks" / "inner" / "here.py").write_text(
        "from gymnasium import register\nregister('Maze-v3', None)\nfor x in []: register(f'theirs/{x}-v1')\n"
    )
    info = tmp_path / "their_tasks-1.0.dist-info"
    info.mkdir()
    headers = ["Metadata-Version: 2.1", "Name: their-tasks", "Version: 1.0", "Requires-Dist: gymnasium"]
    (info / "METADATA").write_text("\n".join(headers))
    (info / "RECORD").write_text("their_tasks/inner/here.py,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("Maze-v3", "theirs/Door-v1"):
        with pytest.raises(UserError, match=rf"Did you mean their_tasks:{name}\?$"):
            resolve(name)
    assert "their_tasks" not in sys.modules


def test_the_code_and_version_of_an_environment_are_part_of_what_made_a_number(
    module: str, tmp_path: Path
) -> None:
    config, own = (compose(["env=gymnasium", f"env.id={name}"]) for name in (f"{module}:Cart-v2", "CartPole-v1"))
    assert config.env.origins()[0].place == tmp_path / "somebodys_tasks.py"
    hashes = code_hashes(config)
    assert [part for part in hashes if part.startswith("env/")] == [f"env/{module}"]
    assert own.env.origins() == ()
    assert code_hashes(own) == {part: code for part, code in hashes.items() if not part.startswith("env/")}
    gymnasium.register("Installed-v0", "pytest:Class")
    origin = compose(["env=gymnasium", "env.id=Installed-v0"]).env.origins()[0]
    assert (origin.module, origin.package, origin.version) == ("pytest", "pytest", pytest.__version__)
    assert origin.place == Path(pytest.__file__).parent
    assert provenance(compose(["env=gymnasium", "env.id=Installed-v0"]))["versions"]["pytest"] == pytest.__version__
    del gymnasium.registry["Installed-v0"]
