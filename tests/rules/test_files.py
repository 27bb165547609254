"""Parts that carry a file."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from hunyuan_fix.rules import files

TEXT = "Grüße: 3 < 4\n"
BASE64 = base64.b64encode(TEXT.encode()).decode()


@pytest.mark.parametrize(
    "part",
    [
        {"type": "resource", "resource": {"uri": "a://b", "mimeType": "text/plain", "blob": BASE64}},
        {"type": "resource", "resource": {"uri": "a://b", "mimeType": "text/x-python; charset=utf-8", "blob": BASE64}},
        {"type": "resource", "resource": {"uri": "a://b", "text": TEXT}},
        {"type": "file", "data": BASE64, "mediaType": "text/markdown"},
        {"type": "file", "file": {"filename": "a.txt", "file_data": f"data:text/plain;base64,{BASE64}"}},
        {"type": "file", "url": "data:text/plain,Gr%C3%BC%C3%9Fe%3A%203%20%3C%204%0A"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "text": TEXT}},
        {"type": "media", "mimeType": "application/json", "data": BASE64},
    ],
)
def test_text_of_a_text_file(part: dict[str, Any]) -> None:
    assert files.text_of(part) == TEXT


@pytest.mark.parametrize(
    "part",
    [
        {"type": "resource", "resource": {"mimeType": "application/pdf", "blob": BASE64}},
        {"type": "resource", "resource": {"blob": BASE64}},
        {"type": "resource", "resource": {"mimeType": "text/plain", "blob": "/w=="}},
        {"type": "resource", "resource": {"mimeType": "text/plain", "blob": "no base64!"}},
        {"type": "file", "file": {"file_id": "f"}},
        {"type": "file", "file": "x", "data": None},
    ],
)
def test_no_text(part: dict[str, Any]) -> None:
    assert files.text_of(part) is None


@pytest.mark.parametrize(
    ("value", "short"),
    [
        (
            {"type": "input_audio", "input_audio": {"data": list(range(256)), "format": "wav"}},
            {"input_audio": {"format": "wav"}},
        ),
        ({"data": [0.5] * 40}, {}),
        ({"data": [1, 2, 3]}, {"data": [1, 2, 3]}),
        ({"data": "A" * 500}, {}),
        ({"data": "\n".join(["A" * 76] * 10)}, {}),
        ({"data": "data:audio/wav;base64,UklGRg=="}, {}),
        ({"data": "a long story " * 100}, {"data": "a long story " * 100}),
        ({"data": "hello"}, {"data": "hello"}),
    ],
)
def test_note_has_no_file_data(value: Any, short: Any) -> None:
    assert files.short(value) == short
