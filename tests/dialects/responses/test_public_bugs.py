"""Bugs that other bridges between Responses and chat had with requests, by their public reports: each is a test."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.simulator.checks import ProfileName
from hunyuan_fix.wire import json_body
from tests.dialects.anthropic.translating import refusal, repaired
from tests.dialects.responses.judging import CODEX, translated

PROFILES: tuple[ProfileName, ...] = ("hunyuan", "tokenhub")
SHELL = {"type": "function", "name": "shell", "parameters": {"type": "object", "properties": {}}, "strict": False}


def chat_of(*items: Any, **fields: Any) -> dict[str, Any]:
    """The chat body for a request with these items, which both strict endpoints accept once it is repaired."""
    chat, _ = translated({"model": "hy3", "input": list(items), **fields}, CODEX)
    for profile in PROFILES:
        assert refusal(chat, profile) is None
    return chat


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def call(number: int, name: str = "shell") -> dict[str, Any]:
    return {"type": "function_call", "id": f"fc_{number}", "call_id": f"c{number}", "name": name, "arguments": "{}"}


def output(number: int, said: Any = "done") -> dict[str, Any]:
    return {"type": "function_call_output", "id": f"fco_{number}", "call_id": f"c{number}", "output": said}


def names(chat: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in chat.get("tools", ())]


def test_parallel_calls_are_one_message() -> None:
    """router-for-me/CLIProxyAPI#3152, openai/codex#22129: each call became an assistant message of its own."""
    _, assistant, *tools = chat_of(user("go"), call(1), call(2), output(1), output(2))["messages"]
    assert [made["id"] for made in assistant["tool_calls"]] == ["c1", "c2"]
    assert [(tool["role"], tool["tool_call_id"]) for tool in tools] == [("tool", "c1"), ("tool", "c2")]


def test_what_the_assistant_says_and_calls_is_one_message() -> None:
    """openai/codex#22129: a text between calls and outputs split the turn."""
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]}
    for turn in ((said, call(1)), (call(1), said)):
        messages = chat_of(user("go"), *turn, output(1))["messages"]
        assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
        assert messages[1]["content"] == "I look."


