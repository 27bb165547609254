"""For the whole suite: what the recorded requests say goes into pytest's summary, beside the test results."""

from __future__ import annotations

import pytest

WITHOUT, WITH = "capture_accepted_without_addon", "capture_accepted_with_addon"
"""Properties that a test of a recorded request records, True or False (tests/end_to_end/test_captures.py)."""


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
