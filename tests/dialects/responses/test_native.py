"""Responses requests for endpoints that speak Responses themselves, but not all of it, and the way back."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hunyuan_fix import profiles, texts
from hunyuan_fix.answers.native import NativeStream, repair_answer
from hunyuan_fix.dialects import NATIVE
from hunyuan_fix.dialects.responses import sealing
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.profiles import Model, Native
from hunyuan_fix.simulator import openai_events
from hunyuan_fix.simulator.openai_checks import all_problems
from hunyuan_fix.simulator.openai_facade import Facade
from hunyuan_fix.wire import json_body
from tests.dialects.responses import event_order, strategies
from tests.dialects.responses.captures import RECORDED, Recorded
from tests.strategies import json_values

DIALECT = NATIVE["responses-native"]
TOKENHUB = profiles.load("tokenhub").native["responses"]
EVERYTHING = Native()
"""An endpoint that refuses nothing."""
EN = texts.load("en")
USER = {"role": "user", "content": "hi"}
PATCH = "*** Begin Patch\n*** Add File: a\n+b\n*** End Patch"
APPLY_PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
}
NAMESPACE = {
    "type": "namespace",
    "name": "mcp__demo",
    "description": "A demo.",
    "tools": [{"type": "function", "name": "add", "description": "Adds.", "parameters": {"type": "object"}}],
}
ANY = Model("")
"""A model of which nothing is known."""
PLAIN = {"type": "function", "name": "ls", "parameters": {"type": "object", "properties": {}}, "strict": False}


def fixed(*items: Any, accepted: Native = TOKENHUB, **body: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A body after its repair, and the note."""
    note: dict[str, Any] = {}
    made = {"model": "hy3", "store": False, **body, **({"input": list(items)} if items else {})}
    DIALECT.repaired(made, accepted, ANY, EN, note)
    return made, note


def refusals(body: dict[str, Any]) -> list[str]:
    return [f"{found.row} {found.detail}" for found in all_problems(body, Facade("tokenhub"))]


# The request


KEEPS = dataclasses.replace(TOKENHUB, stores=True, items=(TOKENHUB.items or frozenset()) | {"item_reference"})
"""An endpoint that keeps answers."""
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "done"}


@pytest.mark.parametrize(
    "beside",
    [{"previous_response_id": "resp_1"}, {"conversation": "conv_1"}, {"conversation": {"id": "conv_1"}}],
)
def test_an_output_of_a_call_that_the_endpoint_keeps_stays(beside: dict[str, Any]) -> None:
    assert fixed(OUTPUT, accepted=KEEPS, **beside)[0]["input"] == [OUTPUT]


def test_an_output_of_a_call_that_is_referred_to_stays() -> None:
    referred = {"type": "item_reference", "id": "fc_1"}
    assert fixed(referred, OUTPUT, accepted=KEEPS)[0]["input"] == [referred, OUTPUT]


def test_an_output_without_the_id_of_a_call_is_user_text_in_any_request() -> None:
    alone = {"type": "function_call_output", "output": "done"}
    (made,) = fixed(alone, accepted=KEEPS, previous_response_id="resp_1")[0]["input"]
    assert made["role"] == "user"


IN_PLACE = [
    recorded
    for recorded in RECORDED
    if recorded.path == "/responses" and not DIALECT.needs_chat(recorded.body | {"model": "hy3"}, TOKENHUB, ())
]
"""Those that stay in the endpoint's own format."""


def test_most_recorded_requests_stay_in_the_endpoints_format() -> None:
    assert len(IN_PLACE) > len(RECORDED) // 2


@pytest.mark.parametrize("recorded", IN_PLACE, ids=lambda recorded: recorded.name)
def test_recorded_requests_are_accepted_by_a_strict_endpoint(recorded: Recorded) -> None:
    body = copy.deepcopy(recorded.body) | {"model": "hy3"}
    DIALECT.repaired(body, TOKENHUB, ANY, EN, {})
    assert [problem for problem in refusals(body) if not problem.startswith("sight ")] == []


