"""The reader that judges streams refuses each deviation that a client stumbles over.

The streams are the simulator's, which shares no code with the writer.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from hunyuan_fix.simulator import openai_checks, openai_events, openai_facade, openai_responses, streams
from tests.dialects.responses.event_order import OutOfOrder, check_response, events, read, response_in
from tests.looped import each

FACADE = openai_facade.Facade("tokenhub", openai_facade.HINTS)
TOOLS = [
    {"type": "function", "name": "ls", "parameters": {"type": "object"}},
    {"type": "custom", "name": "apply_patch"},
    {
        "type": "namespace",
        "name": "mcp__demo",
        "description": "Adds.",
        "tools": [{"type": "function", "name": "add"}],
    },
    {"type": "tool_search"},
]
SAID = """[[sim:reasoning first this, then that]][[sim:say I look.]][[sim:tool ls {"path": "a"}]]
[[sim:tool apply_patch {"input": "*** Begin Patch"}]][[sim:tool mcp__demo__add {"a": 1}]][[sim:tool tool_search {}]]"""


def streamed(said: str = SAID, **fields: Any) -> bytes:
    body = {"model": "hy3", "stream": True, "tools": TOOLS, "reasoning": {"summary": "auto"}, "input": said, **fields}
    assert openai_checks.problems(body, FACADE) is None
    made, pieces = openai_responses.answer(body, openai_responses.as_items(body["input"]), FACADE, created=5)
    return b"".join(streams.script(openai_events.events(made, pieces)).frames)


GOOD = streamed()
EVENTS = events(GOOD)
NAMES = [name for name, _ in EVENTS]


def joined(listed: list[tuple[str, dict[str, Any]]], *, counted: bool = True) -> bytes:
    """The events; `counted`: with the numbers of their places."""
    numbered = [
        (name, data | ({"sequence_number": place} if counted else {})) for place, (name, data) in enumerate(listed)
    ]
    return b"".join(b"event: %b\ndata: %b\n\n" % (name.encode(), json.dumps(data).encode()) for name, data in numbered)


def changed(name: str, path: tuple[Any, ...], value: Any, number: int = 0) -> bytes:
    """The good stream with another value in one of the events of that name; `...` takes the field out."""
    listed = copy.deepcopy(EVENTS)
    data: Any = [data for one, data in listed if one == f"response.{name}"][number]
    for key in path[:-1]:
        data = data[key]
    if value is ...:
        del data[path[-1]]
    else:
        data[path[-1]] = value
    return joined(listed)


def test_a_good_stream_is_read() -> None:
    response = response_in(GOOD)
    types = ["reasoning", "message", "function_call", "custom_tool_call", "function_call", "tool_search_call"]
    assert [item["type"] for item in response["output"]] == types
    assert response["output"][4]["namespace"] == "mcp__demo"
    assert response_in(joined(EVENTS)) == response
    assert response_in(b": ping\n\n" + GOOD) == response


def test_so_is_one_that_is_cut_short() -> None:
    response = response_in(streamed("[[sim:say a longer word]][[sim:length]]"))
    assert (response["status"], response["output"][0]["status"]) == ("incomplete", "incomplete")


@each("place", range(len(EVENTS)))
def test_no_event_may_be_missing(place: int) -> None:
    with pytest.raises(OutOfOrder):
        response_in(joined(EVENTS[:place] + EVENTS[place + 1 :]))


@each("place", range(len(EVENTS)))
def test_no_event_but_the_one_that_keeps_awake_may_come_twice(place: int) -> None:
    twice = joined([*EVENTS[: place + 1], *EVENTS[place:]])
    if NAMES[place] == "response.in_progress":
        response_in(twice)
    else:
        with pytest.raises(OutOfOrder):
            response_in(twice)


@each("place", range(len(EVENTS) - 1))
def test_no_two_events_may_change_places(place: int) -> None:
    swapped = list(EVENTS)
    swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
    with pytest.raises(OutOfOrder):
        response_in(joined(swapped))


@each("place", range(1, len(EVENTS)))
def test_numbers_have_no_gap_and_none_is_used_twice(place: int) -> None:
    for step in (-1, 1):
        wrong = [
            (name, data | {"sequence_number": number + step * (number >= place)})
            for number, (name, data) in enumerate(EVENTS)
        ]
        with pytest.raises(OutOfOrder):
            response_in(joined(wrong, counted=False))


@pytest.mark.parametrize("name", sorted(set(NAMES)))
def test_each_event_has_all_its_fields_and_no_other(name: str) -> None:
    place = NAMES.index(name)
    for field in EVENTS[place][1].keys() - {"type", "sequence_number", "name"}:
        with pytest.raises((OutOfOrder, KeyError)):
            response_in(changed(name.removeprefix("response."), (field,), ...))
    with pytest.raises(OutOfOrder):
        response_in(changed(name.removeprefix("response."), ("more",), 1))


@each(
    ("name", "path", "value"),
    [
        ("created", ("response", "id"), "1"),
        ("created", ("response", "status"), "completed"),
        ("created", ("response", "tools"), ...),
        ("in_progress", ("response", "id"), "resp_another"),
        ("in_progress", ("response", "model"), "another"),
        ("in_progress", ("response", "output"), [{}]),
        ("completed", ("response", "id"), "resp_another"),
        ("completed", ("response", "status"), "incomplete"),
        ("completed", ("response", "usage"), None),
        ("completed", ("response", "usage"), {"prompt_tokens": 1}),
        ("completed", ("response", "usage", "total_tokens"), 1),
        ("completed", ("response", "usage", "output_tokens"), -1),
        ("completed", ("response", "usage", "input_tokens_details"), {}),
        ("completed", ("response", "usage", "output_tokens_details"), {}),
        ("completed", ("response", "output"), []),
        ("completed", ("response", "output", 1, "content", 0, "text"), "Another."),
        ("completed", ("response", "output", 2, "arguments"), "{}"),
        ("completed", ("response", "error"), {"code": "x", "message": "y"}),
        ("completed", ("response", "incomplete_details"), {"reason": "max_output_tokens"}),
        ("output_item.added", ("output_index",), 1),
        ("output_item.added", ("item", "id"), "msg_1"),
        ("output_item.added", ("item", "summary"), [{"type": "summary_text", "text": "x"}]),
        ("output_item.done", ("item", "id"), "rs_another"),
        ("output_item.done", ("item", "summary"), []),
        ("content_part.added", ("part", "text"), "I"),
        ("content_part.added", ("content_index",), 1),
        ("content_part.done", ("part", "text"), "I"),
        ("output_text.delta", ("delta",), ""),
        ("output_text.delta", ("delta",), "\ud83d"),
        ("output_text.delta", ("item_id",), "msg_another"),
        ("output_text.delta", ("output_index",), 0),
        ("output_text.done", ("text",), "Another."),
        ("reasoning_text.done", ("text",), "Another."),
        ("reasoning_summary_text.done", ("text",), "Another."),
        ("function_call_arguments.done", ("arguments",), "{}"),
        ("custom_tool_call_input.done", ("input",), ""),
    ],
)  # fmt: skip
def test_a_detail_may_not_be_wrong(name: str, path: tuple[Any, ...], value: Any) -> None:
    with pytest.raises((OutOfOrder, UnicodeEncodeError)):
        response_in(changed(name, path, value))


@each(
    ("number", "path", "value"),
    [
        (1, ("role",), "user"),
        (1, ("status",), "completed"),
        (1, ("content",), [{"type": "output_text", "text": "x"}]),
        (2, ("call_id",), ""),
        (2, ("name",), ""),
        (2, ("status",), ...),
        (2, ("arguments",), "{}"),
        (2, ("arguments",), {}),
        (3, ("input",), "x"),
        (4, ("namespace",), ""),
        (4, ("id",), "call_1"),
        (5, ("arguments",), "{}"),
    ],
)  # fmt: skip
def test_an_item_begins_empty_and_named(number: int, path: tuple[Any, ...], value: Any) -> None:
    with pytest.raises((OutOfOrder, KeyError)):
        response_in(changed("output_item.added", ("item", *path), value, number))


def test_calls_have_ids_of_their_own() -> None:
    first, second = (item["call_id"] for item in response_in(GOOD)["output"][2:4])
    with pytest.raises(OutOfOrder):
        response_in(GOOD.replace(second.encode(), first.encode()))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"event: response.created\n", b""),
        (b'"type":"response.created"', b'"kind":"response.created"'),
        (b'"type":"response.completed"', b'"type":"response.done"'),
        (b"event: response.completed", b"data: [DONE]\n\nevent: response.completed"),
        (b'"created_at":5', b'"created_at":NaN'),
        (b'"output_text"', b'"text"'),
    ],
)
def test_nor_may_its_bytes(old: bytes, new: bytes) -> None:
    assert old in GOOD
    with pytest.raises((OutOfOrder, KeyError)):
        response_in(GOOD.replace(old, new))


def searched(*, searches: tuple[str, ...] = ("in_progress", "searching", "completed"), **wrong: Any) -> bytes:
    """A stream with a search and a text that cites what it found."""
    note = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 3, **wrong}
    search = {"type": "web_search_call", "id": "ws_1", "status": "in_progress"}
    found = search | {"status": "completed", "action": {"type": "search", "query": "a"}}
    at = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    part = {"type": "output_text", "text": "See.", "annotations": [note], "logprobs": []}
    message = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part]}
    ended = EVENTS[-1][1]["response"] | {"output": [found, message]}
    listed: list[tuple[str, dict[str, Any]]] = [
        ("output_item.added", {"output_index": 0, "item": search}),
        *((f"web_search_call.{word}", {"output_index": 0, "item_id": "ws_1"}) for word in searches),
        ("output_item.done", {"output_index": 0, "item": found}),
        ("output_item.added", {"output_index": 1, "item": message | {"status": "in_progress", "content": []}}),
        ("content_part.added", {**at, "part": part | {"text": "", "annotations": []}}),
        ("output_text.delta", {**at, "delta": "See.", "logprobs": []}),
        ("output_text.annotation.added", {**at, "annotation_index": 0, "annotation": note}),
        ("output_text.done", {**at, "text": "See.", "logprobs": []}),
        ("content_part.done", {**at, "part": part}),
        ("output_item.done", {"output_index": 1, "item": message}),
        ("completed", {"response": ended}),
    ]
    named = [(f"response.{name}", {"type": f"response.{name}", **data}) for name, data in listed]
    return joined(EVENTS[:2] + named)


def test_a_search_has_its_events_and_a_citation_its_fields() -> None:
    assert [item["type"] for item in response_in(searched())["output"]] == ["web_search_call", "message"]
    for searches in ((), ("in_progress", "completed"), ("searching", "in_progress", "completed")):
        with pytest.raises(OutOfOrder):
            response_in(searched(searches=searches))
    with pytest.raises(OutOfOrder):
        response_in(searched(cited_text="See."))


def failed(place: int, **fields: Any) -> bytes:
    response = EVENTS[0][1]["response"]
    error = {"code": "server_error", "message": "It broke."}
    given = response | {"status": "failed", "error": error, **fields}
    return joined([*EVENTS[:place], ("response.failed", {"type": "response.failed", "response": given})])


def test_a_failure_ends_a_stream() -> None:
    found = read(failed(2))
    assert (found.complete, found.error) == (False, {"code": "server_error", "message": "It broke."})
    done = NAMES.index("response.output_item.done") + 1
    assert read(failed(done, output=response_in(GOOD)["output"][:1])).error is not None
    assert read(failed(3)).error is not None, "half an item is none: Codex would keep it, and run it if it is a call"
    for bad in (failed(done), failed(2, error=None), failed(2, error={"code": "", "message": "x"})):
        with pytest.raises(OutOfOrder):
            read(bad)


def test_so_does_an_error() -> None:
    error = {"type": "error", "code": None, "message": "It broke.", "param": None}
    for place in (0, 2, 5):
        found = read(joined([*EVENTS[:place], ("error", error)]))
        assert found.error is not None and not found.complete
    for bad in (error | {"message": ""}, error | {"more": 1}, {"type": "error", "error": error}):
        with pytest.raises(OutOfOrder):
            read(joined([("error", bad)]))


def test_nothing_may_follow_the_end_or_be_missing_at_it() -> None:
    error = ("error", {"type": "error", "code": None, "message": "x", "param": None})
    for bad in (joined([*EVENTS, error]), joined([error, *EVENTS]), joined([*EVENTS, EVENTS[1]]), b"", GOOD[:-1]):
        with pytest.raises(OutOfOrder):
            read(bad)


WRONG: list[tuple[str, tuple[Any, ...], Any]] = [
    ("id", ("id",), "1"),
    ("object", ("object",), "chat.completion"),
    ("status", ("status",), "incomplete"),
    ("time", ("created_at",), "now"),
    ("model", ("model",), None),
    ("parallel_tool_calls", ("parallel_tool_calls",), None),
    ("tool_choice", ("tool_choice",), None),
    ("tools", ("tools",), None),
    ("usage", ("usage",), None),
    ("a field of the usage", ("usage", "prompt_tokens"), 1),
    ("cached_tokens", ("usage", "input_tokens_details", "cached_tokens"), ...),
    ("reasoning_tokens", ("usage", "output_tokens_details", "reasoning_tokens"), ...),
    ("a count", ("usage", "input_tokens_details", "cached_tokens"), -1),
    ("the total", ("usage", "total_tokens"), 10**6),
    ("an error", ("error",), {"code": "a", "message": "b"}),
    ("incomplete_details", ("incomplete_details",), {"reason": "max_output_tokens"}),
    ("an item", ("output", 0), "x"),
    ("a type of item", ("output", 1, "type"), "image_generation_call"),
    ("summary", ("output", 0, "summary"), ...),
    ("a field of reasoning", ("output", 0, "signature"), "x"),
    ("a part of the summary", ("output", 0, "summary", 0, "type"), "reasoning_text"),
    ("a field of a part", ("output", 0, "content", 0, "id"), "x"),
    ("role", ("output", 1, "role"), "user"),
    ("status of a message", ("output", 1, "status"), "in_progress"),
    ("a field of a message", ("output", 1, "name"), "x"),
    ("content", ("output", 1, "content"), []),
    ("a part of a message", ("output", 1, "content", 0, "type"), "text"),
    ("annotations", ("output", 1, "content", 0, "annotations"), ...),
    ("id of a call", ("output", 2, "id"), "call_1"),
    ("call_id", ("output", 2, "call_id"), ""),
    ("no call_id", ("output", 2, "call_id"), ...),
    ("the name of a call", ("output", 2, "name"), ""),
    ("no name", ("output", 2, "name"), ...),
    ("arguments", ("output", 2, "arguments"), {}),
    ("status of a call", ("output", 2, "status"), "in_progress"),
    ("no status", ("output", 2, "status"), ...),
    ("input", ("output", 3, "input"), None),
    ("namespace", ("output", 4, "namespace"), ""),
    ("arguments of a search", ("output", 5, "arguments"), "{}"),
    ("the same id", ("output", 3, "id"), "ctc_1"),
]


@each(("what", "path", "value"), WRONG)
def test_a_whole_response_is_held_against_the_same_rules(what: str, path: tuple[Any, ...], value: Any) -> None:
    whole = copy.deepcopy(response_in(GOOD))
    check_response(whole, "completed")
    if what == "the same id":
        whole["output"].append(whole["output"][3] | {"call_id": "another"})
        path = ("output", 6, "id")
        value = whole["output"][3]["id"]
    holder: Any = whole
    for key in path[:-1]:
        holder = holder[key]
    if value is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    with pytest.raises((OutOfOrder, KeyError)):
        check_response(whole, "completed")


def test_so_is_one_that_is_cut_or_failed_or_compacted() -> None:
    whole = response_in(GOOD)
    cut = whole | {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    failed = whole | {"status": "failed", "error": {"code": "server_error", "message": "x"}, "usage": None}
    summary = {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"}
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
    check_response(cut, "incomplete")
    check_response(failed, "failed")
    check_response(whole | {"output": [summary, search]}, "completed")
    for status, bad in (
        ("incomplete", cut | {"incomplete_details": {"reason": "length"}}),
        ("incomplete", cut | {"usage": None}),
        ("failed", failed | {"error": None}),
        ("failed", failed | {"error": {"code": None, "message": "x"}}),
        ("failed", failed | {"error": {"code": "x"}}),
        ("completed", whole | {"output": [summary | {"encrypted_content": None}]}),
        ("completed", whole | {"output": [search | {"action": None}]}),
        ("completed", whole | {"output": [search | {"status": "searching"}]}),
    ):
        with pytest.raises(OutOfOrder):
            check_response(bad, status)


def test_reasoning_may_be_streamed_as_its_summary_alone() -> None:
    """Its content comes with the whole item, and is the same text."""
    left_out = ("response.reasoning_text", "response.content_part")
    told = [
        (name, data)
        for name, data in EVENTS
        if not (name.startswith(left_out) and str(data.get("item_id")).startswith("rs_"))
    ]
    assert len(told) < len(EVENTS)
    assert response_in(joined(told)) == response_in(GOOD)
    bad = joined(told).replace(b'"reasoning_text", "text": "first', b'"reasoning_text", "text": "First')
    assert bad != joined(told)
    with pytest.raises(OutOfOrder):
        response_in(bad)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("reasoning_text.delta", ("content_index",), 1),
        ("reasoning_summary_text.delta", ("delta",), ""),
        ("function_call_arguments.delta", ("delta",), ""),
        ("function_call_arguments.delta", ("delta",), None),
        ("content_part.added", ("part",), {"type": "summary_text", "text": ""}),
        ("reasoning_summary_part.added", ("part",), {"type": "reasoning_text", "text": ""}),
        ("reasoning_summary_part.added", ("summary_index",), 1),
    ],
)
def test_a_piece_is_where_it_says(name: str, path: tuple[Any, ...], value: Any) -> None:
    with pytest.raises((OutOfOrder, TypeError)):
        response_in(changed(name, path, value))


@pytest.mark.parametrize("name", ["response.metadata", "response.web_search_call.searching", "response.queued"])
def test_an_event_that_doesn_t_belong_there_is_refused(name: str) -> None:
    place = NAMES.index("response.output_text.delta")
    _, data = EVENTS[place]
    more = {"type": name, "item_id": data["item_id"], "output_index": data["output_index"]}
    with pytest.raises((OutOfOrder, ValueError)):
        response_in(joined([*EVENTS[:place], (name, more), *EVENTS[place:]]))
