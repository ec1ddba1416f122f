"""Command lines that must be refused, or at least not end in a traceback, drawn from schemas and from files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from ppo.config import choices
from ppo.config.run import Execution, Length
from ppo.config.schema import Added, convert, hints
from ppo.errors import UserError
from sweeps.launching.launchers import LAUNCHERS

Key = tuple[tuple[str, ...], str, Any]  # what must be chosen for it to exist, dotted key, type and rules


@dataclass(frozen=True)
class Line:
    """A command line, and how it must end."""

    program: str  # ppo, sweeps or analysis
    words: tuple[str, ...]
    refused: bool  # exit 2 and one sentence; else anything but a traceback
    names: str = ""  # what the sentence must name

    def __str__(self) -> str:
        return f"{self.program} {' '.join(map(repr, self.words))}"


# A value as typed, and as Hydra reads it; None of the second: its grammar refuses it.
BROKEN = object()
VALUES: list[tuple[str, Any]] = [
    ("null", None), ("true", True), ("-1", -1), ("0", 0), ("1", 1), ("0.5", 0.5), ("-0.0", -0.0), ("1e-300", 1e-300),
    ("1e-400", 0.0), ("1e300", 1e300), ("-1e300", -1e300), ("1e23", 1e23), ("1e6", 1e6), ("nan", float("nan")),
    ("inf", float("inf")), ("-inf", float("-inf")), ("9" * 23, int("9" * 23)), ("9" * 400, int("9" * 400)),
    ("2147483648", 2**31), ("9007199254740993", 2**53 + 1), ("18446744073709551616", 2**64), ("abc", "abc"),
    ("''", ""), ("' '", " "), ("{}", {}), ("{a:1}", {"a": 1}), ("[]", []), ("[1]", [1]), ("[0]", [0]), ("[[1]]", [[1]]),
    ("[nan]", [float("nan")]), ("[1000000000000]", [10**12]), ("[a,b]", ["a", "b"]), ("x" * 5000, "x" * 5000),
    ("ünï", BROKEN), ("日本", BROKEN), ("a\x01b", BROKEN), ("a\nb", BROKEN), ("'a\x07b'", "a\x07b"), ("010", 10),
    ("1:30", "1:30"), ("0x10", "0x10"), ("1_000", 1000), (".5", 0.5), ("yes", "yes"), ("off", "off"),
    ("2020-01-01", "2020-01-01"),
    ("'1'", "1"), ("\"true\"", "true"), ("-", "-"), ("/", "/"), ("a/b/../../..", "a/b/../../.."), ("%s%n", "%s%n"),
    ("'", BROKEN), ("\"x", BROKEN), ("[1", BROKEN), ("{a", BROKEN), ("1]", BROKEN), ("${", BROKEN), ("${nope}", BROKEN),
    ("${oc.env:NOPE_NOT_THERE}", BROKEN), ("${oc.env:}", BROKEN), ("${nope:1}", BROKEN), ("${algorithm", BROKEN),
    ("${seed.x}", BROKEN), ("${..x}", BROKEN),
    ("f(", BROKEN), ("int(abc)", BROKEN), ("range(0,1,0)", BROKEN), ("interval(0,1)", BROKEN), ("???", BROKEN),
]  # fmt: skip


def keys() -> list[Key]:
    """Every key of every schema of a run."""
    found: list[Key] = [((), key, hint) for cls in (Execution, Length) for key, hint in hints(cls).items()]
    for group, registry in choices.GROUPS.items():
        for name in registry.names():
            if group == "env":
                chosen = ("env=gymnasium", "env.id=CartPole-v1") if name == "gymnasium" else ()
                if name not in ("gymnasium", "mujoco"):
                    continue
            else:
                chosen = (f"{group}={name}",)
            found += [(chosen, f"{group}.{key}", hint) for key, hint in hints(registry.find(name, group)).items()]
    return found


def fits(value: Any, hint: Any, key: str) -> bool:
    """Whether a key takes a value."""
    try:
        convert(value, hint, key)
    except UserError:
        return False
    return value is not BROKEN


def misspelled(word: str, rng: Random) -> str:
    """A word with a letter left out, doubled, changed or swapped."""
    at = rng.randrange(len(word))
    kinds = (word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:], f"{word[:at]}q{word[at + 1 :]}", word + "s")
    return rng.choice([kind for kind in kinds if kind and kind != word and not kind.endswith(".")] or [word + "x"])


SWEEP_COMMANDS = ("plan", "run", "retry", "status", "cancel")


def of_values(rng: Random) -> Line:
    """A key of a schema with any value."""
    chosen, key, hint = rng.choice(keys())
    text, value = rng.choice(VALUES)
    refused = not fits(value, hint, key) and not (value is BROKEN and key in ("outputs", "run_dir"))
    override, leaf = f"{key}={text}", key.rpartition(".")[2]
    if not refused:  # conditions between keys may still refuse it
        return Line("ppo", (*chosen, override, "--cfg", "job"), refused=False)
    of_smoke = chosen in ((), ("algorithm=ppo",), ("network=mlp",)) and key not in ("outputs", "run_dir")
    if of_smoke and rng.random() < 0.3:
        return Line("sweeps", (rng.choice(SWEEP_COMMANDS), "smoke", override), refused=True, names=leaf)
    words = rng.choice(((override,), ("-m", override, "seed=0,1"), (override, "--cfg", "job")))
    if words[0] == "-m" and key == "seed":
        words = ("-m", override, "threads=1")
    return Line("ppo", (*chosen, *words), refused=True, names=leaf)


def of_launchers(rng: Random) -> Line:
    """A launcher's key with any value."""
    name = rng.choice(list(LAUNCHERS))
    key, hint = rng.choice([item for item in hints(LAUNCHERS[name]).items() if item[0] not in ("name", "sbatch")])
    text, value = rng.choice(VALUES)
    refused = not fits(value, hint, key)
    if rng.random() < 0.3 and refused:
        words = ("-m", "seed=0,1", f"hydra/launcher={name}", f"hydra.launcher.{key}={text}")
        return Line("ppo", words, refused=True, names=key)
    command = rng.choice(("plan", "run", "retry")) if refused else "plan"
    return Line("sweeps", (command, "smoke", f"launcher={name}", f"launcher.{key}={text}"), refused=refused, names=key)


