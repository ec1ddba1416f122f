"""Where torch is not installed, tests that need it are skipped: the torch-free rooms are tested on every Python.

Ctrl-C works in every test: a shell that starts us in the background lets us ignore it.
"""

from __future__ import annotations

import signal
from collections.abc import Generator
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec

import pytest

WITHOUT_TORCH = find_spec("torch") is None


def pytest_sessionstart() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if WITHOUT_TORCH and report.failed and "No module named 'torch" in str(report.longrepr):
        report.outcome, report.longrepr = "skipped", (str(collector.path), 0, "Skipped: torch is not installed")
    return report


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup() -> Generator[None, object, object]:
    return (yield from _skipping())


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    return (yield from _skipping())


def _skipping() -> Generator[None, object, object]:
    try:
        return (yield)
    except (ModuleNotFoundError, PackageNotFoundError) as error:
        if WITHOUT_TORCH and (error.name or "").partition(".")[0] == "torch":
            pytest.skip("torch is not installed")
        raise
