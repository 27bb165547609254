"""Whether the versions of Python and mitmproxy are those that the package needs."""

from __future__ import annotations

import platform
import re
from importlib import metadata

from .situation import Finding, Situation

_PACKAGE = "hunyuan-fix"


def python(situation: Situation) -> Finding:
    """The Python of the environment that runs the proxy."""
    wanted = metadata.metadata(_PACKAGE)["Requires-Python"]
    return _held_against("Python", platform.python_version(), wanted, situation)


def mitmproxy(situation: Situation) -> Finding:
    """The mitmproxy in that environment."""
    wanted = next(item for item in metadata.requires(_PACKAGE) or () if re.match(r"mitmproxy\b", item))
    return _held_against("mitmproxy", metadata.version("mitmproxy"), wanted.removeprefix("mitmproxy"), situation)


def _held_against(name: str, version: str, wanted: str, situation: Situation) -> Finding:
    if satisfies(version, wanted):
        return Finding(name, "ok", version)
    found = f"{version}; hunyuan-fix needs {wanted}"
    if situation.in_clone:
        advice = "remove the folder .venv and run scripts/run: it makes a new environment with what is pinned"
    else:
        advice = "install hunyuan-fix into a new environment, with a Python and a mitmproxy within these bounds"
    return Finding(name, "problem", found, advice)


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
