"""What doctor says of the plug-ins of the running proxy, by its `/status`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix.cli.doctor import admin
from hunyuan_fix.cli.doctor.situation import Finding, Situation
from tests.cli.doctor.situations import at

LOADED = {"name": "mine", "source": "/mine.py", "loaded": True, "why": ""}
BROKEN = {"name": "broken", "source": "/b.py", "loaded": False, "why": "KeyError, /b.py:1"}


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `/status` answers; an `error` is raised."""
    given: dict[str, Any] = {}

    def get(self: httpx.Client, url: str) -> httpx.Response:
        assert url == "http://127.0.0.1:9464/status"
        if "error" in given:
            raise given["error"]
        return httpx.Response(200, json=given.get("body"))

    monkeypatch.setattr(httpx.Client, "get", get)
    return given


def found(
    body: Any, status: dict[str, Any], check: Callable[[Situation], Finding | None] = admin.plugins
) -> tuple[str, str] | None:
    status["body"] = body
    finding = check(replace(at(Path()), admin_url="http://127.0.0.1:9464"))
    return None if finding is None else (finding.result, str(finding.found))


def test_it_names_what_is_loaded_and_what_is_not(status: dict[str, Any]) -> None:
    assert found({"plugins": [LOADED]}, status) == ("info", "plug-ins: mine")
    broken = found({"plugins": [LOADED, BROKEN]}, status)
    assert broken == ("warning", "plug-ins that could not be loaded: broken (KeyError, /b.py:1)")


def test_it_names_the_providers_that_have_keys_and_those_that_should(status: dict[str, Any]) -> None:
    kimi, plan = {"name": "moonshot", "set": True}, {"name": "tokenhub-plan", "set": False}
    assert found({"keys": [kimi]}, status, admin.keys) == ("ok", "hunyuan_keys_file: keys for moonshot")
    missing = ("warning", "hunyuan_keys_file: no key for tokenhub-plan, whose variables aren't set")
    assert found({"keys": [kimi, plan]}, status, admin.keys) == missing
    bodies: list[Any] = [{"keys": []}, {}, [], {"keys": "x"}, {"keys": ["x"]}]
    for body in bodies:
        assert found(body, status, admin.keys) is None


@pytest.mark.parametrize("body", [{"plugins": []}, {}, [], {"plugins": "x"}, {"plugins": ["x"]}])
def test_it_says_nothing_where_there_are_none(body: Any, status: dict[str, Any]) -> None:
    assert found(body, status) is None


def test_it_says_nothing_where_nobody_answers(status: dict[str, Any]) -> None:
    status["error"] = httpx.ConnectError("no")
    assert found({}, status) is None
    assert admin.plugins(at(Path())) is None
