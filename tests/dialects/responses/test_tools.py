"""Tools in chat, and what leads back from them."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.dialects.responses.request import to_chat
from hunyuan_fix.dialects.searching import WANTED, WEB_SEARCH
from hunyuan_fix.rules.tool_names import is_accepted
from tests.dialects.anthropic.translating import refusal
from tests.dialects.responses.judging import translated

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
SEARCH = {"type": "tool_search", "execution": "client", "description": "Finds tools.", "parameters": SCHEMA}
USER = {"role": "user", "content": "go"}


def tool(name: str = "ls", **beside: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, "description": "Lists.", "parameters": SCHEMA, **beside}


def space(name: str, *inside: Any, **beside: Any) -> dict[str, Any]:
    return {"type": "namespace", "name": name, "tools": list(inside), **beside}


def asked(*tools: Any, items: tuple[Any, ...] = (USER,), **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The chat body and the note for these tools."""
    return translated({"model": "hy3", "input": list(items), "tools": list(tools), **fields})


def names(chat: dict[str, Any]) -> list[str]:
    return [one["function"]["name"] for one in chat.get("tools", ())]


def call(name: str, **beside: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": "a", "name": name, "arguments": "{}", **beside}


def test_a_function_is_a_function() -> None:
    chat, note = asked(tool(strict=False, allowed_callers=["direct"]), tool("b", strict=True))
    assert chat["tools"] == [
        {"type": "function", "function": {"name": "ls", "description": "Lists.", "parameters": SCHEMA}},
        {"type": "function", "function": {"name": "b", "description": "Lists.", "parameters": SCHEMA, "strict": True}},
    ]
    assert note["tools"] == {}
    assert note["changes"] == [["/tools/0", "fields of a tool that only its vendor acts on are dropped"]]


def test_a_function_in_the_shape_of_chat_is_taken() -> None:
    nested = {"type": "function", "function": {"name": "ls", "description": "Lists.", "parameters": SCHEMA}}
    assert asked(nested)[0]["tools"] == [nested]


def test_names_in_chat_lead_back_to_both_names() -> None:
    chat, note = asked(
        space("mcp__a__", tool("x")), space("b", tool("x"), {"type": "custom", "name": "y"}), tool("x.y")
    )
    assert names(chat)[:3] == ["mcp__a__x", "b__x", "b__y"]
    assert all(map(is_accepted, names(chat)))
    assert list(note["tools"].values()) == [
        {"kind": "function", "name": "x", "namespace": "mcp__a__"},
        {"kind": "function", "name": "x", "namespace": "b"},
        {"kind": "custom", "name": "y", "namespace": "b"},
        {"kind": "function", "name": "x.y"},
    ]


def test_the_first_tool_of_a_namespace_says_what_the_namespace_is() -> None:
    bare = {"type": "function", "name": "z", "parameters": None}
    chat, _ = asked(space("a", tool("x"), tool("y"), description="Files."), space("b", bare, description="Mail."))
    said = [one["function"].get("description") for one in chat["tools"]]
    assert said == ["[a: Files.]\n\nLists.", "Lists.", "[b: Mail.]"]


def test_of_two_tools_of_one_name_the_first_is_sent() -> None:
    chat, note = asked(tool("a__x", description="First."), space("a", tool("x")))
    assert [one["function"]["description"] for one in chat["tools"]] == ["First."]
    assert note["tools"] == {}
    assert ["/tools/1/tools/0", "a second tool of the same name is left out"] in note["changes"]


def test_a_call_without_its_namespace_is_of_the_tool_that_has_its_name() -> None:
    brought = {
        "type": "additional_tools",
        "role": "developer",
        "tools": [space("functions", tool("exec"), tool("wait"))],
    }
    chat, _ = asked(items=(brought, USER, call("exec")))
    assert chat["messages"][1]["tool_calls"][0]["function"]["name"] == "functions__exec"
    chat, _ = asked(tool("exec"), items=(brought, USER, call("exec")))
    assert chat["messages"][1]["tool_calls"][0]["function"]["name"] == "exec"
    chat, _ = asked(space("a", tool("exec")), items=(brought, USER, call("exec")))
    assert chat["messages"][1]["tool_calls"][0]["function"]["name"] == "a__exec"
    choice = asked(space("functions", tool("exec")), tool_choice={"type": "function", "name": "exec"})[0]["tool_choice"]
    assert choice["function"]["name"] == "functions__exec"


@pytest.mark.parametrize("kind", ["local_shell", "shell", "apply_patch"])
def test_a_tool_without_a_schema_gets_that_of_its_type(kind: str) -> None:
    chat, note = asked({"type": kind})
    (function,) = (one["function"] for one in chat["tools"])
    assert function["parameters"]["required"] and function["description"]
    assert note["tools"] == {kind: {"kind": kind, "name": kind}}
    assert refusal(chat, "hunyuan") is refusal(chat, "tokenhub") is None
    function["parameters"]["changed"] = True  # as the rules may
    assert "changed" not in asked({"type": kind})[0]["tools"][0]["function"]["parameters"]


def test_a_shell_of_the_clients_names_its_skills_and_one_of_the_vendors_cant_be_had() -> None:
    skills = [{"name": "pdf", "description": "Fills forms.", "path": "/s/pdf"}]
    chat, _ = asked({"type": "shell", "environment": {"type": "local", "skills": skills}})
    assert "pdf (/s/pdf): Fills forms." in chat["tools"][0]["function"]["description"]
    chat, _ = asked({"type": "shell", "environment": {"type": "container_auto"}})
    assert "tools" not in chat and "shell is not available" in chat["messages"][0]["content"]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"type": "web_search_2025_08_26"}, "The tool web_search_2025_08_26"),
        ({"type": "file_search", "vector_store_ids": []}, "The tool file_search"),
        ({"type": "code_interpreter", "container": "c"}, "The tool code_interpreter"),
        ({"type": "image_generation"}, "The tool image_generation"),
        ({"type": "computer_use_preview"}, "The tool computer_use_preview"),
        ({"type": "mcp", "server_label": "mail"}, "The MCP server mail"),
        ({"type": "of_next_year"}, "The tool of_next_year"),
    ],
)
def test_what_a_vendor_runs_is_said(given: dict[str, Any], named: str) -> None:
    chat, note = asked(given, given, tool())
    assert names(chat) == ["ls"]
    assert chat["messages"][0]["content"].startswith(f"{named} is not available here.")
    assert chat["messages"][0]["content"].count(named) == 1
    assert "/tools/0" in {pointer for pointer, _ in note["changes"]}


