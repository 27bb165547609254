"""The story of one exchange, worked out from what it has told and what it said, whatever that is."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import rules
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.page import story_answer, story_messages, story_rest
from hunyuan_fix.page.changed_words import Work, differences
from hunyuan_fix.page.content import Content
from hunyuan_fix.page.story import Story, Told, read, story
from hunyuan_fix.page.story_messages import Room, Span
from hunyuan_fix.rules.places import NAME, Track
from hunyuan_fix.views.places import original_and_final
from tests import strategies
from tests.page import story_requests
from tests.rule_context import context

TOLD = Told({"id": "x", "at": 1.0, "last": "done", "over": True, "status": 200}, [])
MOST = 4_000_000
"""Bytes of a story."""
DIALECTS = ("chat", "anthropic", "responses", "tencent-cloud", "embeddings", "anthropic-native", "", "no-such")


def content_of(body: dict[str, Any], answer: bytes = b"", dialect: str = "chat", **more: Any) -> Content:
    """The content of a chat request that was repaired."""
    sent = copy.deepcopy(body)
    exchange, track = Exchange(profile="hunyuan", dialect=dialect), Track()
    exchange.note(rules.apply_chat(sent, context("hunyuan"), track=track))
    if moved := track.note(0):
        exchange.notes[NAME] = moved
    exchange.rewritten = True
    return Content(exchange.to_plain(), json.dumps(body).encode(), json.dumps(sent).encode(), answer, **more)


def told(content: Content | None, language: str = "en", why: Any = "") -> Story:
    return story(TOLD, content, why, language)


def text_of(spans: list[Span]) -> str:
    return "".join(span.get("text", "") for span in spans)


# What holds of any story


@given(st.builds(lambda history, beside: {"messages": history, **beside}, strategies.histories, strategies.parameters))
def test_each_message_of_both_sides_stands_in_one_row(body: dict[str, Any]) -> None:
    bodies = read(content_of(body))
    assert bodies is not None
    rows = bodies.sides.rows
    assert sorted(at for row in rows for at in row.came) == list(range(len(bodies.sides.came)))
    assert [at for row in rows for at in row.sent] == list(range(len(bodies.sides.sent)))


@given(strategies.bodies)
def test_a_request_that_was_not_changed_has_nothing_marked(body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    found = told(Content(Exchange(dialect="chat", profile="hunyuan").to_plain(), data, data, None))
    assert found["sides"] is not None
    assert all(row.get("fold") is not None or row["state"] == "same" for row in found["sides"]["rows"])  # type: ignore[typeddict-item]
    assert "mark" not in json.dumps(found["sides"])


@given(
    st.one_of(st.binary(), strategies.json_values.map(lambda value: json.dumps(value).encode())),
    st.one_of(st.none(), st.binary(), strategies.json_values.map(lambda value: json.dumps(value).encode())),
    st.one_of(st.none(), st.binary(), strategies.json_values.map(lambda value: json.dumps(value).encode())),
    st.sampled_from(DIALECTS),
    st.dictionaries(st.sampled_from(["vision", "places", "prompt-cache"]), strategies.json_values),
    st.booleans(),
)
def test_whatever_was_said_there_is_a_story(
    came: bytes, sent: bytes | None, answer: bytes | None, dialect: str, notes: dict[str, Any], streamed: bool
) -> None:
    exchange = Exchange(dialect=dialect, spoken="" if dialect == "chat" else dialect, profile="hunyuan").to_plain()
    exchange["notes"] = notes
    exchange["changes"] = [["merge", "/messages/1", "joined to the user message before"], ["x", "", ""]]
    content = Content(exchange, came, sent, answer, streamed=streamed)
    for language in ("en", "zh"):
        assert orjson.dumps(told(content, language))
    for of in ("came", "sent", "answer"):
        assert orjson.dumps(story_rest.text_of(content, of, "/messages/0/content"))
    assert orjson.dumps(story_rest.rows_from(content, 0, 100, "en"))


HOSTILE = [
    b'{"messages": [{"role": "user", "content": "\\ud800 \\u202e <b>"}], "__proto__": {"x": 1}}',
    b'{"messages": [' + b"[" * 400 + b"]" * 400 + b"]}",
    b'{"messages": {"role": 3}, "tools": "x", "functions": 4}',
    b'{"messages": [null, 3, "x", [], {"role": {}, "content": {"a": 1}, "tool_calls": [3, {"function": 4}]}]}',
    b'{"messages": [{"content": [{"image_url": {"url": 3}}, {"image_url": "data:image/png;base64,A"}]}]}',
    b'{"tools": [1, {"function": {"name": 3}}], "messages": [], "a": NaN}',
    b'{"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "[1e999, 1'
    + b"0" * 5000
    + b']"}}]}]}',
]


@pytest.mark.parametrize("body", HOSTILE)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_hostile_bodies_have_a_story(body: bytes, dialect: str) -> None:
    exchange = Exchange(dialect=dialect, profile="hunyuan").to_plain()
    assert orjson.dumps(told(Content(exchange, body, b'{"messages": []}', body)))
    assert orjson.dumps(told(Content(exchange, b"{}", body, body, streamed=True)))


# The two sides


def test_a_row_tells_of_the_changes_that_were_made_in_it() -> None:
    found = told(content_of(story_requests.repaired()))
    sides = found["sides"]
    assert sides is not None
    rules_of = {
        row["row"]: (row["state"], [found["changes"][number]["rule"] for number in row["changes"]])  # type: ignore[typeddict-item]
        for row in sides["rows"]
    }
    assert rules_of[1] == ("joined", ["merge"])
    assert rules_of[2] == ("changed", ["placeholders"])
    assert rules_of[4] == ("added", ["bridge"])
    parameters = {one["name"]: (one["state"], len(one["changes"])) for one in sides["parameters"]["parameters"]}
    assert parameters["temperature"] == ("changed", 1)
    assert parameters["model"] == ("same", 0)
    assert parameters["parallel_tool_calls"] == ("removed", 1)
    assert [(one["name"], one["state"]) for one in sides["parameters"]["tools"]] == [("read_file", "changed")]


def test_reasons_are_said_in_the_reader_s_language() -> None:
    content = content_of(story_requests.repaired())
    merge = [
        next(one for one in told(content, language)["changes"] if one["rule"] == "merge") for language in ("en", "zh")
    ]
    assert merge[0]["why"] == "joined to the user message before"
    assert merge[1]["why"] == "并入前一条 user 消息"
    assert all(one["because"] and one["repairs"] and one["file"] == "rules/merge.py" for one in merge)


def test_a_message_that_moved_says_so() -> None:
    came = [{"role": "user", "content": text} for text in ("first", "second", "third")]
    sent = [came[1], came[0], came[2]]
    exchange = Exchange(dialect="chat", profile="hunyuan", rewritten=True)
    exchange.notes[NAME] = {
        "first": 0,
        "changes": [],
        "origins": [1, 1, 0, 0, 1, 0, 2, 1, 0],
        "places": [1, 1, 0, 0, 1, 0, 2, 1, 0],
    }
    bodies = read(
        Content(
            exchange.to_plain(), json.dumps({"messages": came}).encode(), json.dumps({"messages": sent}).encode(), None
        )
    )
    assert bodies is not None
    assert [(row.came, row.sent, row.moved) for row in bodies.sides.rows] == [
        ([1], [0], False),
        ([0], [1], True),
        ([2], [2], False),
    ]


def test_what_is_unchanged_is_folded_and_there_on_demand() -> None:
    content = content_of(story_requests.long(15))
    sides = told(content)["sides"]
    assert sides is not None
    rows: list[Any] = list(sides["rows"])
    (fold,) = [row for row in rows if "fold" in row]
    rest = story_rest.rows_from(content, fold["fold"], fold["count"], "en")
    shown = [row["row"] for row in rows if "fold" not in row]
    assert sorted([*shown, *(row["row"] for row in rest["rows"])]) == list(range(sides["count"]))


def test_a_text_that_is_cut_is_there_whole_on_demand() -> None:
    content = content_of(story_requests.repaired())
    sides = told(content)["sides"]
    assert sides is not None
    (row,) = [row for row in sides["rows"] if row.get("row") == 3]
    piece = row["sent"][0]["pieces"][0]  # type: ignore[typeddict-item]
    gap = sum(span.get("gap", 0) for span in piece["spans"])
    whole = story_rest.text_of(content, "sent", piece["at"])
    assert gap > 0 and len(text_of(piece["spans"])) + gap == len(whole["text"]) == 31 * 80


def test_tools_of_two_formats_that_say_the_same_are_the_same() -> None:
    schema = {"type": "object", "properties": {}}
    came = {"messages": [], "tools": [{"name": "Read", "description": "Reads.", "input_schema": schema}]}
    function = {"name": "Read", "description": "Reads.", "parameters": schema}
    sent = {"messages": [], "tools": [{"type": "function", "function": function}]}
    exchange = Exchange(dialect="anthropic", spoken="anthropic", profile="hunyuan")
    sides = told(Content(exchange.to_plain(), json.dumps(came).encode(), json.dumps(sent).encode(), None))["sides"]
    assert sides is not None
    assert [one["state"] for one in sides["parameters"]["tools"]] == ["same"]


def test_only_an_image_of_a_known_kind_is_given() -> None:
    def asked(url: str) -> Any:
        part = {"type": "image_url", "image_url": {"url": url}}
        body = {"messages": [{"role": "user", "content": [part]}]}
        return story_messages.image(body, "/messages/0/content/0")

    body = story_requests.with_image()
    url = body["messages"][0]["content"][1]["image_url"]["url"]
    kind, data = asked(url)
    assert kind == "image/png" and data.startswith(b"\x89PNG")
    assert asked("data:image/svg+xml;base64,PHN2Zz48c2NyaXB0Lz48L3N2Zz4=") is None
    assert asked("data:image/png;base64,PHN2Zz48c2NyaXB0Lz48L3N2Zz4=") is None
    assert asked("https://example.com/a.png") is None


# Words


@given(st.text(), st.text(), st.text())
def test_marks_are_within_the_texts_and_in_order(before: str, middle: str, after: str) -> None:
    for old, new in ((before + after, before + middle + after), (before, after), (after, after)):
        for text, ranges in zip((old, new), differences(old, new, Work()), strict=True):
            flat = [at for begin_end in ranges for at in begin_end]
            assert flat == sorted(flat) and all(0 <= at <= len(text) for at in flat)
            assert all(begin < end for begin, end in ranges)
        assert (old == new) == (differences(old, new, Work()) == ([], []))


def test_whole_words_are_marked() -> None:
    old, new = "the value is 32100 here", "the value is 32600 here"
    (gone,), (came,) = differences(old, new, Work())
    assert (old[slice(*gone)], new[slice(*came)]) == ("32100", "32600")


def test_words_that_differ_on_several_lines() -> None:
    old = "one two three\nsame\nfour five\n"
    new = "one 2 three\nsame\nfour five six\n"
    gone, came = differences(old, new, Work())
    assert [old[slice(*one)] for one in gone] == ["two"]
    assert [new[slice(*one)].strip() for one in came] == ["2", "six"]


@given(st.text(max_size=3000), st.lists(st.integers(0, 3000), max_size=6).map(sorted))
def test_spans_and_gaps_are_as_long_as_the_text(text: str, at: list[int]) -> None:
    marks = [(begin, end) for begin, end in zip(at[::2], at[1::2], strict=False) if begin < end <= len(text)]
    spans = Room().spans(text, marks, most=100)
    whole = "".join("?" * span["gap"] if "gap" in span else span["text"] for span in spans)
    if text.isascii():
        assert len(whole) == len(text)
        assert all(one in ("?", other) for one, other in zip(whole, text, strict=True))


# The answer


def test_an_answer_is_put_together_and_its_texts_are_there_whole() -> None:
    text = "x" * 70_000
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in (text, "end")]
    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    content = Content(Exchange().to_plain(), b"{}", b"{}", stream, streamed=True, under_way=True)
    shown = story_answer.answer(content, "en")
    assert shown is not None and shown["under_way"] and not shown["problems"]
    assert shown["choices"][0]["text"][1] == {"gap": 40_003}
    assert story_answer.rest(content, "/0/text") == text + "end"


def test_without_content_the_rest_of_the_story_is_there() -> None:
    found = story(
        Told({**TOLD.summary, "rules": ["merge"], "usage": {"input": 10, "cached": 4}}, []), None, "off", "en"
    )
    assert found["missing"] == "off" and found["sides"] is None and found["answer"] is None
    assert [change["rule"] for change in found["changes"]] == ["merge"]
    assert found["cache"] == {"input": 10, "cached": 4, "broken": ""}


# Time and size


def history(turns: int) -> Content:
    return content_of(story_requests.long(turns))


def joined(count: int) -> Content:
    body = {"messages": [{"role": "user", "content": f"says {number} " * 10} for number in range(count)]}
    return content_of(body)


def rewritten_text(words: int) -> Content:
    old, new = (" ".join(f"{word}{number % 7}" for number in range(words)) for word in ("a", "b"))
    exchange = Exchange(dialect="chat", profile="hunyuan", rewritten=True)
    came, sent = (json.dumps({"messages": [{"role": "user", "content": text}]}).encode() for text in (old, new))
    return Content(exchange.to_plain(), came, sent, None)


def translated(turns: int) -> Content:
    messages = story_requests.long(turns)["messages"]
    exchange = Exchange(dialect="anthropic", spoken="anthropic", profile="hunyuan", rewritten=True)
    came = {
        "model": "x",
        "max_tokens": 5,
        "messages": [{**one, "content": [{"type": "text", "text": one["content"]}]} for one in messages],
    }
    return Content(exchange.to_plain(), json.dumps(came).encode(), json.dumps({"messages": messages}).encode(), None)


def streamed(chunks: int, delta: Callable[[int], dict[str, Any]]) -> Content:
    events = ({"choices": [{"index": 0, "delta": delta(number)}]} for number in range(chunks))
    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    return Content(Exchange(dialect="chat").to_plain(), b"{}", b"{}", stream, streamed=True)


def calls(chunks: int) -> Content:
    return streamed(
        chunks, lambda number: {"tool_calls": [{"index": number, "function": {"name": "f", "arguments": "{}"}}]}
    )


def tools(count: int) -> Content:
    body = story_requests.repaired()
    body["tools"] = [
        {"type": "function", "function": {"name": f"f{number}", "strict": True, "parameters": {}}}
        for number in range(count)
    ]
    return content_of(body)


@pytest.mark.parametrize(
    ("made", "size"),
    [
        (history, 300),
        (joined, 500),
        (rewritten_text, 20_000),
        (translated, 300),
        (lambda count: streamed(count, lambda _: {"content": "some words "}), 4000),
        (calls, 2000),
        (tools, 150),
    ],
)
def test_four_times_as_much_takes_about_four_times_the_time(made: Callable[[int], Content], size: int) -> None:
    few, many = made(size), made(4 * size)
    assert seconds(lambda: told(many)) < 8 * max(seconds(lambda: told(few)), 0.002)


def seconds(run: Callable[[], object]) -> float:
    taken = []
    for _ in range(3):
        begun = time.thread_time()
        run()
        taken.append(time.thread_time() - begun)
    return min(taken)


def image(size: int) -> Content:
    body = story_requests.with_image()
    head = body["messages"][0]["content"][1]["image_url"]["url"]
    body["messages"][0]["content"][1]["image_url"]["url"] = head + "A" * size
    return content_of(body)


@pytest.mark.parametrize(
    "content", [image(10 << 20), history(2000), joined(5000), rewritten_text(1_000_000), tools(3000)]
)
def test_a_story_has_a_few_megabytes_at_most(content: Content) -> None:
    assert len(orjson.dumps(told(content))) < MOST


def test_places_in_another_format_are_those_of_its_own_numbers() -> None:
    """A translation names messages as their client numbers them: those that left have other numbers."""
    exchange = Exchange(dialect="anthropic", spoken="anthropic", profile="hunyuan", rewritten=True)
    body = story_requests.of_claude_code()
    exchange.original = json.dumps(body).encode()
    exchange.changes.note_at("anthropic", "/messages/1/content/0", "the signature of another vendor is dropped")
    (place,) = original_and_final(exchange, json.dumps({"messages": [{"role": "user", "content": "x"}] * 5}).encode())
    assert (place.original, place.final) == ("/messages/1/content/0", None)
