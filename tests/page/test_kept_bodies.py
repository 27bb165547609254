"""Bodies behind the page, of a live proxy: what came, what left, what the client got."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.end_to_end.processes import LEGACY
from tests.page.conftest import Watched

pytestmark = pytest.mark.process
ASKED: dict[str, Any] = {"model": "hunyuan-turbos-latest", "messages": [{"role": "user", "content": 'it\'s "here" 好'}]}


def newest(watched: Watched, **filters: str) -> dict[str, Any]:
    found: dict[str, Any] = watched.get("/api/exchanges", limit="1", **filters).json()["exchanges"][0]
    return found


def raw(watched: Watched, id: str, part: str) -> httpx.Response:
    return watched.get(f"/api/exchanges/{id}/raw/{part}")


def test_a_whole_answer(watched: Watched) -> None:
    sent = json.dumps({**ASKED, "messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]})
    with watched.client(LEGACY) as client:
        answer = client.post("/chat/completions", content=sent, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    id = newest(watched)["id"]
    came, left, got = (raw(watched, id, part) for part in ("came", "sent", "answer"))
    assert came.text == sent
    assert came.headers["content-type"] == "text/plain; charset=utf-8"
    assert came.headers["x-content-type-options"] == "nosniff"
    assert left.json()["messages"] == [{"role": "user", "content": "a\n\nb"}] or left.text == sent
    assert got.content == answer.content
