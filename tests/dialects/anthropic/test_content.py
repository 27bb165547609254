"""Content blocks in chat."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.dialects.anthropic.request import to_chat
from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.wire import json_body
from tests.dialects.anthropic.bodies import PDF, PNG
from tests.dialects.anthropic.translating import (
    assistant,
    call,
    messages_of,
    refusal,
    result,
    text,
    translated,
    user,
    whys,
)


def content_of(*blocks: Any) -> Any:
    """The content of the user message that a user message of `blocks` becomes."""
    (message,) = messages_of(user(*blocks))
    return message["content"]


def test_texts_are_one_text() -> None:
    assert content_of(text("a"), text(""), text("b")) == "a\n\nb"


@pytest.mark.parametrize("content", ["hi", [text("hi")], text("hi"), [text("hi", cache_control={})], ["hi"]])
def test_a_text_however_it_is_written(content: Any) -> None:
    assert messages_of({"role": "user", "content": content}) == [{"role": "user", "content": "hi"}]


def test_an_image_in_base64() -> None:
    source = {"type": "base64", "media_type": "image/jpeg", "data": PNG}
    assert content_of(text("look"), {"type": "image", "source": source}) == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{PNG}"}},
    ]


def test_an_image_by_url() -> None:
    source = {"type": "url", "url": "https://example.com/a.png"}
    assert content_of({"type": "image", "source": source}) == [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    ]


@pytest.mark.parametrize("kind", ["image", "document"])
def test_a_file_elsewhere_is_said_and_told(kind: str) -> None:
    chat, note = translated({"messages": [user({"type": kind, "source": {"type": "file", "file_id": "file_1"}})]})
    assert "file_1" in chat["messages"][0]["content"]
    assert "can't be fetched" in chat["messages"][0]["content"]
    assert whys(note, "/messages/0/content/0") == [
        f"{'an' if kind == 'image' else 'a'} {kind} that isn't in the request is said in words"
    ]


def test_a_document_of_text() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "the words"}
    block = {
        "type": "document",
        "source": source,
        "title": "Notes",
        "context": "of May",
        "citations": {"enabled": True},
    }
    chat, note = translated({"messages": [user(block)]})
    assert chat["messages"][0]["content"] == '<document title="Notes">\nof May\n\nthe words\n</document>'
    assert "citations are dropped: chat has none" in whys(note, "/messages/0/content/0")


def test_a_document_of_blocks_keeps_their_order() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    source = {"type": "content", "content": [text("before"), image, text("after")]}
    pieces = content_of({"type": "document", "source": source})
    assert [piece.get("text", "image") for piece in pieces] == ["<document>", "before", "image", "after", "</document>"]


def test_a_document_in_a_document_in_a_document_ends() -> None:
    """As deep as a body may nest at all."""
    block: dict[str, Any] = {"type": "document", "source": {"type": "content", "content": "the end"}}
    for _ in range(json_body.MAX_DEPTH // 3 - 2):
        block = {"type": "document", "source": {"type": "content", "content": [block]}}
    chat = to_chat({"model": "hy3", "messages": [user(block)]}, {}, {})
    assert "the end" in chat["messages"][0]["content"]


def test_a_pdf_is_a_file_part() -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    assert content_of({"type": "document", "source": source, "title": "a.pdf", "context": "the bill"}) == [
        {"type": "text", "text": "the bill"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
    ]


def test_a_pdf_by_url_is_named() -> None:
    said = content_of({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}})
    assert "https://example.com/a.pdf" in said


def test_a_search_result() -> None:
    block = {"type": "search_result", "source": "https://a.example", "title": "A", "content": [text("x"), text("y")]}
    assert content_of(block) == '<search_result title="A" source="https://a.example">\nx\n\ny\n</search_result>'


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "tea", "type": "x"}},
            '[called web_search: {"query":"tea","type":"x"}]',
        ),
        (
            {"type": "mcp_tool_use", "id": "m", "name": "look", "server_name": "files", "input": {}},
            "[called look of files: {}]",
        ),
        (
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s",
                "content": [{"type": "web_search_result", "title": "Tea", "encrypted_content": "AAAA"}],
            },
            '[web_search: [{"type":"web_search_result","title":"Tea"}]]',
        ),
        (
            {"type": "mcp_tool_result", "tool_use_id": "m", "is_error": True, "content": [text("no such file")]},
            "[mcp failed: no such file]",
        ),
        (
            {
                "type": "tool_search_tool_result",
                "tool_use_id": "s",
                "content": {"tool_references": [{"type": "tool_reference", "tool_name": "Grep"}]},
            },
            "Tool Grep is available now.",
        ),
        ({"type": "tool_search_tool_result", "content": {"tool_references": []}}, "[no tool was found]"),
        ({"type": "container_upload", "file_id": "file_3"}, '[container_upload: {"file_id":"file_3"}]'),
        ({"type": "compaction", "content": "so far", "encrypted_content": "AAAA", "signature": None}, "so far"),
        ({"type": "a_block_of_next_year", "text": "hello"}, "hello"),
        ({"type": "a_block_of_next_year", "n": 1}, '[a_block_of_next_year: {"n":1}]'),
        ({"text": "without a type"}, "without a type"),
        ({"type": 5, "a": "b"}, '[5: {"a":"b"}]'),
        ({"type": "tool_reference", "tool_name": "Grep"}, "Tool Grep is available now."),
        ({"type": "tool_addition", "tool": {"type": "tool_reference", "name": "Grep"}}, "Tool Grep is available now."),
        (
            {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "Grep"}},
            "Tool Grep is no longer available.",
        ),
        ({"type": "thinking", "thinking": "hm", "signature": "x"}, "hm"),
        ({"type": "tool_use", "id": "t", "name": "ls", "input": {"a": 1}}, '[called ls: {"a":1}]'),
        ({"type": "text", "text": ["not", "a text"]}, '["not","a text"]'),
    ],
)
def test_what_chat_has_no_part_for_is_said_in_words(block: dict[str, Any], said: str) -> None:
    assert content_of(block) == said


@pytest.mark.parametrize("kind", ["redacted_thinking", "fallback", "mcp_tool_listing"])
def test_what_no_model_is_shown_is_dropped_and_told(kind: str) -> None:
    chat, note = translated({"messages": [user(text("hi"), {"type": kind, "data": "x"})]})
    assert chat["messages"] == [{"role": "user", "content": "hi"}]
    assert len(whys(note, "/messages/0/content/1")) == 1


def test_file_data_of_an_unknown_block_isnt_read_as_text() -> None:
    assert "A" * 600 not in content_of({"type": "audio", "source": {"data": "A" * 600}, "name": "a.wav"})


def test_an_image_in_a_result_stays_there_for_the_cascade() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    chat, _ = translated({"messages": [user("go"), assistant(call()), user(result([text("seen"), image]))]})
    assert [part["type"] for part in chat["messages"][-1]["content"]] == ["text", "image_url"]
    assert refusal(chat, "tokenhub") is None


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (5, "messages.0.content"),
        (["a", 5], "messages.0.content.1"),
        (True, "messages.0.content"),
        ([[]], "messages.0.content.0"),
    ],
)
def test_what_is_no_content_is_refused_with_its_place(content: Any, place: str) -> None:
    with pytest.raises(BadRequest) as raised:
        translated({"messages": [{"role": "user", "content": content}]})
    assert raised.value.param == place
    assert raised.value.message.startswith(f"{place}: must be")
