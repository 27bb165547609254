"""Each refusal of the Responses facade has a body that is refused for it, and a neighbour of that body that isn't."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.simulator import models
from hunyuan_fix.simulator.openai_checks import all_problems, problems
from hunyuan_fix.simulator.openai_facade import HINTS, Facade, speaks, takes
from hunyuan_fix.simulator.openai_items import input_tokens
from hunyuan_fix.simulator.openai_shapes import body_findings
from tests.dialects.responses import strategies
from tests.dialects.responses.captures import ALONE, Recorded
from tests.looped import each
from tests.strategies import json_values

type Body = dict[str, Any]

STRICT, FULL = Facade("tokenhub"), Facade("tokenhub", HINTS)
VISION = "hy-vision-2.0-instruct"
PNG = "data:image/png;base64,aGk="


def body(*items: Any, **fields: Any) -> Body:
    return {"model": "hy3", "input": list(items) or "hi", **fields}


def user(*parts: Any) -> Body:
    return {"role": "user", "content": list(parts) or "hi"}


def text(said: Any = "hi", **fields: Any) -> Body:
    return {"type": "input_text", "text": said, **fields}


def said(*parts: Any, **fields: Any) -> Body:
    return {"type": "message", "role": "assistant", "content": list(parts) or "ho", **fields}


def call(call_id: str = "call_1", **fields: Any) -> Body:
    return {"type": "function_call", "call_id": call_id, "name": "ls", "arguments": "{}", **fields}


def output(call_id: Any = "call_1", **fields: Any) -> Body:
    return {"type": "function_call_output", "call_id": call_id, "output": "x", **fields}


def tool(**fields: Any) -> Body:
    return {"type": "function", "name": "ls", "parameters": {"type": "object"}, **fields}


def image(**source: Any) -> Body:
    return {"type": "input_image", **source}


CLOSED = {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}
SPACE = {"type": "namespace", "name": "files", "description": "d", "tools": [{"type": "function", "name": "ls"}]}
FREE = {"type": "custom", "name": "apply_patch"}
FREE_CALL = {"type": "custom_tool_call", "call_id": "call_1", "name": "apply_patch", "input": "x"}
FREE_OUTPUT = {"type": "custom_tool_call_output", "call_id": "call_1", "output": "x"}
ADDED = {"type": "additional_tools", "role": "developer", "tools": [tool()]}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": []}
RUN = {"type": "exec", "command": ["ls"], "env": {}}
LOCAL = {"type": "local_shell_call", "id": "lsh_1", "call_id": "a", "status": "completed", "action": RUN}
LOCAL_OUTPUT = {"type": "local_shell_call_output", "id": "lsh_1", "output": "x"}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
SCHEMA = {"type": "json_schema", "name": "a", "schema": {}}

KNOWN: dict[str, Body] = {"resp_1": {}, "msg_1": said(), "fc_1": call()}

# row, refused, accepted; both by the facade that takes all
ROWS: list[tuple[str, Any, Body]] = [
    ("type", [], body()),
    ("type", body(model=7), body()),
    ("type", body() | {"input": 7}, body()),
    ("type", body("hi"), body()),
    ("type", body(user(7)), body(user(text()))),
    ("type", body(user(text(7))), body(user(text("7")))),
    ("type", body(call(arguments={}), output()), body(call(), output())),
    ("type", body(call(), output(output={})), body(call(), output(output=[text()]))),
    ("type", body(tools={}), body(tools=[])),
    ("type", body(tools=["ls"]), body(tools=[tool()])),
    ("type", body(stream="yes"), body(stream=True)),
    ("type", body(store=1), body(store=True)),
    ("type", body(temperature="1"), body(temperature=1)),
    ("type", body(max_output_tokens=16.5), body(max_output_tokens=16)),
    ("type", body(reasoning="high"), body(reasoning={"effort": "high"})),
    ("type", body(metadata={"a": 1}), body(metadata={"a": "1"})),
    ("unknown", body(messages=[]), body()),
    ("unknown", body(n=1), body(user="u")),
    ("unknown", body(user() | {"name": "a"}), body(user() | {"id": "msg_1"})),
    ("unknown", body(user(text(annotations=[]))), body(user(text()))),
    ("unknown", body(tools=[{"type": "function", "function": {"name": "ls"}, "name": "ls"}]), body(tools=[tool()])),
    ("value", body(user() | {"role": "tool"}), body(user() | {"role": "developer"})),
    ("value", body({"type": "chat", "content": "x"}), body(user())),
    ("value", body(user({"type": "text", "text": "x"})), body(user(text()))),
    ("value", body(said(text())), body(said({"type": "output_text", "text": "x"}))),
    ("value", body(tools=[{"type": "retrieval"}]), body(tools=[{"type": "web_search"}])),
    ("value", body(reasoning={"effort": "ultra"}), body(reasoning={"effort": "xhigh"})),
    ("value", body(truncation="none"), body(truncation="auto")),
    ("value", body(text={"format": {"type": "json"}}), body(text={"format": {"type": "json_object"}})),
    ("value", body(include=["reasoning"]), body(include=["reasoning.encrypted_content"])),
    ("value", body(tools=[tool()], tool_choice="any"), body(tools=[tool()], tool_choice="required")),
    ("missing", {"input": "hi"}, body()),
    ("missing", {"model": "hy3"}, body()),
    ("missing", body() | {"input": []}, body()),
    ("missing", body({"role": "user"}), body(user())),
    ("unknown", body({"content": "x"}), body(user())),
    ("missing", body(call() | {"name": ...}, output()), body(call(), output())),
    ("missing", body(call() | {"call_id": ...}), body(call(), output())),
    ("missing", body(tools=[tool() | {"name": ...}]), body(tools=[tool()])),
    ("missing", body(user(image()), model=VISION), body(user(image(image_url=PNG)), model=VISION)),
    ("missing", body(user({"type": "input_file"})), body(user({"type": "input_file", "file_id": "file_1"}))),
    ("missing", body(tools=[{"name": "ls"}]), body(tools=[tool()])),
    ("model", body(model="gpt-5"), body()),
    ("model", body(model="kinfra-text-embedding-4b"), body(model="minimax-m3")),
    ("range", body(temperature=2.1), body(temperature=2)),
    ("range", body(top_p=-1), body(top_p=0)),
    ("range", body(top_logprobs=21), body(top_logprobs=20)),
    ("range", body(max_output_tokens=15), body(max_output_tokens=None)),
    ("range", body(max_output_tokens=128_001), body(max_output_tokens=128_000)),
    ("range", body(max_tool_calls=0), body(max_tool_calls=1)),
    ("range", body(metadata=dict.fromkeys("abcdefghijklmnopq", "")), body(metadata={"a": ""})),
    ("overflow", body(user(text("x" * 800_000))), body(user(text("x" * 700_000)))),
    ("stream_options", body(stream_options={}), body(stream_options={}, stream=True)),
    ("name", body(tools=[tool(name="a.b")]), body(tools=[tool(name="a-b_C")])),
    ("name", body(tools=[tool(name="n" * 65)]), body(tools=[tool(name="n" * 64)])),
    ("name", body(tools=[SPACE | {"name": "a b"}]), body(tools=[SPACE])),
    ("name", body(call(name=""), output()), body(call(), output())),
    ("name", body(text={"format": SCHEMA | {"name": "a b"}}), body(text={"format": SCHEMA})),
    ("tool", body(tools=[tool(), tool()]), body(tools=[tool(), tool(name="cat"), SPACE])),
    ("schema", body(tools=[tool(parameters={})]), body(tools=[tool(parameters=None)])),
    ("schema", body(tools=[tool(strict=True)]), body(tools=[tool(strict=False)])),
    (
        "schema",
        body(tools=[tool(strict=True, parameters=CLOSED | {"required": []})]),
        body(tools=[tool(strict=True, parameters=CLOSED)]),
    ),
    ("choice", body(tool_choice="required"), body(tool_choice="auto")),
    ("choice", body(tools=[], tool_choice="required"), body(tools=[tool()], tool_choice="required")),
    (
        "choice",
        body(tools=[tool()], tool_choice={"type": "function", "name": "cat"}),
        body(tools=[tool()], tool_choice={"type": "function", "name": "ls"}),
    ),
    (
        "choice",
        body(tools=[tool()], tool_choice={"type": "custom", "name": "ls"}),
        body(tools=[SPACE], tool_choice={"type": "function", "name": "ls"}),
    ),
    (
        "choice",
        body(tools=[tool()], tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]}),
        body(
            tools=[tool()],
            tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "ls"}]},
        ),
    ),
    (
        "choice",
        body(ADDED, user(), tool_choice={"type": "function", "name": "cat"}),
        body(ADDED, user(), tool_choice={"type": "function", "name": "ls"}),
    ),
    (
        "choice",
        body(tools=[tool()], tool_choice={"type": "file_search"}),
        body(tools=[{"type": "computer"}], tool_choice={"type": "computer_use"}),
    ),
    ("id", body(said(id="item_1")), body(said(id="msg_1"))),
    ("id", body(call(id="call_1"), output()), body(call(id="fc_1"), output())),
    ("id", body(THOUGHT | {"id": "x"}), body(THOUGHT)),
    ("id", body(call(""), output("")), body(call(), output())),
    ("pairing", body(call()), body(call(), output())),
    ("pairing", body(call(), output("call_2")), body(call(), call("call_2"), output("call_2"), output())),
    ("pairing", body(output(), call()), body(call(), user(), output())),
    ("pairing", body(output()), body(output(None))),
    ("pairing", body({"id": "msg_1"}, output()), body({"id": "fc_1", "type": None}, output())),
    ("pairing", body(call(), FREE_OUTPUT), body(FREE_CALL, FREE_OUTPUT)),
    ("pairing", body(LOCAL, LOCAL | {"id": "lsh_2", "call_id": "b"}, LOCAL_OUTPUT), body(LOCAL, LOCAL_OUTPUT)),
    ("pairing", body(LOCAL, LOCAL_OUTPUT | {"id": "c"}), body(LOCAL, LOCAL_OUTPUT | {"id": "a"})),
    ("previous", body(previous_response_id="resp_2"), body(output(), previous_response_id="resp_1")),
    ("previous", body({"type": "item_reference", "id": "msg_2"}), body({"type": "item_reference", "id": "msg_1"})),
    ("storage", body(previous_response_id="resp_1", conversation="c"), body(conversation="c")),
    ("storage", body(background=True, store=False), body(background=True)),
    ("sight", body(user(image(image_url=PNG))), body(user(image(image_url=PNG)), model=VISION)),
    (
        "image_url",
        body(user(image(image_url="a.png")), model=VISION),
        body(user(image(image_url="https://a.example/a.png")), model=VISION),
    ),
    (
        "image_url",
        body(user(image(image_url="data:image/png;base64,!")), model=VISION),
        body(user(image(file_id="file_1")), model=VISION),
    ),
]  # fmt: skip


def without_holes(given: Any) -> Any:
    """`given` without the fields that are `...`."""
    if isinstance(given, dict):
        return {name: without_holes(value) for name, value in given.items() if value is not ...}
    return [without_holes(value) for value in given] if isinstance(given, list) else given


@each(("row", "bad", "good"), ROWS)
def test_a_rule_is_broken_by_one_and_not_by_its_neighbour(row: str, bad: Any, good: Body) -> None:
    before = copy.deepcopy(bad)
    found = problems(without_holes(bad), FULL, known=KNOWN)
    assert found is not None and found.row == row and found.detail
    assert bad == before
    assert [finding.detail for finding in all_problems(without_holes(good), FULL, known=KNOWN)] == []


# hint, what it is for
HINTED: list[tuple[str, Body]] = [
    ("additional_tools", body({"type": "additional_tools", "role": "developer", "tools": [tool()]}, user())),
    ("compaction", body({"type": "compaction", "encrypted_content": "x"}, user())),
    ("compaction", body(user(), {"type": "compaction_trigger"})),
    ("custom_tools", body(tools=[FREE])),
    ("custom_tools", body(FREE_CALL, FREE_OUTPUT)),
    ("custom_tools", body(tools=[SPACE | {"tools": [FREE]}])),
    ("files", body(user({"type": "input_file", "file_url": "https://a.example/a.pdf"}))),
    ("local_tools", body(tools=[{"type": "shell"}])),
    (
        "local_tools",
        body(
            {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}},
            {"type": "shell_call_output", "call_id": "c", "output": []},
        ),
    ),
    ("namespaces", body(tools=[SPACE])),
    ("namespaces", body(call(namespace="files"), output())),
    ("outputs_alone", body(output(None))),
    ("server_tools", body(tools=[{"type": "web_search"}])),
    (
        "server_tools",
        body({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}),
    ),
    ("storage", body(store=True)),
    ("storage", body(background=True)),
    ("storage", body(previous_response_id="resp_1")),
    ("storage", body(prompt={"id": "pmpt_1"})),
    ("storage", body({"type": "item_reference", "id": "msg_1"})),
    ("tool_search", body(tools=[{"type": "tool_search"}])),
    ("tool_search", body(tools=[tool(defer_loading=True)])),
]


@pytest.mark.parametrize(("hint", "given"), HINTED)
def test_each_hint_is_for_a_part(hint: str, given: Body) -> None:
    # A namespace with a freeform tool needs both.
    assert problems(given, Facade("tokenhub", frozenset({hint, "namespaces"})), known=KNOWN) is None
    assert problems(given, Facade("tokenhub", HINTS - {hint}), known=KNOWN) is not None
    assert problems(given, STRICT, known=KNOWN) is not None


def test_all_hints_are_here() -> None:
    assert {hint for hint, _ in HINTED} | {"models"} == HINTS


def test_what_tokenhub_takes() -> None:
    """What Codex sends always."""
    given = body(
        {"type": "message", "role": "developer", "content": [text()], "id": "msg_1"},
        user(text()) | {"type": "message", "id": "msg_2"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": None, "encrypted_content": None},
        said({"type": "output_text", "text": "x"}, id="msg_3", status="completed"),
        call(id="fc_1", status="completed"),
        output(id="fco_1"),
        tools=[tool(strict=False)],
        tool_choice="auto",
        parallel_tool_calls=True,
        reasoning={"summary": "auto"},
        store=False,
        stream=True,
        include=["reasoning.encrypted_content"],
        prompt_cache_key="k",
        client_metadata={"a": "b"},
    )
    assert problems(given, STRICT) is None


def test_which_models_speak_it() -> None:
    spoken = {name for name in models.CATALOGUE["tokenhub"] if speaks(name, STRICT)}
    assert spoken == {"hy3", "hy3-preview", "minimax-m3"}
    assert speaks("unknown", STRICT) and speaks("kimi-k2.6", FULL) and not speaks("kimi-k2.6", STRICT)


@each("request_", ALONE)
def test_what_real_programs_send_is_refused_only_for_its_images(request_: Recorded) -> None:
    given = request_.body | {"model": "hy3"}
    assert {finding.row for finding in all_problems(given, FULL)} <= {"sight"}


@given(strategies.typed_bodies)
def test_what_the_sdks_types_accept_has_the_right_shape(given: Body) -> None:
    """All but one thing: the types let an assistant say what only users can."""
    for finding in body_findings(given):
        assert finding.detail.endswith("Supported values are: 'output_text', 'refusal'.")


@given(strategies.stored_bodies)
def test_so_has_what_needs_kept_answers(given: Body) -> None:
    for finding in body_findings(given):
        assert finding.detail.endswith("Supported values are: 'output_text', 'refusal'.")


@given(strategies.bodies, st.integers(0, 10**6), json_values, st.sampled_from([STRICT, FULL]))
def test_it_judges_whatever_stands_anywhere(given: Body, number: int, value: Any, facade: Facade) -> None:
    holders: list[tuple[Any, Any]] = []
    waiting: list[Any] = [given]
    while waiting:
        holder = waiting.pop()
        for key in holder if isinstance(holder, dict) else range(len(holder)):
            holders.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    holder, key = holders[number % len(holders)]
    holder[key] = value
    assert all(finding.detail for finding in all_problems(given, facade))


@given(json_values)
def test_it_judges_anything(value: Any) -> None:
    list(all_problems(value, STRICT))


def test_tokens_are_of_what_is_read() -> None:
    assert input_tokens(body(user("x" * 400))) > 100
    pictured = input_tokens(body(user(image(image_url=PNG * 1000))))
    assert 1000 < pictured < 1100
    assert input_tokens(body(tools=[tool(description="d" * 400)])) > input_tokens(body()) + 100


def test_hints_are_named() -> None:
    assert takes(["all"]) == HINTS
    assert takes(["files"]) == {"files"}
    with pytest.raises(ValueError, match="unknown hint 'x'"):
        takes(["x"])
