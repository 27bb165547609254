"""Whether the versions of Python and mitmproxy are those that the package needs."""

from __future__ import annotations

import platform
import re
from importlib import metadata

from ...texts.sentence import Sentence
from .situation import Finding, Situation

_PACKAGE = "hunyuan-fix"


def python(situation: Situation) -> Finding:
    """The Python of the environment that runs the proxy."""
    wanted = metadata.metadata(_PACKAGE)["Requires-Python"]
    return _held_against("python", platform.python_version(), wanted, situation)


def mitmproxy(situation: Situation) -> Finding:
    """The mitmproxy in that environment."""
    wanted = next(item for item in metadata.requires(_PACKAGE) or () if re.match(r"mitmproxy\b", item))
    return _held_against("mitmproxy", metadata.version("mitmproxy"), wanted.removeprefix("mitmproxy"), situation)


def running(situation: Situation) -> Finding | None:
    """Whether the proxy that runs is of this version; `None` if it is, or doesn't tell."""
    own = metadata.version(_PACKAGE)
    if situation.version in ("", own):
        return None
    found = Sentence(
        "the running proxy is version {running}, this command is {own}", running=situation.version, own=own
    )
    return Finding("proxy/other-version", "warning", found, Sentence("stop the proxy and start it again"))


def _held_against(check: str, version: str, wanted: str, situation: Situation) -> Finding:
    if satisfies(version, wanted):
        return Finding(f"{check}/ok", "ok", version)
    found = Sentence("{version}; hunyuan-fix needs {wanted}", version=version, wanted=wanted)
    if situation.in_clone:
        advice = Sentence("remove the folder .venv and run scripts/run: it makes a new environment with what is pinned")
    else:
        advice = Sentence(
            "install hunyuan-fix into a new environment, with a Python and a mitmproxy within these bounds"
        )
    return Finding(f"{check}/unsuited", "problem", found, advice)


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
