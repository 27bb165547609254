"""Parameters in chat."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.dialects.base import BadRequest
from tests.dialects.anthropic.translating import repaired, translated, user, whys

PLAIN = {"model", "messages", "max_tokens"}


def parameters(**fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a request has in chat beside its conversation, and the note."""
    chat, note = translated({"messages": [user("go")], **fields})
    return {key: value for key, value in chat.items() if key not in PLAIN}, note


@pytest.mark.parametrize("field", ["temperature", "top_p", "top_k"])
def test_what_both_formats_have(field: str) -> None:
    assert parameters(**{field: 0.5})[0] == {field: 0.5}
    assert parameters(**{field: None})[0] == {}


def test_a_stream_tells_its_usage() -> None:
    chat, note = parameters(stream=True)
    assert chat == {"stream": True, "stream_options": {"include_usage": True}}
    assert note["stream"] is True
    assert parameters(stream=False)[1]["stream"] is False


def test_stop_sequences() -> None:
    chat, note = parameters(stop_sequences=["a", "", "\n"])
    assert chat == {"stop": ["a", "\n"]}
    assert note["stop_sequences"] == ["a", "\n"]


def test_more_stop_sequences_than_the_endpoint_takes_are_noted() -> None:
    given = ["a", "b", "c", "d", "e", "f"]
    chat, note = translated({"messages": [user("go")], "stop_sequences": given})
    assert repaired(chat, "tokenhub")["stop"] == given[:4]
    assert note["stop_sequences"] == given


@pytest.mark.parametrize(
    ("given", "sent", "answered"),
    [
        (None, None, "off"),
        ({}, None, "off"),
        ({"type": "enabled", "budget_tokens": 31999}, {"type": "enabled"}, "shown"),
        ({"type": "adaptive", "display": "omitted"}, {"type": "adaptive"}, "omitted"),
        ({"type": "adaptive", "display": "summarized"}, {"type": "adaptive"}, "shown"),
        ({"type": "adaptive", "display": "updates"}, {"type": "adaptive"}, "shown"),
        ({"type": "between_tools"}, {"type": "enabled"}, "shown"),
        ({"type": "disabled", "display": "omitted"}, {"type": "disabled"}, "off"),
        ({"type": "a kind of next year"}, None, "off"),
        ({"type": 5}, None, "off"),
    ],
)
def test_thinking(given: Any, sent: Any, answered: str) -> None:
    chat, note = parameters(thinking=given)
    assert chat.get("thinking") == sent
    assert note["thinking"] == answered


def test_a_budget_is_told() -> None:
    assert whys(parameters(thinking={"type": "enabled", "budget_tokens": 1024})[1], "/thinking/budget_tokens")


@pytest.mark.parametrize(
    ("effort", "tokenhub"),
    # hy3 tells no two of them apart: docs/facts/tokenhub.md#thinking
    [("low", "high"), ("medium", "high"), ("high", "high"), ("xhigh", "high"), ("max", "high")],
)
def test_an_effort_becomes_what_the_endpoint_takes(effort: str, tokenhub: str) -> None:
    chat, _ = translated(
        {"messages": [user("go")], "output_config": {"effort": effort}, "thinking": {"type": "adaptive"}}
    )
    assert chat["reasoning_effort"] == effort
    assert repaired(chat, "tokenhub")["reasoning_effort"] == tokenhub
    assert "reasoning_effort" not in repaired(chat, "hunyuan")


def test_no_effort_without_thinking() -> None:
    chat, note = parameters(output_config={"effort": "high"}, thinking={"type": "disabled"})
    assert chat == {"thinking": {"type": "disabled"}}
    assert whys(note, "/output_config/effort")


SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}, "additionalProperties": False}


@pytest.mark.parametrize(
    "fields",
    [
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
        {
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
            "output_format": {"type": "json_schema", "schema": {}},
        },
    ],
)
def test_structured_output(fields: dict[str, Any]) -> None:
    chat, _ = translated({"messages": [user("go")], **fields})
    assert chat["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
    }
    assert repaired(chat, "tokenhub")["response_format"] == chat["response_format"]
    legacy = repaired(chat, "hunyuan")
    assert "response_format" not in legacy
    assert '"word"' in legacy["messages"][0]["content"]


@pytest.mark.parametrize("given", [{"type": "json_schema"}, {"type": "xml", "schema": {}}, {"type": ["json_schema"]}])
def test_another_format_is_told(given: Any) -> None:
    chat, note = parameters(output_config={"format": given})
    assert chat == {}
    assert whys(note, "/output_config/format")


def test_the_user() -> None:
    chat, _ = translated({"messages": [user("go")], "metadata": {"user_id": "user_1"}})
    assert chat["user"] == "user_1"
    assert "user" not in repaired(chat, "tokenhub")
    assert parameters(metadata={"user_id": None})[0] == {}


def test_what_chat_has_no_word_for_is_told_by_its_name() -> None:
    given = {"context_management": {"edits": []}, "container": "c", "service_tier": "auto", "a/b": 1, "speed": None}
    chat, note = parameters(**given, output_config={"task_budget": {"total": 1}})
    assert chat == {}
    assert {pointer for pointer, _ in note["changes"]} == {
        "/context_management",
        "/container",
        "/service_tier",
        "/a~1b",
        "/output_config/task_budget",
    }


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"stop_sequences": ["END", 5]}, "stop_sequences"),
        ({"stream": "yes"}, "stream"),
        ({"metadata": "me"}, "metadata"),
        ({"thinking": True}, "thinking"),
        ({"output_config": []}, "output_config"),
        ({"output_config": {"format": "json"}}, "output_config.format"),
        ({"output_format": "json"}, "output_format"),
    ],
)
def test_a_wrong_type_is_refused_by_its_name(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(BadRequest) as raised:
        parameters(**fields)
    assert raised.value.param == place
    assert raised.value.message.startswith(f"{place}: must be")
