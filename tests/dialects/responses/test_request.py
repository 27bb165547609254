"""A whole request in chat, and what the answer is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.dialects.responses.request import to_chat
from tests.dialects.responses.judging import CODEX, translated

TOOL = {"type": "function", "name": "ls", "parameters": {"type": "object", "properties": {}}}


def test_a_text_is_a_user_message() -> None:
    chat, note = translated({"model": "hy3", "input": "go"})
    assert chat == {"model": "hy3", "messages": [{"role": "user", "content": "go"}]}
    assert (note["model"], note["client"], note["tools"], note["changes"]) == ("hy3", "", {}, [])


def test_instructions_come_first_then_the_tools_that_cant_be_had_then_the_conversation() -> None:
    body = {
        "model": "hy3",
        "instructions": "Be short.",
        "input": [{"role": "developer", "content": "D"}, {"role": "user", "content": "go"}],
        "tools": [{"type": "web_search"}],
    }
    messages = translated(body)[0]["messages"]
    assert [message["role"] for message in messages] == ["system", "system", "system", "user"]
    assert messages[0]["content"] == "Be short."
    assert "web_search" in messages[1]["content"]
    assert messages[2]["content"] == "D"


@pytest.mark.parametrize("instructions", [None, "", []])
def test_no_instructions_are_no_message(instructions: Any) -> None:
    chat, _ = translated({"model": "hy3", "input": "go", "instructions": instructions})
    assert [message["role"] for message in chat["messages"]] == ["user"]


def test_a_response_repeats_what_was_asked_and_codex_is_spared_its_tools() -> None:
    asked = {"instructions": "Be short.", "metadata": {"a": "b"}, "store": False, "tool_choice": "auto", "top_p": None}
    _, note = translated({"model": "hy3", "input": "go", "tools": [TOOL], **asked})
    assert note["echo"] == {**{key: value for key, value in asked.items() if value is not None}, "tools": [TOOL]}
    _, note = translated({"model": "hy3", "input": "go", "tools": [TOOL]}, CODEX)
    assert note["client"] == "codex"
    assert note["echo"] == {"tools": []}


def test_the_repeated_tools_dont_change_with_the_request() -> None:
    """The rules work on schemas in place."""
    body: dict[str, Any] = {"model": "hy3", "input": "go", "tools": [TOOL | {"parameters": {"type": "object"}}]}
    note: dict[str, Any] = {}
    to_chat(body, {}, note)["tools"][0]["function"]["parameters"]["changed"] = True
    assert note["echo"]["tools"][0]["parameters"] == {"type": "object"}


def test_earlier_items_come_before_the_own_ones_and_are_told_under_what_brought_them() -> None:
    earlier = [{"role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]}]
    note: dict[str, Any] = {"earlier": earlier}
    chat = to_chat({"model": "hy3", "input": "go", "previous_response_id": "resp_1"}, {}, note)
    assert [message["content"] for message in chat["messages"]][1:] == ["go"]
    assert "earlier" not in note
    assert [pointer for pointer, _ in note["changes"]] == ["/previous_response_id/content/0"]
    note = {"earlier": earlier}
    to_chat({"model": "hy3", "conversation": "conv_1"}, {}, note)
    assert [pointer for pointer, _ in note["changes"]] == ["/conversation/content/0"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "go"}, "model"),
        ({"model": 1, "input": "go"}, "model"),
        ({"model": "hy3"}, "input"),
        ({"model": "hy3", "input": 1}, "input"),
        ({"model": "hy3", "input": "go", "tools": {}}, "tools"),
        ({"model": "hy3", "input": "go", "instructions": 1}, "instructions"),
    ],
)
def test_a_wrong_type_is_refused_by_its_name(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as error:
        to_chat(body, {}, {})
    assert error.value.param == param
    assert error.value.message.startswith(f"{param}: ")


def test_a_chat_body_is_told_where_it_belongs() -> None:
    with pytest.raises(BadRequest, match="/v1/chat/completions"):
        to_chat({"model": "hy3", "messages": [{"role": "user", "content": "go"}]}, {}, {})