def test_what_openais_sdks_add_to_items_is_dropped() -> None:
    """Their `.stream()` and `.parse()` give it, and send it back."""
    text = {"type": "output_text", "text": "so", "annotations": []}
    said = {"type": "message", "role": "assistant", "content": [text | {"parsed": None}]}
    call = {"type": "function_call", "call_id": "c", "name": "ls", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "a"}
    body, _ = fixed(USER, said, call | {"parsed_arguments": {"a": 1}}, output, tools=[PLAIN])
    assert body["input"] == [USER, said | {"content": [text]}, call, output]
    assert not refusals(body)


def test_nulls_that_openais_sdk_writes_are_dropped() -> None:
    text = {"type": "output_text", "text": "so", "annotations": []}
    said = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    call = {"type": "function_call", "call_id": "c", "name": "ls", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "a"}
    thought: dict[str, Any] = {"type": "reasoning", "id": "rs_1", "summary": [], "content": None}
    thought["encrypted_content"] = None
    nulls = {"status": None, "namespace": None, "caller": None}
    given = [thought | {"status": None}, said | {"content": [text | {"logprobs": None}]}, call | nulls, output]
    body, note = fixed(USER, *given, tools=[PLAIN])
    assert body["input"] == [USER, thought, said, call, output]
    assert not refusals(body) and not note


def test_codex_and_copilot_stay_with_the_endpoints_own_format() -> None:
    stays = [
        recorded.client
        for recorded in RECORDED
        if recorded.path == "/responses" and not DIALECT.needs_chat(recorded.body, TOKENHUB, ())
    ]
    assert {"codex-responses", "copilot-responses"} <= set(stays)


def test_freeform_tools_become_functions_with_one_text() -> None:
    body, note = fixed(USER, tools=[PLAIN, APPLY_PATCH], tool_choice={"type": "custom", "name": "apply_patch"})
    plain, patch = body["tools"]
    assert plain == PLAIN
    assert (patch["type"], patch["name"], patch["strict"]) == ("function", "apply_patch", False)
    assert "start: x" in patch["description"]
    assert patch["parameters"]["required"] == ["input"]
    assert body["tool_choice"] == {"type": "function", "name": "apply_patch"}
    assert note["tools"] == {"apply_patch": {"kind": "custom", "name": "apply_patch"}}
    assert refusals(body) == []


def test_namespaces_are_flattened_in_tools_calls_and_choices() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "add", "namespace": "mcp__demo", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "3"}
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "ls"}, APPLY_PATCH]}
    body, note = fixed(USER, call, output, tools=[NAMESPACE, PLAIN], tool_choice=allowed)
    (tool, plain) = body["tools"]
    assert (tool["name"], plain) == ("mcp__demo__add", PLAIN)
    assert tool["description"].startswith("[mcp__demo: A demo.]")
    assert body["input"][1] == {"type": "function_call", "call_id": "c", "name": "mcp__demo__add", "arguments": "{}"}
    assert body["tool_choice"]["tools"] == [{"type": "function", "name": "ls"}]
    assert note["tools"] == {"mcp__demo__add": {"kind": "function", "name": "add", "namespace": "mcp__demo"}}
    assert refusals(body) == []


def test_additional_tools_are_offered() -> None:
    """farion1231/cc-switch#7454."""
    body, note = fixed({"type": "additional_tools", "role": "developer", "tools": [NAMESPACE, APPLY_PATCH]}, USER)
    assert [tool["name"] for tool in body["tools"]] == ["mcp__demo__add", "apply_patch"]
    assert body["input"] == [USER]
    assert set(note["tools"]) == {"mcp__demo__add", "apply_patch"}
    assert refusals(body) == []


