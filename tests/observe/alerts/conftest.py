"""What the tests of alerts share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.alerts.promtool import Promtool, found


@pytest.fixture
def promtool(tmp_path: Path) -> Promtool:
    """Prometheus's promtool, in a folder of its own."""
    return found(tmp_path)
