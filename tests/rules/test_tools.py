"""Tool names, and the shape of what is offered."""

from __future__ import annotations

import copy
import hashlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.rules.tool_names import tool_names
from hunyuan_fix.rules.tools import tools
from hunyuan_fix.simulator import checks
from hunyuan_fix.simulator.checks import ProfileName
from tests.rule_context import context
from tests.strategies import json_values

PROFILES: tuple[ProfileName, ...] = ("hunyuan", "tokenhub")
EMPTY = {"type": "object", "properties": {}}
NAMES = st.sampled_from(
    ["ls", "read file", "ns:ls", "ns/ls", "名字", "", "a.b", "a_b", "l" * 64, "l" * 65, "l" * 66, "é" * 80]
)


def function(name: Any = "ls", **fields: Any) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": name, "parameters": {"type": "object", "properties": {}}, **fields},
    }


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "hunyuan-turbos-latest", "messages": [{"role": "user", "content": "hi"}], **fields}


def changed(rule: Any, body: dict[str, Any], profile: str = "hunyuan", **given: Any) -> list[str]:
    return [change.pointer for change in rule(body, context(profile, **given))]


def test_a_name_is_renamed_everywhere_alike() -> None:
    named = {"type": "function", "function": {"name": "ns:read file"}}
    body = chat(
        tools=[function("ns:read file"), function("ls")],
        tool_choice=copy.deepcopy(named),
        messages=[
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "ns:read file", "arguments": "{}"}}
                ],
                "function_call": {"name": "ns:read file", "arguments": "{}"},
            },
            {"role": "tool", "tool_call_id": "a", "name": "ns:read file", "content": "x"},
            {"role": "function", "name": "ns:read file", "content": "x"},
        ],
    )
    given = context()
    tool_names(body, given)
    new = body["tools"][0]["function"]["name"]
    assert re.fullmatch(r"ns_read_file_[0-9a-f]{8}", new)
    assert body["tools"][1]["function"]["name"] == "ls"
    assert body["tool_choice"]["function"]["name"] == new
    assistant, tool, answer = body["messages"][1:]
    assert assistant["tool_calls"][0]["function"]["name"] == new
    assert assistant["function_call"]["name"] == new
    assert tool["name"] == answer["name"] == new
    assert given.plan.tool_names == {new: "ns:read file"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"functions": [{"name": "a b"}]}, "/functions/0/name"),
        ({"function_call": {"name": "a b"}}, "/function_call/name"),
        ({"tools": [{"type": "function", "name": "a b"}]}, "/tools/0/name"),
        ({"tool_choice": {"type": "function", "name": "a b"}}, "/tool_choice/name"),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": [function("a b")]}}},
            "/tool_choice/allowed_tools/tools/0/function/name",
        ),
        ({"tool_choice": {"type": "allowed_tools", "tools": [{"name": "a b"}]}}, "/tool_choice/tools/0/name"),
        (
            {"messages": [{"role": "assistant", "tool_calls": {"function": {"name": "a b"}}}]},
            "/messages/0/tool_calls/0/function/name",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"custom": {"name": "a b"}}]}]},
            "/messages/0/tool_calls/0/custom/name",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"arguments": "{}"}]}]},
            "/messages/0/tool_calls/0/name",
        ),
    ],
)
def test_every_place_of_a_name(body: dict[str, Any], pointer: str) -> None:
    assert changed(tool_names, body) == [pointer]
    assert changed(tool_names, body) == []


def test_a_new_name_does_not_depend_on_what_else_is_offered() -> None:
    alone, among = chat(tools=[function("a.b")]), chat(tools=[function("a:b"), function("a_b"), function("a.b")])
    tool_names(alone, context())
    tool_names(among, context())
    assert among["tools"][2] == alone["tools"][0]
    assert len({tool["function"]["name"] for tool in among["tools"]}) == 3


def test_a_collision_with_a_good_name_is_avoided() -> None:
    first = chat(tools=[function("a.b")])
    tool_names(first, context())
    taken = first["tools"][0]["function"]["name"]
    body = chat(tools=[function("a.b"), function(taken)])
    given = context()
    tool_names(body, given)
    new = body["tools"][0]["function"]["name"]
    assert new != taken
    assert body["tools"][1]["function"]["name"] == taken
    assert given.plan.tool_names == {new: "a.b"}