def test_a_deferred_tool_waits_until_the_clients_search_has_found_it() -> None:
    late = PLAIN | {"name": "late", "defer_loading": True}
    plain = {key: value for key, value in late.items() if key != "defer_loading"}
    assert fixed(USER, tools=[PLAIN, late])[0]["tools"] == [PLAIN, plain]
    search = {"type": "tool_search", "execution": "client", "description": "Finds.", "parameters": {"type": "object"}}
    body, note = fixed(USER, tools=[PLAIN, late, search])
    assert [tool["name"] for tool in body["tools"]] == ["ls", "tool_search"]
    assert note["tools"] == {"tool_search": {"kind": "tool_search", "name": "tool_search"}}
    call = {"type": "tool_search_call", "call_id": "c", "execution": "client", "arguments": {"query": "late"}}
    found = {"type": "tool_search_output", "call_id": "c", "execution": "client", "tools": [late]}
    body, _ = fixed(USER, call, found, tools=[PLAIN, late, search])
    assert body["tools"][-1] == plain
    assert "late" in body["input"][2]["output"]
    assert refusals(body) == []


def test_an_empty_namespace_goes() -> None:
    assert "tools" not in fixed(USER, tools=[NAMESPACE | {"tools": []}])[0]


def test_a_search_of_the_vendors_is_said_to_be_missing() -> None:
    """anomalyco/opencode#42090."""
    body, _ = fixed(USER, tools=[{"type": "web_search"}, PLAIN], instructions="Be brief.")
    assert body["tools"] == [PLAIN]
    assert body["instructions"].startswith("Be brief.\n\nThe tool web_search is not available here.")
    body, _ = fixed(USER, tools=[{"type": "web_search"}], tool_choice={"type": "web_search"})
    assert "tools" not in body
    assert body["tool_choice"] == "auto"
    assert refusals(body) == []


def test_an_output_without_its_call_is_user_text() -> None:
    """openai/codex#42088."""
    alone: dict[str, Any] = {"type": "function_call_output", "output": "woke up"}
    for output in (alone, alone | {"call_id": "gone"}, alone | {"type": "custom_tool_call_output", "call_id": None}):
        body, _ = fixed(USER, output)
        (_, said) = body["input"]
        assert said["role"] == "user"
        assert "woke up" in json.dumps(said)
        assert refusals(body) == []


def test_messages_in_the_shape_of_chat_become_items() -> None:
    function = {"name": "ls", "arguments": "{}"}
    asks = {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function", "function": function}]}
    call = {"type": "function_call", "call_id": "a", "name": "ls", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "a", "output": "done"}
    for answers in (
        {"role": "tool", "tool_call_id": "a", "content": "done"},
        {"type": "function_call_output", "tool_call_id": "a", "output": "done"},
    ):
        body, _ = fixed(USER, asks, answers, tools=[PLAIN])
        assert body["input"] == [USER, call, output]
        assert refusals(body) == []
        alone, _ = fixed(USER, answers)
        assert [item["role"] for item in alone["input"]] == ["user", "user"]


def test_calls_of_freeform_tools_in_the_history_are_calls_of_functions() -> None:
    call = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "apply_patch", "input": PATCH}
    output = {"type": "custom_tool_call_output", "call_id": "c", "output": "Done"}
    body, note = fixed(USER, call, output, tools=[APPLY_PATCH])
    assert body["input"][1] == {
        "type": "function_call",
        "call_id": "c",
        "name": "apply_patch",
        "arguments": json_body.serialise({"input": PATCH}).decode(),
    }
    assert body["input"][2] == {"type": "function_call_output", "call_id": "c", "output": "Done"}
    assert refusals(body) == []
    assert repaired_answer(call_of("apply_patch", {"input": PATCH}), note)["output"][0]["input"] == PATCH


def test_reasoning_of_ours_is_opened_and_another_vendors_stays() -> None:
    ours = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": sealing.seal("reasoning", "I see")}
    theirs = ours | {"encrypted_content": "gAAAA"}
    broken = ours | {"encrypted_content": "hf1.broken"}
    body, _ = fixed(USER, ours, theirs, broken)
    opened = {"type": "reasoning", "id": "rs_1", "summary": []}
    assert body["input"][1:] == [opened | {"content": [{"type": "reasoning_text", "text": "I see"}]}, theirs]


