"""What doctor says of the plug-ins of the running proxy, by its `/status`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix.cli.doctor import admin
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


def found(body: Any, status: dict[str, Any]) -> tuple[str, str] | None:
    status["body"] = body
    finding = admin.plugins(replace(at(Path()), admin_url="http://127.0.0.1:9464"))
    return None if finding is None else (finding.result, str(finding.found))


def test_it_names_what_is_loaded_and_what_is_not(status: dict[str, Any]) -> None:
    assert found({"plugins": [LOADED]}, status) == ("info", "plug-ins: mine")
    broken = found({"plugins": [LOADED, BROKEN]}, status)
    assert broken == ("warning", "plug-ins that could not be loaded: broken (KeyError, /b.py:1)")


@pytest.mark.parametrize("body", [{"plugins": []}, {}, [], {"plugins": "x"}, {"plugins": ["x"]}])
def test_it_says_nothing_where_there_are_none(body: Any, status: dict[str, Any]) -> None:
    assert found(body, status) is None


def test_it_says_nothing_where_nobody_answers(status: dict[str, Any]) -> None:
    status["error"] = httpx.ConnectError("no")
    assert found({}, status) is None
    assert admin.plugins(at(Path())) is None
