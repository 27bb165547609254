"""Items in chat."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.dialects.responses import sealing
from tests.dialects.anthropic.translating import repaired
from tests.dialects.responses.judging import translated

USER = {"role": "user", "content": "go"}


def messages_of(*items: Any, **fields: Any) -> list[dict[str, Any]]:
    """The messages for these items."""
    made: list[dict[str, Any]] = translated({"model": "hy3", "input": list(items), **fields})[0]["messages"]
    return made


def whys(*items: Any) -> list[list[str]]:
    """What is told of these items."""
    made: list[list[str]] = translated({"model": "hy3", "input": list(items)})[1]["changes"]
    return made


def refused(*items: Any) -> str:
    """The param of the error for these items; its message names it."""
    with pytest.raises(BadRequest) as error:
        translated({"model": "hy3", "input": list(items)})
    assert error.value.param is not None and error.value.param in error.value.message
    return error.value.param


def call(id: str = "a", name: str = "ls", **beside: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": id, "name": name, "arguments": '{"path": "/a"}', **beside}


def output(id: str = "a", said: Any = "done", **beside: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": id, "output": said, **beside}


def said(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [part]}


def thought(text: str, **beside: Any) -> dict[str, Any]:
    content = [{"type": "reasoning_text", "text": text}] if text else []
    return {"type": "reasoning", "id": "rs_1", "summary": [], "content": content, **beside}


def test_a_turn_is_one_message_with_all_that_it_has() -> None:
    _, turn, result = messages_of(USER, thought("hm"), said("I look."), call(), output())
    assert turn == {
        "role": "assistant",
        "content": "I look.",
        "reasoning_content": "hm",
        "tool_calls": [{"type": "function", "function": {"name": "ls", "arguments": '{"path": "/a"}'}, "id": "a"}],
    }
    assert result == {"role": "tool", "content": "done", "tool_call_id": "a"}


def test_calls_alone_have_no_content() -> None:
    assert messages_of(USER, call(), output())[1]["content"] is None


def test_two_messages_of_one_turn_are_two_paragraphs_and_the_parts_of_one_are_one_text() -> None:
    parts = {**said(""), "content": [{"type": "output_text", "text": text} for text in ("It is ", "noon.")]}
    assert messages_of(USER, said("A."), parts)[1]["content"] == "A.\n\nIt is noon."


def test_a_developer_message_is_a_system_message_where_it_stands() -> None:
    made = messages_of({"role": "developer", "content": "D"}, USER, {"role": "system", "content": "S"}, said("ok"))
    assert [message["role"] for message in made] == ["system", "user", "system", "assistant"]


def test_a_phase_is_dropped_and_told() -> None:
    item = {**said("I look."), "phase": "commentary"}
    assert messages_of(USER, item) == messages_of(USER, said("I look."))
    assert whys(USER, item) == [["/input/1", "the phase of a message is dropped: chat has none"]]


def test_an_empty_developer_message_is_none_but_an_empty_user_message_is_one() -> None:
    made = messages_of({"role": "developer", "content": []}, {"role": "user", "content": ""}, USER)
    assert [message["content"] for message in made] == ["", "go"]


# Reasoning


def test_reasoning_waits_for_its_answer_behind_developer_texts_and_outputs() -> None:
    developer = {"role": "developer", "content": "D"}
    made = messages_of(USER, call("a"), thought("one"), output("a"), thought("two"), developer, call("b"), output("b"))
    turns = [message for message in made if message["role"] == "assistant"]
    assert [turn["reasoning_content"] for turn in turns] == ["one", "two"]


def test_reasoning_at_the_end_joins_the_turn_whose_outputs_it_followed() -> None:
    made = messages_of(USER, thought("one "), call(), output(), thought("two"))
    assert made[1]["reasoning_content"] == "one two"
    made = messages_of(USER, call(), output(), thought("two"), USER, said("ok"))
    assert (made[1].get("reasoning_content"), made[4].get("reasoning_content")) == ("two", None)


def test_reasoning_crosses_no_user_message() -> None:
    made = messages_of(USER, call(), output(), USER, thought("lost"), USER)
    assert not any("reasoning_content" in message for message in made)
    assert ["/input", "reasoning that no answer followed is dropped"] in whys(USER, thought("lost"), USER)


def test_reasoning_in_clear_comes_first_then_what_was_sealed_here_then_the_summary() -> None:
    sealed = sealing.seal("reasoning", "sealed")
    summary = [{"type": "summary_text", "text": "in"}, {"type": "summary_text", "text": "short"}]
    for beside, expected in (
        ({"content": [{"type": "reasoning_text", "text": "clear"}], "encrypted_content": sealed}, "clear"),
        ({"content": None, "encrypted_content": sealed}, "sealed"),
        ({"content": [], "encrypted_content": "gAAAforeign"}, "in\n\nshort"),
        ({"content": [], "encrypted_content": sealing.seal("compaction", "another kind")}, "in\n\nshort"),
    ):
        item = {"type": "reasoning", "summary": summary, **beside}
        assert messages_of(USER, item, said("ok"))[1]["reasoning_content"] == expected


# Calls and outputs


def test_a_call_without_a_name_is_words_and_its_output_user_text() -> None:
    """A client that was given one sends it with each request from then on."""
    body = {"model": "hy3", "input": [USER, call(name=""), output(said="unsupported call: ")]}
    chat, note = translated(body)
    assert "tool_calls" not in chat["messages"][1] and "/a" in chat["messages"][1]["content"]
    assert "unsupported call" in repaired(chat, "tokenhub")["messages"][2]["content"]
    assert ["/input/1", "a call that names no tool is said in words"] in note["changes"]
    assert refused(USER, call(name=1)) == "input[1].name"  # type: ignore[arg-type]


def test_calls_of_built_in_tools_are_calls() -> None:
    action = {"type": "exec", "command": ["ls", "-l"], "env": {}}
    operation = {"type": "delete_file", "path": "a"}
    made = messages_of(
        USER,
        {"type": "local_shell_call", "id": "lsh_1", "status": "completed", "action": action},
        {"type": "shell_call", "call_id": "s", "action": {"commands": ["ls"], "timeout_ms": None}},
        {"type": "apply_patch_call", "call_id": "p", "status": "completed", "operation": operation},
        {"type": "tool_search_call", "call_id": "t", "execution": "client", "arguments": {"query": "q"}},
    )
    calls = [
        (one["id"], one["function"]["name"], json.loads(one["function"]["arguments"])) for one in made[1]["tool_calls"]
    ]
    assert calls == [
        ("lsh_1", "local_shell", {"command": ["ls", "-l"], "env": {}}),
        ("s", "shell", {"commands": ["ls"], "timeout_ms": None}),
        ("p", "apply_patch", operation),
        ("t", "tool_search", {"query": "q"}),
    ]


def test_outputs_of_built_in_tools_are_results() -> None:
    outputs = [
        {"stdout": "out", "stderr": "err", "outcome": {"type": "exit", "exit_code": 2}},
        {"stdout": "", "stderr": "", "outcome": {"type": "timeout"}},
        {"stdout": "well", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}},
    ]
    made = messages_of(
        USER,
        {"type": "local_shell_call_output", "id": "a", "output": '{"output": "x"}'},
        {"type": "shell_call_output", "call_id": "b", "output": outputs},
        {"type": "apply_patch_call_output", "call_id": "c", "status": "failed", "output": "no such file"},
        {"type": "apply_patch_call_output", "call_id": "d", "status": "completed"},
    )
    assert [(message["tool_call_id"], message["content"]) for message in made[1:]] == [
        ("a", '{"output": "x"}'),
        ("b", "out\nerr\n[exit code 2]\n[timed out]\nwell"),
        ("c", "no such file"),
        ("d", "completed"),
    ]


def test_an_output_that_is_no_content_is_json() -> None:
    assert messages_of(USER, call(), output(said={"a": 1}))[2]["content"] == '{"a":1}'
    assert messages_of(USER, call(), output(said=[1, 2]))[2]["content"] == "[1,2]"
    assert messages_of(USER, call(), output(said=None))[2]["content"] == ""


def test_messages_in_the_shape_of_chat_lose_no_call_and_no_output() -> None:
    function = {"name": "ls", "arguments": call()["arguments"]}
    asks = {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function", "function": function}]}
    answers = {"role": "tool", "tool_call_id": "a", "content": "done"}
    assert messages_of(USER, asks, answers) == messages_of(USER, call(), output())
    alone = messages_of(USER, {"role": "function", "name": "ls", "content": "done"})
    assert alone[1] == {"role": "user", "content": "Output of ls:\n\ndone"}


def test_an_output_may_name_its_call_as_chat_does() -> None:
    named = {"type": "function_call_output", "tool_call_id": "a", "output": "done"}
    assert messages_of(USER, call(), named) == messages_of(USER, call(), output())


def test_an_output_without_an_id_is_told_where_it_stands() -> None:
    assert ["/input/1", "an output without the id of its call becomes user text"] in whys(USER, output(id=""))


def test_a_search_that_its_vendor_made_is_words() -> None:
    search = {"type": "tool_search_call", "execution": "server", "call_id": None, "arguments": {"query": "q"}}
    found = {
        "type": "tool_search_output",
        "execution": "server",
        "call_id": None,
        "tools": [{"type": "custom", "name": "x"}],
    }
    chat, _ = translated({"model": "hy3", "input": [USER, search, found, said("ok")]})
    assert [tool["function"]["name"] for tool in chat["tools"]] == ["x"]
    assert "Tool x is available now." in chat["messages"][1]["content"]
    assert "tool_calls" not in chat["messages"][1]


# Other items


def test_a_summary_of_ours_is_opened_and_another_vendors_leaves_a_note() -> None:
    ours = {"type": "compaction", "encrypted_content": sealing.seal("compaction", "Fixed the bug.")}
    for kind in ("compaction", "compaction_summary", "context_compaction"):
        assert messages_of({**ours, "type": kind}, USER)[0]["content"].endswith("\n\nFixed the bug.")
    theirs = {"type": "compaction", "encrypted_content": "gAAAA"}
    assert "can't be read here" in messages_of(theirs, USER)[0]["content"]
    assert any("only its vendor can read" in why for _, why in whys(theirs, USER))


def test_a_summary_is_asked_for_without_a_form_and_without_calls() -> None:
    chat, note = translated(
        {
            "model": "hy3",
            "input": [USER, {"type": "compaction_trigger"}],
            "tools": [{"type": "function", "name": "ls", "parameters": None}],
            "tool_choice": "required",
            "text": {"format": {"type": "json_object"}},
        }
    )
    assert note["compact"] is True
    assert chat["messages"][:-1] == messages_of(USER)
    assert chat["tool_choice"] == "none" and "response_format" not in chat
    assert "compact" not in translated({"model": "hy3", "input": [USER]})[1]


def test_a_reference_to_what_isnt_kept_says_what_to_do() -> None:
    assert refused(USER, {"type": "item_reference", "id": "msg_1"}) == "input[1].id"
    assert refused({"id": "msg_1"}) == "input[0].id"


def test_an_item_that_nobody_knows_is_said_with_its_text() -> None:
    text = [{"type": "input_text", "text": "Report."}]
    made = messages_of(USER, {"type": "agent_message", "author": "scout", "content": text})
    assert made[1] == {"role": "user", "content": '[agent_message: {"author":"scout"}]\n\nReport.'}
    assert messages_of(USER, {"type": "new", "content": text})[1]["content"] == "Report."
    assert messages_of(USER, {"type": "new", "role": "assistant", "content": "Hm."})[1]["role"] == "assistant"


def test_an_item_without_content_is_dropped_and_told() -> None:
    assert messages_of(USER, {"type": "new", "id": "new_1"}) == messages_of(USER)
    assert whys(USER, {"type": "new", "id": "new_1"}) == [["/input/1", "an item without content is dropped"]]


def test_what_a_vendor_ran_is_words_of_the_assistant() -> None:
    search = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "q"},
    }
    image = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "A" * 1000}
    made = messages_of(USER, search, image, said("ok"))
    assert [message["role"] for message in made] == ["user", "assistant"]
    assert made[1]["content"].startswith("[searched the web for q]\n\n[image_generation: ")
    assert made[1]["content"].endswith("\n\nok") and "AAAA" not in made[1]["content"]
    assert "ig_1" not in made[1]["content"]


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"type": "search", "query": "a", "queries": ["a", "b"]}, "[searched the web for a; b]"),
        (
            {"type": "search", "query": "a", "sources": [{"type": "url", "url": "https://a.example"}, 1]},
            "[searched the web for a]\nhttps://a.example",
        ),
        ({"type": "search"}, "[searched the web]"),
        (None, "[searched the web]"),
        ({"type": "open_page", "url": "https://a.example"}, "[opened https://a.example]"),
        ({"type": "find_in_page", "url": "https://a.example", "pattern": "x"}, "[looked for x in https://a.example]"),
    ],
)
def test_a_search_of_the_web_is_said_in_a_sentence(action: Any, said: str) -> None:
    made = messages_of(USER, {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": action})
    assert made[1] == {"role": "assistant", "content": said}


def test_a_call_of_a_kind_that_nobody_knows_is_the_assistants() -> None:
    made = messages_of(USER, {"type": "robot_call", "id": "rc_1", "move": "left"})
    assert made[1] == {"role": "assistant", "content": '[robot: {"move":"left"}]'}


def test_what_no_model_is_shown_is_dropped_and_told() -> None:
    for kind in ("mcp_list_tools", "configuration_update", "ghost_snapshot"):
        item = {"type": kind, "server_label": "files", "tools": [{"name": "look"}]}
        assert messages_of(USER, item) == messages_of(USER)
        assert whys(USER, item) == [["/input/1", "an item that no model is shown is dropped"]]


def test_a_screenshot_and_an_approval_are_the_users() -> None:
    url = "data:image/png;base64,iVBORw0KGgo="
    shown = {
        "type": "computer_call_output",
        "call_id": "c",
        "output": {"type": "computer_screenshot", "image_url": url},
    }
    _, message = messages_of(USER, shown)
    assert (message["role"], message["content"][1]) == ("user", {"type": "image_url", "image_url": {"url": url}})
    approval = {"type": "mcp_approval_response", "approval_request_id": "m", "approve": False, "reason": "Too late."}
    assert messages_of(USER, approval)[1] == {"role": "user", "content": "[not approved: Too late.]"}


def test_a_conversation_without_words_has_one_empty_message() -> None:
    assert messages_of({"type": "mcp_list_tools"}) == [{"role": "user", "content": ""}]


@pytest.mark.parametrize(
    ("item", "param"),
    [
        (1, "input[0]"),
        ({"role": "critic", "content": "x"}, "input[0].role"),
        ({"role": "assistant", "tool_calls": ["x"]}, "input[0].tool_calls[0]"),
        ({"role": "user", "content": 1}, "input[0].content"),
        ({"role": "user", "content": [1]}, "input[0].content[0]"),
        ({"type": "additional_tools", "tools": {}}, "input[0].tools"),
        ({"type": "additional_tools", "tools": [1]}, "input[0].tools[0]"),
    ],
)
def test_a_wrong_type_is_refused_by_its_place(item: Any, param: str) -> None:
    assert refused(item) == param


def test_a_call_that_has_only_the_id_of_its_item_is_answered() -> None:
    call = {"type": "function_call", "id": "call_9", "name": "ls", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "call_9", "output": "a.txt"}
    chat, _ = translated({"model": "hy3", "input": [{"role": "user", "content": "go"}, call, output]})
    assert chat["messages"][1]["tool_calls"][0]["id"] == chat["messages"][2]["tool_call_id"] == "call_9"
