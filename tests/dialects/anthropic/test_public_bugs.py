"""Bugs that other bridges between Messages and chat had, by their public reports: each is a test of its own."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hunyuan_fix.simulator.checks import ProfileName
from hunyuan_fix.wire import json_body
from tests.dialects.anthropic.bodies import PNG
from tests.dialects.anthropic.translating import (
    assistant,
    call,
    messages_of,
    refusal,
    repaired,
    result,
    system,
    text,
    tool,
    translated,
    user,
)


def reported(*reports: str) -> pytest.MarkDecorator:
    """The public reports of a bug, as the id of its test."""
    return pytest.mark.parametrize("report", [" ".join(reports)])


def thought(said: str, signature: str | None = "c2lnbmF0dXJl") -> dict[str, Any]:
    return {"type": "thinking", "thinking": said, **({} if signature is None else {"signature": signature})}


THINKING = {"thinking": {"type": "adaptive"}}


@reported("BerriAI/litellm#26156", "continuedev/continue#11600", "QuantumNous/new-api#4408")
def test_reasoning_of_a_turn_with_calls_is_sent_back(report: str) -> None:
    chat, _ = translated({"messages": [user("x"), assistant(thought("hm"), call()), user(result())], **THINKING})
    assert chat["messages"][1]["reasoning_content"] == "hm"
    assert refusal(chat, "tokenhub") is None


@reported("NousResearch/hermes-agent#18263", "earendil-works/pi#4178")
def test_the_translation_makes_up_no_reasoning(report: str) -> None:
    chat, _ = translated({"messages": [user("x"), assistant(call()), user(result())], **THINKING})
    assert "reasoning_content" not in chat["messages"][1]


@reported("craft-ai-agents/craft-agents-oss#703")
def test_an_empty_thought_is_not_the_same_as_none(report: str) -> None:
    messages = messages_of("x", assistant(thought("", None), call()), user(result()))
    assert messages[1]["reasoning_content"] == ""


@reported("Lingtai-AI/lingtai-kernel#9", "router-for-me/CLIProxyAPI#4899")
def test_no_constant_stands_for_reasoning_over_fifty_turns(report: str) -> None:
    history = [
        message
        for turn in range(50)
        for message in (
            user("go"),
            assistant(thought("", "Zm9yZWlnbg=="), call(f"t{turn}")),
            user(result("a", f"t{turn}")),
        )
    ]
    chat, _ = translated({"messages": history, **THINKING})
    assert not any(message.get("reasoning_content") for message in repaired(chat, "tokenhub")["messages"])


@pytest.mark.parametrize("signature", ["", None, "c2lnbmF0dXJl"])
@reported("farion1231/cc-switch#3377")
def test_thinking_is_kept_whether_it_is_signed_or_not(report: str, signature: str | None) -> None:
    messages = messages_of("x", assistant(thought("hm", signature), text("ok")), "y")
    assert messages[1]["reasoning_content"] == "hm"


@reported("BerriAI/litellm#38809")
def test_a_thought_of_a_signature_alone_is_no_empty_reasoning(report: str) -> None:
    messages = messages_of("x", assistant(thought("", "Zm9yZWlnbg=="), text("ok")), "y")
    assert "reasoning_content" not in messages[1]


CLAUDE_CODE = [
    user(text("context"), text("do it")),
    system([text("agents", cache_control={"type": "ephemeral"})]),
    assistant(text("ok"), call()),
    user(result()),
    system("skills: xlsx, pdf"),
    assistant(text("done")),
    user(text("and this")),
    system("todo list is empty"),
]
"""Two turns as Claude Code 2.1.332 sends them."""


@pytest.mark.parametrize("profile", ["hunyuan", "tokenhub"])
@reported("anthropics/claude-code#77698", "router-for-me/CLIProxyAPI#3608")
def test_no_system_message_after_the_first(report: str, profile: ProfileName) -> None:
    chat, _ = translated({"messages": CLAUDE_CODE, "system": "main"})
    assert refusal(chat, profile) is None
    messages = repaired(chat, profile)["messages"]
    assert [message["role"] for message in messages].count("system") == 1
    assert messages[0]["content"] == "main"


@reported("BerriAI/litellm#36917")
def test_system_texts_inside_the_list_arrive_once_each(report: str) -> None:
    chat, _ = translated({"messages": CLAUDE_CODE, "system": "main"})
    sent = json_body.serialise(repaired(chat, "tokenhub")["messages"]).decode()
    assert [sent.count(said) for said in ("agents", "skills: xlsx, pdf", "todo list is empty")] == [1, 1, 1]


@reported("BerriAI/litellm#37351")
def test_a_system_text_never_moves_to_the_front(report: str) -> None:
    before = messages_of(*CLAUDE_CODE[:-1], system="main")
    assert messages_of(*CLAUDE_CODE, system="main")[: len(before)] == before


@reported("anthropics/claude-code#68900", "musistudio/claude-code-router#1372")
def test_the_billing_header_doesnt_change_the_prefix(report: str) -> None:
    sent = [
        messages_of(
            "x", system=[text(f"x-anthropic-billing-header: cc_version=2.1.332.{build}; cch={build};"), text("main")]
        )
        for build in ("1c9", "342")
    ]
    assert sent[0] == sent[1] == [{"role": "system", "content": "main"}, {"role": "user", "content": "x"}]


FOUND = [
    user("x"),
    assistant(call("t", "ToolSearch", query="web")),
    user(result([{"type": "tool_reference", "tool_name": "Web", "cache_control": {"type": "ephemeral"}}], "t")),
]


@reported("MoonshotAI/Kimi-K2#118", "anthropics/claude-code#30912")
def test_a_tool_reference_is_text_and_its_tool_is_offered(report: str) -> None:
    chat, _ = translated({"messages": FOUND, "tools": [tool("ToolSearch"), tool("Web", defer_loading=True)]})
    assert chat["messages"][2]["content"] == "Tool Web is available now."
    assert [one["function"]["name"] for one in chat["tools"]] == ["ToolSearch", "Web"]
    assert refusal(chat, "tokenhub") is None


@reported("anthropics/claude-code#31033", "router-for-me/CLIProxyAPI#1725")
def test_defer_loading_is_sent_at_no_depth(report: str) -> None:
    chat, _ = translated({"messages": FOUND, "tools": [tool("ToolSearch"), tool("Web", defer_loading=True)]})
    assert b"defer_loading" not in json_body.serialise(chat)


@reported("nguyenphutrong/quotio#529")
def test_of_two_hundred_deferred_tools_the_one_that_was_found_is_sent(report: str) -> None:
    deferred = [tool(f"mcp__tool_{number}", defer_loading=True) for number in range(200)]
    chat, _ = translated({"messages": FOUND, "tools": [tool("ToolSearch"), *deferred, tool("Web", defer_loading=True)]})
    assert len(chat["tools"]) == 2


@reported("BerriAI/litellm#25477")
def test_a_choice_without_tools_is_dropped(report: str) -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
    chat, _ = translated({"messages": [user("x")], "tools": [search], "tool_choice": {"type": "any"}})
    assert {"tools", "tool_choice"}.isdisjoint(chat)


@reported("anthropics/claude-code#21595")
def test_context_management_and_betas_never_leave(report: str) -> None:
    edits = [{"type": "clear_thinking_20251015", "keep": "all"}, {"type": "clear_tool_uses_20250919"}]
    chat, _ = translated(
        {"messages": FOUND, "context_management": {"edits": edits}, "betas": ["context-1m-2025-08-07"]}
    )
    assert set(chat) == {"model", "messages", "max_tokens"}


@pytest.mark.parametrize("effort", ["xhigh", "max"])
@reported("astaxie/TokenHub#133")
def test_an_effort_of_anthropics_alone_becomes_one_of_the_endpoints(report: str, effort: str) -> None:
    chat, _ = translated({"messages": [user("x")], "output_config": {"effort": effort}, **THINKING})
    sent = repaired(chat, "tokenhub")
    assert (sent["reasoning_effort"], sent["thinking"]) == ("high", {"type": "adaptive"})


@reported("tombii/better-ccflare#306")
def test_the_user_is_no_cache_key(report: str) -> None:
    chat, _ = translated({"messages": [user("x")], "metadata": {"user_id": "user_1_account__session_2"}})
    assert not {"prompt_cache_key", "safety_identifier", "session_id"} & chat.keys()


@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("profile", ["hunyuan", "tokenhub"])
@reported("anthropics/claude-code#6836")
def test_a_lost_result_doesnt_end_the_session(report: str, profile: ProfileName, lost: int) -> None:
    results = [result("A", "a"), result("B", "b")]
    del results[lost]
    chat, _ = translated(
        {"messages": [user("x"), assistant(call("a"), call("b")), user(*results), assistant("y"), user("z")]}
    )
    assert refusal(chat, profile) is None


@reported("BerriAI/litellm#30557")
def test_the_type_of_a_tool_isnt_in_its_schema(report: str) -> None:
    chat, _ = translated({"messages": [user("x")], "tools": [tool(type="custom")]})
    assert "custom" not in json_body.serialise(chat).decode()


@reported("Alishahryar1/free-claude-code#206")
def test_text_after_a_call_is_kept(report: str) -> None:
    chat, _ = translated({"messages": [user("x"), assistant(call(), text("after")), user(result())]})
    assert chat["messages"][1]["content"] == "after"
    assert refusal(chat, "tokenhub") is None


@reported("BerriAI/litellm#23809")
def test_an_image_in_a_result_is_an_image(report: str) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    chat, _ = translated(
        {"messages": [user("x"), assistant(call()), user(result([{"type": "image", "source": source}]))]}
    )
    messages = repaired(chat, "tokenhub")["messages"]
    assert PNG not in str(messages[2]["content"])
    (image,) = (part for part in messages[3]["content"] if part["type"] == "image_url")
    assert image["image_url"]["url"].endswith(PNG)


def test_a_long_task_of_an_agent_that_reminds_itself_stays_below_the_limit_of_messages() -> None:
    """What Claude Code puts after a result is in the result where a user may not follow it, and costs no message."""
    reminder = text("<system-reminder>\nThe file has changed.\n</system-reminder>")
    turns: list[Any] = [user(text("x"))]
    for number in range(19):
        turns += [assistant(call(f"toolu_{number}")), user(result("done", f"toolu_{number}"), reminder)]
    messages = repaired(translated({"messages": turns})[0], "hunyuan")["messages"]
    assert [message["role"] for message in messages] == ["user", *["assistant", "tool"] * 19]
    assert all("done\n\n<system-reminder>" in message["content"] for message in messages[2::2])
    earlier = repaired(translated({"messages": turns[:-2]})[0], "hunyuan")["messages"]
    assert messages[: len(earlier)] == earlier


@pytest.mark.parametrize("profile", ["hunyuan", "tokenhub"])
@reported("MoonshotAI/Kimi-K2#141")
def test_a_sub_agent_without_thinking_sends_neither_thinking_nor_effort(report: str, profile: ProfileName) -> None:
    body = {"thinking": {"type": "disabled"}, "temperature": 1, "output_config": {"effort": "high"}}
    chat, _ = translated({"messages": [user("x")], **body})
    assert "reasoning_effort" not in chat
    assert refusal(chat, profile) is None


def test_an_empty_text_beside_a_call_is_no_content() -> None:
    """Claude Code sends back the empty blocks that it was answered with."""
    chat, _ = translated({"messages": [user("x"), assistant(text(""), call()), user(result())]})
    assert chat["messages"][1]["content"] is None
    assert refusal(chat, "hunyuan") is None


@reported("vllm-project/vllm#50295", "sgl-project/sglang#33343")
def test_ids_that_repeat_in_a_message_lose_no_result(report: str) -> None:
    chat, _ = translated(
        {"messages": [user("x"), assistant(call("a"), call("a")), user(result("1", "a"), result("2", "a"))]}
    )
    sent = repaired(chat, "tokenhub")["messages"]
    ids = [one["id"] for one in sent[1]["tool_calls"]]
    assert len(set(ids)) == 2
    assert [(message["tool_call_id"], message["content"]) for message in sent[2:]] == list(zip(ids, "12", strict=True))


def test_a_translation_leaves_the_clients_body_alone() -> None:
    body = {"model": "hy3", "messages": copy.deepcopy(CLAUDE_CODE)}
    translated(body)
    assert body["messages"] == CLAUDE_CODE
