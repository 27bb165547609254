"""Searches in Anthropic's blocks: whole and as a stream, with citations, and back into the next request."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.dialects.anthropic import Anthropic
from hunyuan_fix.dialects.searching import FOUND, WANTED, Found, Search
from tests.dialects.anthropic import event_order
from tests.dialects.anthropic.answering import answer, chunk

PAGES = [
    Found(number=1, url="https://a.example", title="A", text="What A says. " * 20, age="2026-11-01"),
    Found(number=2, url="https://b.example", title="B", text="乙", age=""),
]
SEARCHES = [
    Search(said="I look.", query="the weather", found=PAGES, error=""),
    Search(said="", query="again", found=[], error="unavailable"),
]
NOTE: dict[str, Any] = {"model": "claude-x", FOUND: SEARCHES}


def whole(text: str, **note: Any) -> dict[str, Any]:
    return Anthropic().answer(answer(content=text), {**NOTE, **note})


def streamed(*texts: str, **note: Any) -> dict[str, Any]:
    writer = Anthropic().stream({**NOTE, **note})
    chunks = [chunk(role="assistant", content=""), *(chunk(content=text) for text in texts), chunk("stop")]
    sent = [piece for each in chunks for piece in writer.feed(each)] + writer.finish()
    return event_order.message_in(b"".join(sent))


def test_blocks_usage_and_citations() -> None:
    made = whole("It rains [1]. It is cold [2][1][2], says nobody [7].")
    kinds = [block["type"] for block in made["content"]]
    assert kinds == ["text", *(["server_tool_use", "web_search_tool_result"] * 2), "text", "text", "text"]
    said, call, result, second, failed, rains, cold, rest = made["content"]
    assert said == {"type": "text", "text": "I look."}
    assert (call["name"], call["input"]) == ("web_search", {"query": "the weather"})
    assert result["tool_use_id"] == call["id"] != second["id"] == failed["tool_use_id"]
    assert [(page["url"], page["title"], page["page_age"]) for page in result["content"]] == [
        ("https://a.example", "A", "2026-11-01"),
        ("https://b.example", "B", None),
    ]
    assert failed["content"] == {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    assert rains["text"] + cold["text"] + rest["text"] == "It rains [1]. It is cold [2][1][2], says nobody [7]."
    assert [citation["url"] for citation in cold["citations"]] == ["https://b.example", "https://a.example"]
    assert len(rains["citations"][0]["cited_text"]) == 150
    assert "citations" not in rest
    assert made["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}


@given(st.lists(st.sampled_from(["It rains", " [1]", "[2]", "[9]", "。", "```\na[1]\n```", "\n", " x"]), min_size=1))
def test_a_stream_says_the_same(pieces: list[str]) -> None:
    text = "x" + "".join(pieces)
    made = whole(text)
    assert streamed("x", *pieces)["content"] == made["content"]
    last = [block["text"] for block in made["content"][5:]]
    assert "".join(last) == text


def test_code_is_not_cited() -> None:
    made = whole("See [1].\n```\na [2]\n```\nDone [2].")
    cited = [[citation["url"] for citation in block.get("citations", ())] for block in made["content"][5:]]
    assert cited == [["https://a.example"], ["https://b.example"], []]


def test_what_was_found_is_known_in_the_next_turn() -> None:
    made = whole("It rains [1].")
    body = {
        "model": "claude-x",
        "max_tokens": 10,
        "messages": [
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": made["content"]},
            {"role": "user", "content": "and tomorrow?"},
        ],
    }
    note: dict[str, Any] = {}
    said = str(Anthropic().to_chat(body, {}, note)["messages"][1]["content"])
    for text in ("I look.", "the weather", "https://a.example", PAGES[0]["text"].strip(), "乙", "It rains [1]."):
        assert text in said


def test_the_tool_becomes_a_function_where_it_can_be_had() -> None:
    tool = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3, "allowed_domains": ["a.example", 7]}
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "tools": [tool]}
    note: dict[str, Any] = {"offers": ["web_search"]}
    chat = Anthropic().to_chat(body, {}, note)
    assert [offered["function"]["name"] for offered in chat["tools"]] == ["web_search"]
    assert note[WANTED] == {"tool": "web_search", "max_uses": 3, "allowed_domains": ["a.example"]}
    assert [message["role"] for message in chat["messages"]] == ["user"]
    note = {"offers": []}
    chat = Anthropic().to_chat(body, {}, note)
    assert "tools" not in chat
    assert WANTED not in note
    assert "web_search" in chat["messages"][0]["content"]