def test_files_and_images_that_are_elsewhere_are_said_in_words() -> None:
    parts = [
        {"type": "input_file", "filename": "a.bin", "file_id": "file_1"},
        {"type": "input_image", "detail": "auto", "file_id": "file_2"},
        {"type": "input_text", "text": "Look."},
    ]
    call = {"type": "function_call", "call_id": "c", "name": "ls", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": parts}
    body, _ = fixed({"role": "user", "content": parts}, call, output, tools=[PLAIN])
    for said in (body["input"][0]["content"], body["input"][2]["output"]):
        assert [part["type"] for part in said] == ["input_text"] * 3
        assert "a.bin" in said[0]["text"]
    assert refusals(body) == []


def test_a_text_file_is_its_text() -> None:
    data = base64.b64encode(b"print(1)").decode()
    file = {"type": "input_file", "filename": "a.py", "file_data": data}
    call = {"type": "custom_tool_call", "call_id": "c", "name": "exec", "input": "x"}
    output = {"type": "custom_tool_call_output", "call_id": "c", "output": [file]}
    body, _ = fixed({"role": "user", "content": [file]}, call, output, tools=[PLAIN])
    text = [{"type": "input_text", "text": "print(1)"}]
    assert (body["input"][0]["content"], body["input"][2]["output"]) == (text, text)


@pytest.mark.parametrize(
    ("beside", "offers", "pointer"),
    [
        ({"store": False}, (), None),
        ({"store": True}, (), "/store"),
        ({"store": None}, (), "/store"),
        ({"previous_response_id": "resp_1"}, (), "/previous_response_id"),
        ({"conversation": "conv_1"}, (), "/conversation"),
        ({"background": False}, (), None),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, (), "/input/0"),
        ({"input": [USER, {"type": "compaction_trigger"}]}, (), "/input/1"),
        ({"tools": [{"type": "web_search"}]}, (), None),
        ({"tools": [PLAIN, {"type": "web_search"}]}, ("web_search",), "/tools/1"),
    ],
)
def test_what_only_the_translation_can_give(beside: dict[str, Any], offers: tuple[str, ...], pointer: str | None):
    body = {"model": "hy3", "store": False, "input": [USER], **beside}
    reason = DIALECT.needs_chat(body, TOKENHUB, offers)
    assert (reason.pointer if reason else None) == pointer
    assert DIALECT.needs_chat(body, EVERYTHING, offers) is None


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "response_format", "reasoning_effort"])
def test_parameters_by_the_names_of_chat_are_translated(name: str):
    body = {"model": "hy3", "store": False, "input": [USER], name: "x"}
    reason = DIALECT.needs_chat(body, TOKENHUB, ())
    assert reason is not None
    assert reason.pointer == f"/{name}"
    assert DIALECT.needs_chat({**body, name: None}, TOKENHUB, ()) is None


@given(strategies.bodies)
def test_where_nothing_is_refused_nothing_changes(body: dict[str, Any]) -> None:
    before = json_body.serialise(body)
    note: dict[str, Any] = {}
    assert not DIALECT.repaired(body, EVERYTHING, ANY, EN, note)
    assert json_body.serialise(body) == before
    assert not note


@given(strategies.typed_bodies)
def test_a_second_repair_changes_nothing_and_changes_are_noted(body: dict[str, Any]) -> None:
    before = json_body.serialise(body)
    changes = DIALECT.repaired(body, TOKENHUB, ANY, EN, {})
    once = copy.deepcopy(body)
    assert bool(changes) == (json_body.serialise(body) != before)
    DIALECT.repaired(body, TOKENHUB, ANY, EN, {})
    assert body == once