def test_what_the_history_brings_and_a_vendor_runs_is_said_where_it_stands() -> None:
    brought = {"type": "additional_tools", "role": "developer", "tools": [{"type": "web_search"}]}
    chat, _ = asked(items=(USER, brought))
    assert [message["role"] for message in chat["messages"]] == ["user", "system"]


def test_a_search_of_the_web_is_a_function_where_the_proxy_makes_it() -> None:
    note: dict[str, Any] = {"offers": [WEB_SEARCH]}
    search = {"type": "web_search", "filters": {"allowed_domains": ["a.example"]}}
    chat = to_chat({"model": "hy3", "input": "go", "tools": [tool(), search, {"type": "web_search"}]}, {}, note)
    assert names(chat) == ["ls", "web_search"]
    assert note[WANTED] == {"tool": "web_search", "allowed_domains": ["a.example"]}
    assert [message["role"] for message in chat["messages"]] == ["user"]
    note = {"offers": [WEB_SEARCH]}
    body = {"model": "hy3", "input": "go", "tools": [search], "tool_choice": {"type": "web_search_preview"}}
    assert to_chat(body, {}, note)["tool_choice"]["function"]["name"] == "web_search"


# Deferred tools


def test_a_deferred_tool_waits_for_the_clients_search() -> None:
    chat, note = asked(SEARCH, tool("a", defer_loading=True), tool("b"))
    assert names(chat) == ["tool_search", "b"]
    assert note["tools"]["tool_search"] == {"kind": "tool_search", "name": "tool_search"}


def test_a_tool_that_was_found_or_called_is_offered_at_the_end() -> None:
    found = {"type": "tool_search_output", "call_id": "t", "tools": [space("mcp__x", tool("add", defer_loading=True))]}
    items = (USER, {"type": "tool_search_call", "call_id": "t", "arguments": {}, "execution": "client"}, found)
    chat, note = asked(SEARCH, tool("a", defer_loading=True), tool("b"), items=(*items, call("a")))
    assert names(chat) == ["tool_search", "b", "mcp__x__add", "a"]
    assert note["tools"]["mcp__x__add"] == {"kind": "function", "name": "add", "namespace": "mcp__x"}
    assert chat["messages"][2]["content"] == "Tool mcp__x__add is available now."
    chat, _ = asked(SEARCH, tool("a", defer_loading=True), tool_choice={"type": "function", "name": "a"})
    assert names(chat) == ["tool_search", "a"]


def test_a_deferred_tool_that_comes_again_is_the_one_that_was_found() -> None:
    deferred = tool("a", defer_loading=True)
    chat, note = asked(SEARCH, deferred, deferred)
    assert ["/tools/2", "a second tool of the same name is left out"] in note["changes"]
    found = {"type": "additional_tools", "role": "developer", "tools": [tool("a", description="Found.")]}
    chat, _ = asked(SEARCH, deferred, items=(USER, found, call("a")))
    assert [one["function"]["description"] for one in chat["tools"]] == ["Finds tools.", "Found."]


def test_the_schema_of_free_text_is_each_tools_own() -> None:
    """The rules work on schemas in place."""
    chat, _ = asked({"type": "custom", "name": "a"}, {"type": "custom", "name": "b"})
    chat["tools"][0]["function"]["parameters"]["properties"].clear()
    assert chat["tools"][1]["function"]["parameters"]["properties"]
    assert asked({"type": "custom", "name": "a"})[0]["tools"][0]["function"]["parameters"]["properties"]


