"""For the whole suite: a data folder of its own, a Redis server, what the recorded requests say in the summary."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ("tests.proxying", "tests.redis_server", "tests.cascading")

# A property that fails must fail for what it says, not because eight workers share two processors.
settings.register_profile("unhurried", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

WITHOUT, WITH = "capture_accepted_without_addon", "capture_accepted_with_addon"
"""Properties that a test of a recorded request records, True or False (tests/end_to_end/test_captures.py)."""


@pytest.fixture(scope="session", autouse=True)
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The suite keeps out of the user's own data, where the default store is; processes inherit that."""
    before = os.environ.get("XDG_DATA_HOME")
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("data"))
    yield
    if before is None:
        del os.environ["XDG_DATA_HOME"]
    else:
        os.environ["XDG_DATA_HOME"] = before


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many recorded requests of real clients the strict simulator took, without and with the addon."""
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if isinstance(report, pytest.TestReport) and report.when == "call"
    ]
    counts = {}
    for name in (WITHOUT, WITH):
        values = [value for report in reports for key, value in report.user_properties if key == name]
        counts[name] = f"{sum(map(bool, values))} of {len(values)}"
    if any(key == WITHOUT for report in reports for key, _ in report.user_properties):
        terminalreporter.write_line(
            f"recorded requests that the strict endpoint accepts: {counts[WITHOUT]} as they came, "
            f"{counts[WITH]} through the addon"
        )
