"""Attacks on what must never be lost or wrong: prints a table of what was tried, what held and what broke.

    python -m tests.attack [--full] [ATTACK ...]        `make attack` and `make attack FULL=1`; takes minutes, or hours

Each attack is a module of this folder with `attack(full) -> Result`; `full` tries as often as docs/reliability.md says.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from importlib import import_module
from pathlib import Path

from tests.attack.result import Result

OTHERS = ("__main__", "result")
MOST_SHOWN = 20  # lines of what broke


def attacks() -> list[str]:
    """The modules of this folder that are attacks."""
    found = (path.stem for path in Path(__file__).parent.glob("*.py"))
    return sorted(name for name in found if name not in OTHERS and not name.startswith("_"))


def line(name: str, result: Result, seconds: float) -> str:
    """A row of the table."""
    note = f" ({result.note})" if result.note else ""
    return f"| {name} | {result.attack}{note} | {result.tried} | {result.held} | {len(result.broke)} | {seconds:.0f} |"


def main(arguments: list[str]) -> int:
    """Run attacks; returns 1 if anything broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help=f"one of {', '.join(attacks())}; all if none")
    parser.add_argument("--full", action="store_true", help="as often as docs/reliability.md says")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that temporary folders are removed
    names = options.attacks or attacks()
    for name in names:
        if name not in attacks():
            parser.error(f"{name} is none of {', '.join(attacks())}")
    print("| attack | what | tried | held | broke | seconds |\n|---|---|---:|---:|---:|---:|", flush=True)
    broke: list[str] = []
    for name in names:
        started = time.monotonic()
        result = import_module(f"tests.attack.{name}").attack(options.full)
        print(line(name, result, time.monotonic() - started), flush=True)
        broke += [f"{name}: {what}" for what in result.broke]
    print("\n".join(broke[:MOST_SHOWN]), file=sys.stderr)
    return 1 if broke else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
