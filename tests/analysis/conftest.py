"""A command line to read stores with, and a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis import store
from tests.analysis.folders import Analysis, write_randoms, write_sweep


@pytest.fixture
def analysis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Analysis:
    """The command line in an empty folder, where nothing is published."""
    monkeypatch.chdir(tmp_path)
    for name in ("CHECKOUT", "INSTALLED"):
        monkeypatch.setattr(store, name, tmp_path / "nothing")
    return Analysis(tmp_path, capsys)


@pytest.fixture
def two(analysis: Analysis) -> Analysis:
    """The sweep `mine`: two seeds on Hopper, which scored 10 and 30; an untrained policy scores 0, a uniform one 10."""
    write_sweep(analysis.store, [10.0, 30.0])
    write_randoms(analysis.store, untrained=0.0, uniform=10.0)
    return analysis