def test_all_tools_are_sent_where_the_vendor_would_search() -> None:
    """There is nobody to find them."""
    for search in ({"type": "tool_search"}, {"type": "tool_search", "execution": "server"}):
        chat, note = asked(search, tool("a", defer_loading=True))
        assert names(chat) == ["a"]
        assert note["tools"] == {}
        assert [pointer for pointer, _ in note["changes"]] == ["/tools/0"]
    assert names(asked(tool("a", defer_loading=True))[0]) == ["a"]


def test_a_search_that_found_nothing_says_so() -> None:
    found = {"type": "tool_search_output", "call_id": "t", "tools": []}
    items = (USER, {"type": "tool_search_call", "call_id": "t", "arguments": {}, "execution": "client"}, found)
    assert asked(SEARCH, items=items)[0]["messages"][2]["content"] == "No tool was found."


# Choices


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_a_word_stays(choice: str) -> None:
    assert asked(tool(), tool_choice=choice)[0]["tool_choice"] == choice


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ({"type": "function", "name": "ls"}, "ls"),
        ({"type": "function", "function": {"name": "ls"}}, "ls"),
        ({"type": "custom", "name": "free"}, "free"),
        ({"type": "shell"}, "shell"),
        ({"type": "function", "name": "x", "namespace": "a"}, "a__x"),
    ],
)
def test_a_tool_is_chosen_by_its_name_in_chat(choice: dict[str, Any], name: str) -> None:
    offered = (tool(), {"type": "custom", "name": "free"}, {"type": "shell"}, space("a", tool("x")))
    assert asked(*offered, tool_choice=choice)[0]["tool_choice"] == {"type": "function", "function": {"name": name}}


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "mcp", "server_label": "a", "name": "ls"},
        {"type": "file_search"},
        {"type": "function", "name": "gone"},
        {},
        "new",
    ],
)
def test_a_choice_that_cant_be_had_is_dropped_and_told(choice: Any) -> None:
    chat, note = asked(tool(), tool_choice=choice)
    assert "tool_choice" not in chat and names(chat) == ["ls"]
    assert [pointer for pointer, _ in note["changes"]] == ["/tool_choice"]


def test_allowed_tools_are_the_only_ones() -> None:
    allowed = {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "b"}, {"type": "mcp"}],
    }
    chat, _ = asked(tool(), tool("b"), tool_choice=allowed)
    assert (names(chat), chat["tool_choice"]) == (["b"], "required")
    chat, _ = asked(tool(), tool("b"), tool_choice={**allowed, "mode": "new"})
    assert chat["tool_choice"] == "auto"


def test_without_tools_there_is_neither_choice_nor_parallel_call() -> None:
    """Endpoints refuse the one without the other."""
    chat, note = asked(tool_choice="required", parallel_tool_calls=False)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & chat.keys()
    assert note["changes"] == [["/tool_choice", "there is no tool to choose: dropped"]]
    assert asked(tool_choice="auto", parallel_tool_calls=True)[1]["changes"] == []


def test_only_the_wish_for_single_calls_is_sent() -> None:
    assert asked(tool(), parallel_tool_calls=False)[0]["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in asked(tool(), parallel_tool_calls=True)[0]


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([1], "tools[0]"),
        ([{"type": "function"}], "tools[0].name"),
        ([{"type": "namespace", "name": 1}], "tools[0].name"),
        ([{"type": "namespace", "name": "a", "tools": 1}], "tools[0].tools"),
        ([{"type": "namespace", "name": "a", "tools": [1]}], "tools[0].tools[0]"),
        ([{"type": "custom", "name": ""}], "tools[0].name"),
    ],
)
def test_a_wrong_type_is_refused_by_its_place(tools: list[Any], param: str) -> None:
    with pytest.raises(BadRequest) as error:
        to_chat({"model": "hy3", "input": "go", "tools": tools}, {}, {})
    assert error.value.param == param
    assert error.value.message.startswith(f"{param}: ")


def test_a_choice_of_a_wrong_type_is_refused() -> None:
    with pytest.raises(BadRequest, match="tool_choice: "):
        to_chat({"model": "hy3", "input": "go", "tool_choice": 1}, {}, {})


@pytest.mark.parametrize("key", ["input_schema", "inputSchema"])
def test_a_schema_may_have_the_name_that_others_give_it(key: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    chat, note = asked({"name": "ls", "description": "Lists.", key: schema})
    assert chat["tools"][0]["function"] == {"name": "ls", "description": "Lists.", "parameters": schema}
    assert note["changes"] == []


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("any", "required"),
        ({"type": "any"}, "required"),
        ({"type": "auto"}, "auto"),
        ("ls", {"type": "function", "function": {"name": "ls"}}),
    ],
)
def test_choices_in_other_words(choice: Any, sent: Any) -> None:
    assert asked(tool(), tool_choice=choice)[0]["tool_choice"] == sent
