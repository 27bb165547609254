"""The vendor's own reading of native answers, in this process: its SDK's parser of streams and its data model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import requests
from tencentcloud.common.abstract_client import AbstractClient
from tencentcloud.hunyuan.v20230901 import models


class _Raw:
    """A body that comes in pieces."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def read(self, _size: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def sdk_events(pieces: Iterable[bytes]) -> list[dict[str, Any]]:
    """What the Python SDK gives its user for a stream that comes in `pieces`."""
    response = requests.Response()
    response.raw = _Raw(list(pieces))
    return list(AbstractClient._process_response_sse(response))


def events(pieces: Iterable[bytes]) -> list[dict[str, Any]]:
    """The same, read. AssertionError for an event that no program expects."""
    found = sdk_events(pieces)
    assert [event.keys() for event in found] == [{"data"}] * len(found), "the SDK would give an event without data"
    return [dict(json.loads(event["data"])) for event in found]


def merged(given: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A streamed answer put together as the vendor says: texts joined, calls by their id."""
    texts = {"Content": "", "ReasoningContent": ""}
    calls: dict[str, dict[str, str]] = {}
    for event in given:
        for choice in event["Choices"]:
            delta = choice["Delta"]
            for name in texts:
                texts[name] += delta.get(name, "")
            for call in delta.get("ToolCalls", ()):
                known = calls.setdefault(call["Id"], {"Name": "", "Arguments": ""})
                for name in known:
                    known[name] += call["Function"][name]
    return {**texts, "ToolCalls": calls}


def completion(body: Mapping[str, Any]) -> models.ChatCompletionsResponse:
    """A whole answer in the SDK's data model."""
    read = models.ChatCompletionsResponse()
    read._deserialize(json.loads(json.dumps(body))["Response"])
    return read
