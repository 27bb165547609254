"""Content parts in chat."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.dialects.anthropic.translating import repaired
from tests.dialects.responses.judging import translated

PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0xLjQK"


def content_of(*parts: Any) -> Any:
    """The content of a user message of these parts."""
    return translated({"model": "hy3", "input": [{"role": "user", "content": list(parts)}]})[0]["messages"][0][
        "content"
    ]


def told(*parts: Any) -> list[str]:
    """What is told of these parts."""
    _, note = translated({"model": "hy3", "input": [{"role": "user", "content": list(parts)}]})
    assert all(pointer.startswith("/input/0/content/") for pointer, _ in note["changes"])
    return [why for _, why in note["changes"]]


def text(said: str, kind: str = "input_text", **beside: Any) -> dict[str, Any]:
    return {"type": kind, "text": said, **beside}


@pytest.mark.parametrize("kind", ["input_text", "output_text", "text", "summary_text", "reasoning_text"])
def test_a_text_is_a_text(kind: str) -> None:
    assert content_of(text("a", kind)) == "a"


def test_texts_are_paragraphs_empty_ones_nothing() -> None:
    assert content_of(text("a"), text(""), "b", {"type": "refusal", "refusal": "no"}) == "a\n\nb\n\nno"


def test_annotations_are_dropped_and_told() -> None:
    cited = text("a", "output_text", annotations=[{"type": "url_citation"}], logprobs=[])
    assert content_of(cited) == "a"
    assert told(cited) == ["annotations are dropped: chat has none"]
    assert told(text("a", "output_text", annotations=[])) == []


def test_a_mark_for_the_vendors_cache_is_dropped_and_told() -> None:
    marked = text("a", prompt_cache_breakpoint={"mode": "explicit"})
    assert content_of(marked) == "a"
    assert told(marked) == ["prompt_cache_breakpoint is dropped: the endpoint caches by itself"]


@pytest.mark.parametrize(
    ("detail", "sent"),
    [("low", "low"), ("high", "high"), ("original", "high"), ("auto", None), (None, None), (1, None)],
)
def test_an_image_has_the_details_that_chat_knows(detail: Any, sent: str | None) -> None:
    image = {"url": PNG} if sent is None else {"url": PNG, "detail": sent}
    assert content_of({"type": "input_image", "image_url": PNG, "detail": detail}) == [
        {"type": "image_url", "image_url": image}
    ]


def test_an_image_as_in_chat_is_taken() -> None:
    part = {"type": "image_url", "image_url": {"url": PNG}}
    assert content_of(part, text("?")) == [part, {"type": "text", "text": "?"}]


@pytest.mark.parametrize("source", [{"file_id": "file_1"}, {"image_url": None}, {"image_url": {}}, {}])
def test_an_image_that_isnt_there_is_said(source: dict[str, Any]) -> None:
    part = {"type": "input_image", "detail": "auto", **source}
    assert "image" in content_of(part)
    assert told(part) == ["an image that isn't in the request is said in words"]


def test_a_pdf_is_a_file_for_the_step_that_reads_it() -> None:
    part = {"type": "input_file", "filename": "a.pdf", "file_data": PDF}
    assert content_of(part) == [{"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}}]
    bare = {"type": "input_file", "file_data": PDF.partition(",")[2]}
    assert content_of(bare) == [{"type": "file", "file": {"filename": "document.pdf", "file_data": PDF}}]


def test_a_pdf_is_known_by_its_bytes_where_its_name_says_nothing() -> None:
    bare = PDF.partition(",")[2]
    for name in ("paper", "paper.txt"):
        [part] = content_of({"type": "input_file", "filename": name, "file_data": bare})
        assert part["file"]["file_data"].startswith("data:application/pdf;")


@pytest.mark.parametrize("header", ["", "data:text/plain;base64,"])
@pytest.mark.parametrize("name", ["Notes.MD", "main.py", "Makefile"])
def test_a_text_file_is_its_text(header: str, name: str) -> None:
    data = header + base64.b64encode("größer".encode()).decode()
    body = {"role": "user", "content": [{"type": "input_file", "filename": name, "file_data": data}]}
    chat, _ = translated({"model": "hy3", "input": [body]})
    assert repaired(chat, "tokenhub")["messages"][0]["content"] == [{"type": "text", "text": "größer"}]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"file_url": "https://a.example/a.pdf", "filename": "b.pdf"}, "https://a.example/a.pdf"),
        ({"file_id": "file_1", "filename": "b.pdf"}, "b.pdf"),
        ({"file_id": "file_1"}, "a file kept by its vendor"),
    ],
)
def test_a_file_that_isnt_there_is_said(source: dict[str, Any], said: str) -> None:
    part = {"type": "input_file", **source}
    assert content_of(part) == f"[This file isn't in the request and can't be fetched: {said}]"
    assert told(part) == ["a file that isn't in the request is said in words"]


def test_audio_is_audio() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    assert content_of(audio) == [audio]


def test_a_part_that_nobody_knows_is_said() -> None:
    assert content_of({"type": "new", "text": "a"}) == "a"
    assert content_of({"type": "new", "x": 1}) == '[new: {"x":1}]'
    assert told({"type": "new", "x": 1}) == ["a part that chat doesn't have is said in words"]


@pytest.mark.parametrize(
    ("part", "url"),
    [
        ({"type": "image", "data": "aGk=", "mimeType": "image/jpeg"}, "data:image/jpeg;base64,aGk="),
        ({"type": "image", "data": "aGk="}, "data:image/png;base64,aGk="),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "aGk="}},
            "data:image/gif;base64,aGk=",
        ),
        ({"type": "image", "source": {"type": "url", "url": "https://a.example/a.png"}}, "https://a.example/a.png"),
    ],
)
def test_images_as_other_formats_have_them_are_images(part: dict[str, Any], url: str) -> None:
    output = {"type": "function_call_output", "call_id": "c1", "output": [part]}
    call = {"type": "function_call", "call_id": "c1", "name": "see", "arguments": "{}"}
    chat, _ = translated({"model": "hy3", "input": [{"role": "user", "content": "go"}, call, output]})
    assert chat["messages"][2]["content"] == [{"type": "image_url", "image_url": {"url": url}}]