@given(strategies.typed_bodies)
def test_only_what_the_endpoint_takes_is_left(body: dict[str, Any]) -> None:
    assume(not DIALECT.needs_chat({**body, "store": False}, TOKENHUB, ()))
    DIALECT.repaired(body, TOKENHUB, ANY, EN, {})
    listed = body["input"] if isinstance(body["input"], list) else []
    assert {item.get("type", "message") for item in listed if isinstance(item, dict)} <= TOKENHUB.items  # type: ignore[operator]
    assert {tool["type"] for tool in body.get("tools") or ()} <= {"function"}
    assert b'"namespace"' not in json_body.serialise([listed, body.get("tools")])


@given(strategies.histories, strategies.items)
def test_a_longer_history_begins_with_the_same_items(history: list[Any], more: Any) -> None:
    shorter, _ = fixed(*copy.deepcopy(history))
    longer, _ = fixed(*copy.deepcopy([*history, more]))
    assert longer["input"][: len(shorter["input"])] == shorter["input"]


@given(json_values, json_values, json_values)
def test_nothing_raises(items: Any, tools: Any, choice: Any) -> None:
    for body in (
        {"input": items, "tools": tools, "tool_choice": choice},
        {"input": [items, {"type": items}, {"type": "message", "content": [tools]}], "tools": [tools]},
    ):
        DIALECT.needs_chat(body, TOKENHUB, ("web_search",))
        shown = DIALECT.shown(body)
        assert shown is not None
        DIALECT.take_back(body, shown, changed=True)
        DIALECT.repaired(body, TOKENHUB, ANY, EN, {})


def test_time_grows_with_the_size() -> None:
    call = {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": PATCH}
    body, _ = fixed(*[call, {"type": "custom_tool_call_output", "call_id": "c", "output": "Done"}] * 5000)
    assert len(body["input"]) == 10_000


# The way back


def call_of(name: str, arguments: Any, **more: Any) -> dict[str, Any]:
    """A response that calls a function."""
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed"}
    return response(item | {"name": name, "arguments": written}, **more)


def response(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "hy3",
        "error": None,
        "incomplete_details": None,
        "output": list(items),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 5,
            "input_tokens_details": {"cached_tokens": 1},
            "output_tokens": 2,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 7,
        },
        **more,
    }


TEXT = {
    "type": "message",
    "id": "msg_1",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": 'a "response" of output_item', "annotations": [], "logprobs": []}],
}
TOOLS: dict[str, Any] = {
    "apply_patch": {"kind": "custom", "name": "apply_patch"},
    "mcp__demo__add": {"kind": "function", "name": "add", "namespace": "mcp__demo"},
    "local_shell": {"kind": "local_shell", "name": "local_shell"},
    "tool_search": {"kind": "tool_search", "name": "tool_search"},
}
ANSWERS = {
    "text": response(TEXT),
    "plain": call_of("ls", {"path": "/"}),
    "custom": call_of("apply_patch", {"input": PATCH}),
    "namespace": call_of("mcp__demo__add", {"a": 1}),
    "local_shell": call_of("local_shell", {"command": ["ls"]}),
    "tool_search": call_of("tool_search", {"query": "add"}),
}


def exchange(*, streamed: bool = True, **note: Any) -> Exchange:
    made = Exchange(profile="tokenhub", dialect="responses-native", spoken="responses", streamed=streamed)
    made.note_of("responses").update({"tools": TOOLS} | note)
    return made


def repaired_answer(body: dict[str, Any], note: dict[str, Any]) -> dict[str, Any]:
    body = copy.deepcopy(body)
    DIALECT.repaired_answer(body, note)
    return body


def sent(pieces: Iterable[bytes], of: Exchange | None = None) -> bytes:
    stream = NativeStream(of or exchange())
    return b"".join(piece for data in (*pieces, b"") for piece in stream(data))


def stream_of(answer: dict[str, Any]) -> bytes:
    """The events that the simulator's facade writes for an answer."""
    frames = openai_events.events(copy.deepcopy(answer), ["a ", "b"] if answer is not ANSWERS["text"] else [])
    return b"".join([*frames.said, *frames.ending, frames.done])