@pytest.mark.parametrize("without", [{}, {"call_id": None}, {"call_id": ""}])
def test_an_output_without_the_id_of_a_call_is_user_text(without: dict[str, Any]) -> None:
    """openai/codex#42088, #44723: automations put such an item into a thread, which was refused from then on."""
    item = {"type": "function_call_output", "output": "the news", "name": "automation", **without}
    messages = chat_of(user("go"), call(1), output(1), item, user("on"))["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "user", "user"]
    assert "the news" in messages[3]["content"] and "automation" in messages[3]["content"]


def test_additional_tools_are_offered() -> None:
    """farion1231/cc-switch#7451: dropped, they left the agent without a shell."""
    brought = {"type": "namespace", "name": "functions", "description": "", "tools": [SHELL]}
    chat = chat_of({"type": "additional_tools", "role": "developer", "tools": [brought]}, user("go"))
    assert names(chat) == ["functions__shell"]


def test_additional_tools_are_no_message() -> None:
    """farion1231/cc-switch#7454: they became a system message without content."""
    chat = chat_of({"type": "additional_tools", "role": "developer", "tools": [SHELL]}, user("go"))
    assert [message["role"] for message in chat["messages"]] == ["user"]


def test_a_custom_tool_is_a_function_with_its_grammar_in_words() -> None:
    """BerriAI/litellm#31571: apply_patch was dropped; CodexRosetta#1: passed on, it was refused."""
    grammar = {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin Patch"'}
    patch = {"type": "custom", "name": "apply_patch", "description": "Edits.", "format": grammar}
    chat, note = translated({"model": "hy3", "input": "go", "tools": [patch]})
    (function,) = (tool["function"] for tool in chat["tools"])
    assert function["description"].startswith("Edits.")
    assert grammar["definition"] in function["description"]
    assert function["parameters"]["required"] == ["input"]
    assert note["tools"] == {"apply_patch": {"kind": "custom", "name": "apply_patch"}}


def test_the_input_of_a_custom_tool_has_a_description() -> None:
    """codex-router#1: models called it with `{}`."""
    (tool,) = chat_of(user("go"), tools=[{"type": "custom", "name": "exec"}])["tools"]
    assert tool["function"]["parameters"]["properties"]["input"]["description"]


def test_a_past_input_of_a_custom_tool_stays_byte_for_byte() -> None:
    """Rewritten, the patches of the history taught models a wrong form."""
    text = '*** Begin Patch\n+a "b" \\ {}\n*** End Patch\n'
    past = {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": text}
    done = {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done."}
    _, assistant, tool = chat_of(user("go"), past, done)["messages"]
    written = assistant["tool_calls"][0]["function"]["arguments"]
    assert json_body.parse(written.encode()) == {"input": text}
    assert tool["content"] == "Done."


def test_tools_of_a_namespace_have_both_names() -> None:
    """router-for-me/CLIProxyAPI#3298, maximhq/bifrost#2913: tools of MCP servers were not there."""
    space = {"type": "namespace", "name": "mcp__files", "description": "Files.", "tools": [{**SHELL, "name": "read"}]}
    chat, note = translated({"model": "hy3", "input": [user("go")], "tools": [SHELL, space]})
    assert names(chat) == ["shell", "mcp__files__read"]
    assert note["tools"] == {"mcp__files__read": {"kind": "function", "name": "read", "namespace": "mcp__files"}}
    assert "Files." in chat["tools"][1]["function"]["description"]


def test_long_names_of_a_namespace_fit_and_lead_back() -> None:
    space = {"type": "namespace", "name": "s" * 60, "tools": [{**SHELL, "name": "a" * 60}, {**SHELL, "name": "b" * 60}]}
    chat, note = translated({"model": "hy3", "input": [user("go")], "tools": [space]})
    assert all(len(name) <= 64 for name in names(chat))
    assert len(set(names(chat))) == 2
    assert [note["tools"][name]["name"] for name in names(chat)] == ["a" * 60, "b" * 60]


def test_a_past_call_of_a_namespace_has_the_name_that_is_offered() -> None:
    space = {"type": "namespace", "name": "mcp__files", "tools": [{**SHELL, "name": "read"}]}
    past = {**call(1, "read"), "namespace": "mcp__files"}
    chat = chat_of(user("go"), past, output(1), tools=[space])
    assert [made["function"]["name"] for made in chat["messages"][1]["tool_calls"]] == names(chat)


def test_a_search_of_the_web_is_no_function_without_a_name() -> None:
    """anomalyco/opencode#42090: "tools[8].function: missing field name"."""
    chat = chat_of(user("go"), tools=[SHELL, {"type": "web_search", "external_web_access": True}])
    assert names(chat) == ["shell"]
    assert "web_search is not available" in chat["messages"][0]["content"]


def test_an_effort_is_a_word() -> None:
    """BerriAI/litellm#39354: the whole object reached the endpoint."""
    assert chat_of(user("go"), reasoning={"effort": "high", "summary": "auto"})["reasoning_effort"] == "high"
    assert "reasoning_effort" not in chat_of(user("go"), reasoning={"summary": "auto"})


def test_an_effort_that_no_chat_endpoint_knows_is_fitted() -> None:
    """The word "ultra" turned reasoning off without a word."""
    chat, _ = translated({"model": "hy3", "input": "go", "reasoning": {"effort": "ultra"}})
    assert repaired(chat, "tokenhub")["reasoning_effort"] == "high"


def test_reasoning_stands_in_the_turn_that_it_belongs_to() -> None:
    """sub2api#2926, maximhq/bifrost#3802: lost on turns with calls, which thinking models refuse then."""
    thought = {"type": "reasoning", "id": "rs", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    messages = chat_of(user("go"), thought, call(1), output(1), user("on"))["messages"]
    assert messages[1]["reasoning_content"] == "hm"
    assert messages[1]["tool_calls"]


def test_reasoning_without_an_answer_joins_the_turn_before() -> None:
    """Kimi lost its thread; but never across what the user says."""
    thought = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "hm"}]}
    messages = chat_of(user("go"), call(1), output(1), thought)["messages"]
    assert messages[1]["reasoning_content"] == "hm"
    messages = chat_of(user("go"), call(1), output(1), user("stop"), thought, user("on"))["messages"]
    assert not any("reasoning_content" in message for message in messages)


def test_another_vendors_reasoning_is_neither_sent_nor_made_up() -> None:
    """router-for-me/CLIProxyAPI#4899: a placeholder came back as the answer."""
    thought = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "gAAAA"}
    body = {"model": "hy3", "input": [user("go"), thought, call(1), output(1)]}
    chat, note = translated(body)
    assert "reasoning_content" not in chat["messages"][1]
    assert any("only its vendor can read" in why for _, why in note["changes"])


def test_a_schema_that_is_null_is_an_empty_object() -> None:
    chat = chat_of(user("go"), tools=[{"type": "function", "name": "now", "parameters": None, "strict": None}])
    assert chat["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}


def test_a_cache_key_is_sent_where_it_is_known() -> None:
    """LiveAgent#435: most endpoints refuse it; QuantumNous/new-api#6538: one needs it."""
    chat, _ = translated({"model": "hy3", "input": "go", "prompt_cache_key": "s1"})
    assert chat["prompt_cache_key"] == "s1"
    assert "prompt_cache_key" not in repaired(chat, "hunyuan")


def test_a_stream_asks_for_its_usage() -> None:
    """farion1231/cc-switch#6423: without it Codex counts no tokens and never compacts."""
    assert chat_of(user("go"), stream=True)["stream_options"] == {"include_usage": True}


def test_two_late_system_texts_stay_where_they_stand() -> None:
    """MiniMax 2013; moved to the front they change the prefix with each turn."""
    late = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Now faster."}]}
    messages = chat_of(user("go"), late, late, user("on"))["messages"]
    assert [message["role"] for message in messages] == ["user", "system", "system", "user"]


def test_a_trigger_asks_for_a_summary() -> None:
    """router-for-me/CLIProxyAPI#5857: no compaction item came of it."""
    chat, note = translated({"model": "hy3", "input": [user("go"), {"type": "compaction_trigger"}], "tools": [SHELL]})
    assert note["compact"] is True
    assert "summary" in chat["messages"][-1]["content"]
    assert chat["tool_choice"] == "none"
    assert chat["tools"]  # the endpoint's cache has them


def test_images_in_an_output_are_images() -> None:
    picture = "data:image/png;base64,iVBORw0KGgo="
    said = [
        {"type": "input_text", "text": "Here."},
        {"type": "input_image", "image_url": picture, "detail": "original"},
    ]
    tool = translated({"model": "hy3", "input": [user("go"), call(1), output(1, said)]})[0]["messages"][2]
    assert tool["content"][1] == {"type": "image_url", "image_url": {"url": picture, "detail": "high"}}


def test_an_item_of_a_server_never_leaves_an_empty_user_message() -> None:
    """AntSeed, pull request 741; lidge-jun/opencodex#930: a search may lack its queries."""
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    messages = chat_of(user("go"), search, user("on"))["messages"]
    assert all(message["content"] for message in messages)
