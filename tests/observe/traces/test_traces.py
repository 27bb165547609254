"""Traces where OpenTelemetry's packages are missing."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hunyuan_fix.config.option import OptionError
from hunyuan_fix.observe.sinks import Sinks
from hunyuan_fix.observe.traces.settings import TraceSettings
from hunyuan_fix.observe.traces.traces import Traces

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


def test_missing_packages_are_named_as_the_extra_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hunyuan_fix.observe.traces.export", None)
    with pytest.raises(OptionError) as refused:
        Traces(Sinks(), {}).prepared(TraceSettings(traces="http://127.0.0.1:4318"))
    assert "HUNYUAN_FIX_EXTRA=otel" in str(refused.value)
    named = {Requirement(name) for name in re.findall(r"'([^']+)'", str(refused.value))}
    extra = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]["otel"]
    # The exporter brings the other two.
    assert named == {Requirement(name) for name in extra if name.startswith(("opentelemetry-sdk", "opentelemetry-exp"))}
