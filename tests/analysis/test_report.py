"""The report in a real browser: no error in the console, tables that sort, and numbers behind the marks of the curves.

Needs Debian's `chromium`; without it these tests are skipped, unless $REQUIRE_CHROMIUM is set.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from analysis.__main__ import main
from ppo.runs.published import path_of, read, write

PUBLISHED = Path(__file__).parents[2] / "outputs" / "published"
CHROMIUM = shutil.which("chromium")

# What a person would do, done by a script inside the page: click, look, point.
DECLARED, LEFT_OUT = 147, 3
DONE = DECLARED - LEFT_OUT
VISITOR = """
<script>
addEventListener("load", () => {
  const seen = {errors, tables: document.querySelectorAll("table").length};
  const heads = [...document.querySelectorAll("#runs thead th")];
  const column = name => {
    const i = heads.findIndex(h => h.textContent === name);
    return [...document.querySelectorAll("#runs tbody tr")].map(row => row.cells[i].textContent);
  };
  const score = heads.find(h => h.textContent === "score");
  score.click(); seen.ascending = column("score");
  score.click(); seen.descending = column("score");
  const marks = [...document.querySelectorAll("svg use title")];
  seen.marks = marks.length;
  const mark = marks[3].parentNode;
  mark.scrollIntoView({block: "center"});
  const box = mark.getBoundingClientRect();
  let under = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  while (under && !under.querySelector(":scope > title")) under = under.parentNode;
  seen.hover = under ? under.querySelector(":scope > title").textContent : null;
  seen.outside = [...document.querySelectorAll("[src], link")].length;
  document.title = JSON.stringify(seen);
});
</script>
"""
LISTENER = '<script>const errors = []; addEventListener("error", e => errors.push(e.message));</script>'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the published runs, but for three, as though they were still to be trained."""
    folder = tmp_path_factory.mktemp("report")
    published = read(path_of(PUBLISHED, "figure3"))
    left_out = {row.run for row in published.runs if (row.env, row.label) == ("Reacher-v5", "CEM")}
    records = {run: record for run, record in published.records.items() if run not in left_out}
    write(path_of(folder / "store", "figure3"), published.sweep, published.runs, records)
    path = folder / "report.html"
    assert main(["report", "--sweep", "figure3", f"outputs={folder / 'store'}", "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def seen(report: Path) -> dict[str, Any]:
    """What a visitor sees."""
    if CHROMIUM is None:
        if os.environ.get("REQUIRE_CHROMIUM"):
            raise RuntimeError("REQUIRE_CHROMIUM is set, but there is no chromium on PATH")
        pytest.skip("no chromium here")
    page = report.read_text(encoding="utf-8")
    visited = report.with_name("visited.html")
    visited.write_text(page.replace("<head>", f"<head>{LISTENER}").replace("</body>", f"{VISITOR}</body>"))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom"]
    command += [f"--user-data-dir={report.parent / 'profile'}", visited.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title is not None
    return json.loads(html.unescape(title.group(1)))


def test_it_opens_without_an_error_and_asks_nobody_for_anything(seen: dict[str, Any]) -> None:
    assert seen["errors"] == []
    assert seen["outside"] == 0
    assert seen["tables"] >= 5


def test_a_click_sorts_by_number_and_a_second_one_turns_the_order(seen: dict[str, Any]) -> None:
    ascending = [float(cell) for cell in seen["ascending"][:DONE]]
    assert ascending == sorted(ascending)
    assert [float(cell) for cell in seen["descending"][:DONE]] == sorted(ascending, reverse=True)


def test_what_has_no_number_comes_last_either_way(seen: dict[str, Any]) -> None:
    assert seen["ascending"][DONE:] == seen["descending"][DONE:] == ["-"] * (DECLARED - DONE)


def test_a_mark_under_the_pointer_shows_its_number(seen: dict[str, Any]) -> None:
    assert seen["marks"] > 7 * 20
    assert re.fullmatch(
        r"HalfCheetah-v5, Clipping, epsilon = 0\.2, step [\d,]+: -?\d+(\.\d)? \(-?[\d.]+ to -?[\d.]+, 3 seeds\)",
        seen["hover"],
    )


def test_every_run_is_there_with_its_state_and_config(report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    assert page.count("<details>") == DECLARED
    assert page.count("total_steps: 1000000") == DONE
    assert "Provenance" in page
    assert "torch 2" in page


def test_the_hyperparameters_are_those_of_the_runs(report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    titles = ("Hyperparameters of all settings", "Hyperparameters in which settings differ")
    assert [page.count(f"<h2>{title}</h2>") for title in titles] == [1, 1]
    assert "Table 3" not in page
    assert "algorithm.elite_fraction" in page