def test_a_long_name_is_shortened_everywhere_alike() -> None:
    long, longer = "mcp__server__" + "read_" * 20, "mcp__server__" + "read_" * 20 + "note"
    called = {"id": "a", "type": "function", "function": {"name": long, "arguments": "{}"}}
    body = chat(
        tools=[function(long), function(longer), function("l" * 64)],
        tool_choice={"type": "function", "function": {"name": longer}},
        messages=[
            {"role": "assistant", "tool_calls": [called]},
            {"role": "tool", "tool_call_id": "a", "name": long, "content": "x"},
        ],
    )
    given = context()
    tool_names(body, given)
    short, shorter, whole = (tool["function"]["name"] for tool in body["tools"])
    assert re.fullmatch(r"mcp__server__read_[a-z_]+_[0-9a-f]{8}", short)
    assert len(short) == len(shorter) == 64
    assert short != shorter
    assert whole == "l" * 64
    assert body["tool_choice"]["function"]["name"] == shorter
    assert body["messages"][0]["tool_calls"][0]["function"]["name"] == body["messages"][1]["name"] == short
    assert given.plan.tool_names == {short: long, shorter: longer}


def test_a_long_name_that_every_shorter_one_of_is_taken() -> None:
    old = "l" * 65
    digest = hashlib.sha256(old.encode()).hexdigest()
    taken = [f"{'l' * (63 - length)}_{digest[:length]}" for length in range(8, 63)]
    body = chat(tools=[*map(function, taken), function(old)])
    tool_names(body, context())
    assert body["tools"][-1]["function"]["name"] == digest


def test_a_thousand_changes_are_listed() -> None:
    offered = [
        function("a b"),
        *({"type": "web_search"} for _ in range(2000)),
        *(function(f"a {n}") for n in range(2000)),
    ]
    body = chat(tools=offered)
    assert len(tool_names(body, context())) == 1000
    assert len(tools(body, context())) == 1000
    assert len(body["tools"]) == 2001


def test_missing_names_are_stable_and_only_given_ones_are_named_back() -> None:
    body = chat(tools=[{"type": "function", "function": {}}, {"type": "function", "function": {"name": ""}}])
    given = context()
    tool_names(body, given)
    names = {tool["function"]["name"] for tool in body["tools"]}
    assert len(names) == 1
    assert given.plan.tool_names == {names.pop(): ""}


def test_kept_tools_keep_their_names() -> None:
    body = chat(tools=[function("a b")])
    assert changed(tool_names, body, keep_params=frozenset({"tools"})) == []


def test_functions_become_tools() -> None:
    body = chat(functions=[{"name": "ls", "parameters": EMPTY}], function_call={"name": "ls"})
    given = context()
    assert [change.pointer for change in tools(body, given)] == ["/functions", "/function_call"]
    assert body["tools"] == [{"type": "function", "function": {"name": "ls", "parameters": EMPTY}}]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "ls"}}
    assert "functions" not in body
    assert "function_call" not in body
    assert given.plan.function_call


def test_a_client_that_knows_tools_is_answered_with_tool_calls() -> None:
    body = chat(functions=[{"name": "b"}], function_call="auto", tools=[function("a")], tool_choice="none")
    given = context()
    tools(body, given)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["a", "b"]
    assert body["tool_choice"] == "none"
    assert not given.plan.function_call


@pytest.mark.parametrize(
    ("offered", "pointers"),
    [
        ([function(strict=True)], ["/tools/0/function/strict"]),
        ([{"type": "function", "function": {"name": "ls"}}], ["/tools/0/function/parameters"]),
        ([function(description=None)], ["/tools/0/function/description"]),
        ([function(description=5)], ["/tools/0/function/description"]),
        ([function(**{"a/b": 1})], ["/tools/0/function/a~1b"]),
        ([{**function(), "cache_control": {}}], ["/tools/0"]),
        ([function(), function()], ["/tools/1"]),
        ([function(), {"type": "web_search"}], ["/tools/1"]),
        ([function(), {"type": "custom", "custom": {"name": "x"}}], ["/tools/1"]),
        ([function(), None], ["/tools/1"]),
    ],
)
def test_a_tool_is_brought_into_shape(offered: list[Any], pointers: list[str]) -> None:
    body = chat(tools=offered)
    assert changed(tools, body) == pointers
    assert checks.problems(body, "hunyuan", strict=True) is None
    assert len(body["tools"]) == 1
    assert changed(tools, body) == []