def of_keys(rng: Random) -> Line:
    """A key that is not there, or Hydra's +, ++ and ~ where they have no place."""
    chosen, key, hint = rng.choice(keys())
    known = {k for _, k, _ in keys()}
    wrong = rng.choice((misspelled(key, rng), f"{key}.x", f"x.{key}", f"nope.{key}", key.replace(".", "..")))
    if wrong in known or wrong == key:
        wrong = f"{key}_"
    form = rng.choice(("{w}=1", "+{w}=1", "++{w}=1", "~{w}", "+{k}=1", "~{k}", "{k}", "{k}@x=1", "{k}=1,1", "@{k}=1"))
    override = form.format(w=wrong, k=key)
    words = rng.choice(((), ("-m",), ("--cfg", "job")))
    added = any(isinstance(mark, Added) for mark in getattr(hint, "__metadata__", ()))
    if (form == "+{k}=1" and fits(None, hint, key)) or (form == "~{k}" and added):  # Hydra adds what is null
        return Line("ppo", (*chosen, override, "--cfg", "job"), refused=False)
    if "=1,1" in override and "-m" not in words:
        words = ("-m",)
    return Line("ppo", (*chosen, override, *words), refused=True, names="")


def of_choices(rng: Random) -> Line:
    """A choice that a group does not have."""
    group = rng.choice((*choices.GROUPS, "experiment", "hydra/launcher", "hydra/sweeper"))
    names = ["hopper", "ppo", "clip", "mlp", "table3", "local", "grid"]
    name = rng.choice((misspelled(rng.choice(names), rng), "[a]", "{}", "1", "true", "../x", "''", "a b", "*"))
    words = ("-m", "seed=0,1") if group.startswith("hydra") else rng.choice(((), ("--cfg", "job")))
    return Line("ppo", (f"{group}={name}", *words), refused=True, names=group.rpartition("/")[2])


FLAGS = ("--nope", "--cfg", "--config", "--config-name", "--config-dir", "-p", "--resolve", "-sc", "-x", "--")


def of_flags(rng: Random) -> Line:
    """Flags and commands that are not there, or lack their argument."""
    program = rng.choice(("ppo", "sweeps", "sweeps", "analysis", "analysis"))
    if program == "ppo":
        return Line("ppo", (rng.choice(FLAGS[:-1]),), refused=True)
    commands = (*SWEEP_COMMANDS, "ls", "logs") if program == "sweeps" else ANALYSIS
    command = rng.choice(commands)
    kind = rng.randrange(5)
    if kind == 0:
        wrong = misspelled(command, rng)
        return Line(program, (f"{wrong}_" if wrong in commands else wrong,), refused=True, names=wrong)
    if kind == 1:
        return Line(program, (), refused=True)
    flag = rng.choice(("--nope", "--jsn=1", "-x", "--seting", "--outputs=x", "--json=1"))
    if kind == 2:
        first = ("smoke",) if command in (*SWEEP_COMMANDS, "logs", "publish") else ()
        return Line(program, (command, *first, flag), refused=True, names=flag.partition("=")[0])
    if kind == 3:
        odd = ("smok", "nope.yaml", "", "/", ".", "../x", "a\nb.yaml", "x" * 400 + ".yaml", "smoke/../smoke")
        sweep = rng.choice(odd)
        words = (command, sweep) if program == "sweeps" and command != "ls" else (command, "--sweep", sweep)
        return Line(program, words, refused=True)
    store = rng.choice(("", "/nope", "/dev/null", "/dev/null/x", "\x01", "x" * 300))
    first = ("smoke",) if program == "sweeps" and command in SWEEP_COMMANDS else ("abcd",) if command == "logs" else ()
    if program == "sweeps" and command in ("plan", "status", "cancel", "run", "retry"):
        return Line(program, ("plan", *first, f"outputs={store}"), refused=False, names="outputs")
    return Line(program, (command, *first, f"outputs={store}"), refused=True)