@pytest.mark.parametrize("name", ANSWERS)
def test_a_whole_answer_calls_the_clients_tools(name: str) -> None:
    body = json_body.serialise(ANSWERS[name])
    answered = exchange(streamed=False)
    made = repair_answer(answered, body)
    assert answered.tokens == 7
    if name in ("text", "plain"):
        assert made is None
        return
    assert isinstance(made, bytes)
    (item,) = json.loads(made)["output"]
    assert item["call_id"] == "call_1"
    assert {
        "custom": item.get("input") == PATCH and item["type"] == "custom_tool_call" and item["id"] == "ctc_1",
        "namespace": (item.get("name"), item.get("namespace"), item["id"]) == ("add", "mcp__demo", "fc_1"),
        "local_shell": item["type"] == "local_shell_call" and item["action"]["command"] == ["ls"],
        "tool_search": item["type"] == "tool_search_call" and item["arguments"] == {"query": "add"},
    }[name]
    event_order.check_response(json.loads(made), "completed")


@pytest.mark.parametrize("name", ANSWERS)
def test_a_stream_calls_the_clients_tools_and_other_events_keep_their_bytes(name: str) -> None:
    whole = stream_of(ANSWERS[name])
    got = sent([whole])
    if name in ("text", "plain"):
        assert got == whole
        return
    read = event_order.read(got)
    assert read.complete
    assert read.response is not None
    assert read.response["output"] == repaired_answer(ANSWERS[name], {"tools": TOOLS})["output"]
    before, after = whole.split(b"\n\n"), got.split(b"\n\n")
    kept = [frame for frame in before if b"fc_1" not in frame]
    assert [frame for frame in after if frame in kept] == kept


@given(st.sampled_from(sorted(ANSWERS)), st.lists(st.integers(0, 10_000), max_size=8))
def test_whatever_the_pieces_the_stream_is_the_same(name: str, places: list[int]) -> None:
    whole = stream_of(ANSWERS[name])
    cuts = sorted({place % (len(whole) + 1) for place in places} | {0, len(whole)})
    assert sent([whole[one:other] for one, other in pairwise(cuts)]) == sent([whole])


def test_what_was_called_goes_back_as_it_came() -> None:
    """A client's history of what it was given is what the endpoint has said."""
    for name in ("custom", "namespace", "tool_search"):
        given = repaired_answer(ANSWERS[name], {"tools": TOOLS})["output"][0]
        body, _ = fixed(USER, given, tools=[NAMESPACE, APPLY_PATCH, {"type": "tool_search", "execution": "client"}])
        item, original = body["input"][1], ANSWERS[name]["output"][0]
        assert {key: item[key] for key in ("type", "call_id", "name")} == {
            key: original[key] for key in ("type", "call_id", "name")
        }
        assert json.loads(item["arguments"]) == json.loads(original["arguments"])


def test_the_answer_names_the_model_that_was_asked_for() -> None:
    named: dict[str, Any] = {"model": "gpt-5.5", "answers_as": "hy3"}
    for event in event_order.events(sent([stream_of(ANSWERS["text"])], exchange(**named))):
        if "response" in event[1]:
            assert event[1]["response"]["model"] == "gpt-5.5"
    assert repaired_answer(ANSWERS["text"], named)["model"] == "gpt-5.5"
    assert repaired_answer(ANSWERS["text"], {"model": "gpt-5.5"})["model"] == "hy3"


def test_of_an_item_that_is_complete_nothing_is_remembered() -> None:
    """A stream may have any number of them."""
    state: dict[str, Any] = {}
    item = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "apply_patch", "arguments": "{}"}
    for kind in ("added", "done"):
        event = {"type": f"response.output_item.{kind}", "output_index": 0, "item": item, "sequence_number": 1}
        _, why = DIALECT.repaired_event(
            event, {"tools": {"apply_patch": {"kind": "custom", "name": "apply_patch"}}}, state
        )
        assert why
        assert bool(state["items"]) is (kind == "added")


