"""Requests that real programs sent to `/v1/responses`: Codex, OpenAI's SDK for Python, Vercel's ai, GitHub Copilot.

`requests/CLIENT.json` holds them: long texts and images are cut, as the recorder left them. What most requests of a
client share (tools, items of the input) is in lists of its own: a request has the place in the list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request: whose, the number of its file among the captures, what it was about, its path below `/v1`."""

    client: str
    number: int
    scenario: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """What a test calls it."""
        return f"{self.client}-{self.number}-{self.scenario}"


def _recorded(path: Path) -> Iterator[Recorded]:
    kept = json.loads(path.read_text(encoding="utf-8"))
    for request in kept["requests"]:
        body = dict(request["body"])
        if type(body.get("tools")) is int:
            body["tools"] = kept["tools"][body["tools"]]
        if isinstance(body.get("input"), list):
            body["input"] = [kept["items"][item] if type(item) is int else item for item in body["input"]]
        yield Recorded(
            client=path.stem,
            number=request["number"],
            scenario=request["scenario"],
            path=request["path"].removeprefix("/v1"),
            headers=kept["headers"],
            body=body,
        )


RECORDED = [
    request for path in sorted((Path(__file__).parent / "requests").glob("*.json")) for request in _recorded(path)
]
"""All of them."""
STORED = {"previous_response_id", "prompt", "conversation"}
"""Fields whose body is understood only with what was kept of earlier answers, or of a template."""


def stands_alone(request: Recorded) -> bool:
    """Whether a request for an answer is understood without anything that an endpoint keeps."""
    items = request.body.get("input")
    refers = any(item.get("type") == "item_reference" for item in items) if isinstance(items, list) else False
    return (
        request.path == "/responses"
        and not refers
        and not STORED & request.body.keys()
        and request.body.get("background") is not True
    )


ALONE = [pytest.param(request, id=request.name) for request in RECORDED if stands_alone(request)]
"""Those that are understood without anything that an endpoint keeps, as parameters of tests."""
