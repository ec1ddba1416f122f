"""The parent's side of a measurement: a program in its own process, asked for whole iterations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


class Program:
    """A training program behind a gate (see gate.py). Leaving its `with` ends the process."""

    def __init__(self, module: str, *arguments: str, log: Path) -> None:
        self.name, self.log = " ".join([module, *arguments]), log
        self.started = time.monotonic()
        command = [sys.executable, "-m", f"tests.bench.{module}", *arguments]
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | ONE_THREAD,
                start_new_session=True,  # Ctrl-C reaches the parent, which ends its children
            )

    def ask(self, iterations: int, core: int, *, replay: bool = False) -> None:
        """Have it do some iterations on one core, and then play the first again as bare physics; 0 ends it."""
        assert self.process.stdin is not None
        order = {"iterations": iterations, "core": core, "replay": replay}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Wait for its next message."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with status {self.process.wait()}: see {self.log}")
        return json.loads(line)

    def measure(self, iterations: int, core: int, *, replay: bool = False) -> dict[str, Any]:
        """Ask and wait."""
        self.ask(iterations, core, replay=replay)
        return self.answer()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, _type: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()


def tree_bytes(pid: int) -> int:
    """Memory now resident of a process and its descendants, shared pages counted once."""
    total = 0
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total = sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has just ended, or this kernel does not say
        return total
    return total + sum(tree_bytes(int(child)) for child in children)