def test_a_response_that_fails_names_the_model_that_was_asked_for_too() -> None:
    named: dict[str, Any] = {"model": "gpt-5.5", "answers_as": "hy3", "client": "codex"}
    error = {"code": "busy", "message": "All machines are in use."}
    failed = {"type": "response.failed", "response": {"id": "resp_1", "model": "hy3", "error": error, "output": []}}
    (event,), why = DIALECT.repaired_event(failed, named, {})
    assert event["response"]["error"]["code"] == "server_error"
    assert event["response"]["model"] == "gpt-5.5"
    assert " and " in why


def test_text_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = NativeStream(exchange())
    first, *_ = stream_of(ANSWERS["text"]).split(b"\n\n")
    stream(first + b"\n\n")
    monkeypatch.setattr(json_body, "parse_object", lambda _: pytest.fail("read"))
    delta = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"x"}\n\n'
    assert stream(delta * 2) == [delta * 2]
    arguments = delta.replace(b"output_text", b"function_call_arguments")
    assert NativeStream(exchange(tools={}))(arguments) == [arguments]


def test_a_stream_that_ends_too_early_fails_in_the_clients_words() -> None:
    said = stream_of(ANSWERS["text"])
    cut = said[: said.index(b"event: response.output_text.done")]
    got = sent([cut])
    assert got.startswith(cut)
    ((name, event),) = event_order.events(got[len(cut) :])
    assert (name, event["response"]["status"], event["response"]["id"]) == ("response.failed", "failed", "resp_1")
    assert event["response"]["error"]["code"] == "server_error"
    last = [event for _, event in event_order.events(cut)][-1]
    assert event["sequence_number"] == last["sequence_number"] + 1
    assert b"event: error\n" in sent([b": nothing\n\n"])


def test_errors_in_a_stream_get_the_code_that_codex_knows() -> None:
    begun = stream_of(ANSWERS["text"]).partition(b"event: response.output_item")[0]
    long = {"error": {"message": "Range of input length should be [1, 1000]", "type": "invalid_request_error"}}
    got = sent([begun, b"data: " + json.dumps(long).encode() + b"\n\n"])
    ((_, event),) = event_order.events(got[len(begun) :])
    assert event["response"]["error"]["code"] == "context_length_exceeded"
    failed = response(status="failed", error={"code": "20098", "message": "token plan quota exhausted"})
    frame = {"type": "response.failed", "sequence_number": 3, "response": failed}
    got = sent([begun, b"event: response.failed\ndata: " + json.dumps(frame).encode() + b"\n\n"])
    assert b'"code":"insufficient_quota"' in got
    plain = b'event: error\ndata: {"type":"error","code":"server_error","message":"x","param":null}\n\n'
    assert sent([begun, plain]) == begun + plain


def test_a_whole_response_in_the_place_of_a_stream_becomes_one() -> None:
    for name in ("text", "custom"):
        got = sent([json_body.serialise(ANSWERS[name])])
        *_, (kind, last) = event_order.events(got)
        assert kind == "response.completed"
        assert last["response"]["output"] == repaired_answer(ANSWERS[name], {"tools": TOOLS})["output"]
        assert [event["sequence_number"] for _, event in event_order.events(got)] == [0, 1, 2, 3, 4]


def test_a_response_that_failed_is_an_error() -> None:
    failed = response(status="failed", error={"code": "server_error", "message": "no"})
    made = repair_answer(exchange(), json_body.serialise(failed))
    assert not isinstance(made, bytes | None)
    assert made.status >= 400
    assert repair_answer(exchange(streamed=False), json_body.serialise(response(TEXT, status="incomplete"))) is None


def test_a_model_of_another_vendor_on_the_same_host_does_not_speak_it() -> None:
    assert [
        model for model in ("hy3", "hy3-preview", "minimax-m3", "kimi-k3", "glm-5.2", "") if TOKENHUB.spoken_by(model)
    ] == [
        "hy3",
        "hy3-preview",
        "minimax-m3",
    ]
    assert replace(TOKENHUB, models=("*",)).spoken_by("kimi-k3")
