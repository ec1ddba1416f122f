"""The command `ppo` among what stands around it: shells, pipes, odd encodings, and modules of the user's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.console import environment

SCRIPT = f"#!{sys.executable}\nimport sys\nfrom ppo.__main__ import main\nsys.exit(main())\n"  # as pip writes it
TINY = ["algorithm.horizon=256", "algorithm.epochs=1", "total_steps=256", "compile=false"]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The console script `ppo`, in a folder of its own."""
    path = tmp_path / "bin" / "ppo"
    path.parent.mkdir()
    path.write_text(SCRIPT, encoding="utf-8")
    path.chmod(0o755)
    return path


# -- shell completion --------------------------------------------------------------------------------------------------

COMPLETE = """
eval "$(ppo -sc install=bash)"
complete -p ppo
COMP_LINE="$LINE"; COMP_POINT=${#COMP_LINE}
read -ra COMP_WORDS <<< "$COMP_LINE"
[[ "$COMP_LINE" == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
hydra_bash_completion
printf '%s\\n' "${COMPREPLY[@]}"
eval "$(ppo -sc uninstall=bash)"
complete -p ppo 2>/dev/null || echo uninstalled
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "expected", "absent"),
    [
        ("ppo env=ho", {"env=hopper"}, {"env=mujoco"}),
        ("ppo -m env=", {"env=hopper", "env=walker2d"}, {"env=mujoco"}),
        ("ppo algorithm=trpo algorithm.cg", {"algorithm.cg_iterations="}, set()),
        ("ppo ", {"env=", "algorithm.", "seed="}, {"sweep=", "launcher="}),
        ("ppo --config old/config.yaml run", {"run_dir="}, set()),
        ("ppo --cf", set(), set()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bash_completes_the_console_script(
    line: str, expected: set[str], absent: set[str], script: Path, tmp_path: Path
) -> None:
    path = f"{script.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE], capture_output=True, text=True, check=True, cwd=tmp_path,
        env=environment(PATH=path, LINE=line),
    )  # fmt: skip
    first, *words, last = done.stdout.split("\n")[:-1]
    assert "hydra_bash_completion ppo" in first
    assert expected <= set(words)
    assert not absent & set(words)
    assert last == "uninstalled"
    assert done.stderr == ""


# -- what stands around it ---------------------------------------------------------------------------------------------


def test_output_that_is_not_utf8_is_no_traceback(tmp_path: Path) -> None:
    for encoding in ("ascii", "latin-1"):
        done = subprocess.run(
            [sys.executable, "-m", "ppo", "env=гоппер"], capture_output=True, check=False, cwd=tmp_path,
            env=environment(PYTHONIOENCODING=f"{encoding}:strict"),
        )  # fmt: skip
        assert done.returncode == 2
        assert b"Traceback" not in done.stderr
        assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("modules", [("yaml.py", "hydra.py"), ("sweeps/__init__.py", "analysis/__init__.py")], ids=str)
def test_modules_of_the_working_directory_hide_none_of_ours(modules: tuple[str, ...], tmp_path: Path) -> None:
    for module in modules:
        (tmp_path / module).parent.mkdir(exist_ok=True)
        (tmp_path / module).write_text("raise SystemExit('theirs')\n")
    done = subprocess.run(
        [sys.executable, "-m", "ppo", "--cfg", "job", "-p", "seed"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=environment(),
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_the_console_script_is_not_hidden_by_a_file_of_its_name(script: Path, tmp_path: Path) -> None:
    (tmp_path / "ppo.py").write_text("raise SystemExit('theirs')\n")
    done = subprocess.run(
        [script, "--cfg", "job", "-p", "seed"], capture_output=True, text=True, cwd=tmp_path, env=environment(),
        check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_environments_are_imported_from_the_working_directory(script: Path, tmp_path: Path) -> None:
    (tmp_path / "my_module.py").write_text(
        "import gymnasium\ngymnasium.register('Mine-v0', 'gymnasium.envs.classic_control:CartPoleEnv', None, 50)\n"
    )
    done = subprocess.run(
        [script, *TINY, "env=gymnasium", "env.id=my_module:Mine-v0"],
        capture_output=True, text=True, cwd=tmp_path, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("score ")


def test_a_working_directory_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    command = f'cd "{tmp_path}" && mkdir gone && cd gone && rmdir ../gone && exec "{sys.executable}" -m ppo --cfg job'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 2
    assert "working directory" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_reader_of_a_table_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    command = f'"{sys.executable}" -m analysis table1 | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, env=environment(), cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_has_seen_enough_is_no_error(script: Path, tmp_path: Path) -> None:
    command = f'"{script}" --help | head -1; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, env=environment(), cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