ANALYSIS = ("table1", "table2", "table3", "figure1", "figure2", "figure3", "report", "scores", "publish", "robust")


def of_files(rng: Random, folder: Path) -> Line:
    """A file that cannot be read as what it should be."""
    name = rng.choice(list(FILES))
    path = folder / name
    if name.startswith("sweep-"):
        command = rng.choice(SWEEP_COMMANDS)
        return Line("sweeps", (command, str(path)), refused=True, names="sweep" if "self" in name else "")
    kind = rng.randrange(3)
    if kind == 0:
        return Line("ppo", ("--config", str(path)), refused=True, names=name)
    if kind == 1:
        return Line("sweeps", (rng.choice(SWEEP_COMMANDS), str(path)), refused=True, names=name.removesuffix(".yaml"))
    return Line("ppo", ("--config-dir", str(path.parent), "--config-name", path.stem), refused=True, names=path.stem)


def _bomb() -> str:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    return "\n".join(levels)


FILES: dict[str, bytes | str | None] = {  # None: made by hand
    "missing.yaml": None,
    "folder.yaml": None,
    "fifo.yaml": None,
    "unreadable.yaml": "seed: 1\n",
    "null.yaml": None,
    "empty.yaml": "",
    "binary.yaml": bytes(range(256)),
    "utf16.yaml": "seed: 1\n".encode("utf-16"),
    "bom-twice.yaml": b"\xef\xbb\xbf\xef\xbb\xbfseed: 1\n",
    "nul.yaml": b"seed: 1\x00\n",
    "list.yaml": "- 1\n- 2\n",
    "scalar.yaml": "hello\n",
    "recursive.yaml": "a: &a\n  b: *a\n",
    "recursive-list.yaml": "grid: &a [*a]\n",
    "bomb.yaml": _bomb(),
    "deep.yaml": "a: " + "[" * 3000 + "]" * 3000 + "\n",
    "deep-map.yaml": "".join(" " * i + f"k{i}:\n" for i in range(800)),
    "huge.yaml": "a: [" + "1, " * 300_000 + "1]\n",
    "twice.yaml": "seed: 1\nseed: 2\n",
    "tabs.yaml": "seed:\n\t- 1\n",
    "tag.yaml": "!!python/object/apply:os.system ['touch pwned']\n",
    "key.yaml": "? [a, b]\n: 1\n",
    "numbers.yaml": "1: 2\n3.5: 4\nnull: 5\n",
    "interpolation.yaml": "seed: ${\n",
    "sweep-self.yaml": "include: {SELF: null}\n",
    "sweep-cycle.yaml": "include: {CYCLE: null}\n",
    "sweep-cycle2.yaml": "include: {CYCLE2: null}\n",
    "sweep-octal.yaml": "grid: {seed: [010x]}\n",
    "sweep-twice.yaml": "grid: {algorithm.lr: [1e-3, 0.001]}\n",
    "sweep-override.yaml": "grid: {seed: [0, 1]}\nsettings: {a: [seed=2]}\n",
    "sweep-mapping.yaml": "grid: {seed: {a: 1}}\n",
    "sweep-nested.yaml": "grid: {seed: [[1, [2]]]}\n",
    "sweep-range.yaml": "grid: {seed: 'range(0,3'}\n",
    "sweep-many.yaml": "grid: {seed: 'range(0,1000000000)'}\n",
    "sweep-date.yaml": "grid: {seed: 2020-01-01}\n",
    "sweep-time.yaml": "grid: {seed: 1:30}\n",
    "sweep-yes.yaml": "grid: {seed: yes}\n",
    "sweep-control.yaml": 'settings: {"a\\nb": [seed=0]}\n',
    "sweep-keys.yaml": "grids: {seed: 1}\n",
}


def write_files(folder: Path) -> None:
    """Write the files that cannot be read."""
    for name, content in FILES.items():
        path = folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            mine, other = str(path), str(folder / "sweep-cycle2.yaml")
            text = content.replace("CYCLE2", str(folder / "sweep-cycle.yaml")).replace("CYCLE", other)
            path.write_text(text.replace("SELF", mine), encoding="utf-8")
    (folder / "folder.yaml").mkdir()
    os.mkfifo(folder / "fifo.yaml")
    (folder / "null.yaml").symlink_to("/dev/null")
    (folder / "unreadable.yaml").unlink()
    (folder / "unreadable.yaml").symlink_to("/proc/self/mem")


Maker = Callable[[Random], Line]


def lines(count: int, rng: Random, folder: Path) -> list[Line]:
    """`count` different lines, of every kind."""
    makers: Sequence[tuple[Maker, int]] = (
        (of_values, 10), (of_keys, 4), (of_launchers, 2), (of_choices, 2), (of_flags, 3),
        (lambda r: of_files(r, folder), 3),
    )  # fmt: skip
    kinds, weights = zip(*makers, strict=True)
    found: dict[Line, None] = {}
    for _ in range(50 * count):
        if len(found) == count:
            break
        found[rng.choices(kinds, weights)[0](rng)] = None
    return list(found)
