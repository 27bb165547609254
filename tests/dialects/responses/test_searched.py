"""Searches that the proxy made, as items of a response."""

from __future__ import annotations

from typing import Any

from hunyuan_fix.dialects.searching import FOUND, Search
from tests.dialects.anthropic.answering import answer, call, chunk, frame
from tests.dialects.responses import event_order
from tests.dialects.responses.answering import CODEX, items, names, response, said, streamed, written


def page(number: int) -> Any:
    return {"number": number, "url": f"https://e.org/{number}", "title": f"Page {number}", "text": "…", "age": ""}


SEARCHES: list[Search] = [
    {"said": "I search.", "query": "what", "found": [page(1), page(2)], "error": ""},
    {"said": " ", "query": "else", "found": [], "error": "unavailable"},
]
CALLS = [
    {
        "type": "web_search_call",
        "action": {
            "type": "search",
            "query": "what",
            "queries": ["what"],
            "sources": [{"type": "url", "url": "https://e.org/1"}, {"type": "url", "url": "https://e.org/2"}],
        },
    },
    {"type": "web_search_call", "action": {"type": "search", "query": "else", "queries": ["else"], "sources": []}},
]


def citation(number: int, start: int, end: int) -> dict[str, Any]:
    return {
        "type": "url_citation",
        "url": f"https://e.org/{number}",
        "title": f"Page {number}",
        "start_index": start,
        "end_index": end,
    }


def test_what_was_said_and_found_stands_before_the_answer() -> None:
    made = response(answer(content="It is so [1][2]; not [9].", reasoning_content="Hm."), **{FOUND: SEARCHES})
    assert [item["type"] for item in made["output"]] == ["reasoning", "message", *["web_search_call"] * 2, "message"]
    assert items(made)[1:4] == [said("I search."), *CALLS]
    assert [item["status"] for item in made["output"][2:4]] == ["completed", "failed"]
    assert items(made)[4] == said("It is so [1][2]; not [9].", annotations=[citation(1, 9, 12), citation(2, 12, 15)])


def test_code_cites_nothing() -> None:
    text = "a[1]\n```\nb[1]\n```\nc[1]"
    (part,) = response(answer(content=text), **{FOUND: SEARCHES})["output"][-1]["content"]
    assert [note["start_index"] for note in part["annotations"]] == [1, text.rindex("[1]")]


def test_a_stream_is_the_same_and_in_order() -> None:
    for note in ({}, CODEX):
        chunks = [chunk(reasoning_content="Hm."), chunk(content="It is "), chunk(content="so [1]."), chunk("stop")]
        chunks.insert(3, frame(0, '{"input": "x"}', id="c", name="exec"))
        said_whole: dict[str, Any] = {"content": "It is so [1].", "reasoning_content": "Hm."}
        calls = [call("exec", '{"input": "x"}', "c")]
        whole = response(answer("stop", usage=None, **said_whole, tool_calls=calls), **note, **{FOUND: SEARCHES})
        made = streamed(*chunks, **note, **{FOUND: SEARCHES})
        for each in (whole, made):
            each["output"][0]["encrypted_content"] = None
        assert made == whole


def test_nothing_is_written_at_once_in_front_of_a_search() -> None:
    note: dict[str, Any] = {FOUND: SEARCHES[:1]}
    chunks = [chunk(content="x" * 100)] * 3
    assert names(written(chunks, finished=False, **note)) == ["created", "in_progress"]
    (part,) = streamed(*chunks, **note)["output"][-1]["content"]
    assert part["text"] == "x" * 300


def test_the_events_of_a_search() -> None:
    note: dict[str, Any] = {FOUND: SEARCHES[:1]}
    sent = written([chunk("stop", content="It is so [1].")], **note)
    begun = names(sent).index("web_search_call.in_progress")
    assert names(sent)[begun - 1 : begun + 4] == [
        "output_item.added",
        "web_search_call.in_progress",
        "web_search_call.searching",
        "web_search_call.completed",
        "output_item.done",
    ]
    assert names(sent).count("output_text.annotation.added") == 1
    assert event_order.response_in(sent)["output"][-1]["content"][0]["annotations"] == [citation(1, 9, 12)]
