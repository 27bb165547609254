"""Tools in chat."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.rules.tool_names import is_accepted
from tests.dialects.anthropic.translating import (
    assistant,
    call,
    refusal,
    result,
    text,
    tool,
    translated,
    user,
    whys,
)


def offered(*tools: Any, messages: list[Any] | None = None, **fields: Any) -> list[dict[str, Any]]:
    """The functions that a request offers."""
    chat, _ = translated({"messages": messages or [user("go")], "tools": list(tools), **fields})
    return [one["function"] for one in chat.get("tools", [])]


def names(*tools: Any, **fields: Any) -> list[str]:
    return [function["name"] for function in offered(*tools, **fields)]


def test_a_tool_is_a_function() -> None:
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    given = {"type": "custom", "name": "ls", "description": "Lists.", "input_schema": schema, "strict": True}
    assert offered(given) == [{"name": "ls", "description": "Lists.", "parameters": schema, "strict": True}]


def test_what_only_the_vendor_acts_on_goes_and_is_told() -> None:
    given = tool(
        cache_control={"type": "ephemeral"}, eager_input_streaming=True, allowed_callers=["direct"], defer_loading=False
    )
    chat, note = translated({"messages": [user("go")], "tools": [given]})
    assert set(chat["tools"][0]["function"]) == {"name", "description", "parameters"}
    assert whys(note, "/tools/0") == ["fields of a tool that only its vendor acts on are dropped"]


def test_examples_of_an_input_are_kept() -> None:
    (function,) = offered(tool(input_examples=[{"path": "/a"}]))
    assert function["description"] == 'Lists.\n\nExamples of its input: [{"path":"/a"}]'


@pytest.mark.parametrize(
    ("kind", "name", "properties"),
    [
        ("bash_20241022", "bash", {"command", "restart"}),
        ("bash_20250124", "bash", {"command", "restart"}),
        (
            "text_editor_20250728",
            "str_replace_based_edit_tool",
            {"command", "path", "insert_text", "old_str", "view_range"},
        ),
        ("text_editor_20250124", "str_replace_editor", {"command", "path", "new_str", "insert_line"}),
        ("memory_20250818", "memory", {"command", "path", "old_path", "new_path"}),
        ("computer_20251124", "computer", {"action", "coordinate", "text"}),
    ],
)
def test_a_tool_that_the_client_runs_gets_the_schema_of_its_type(kind: str, name: str, properties: set[str]) -> None:
    (function,) = offered({"type": kind, "name": name, "display_width_px": 800, "display_height_px": 600})
    assert function["name"] == name
    assert properties <= function["parameters"]["properties"].keys()
    assert set(function["parameters"].get("required", [])) <= function["parameters"]["properties"].keys()
    assert ("800 x 600" in function["description"]) == (name == "computer")


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ({"type": "web_search_20250305", "name": "web_search"}, "The tool web_search"),
        ({"type": "code_execution_20250825", "name": "code_execution"}, "The tool code_execution"),
        ({"type": "computer_toolset_20260801"}, "The tool computer_toolset_20260801"),
        ({"type": "mcp_toolset", "mcp_server_name": "files"}, "The MCP server files"),
        ({"type": "a_tool_of_next_year", "name": None}, "The tool a_tool_of_next_year"),
        ({"type": 5}, "The tool without a name"),
    ],
)
def test_a_tool_that_its_vendor_runs_is_said_to_be_missing(given: dict[str, Any], called: str) -> None:
    chat, note = translated(
        {"messages": [user("go")], "tools": [given], "tool_choice": {"type": "auto"}, "system": "Be brief."}
    )
    assert "tools" not in chat
    assert "tool_choice" not in chat
    assert chat["messages"][0]["content"].startswith(f"Be brief.\n\n{called} is not available here.")
    assert len(whys(note, "/tools/0")) == 1
    assert refusal(chat, "hunyuan") is None


def test_an_mcp_server_is_said_once() -> None:
    server = {"type": "url", "name": "files", "url": "https://mcp.example", "authorization_token": "secret"}
    chat, note = translated(
        {
            "messages": [user("go")],
            "mcp_servers": [server],
            "tools": [{"type": "mcp_toolset", "mcp_server_name": "files"}],
        }
    )
    assert chat["messages"][0]["content"].count("files") == 1
    assert whys(note, "/mcp_servers/0")
    assert "secret" not in str(chat)


DEFERRED = tool("Grep", defer_loading=True)
PLACEHOLDER = tool("DeferredToolPlaceholder", defer_loading=True)
FOUND = [
    user("find it"),
    assistant(call("t", "ToolSearch", query="grep")),
    user(result([{"type": "tool_reference", "tool_name": "Grep"}], "t")),
]


def test_a_deferred_tool_is_sent_once_it_is_found_and_at_the_end() -> None:
    listed = (tool("ToolSearch"), DEFERRED, PLACEHOLDER, tool("Write"))
    assert names(*listed) == ["ToolSearch", "Write"]
    assert names(*listed, messages=FOUND) == ["ToolSearch", "Write", "Grep"]


def test_deferred_tools_stand_in_the_order_in_which_they_were_found() -> None:
    listed = [tool("ToolSearch"), *(tool(name, defer_loading=True) for name in ("a", "b", "c"))]
    references = [{"type": "tool_reference", "tool_name": name} for name in ("c", "a")]
    history = [user("x"), assistant(call("t", "ToolSearch")), user(result(references, "t"))]
    assert names(*listed, messages=history) == ["ToolSearch", "c", "a"]
    later = [*history, assistant(call("u", "b")), user(result("x", "u"))]
    assert names(*listed, messages=later) == ["ToolSearch", "c", "a", "b"]


def test_a_deferred_tool_that_was_called_or_chosen_is_sent() -> None:
    history = [user("x"), assistant(call("t", "Grep")), user(result("y", "t"))]
    assert names(tool("ls"), DEFERRED, messages=history) == ["ls", "Grep"]
    assert names(tool("ls"), DEFERRED, tool_choice={"type": "tool", "name": "Grep"}) == ["ls", "Grep"]


@pytest.mark.parametrize("search", ["tool_search_tool_regex_20251119", "tool_search_tool_bm25_20251119"])
def test_with_the_vendors_search_all_deferred_tools_are_sent(search: str) -> None:
    assert names({"type": search, "name": search}, DEFERRED, tool("ls")) == ["Grep", "ls"]


def test_where_every_tool_is_deferred_all_are_sent() -> None:
    assert names(DEFERRED, tool("ls", defer_loading=True)) == ["Grep", "ls"]


def test_a_tool_without_a_name_gets_one() -> None:
    chat, note = translated(
        {"messages": [user("x"), assistant(call("t", "")), user(result("y", "t"))], "tools": [tool("")]}
    )
    (name,) = note["tool_names"]
    assert note["tool_names"] == {name: ""}
    assert chat["messages"][1]["tool_calls"][0]["function"]["name"] == chat["tools"][0]["function"]["name"] == name
    assert is_accepted(name)


def test_the_placeholder_is_never_sent() -> None:
    search = {"type": "tool_search_tool_bm25_20251119", "name": "search"}
    assert names(search, PLACEHOLDER, DEFERRED) == ["Grep"]
    assert names(PLACEHOLDER, DEFERRED) == ["Grep"]
    assert names(PLACEHOLDER) == []


def test_what_the_rules_do_to_a_schema_stays_in_its_request() -> None:
    given = {"type": "bash_20250124", "name": "bash"}
    first = offered(given)[0]["parameters"]
    first["properties"].clear()
    assert offered(given)[0]["parameters"]["properties"]


def test_tools_that_the_history_adds_and_removes() -> None:
    definition = {"name": "late", "description": "d", "input_schema": {"type": "object"}}
    add = {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": definition}}
    remove = {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "ls"}}
    back = {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "ls"}}
    listed = (tool("ls"), tool("Write"))
    assert names(*listed, messages=[user(add)]) == ["ls", "Write", "late"]
    assert names(*listed, messages=[user(add, remove)]) == ["Write", "late"]
    assert names(*listed, messages=[user(remove), user(back)]) == ["ls", "Write"]
    compacted = {"type": "compaction", "content": "so far", "tool_changes": [add, remove, {"type": "compaction"}, 5]}
    assert names(*listed, messages=[assistant(compacted), user("go")]) == ["Write", "late"]


def test_names_that_chat_refuses_are_the_same_everywhere_and_noted() -> None:
    long, odd = "mcp__" + "n" * 80, "ns.read"
    history = [
        user("x"),
        assistant(call("t", odd)),
        user(result([{"type": "tool_reference", "tool_name": long}], "t")),
    ]
    chat, note = translated(
        {
            "messages": history,
            "tools": [tool(odd), tool(long, defer_loading=True)],
            "tool_choice": {"type": "tool", "name": long},
        }
    )
    sent = [one["function"]["name"] for one in chat["tools"]]
    assert all(map(is_accepted, sent))
    assert note["tool_names"] == dict(zip(sent, [odd, long], strict=True))
    assert chat["messages"][1]["tool_calls"][0]["function"]["name"] == sent[0]
    assert chat["messages"][2]["content"] == f"Tool {sent[1]} is available now."
    assert chat["tool_choice"] == {"type": "function", "function": {"name": sent[1]}}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "ls"}, {"tool_choice": {"type": "function", "function": {"name": "ls"}}}),
        ("auto", {"tool_choice": "auto"}),
        ({"type": "auto", "disable_parallel_tool_use": True}, {"tool_choice": "auto", "parallel_tool_calls": False}),
        ({"type": "any", "disable_parallel_tool_use": False}, {"tool_choice": "required"}),
        ({"type": "tool"}, {}),
        ({"type": "a choice of next year"}, {}),
        (None, {}),
    ],
)
def test_a_choice(given: Any, sent: dict[str, Any]) -> None:
    chat, note = translated({"messages": [user("go")], "tools": [tool()], "tool_choice": given})
    assert {key: chat[key] for key in ("tool_choice", "parallel_tool_calls") if key in chat} == sent
    assert bool(whys(note, "/tool_choice")) == (given is not None and "tool_choice" not in sent)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": [tool(), "ls"]}, "tools.1"),
        ({"tools": [{"input_schema": {}}]}, "tools.0.name"),
        ({"tools": [{**tool(), "name": ["ls"]}]}, "tools.0.name"),
        ({"tools": [{"type": "bash_20250124"}]}, "tools.0.name"),
        ({"tool_choice": 5}, "tool_choice"),
    ],
)
def test_what_is_no_tool_is_refused_with_its_place(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(BadRequest) as raised:
        translated({"messages": [user(text("go"))], **fields})
    assert raised.value.param == place
    assert raised.value.message.startswith(f"{place}: must be")
