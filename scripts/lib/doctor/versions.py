"""Python and mitmproxy: are they what `pyproject.toml` asks for?"""

from __future__ import annotations

import platform
import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from scripts.lib.doctor.situation import Finding, Situation

_ROOT = Path(__file__).resolve().parents[3]


def python(_: Situation) -> Finding:
    """The Python of the environment that runs the proxy."""
    return _held_against("Python", platform.python_version(), _project()["requires-python"])


def mitmproxy(_: Situation) -> Finding:
    """The mitmproxy in it."""
    wanted = next(item for item in _project()["dependencies"] if item.startswith("mitmproxy"))
    return _held_against("mitmproxy", metadata.version("mitmproxy"), wanted.removeprefix("mitmproxy"))


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return project


def _held_against(name: str, version: str, wanted: str) -> Finding:
    if satisfies(version, wanted):
        return Finding(name, "ok", version)
    advice = "remove the folder .venv and run scripts/run: it makes a new environment with what is pinned"
    return Finding(name, "problem", f"{version}; hunyuan-fix needs {wanted}", advice)


def satisfies(version: str, wanted: str) -> bool:
    """Whether `version` is within `wanted`, a list such as `>=12.2.3,<13`."""
    for bound in wanted.split(","):
        if bound.startswith(">=") and _numbers(version) < _numbers(bound):
            return False
        if bound.startswith("<") and _numbers(version) >= _numbers(bound):
            return False
    return True


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)[:3]]