def test_parameters_as_a_json_string_are_read() -> None:
    body = chat(tools=[function(parameters='{"type":"object","properties":{}}')])
    tools(body, context())
    assert body["tools"][0]["function"]["parameters"] == EMPTY


def test_a_flat_tool_becomes_nested() -> None:
    body = chat(tools=[{"type": "function", "name": "ls", "parameters": EMPTY, "strict": False}])
    assert changed(tools, body) == ["/tools/0", "/tools/0/strict"]
    assert body["tools"] == [{"type": "function", "function": {"name": "ls", "parameters": EMPTY}}]


def test_strict_stays_where_it_is_accepted() -> None:
    body = chat(tools=[function(strict=True)])
    assert changed(tools, body, "tokenhub") == []


@pytest.mark.parametrize("offered", [[], None, "x", [{"type": "web_search"}]])
def test_without_tools_there_is_no_choice(offered: Any) -> None:
    body = chat(tools=offered, tool_choice="auto")
    tools(body, context())
    assert "tools" not in body
    assert "tool_choice" not in body


def test_kept_tools_are_left_alone() -> None:
    body = chat(tools=[function(strict=True)], tool_choice="auto")
    assert changed(tools, body, keep_params=frozenset({"tools"})) == []


tool_like = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["function", "custom", None, 1]),
        "name": NAMES,
        "function": st.one_of(
            json_values,
            st.fixed_dictionaries(
                {}, optional=dict.fromkeys(("parameters", "description", "strict"), json_values) | {"name": NAMES}
            ),
        ),
    },
)
anything = st.one_of(json_values, tool_like, st.lists(st.one_of(tool_like, json_values), max_size=3))


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(["tools", "functions", "tool_choice", "function_call", "messages"], anything)
    ),
    st.sampled_from(PROFILES),
)
def test_any_json_ends_in_accepted_tools(body: dict[str, Any], profile: ProfileName) -> None:
    for rule in (tool_names, tools):
        rule(body, context(profile))
    before = copy.deepcopy(body)
    assert [*tool_names(body, context(profile)), *tools(body, context(profile))] == []
    assert body == before
    offered = {key: body[key] for key in ("tools",) if key in body}
    shown = chat(**offered, model=context(profile).model.id)
    assert checks.problems(shown, profile, strict=True) is None


@given(st.lists(NAMES, min_size=1, max_size=6))
def test_names_are_named_back_one_by_one(names: list[str]) -> None:
    body = chat(tools=[function(name) for name in names])
    given = context()
    tool_names(body, given)
    new = [tool["function"]["name"] for tool in body["tools"]]
    assert [given.plan.tool_names.get(name, name) for name in new] == names


@pytest.mark.parametrize("role", ["tool", "function", "Function", " TOOL\n"])
def test_a_result_s_name_is_renamed_however_its_role_is_written(role: str) -> None:
    body = chat(messages=[{"role": role, "name": "ns:ls", "content": "a"}], tools=[function("ns:ls")])
    tool_names(body, context())
    assert body["messages"][0]["name"] == body["tools"][0]["function"]["name"] != "ns:ls"


def renamed(name: str, profile: str) -> str:
    body: dict[str, Any] = {"messages": [], "tools": [{"type": "function", "function": {"name": name}}]}
    held = context(profile)
    tool_names(body, held)
    new: str = body["tools"][0]["function"]["name"]
    assert held.plan.tool_names.get(new, name) == name
    return new


@pytest.mark.parametrize("name", ["a" * 256, "_ls", "a-1"])
def test_names_as_long_as_the_endpoint_takes_stay(name: str) -> None:
    assert renamed(name, "moonshot") == name


@pytest.mark.parametrize("name", ["a" * 257, "1st", "-ls", "a:b", "$mine", "1" * 300])
def test_names_begin_with_a_letter_where_they_must(name: str) -> None:
    new = renamed(name, "moonshot") if name != "$mine" else renamed("$", "moonshot")
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", new)


def test_a_digit_at_the_beginning_is_fine_elsewhere() -> None:
    assert renamed("1st", "tokenhub") == "1st"
    assert len(renamed("a" * 65, "tokenhub")) <= 64
