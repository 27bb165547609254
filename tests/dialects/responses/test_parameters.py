"""Parameters in chat."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.dialects.base import BadRequest
from tests.dialects.anthropic.translating import repaired
from tests.dialects.responses.judging import translated


def parameters_of(**fields: Any) -> dict[str, Any]:
    """What chat gets beside model and messages."""
    chat, _ = translated({"model": "hy3", "input": "go", **fields})
    return {key: value for key, value in chat.items() if key not in ("model", "messages")}


def note_of(**fields: Any) -> dict[str, Any]:
    note: dict[str, Any] = translated({"model": "hy3", "input": "go", **fields})[1]
    return note


def refused(**fields: Any) -> str:
    with pytest.raises(BadRequest) as error:
        translated({"model": "hy3", "input": "go", **fields})
    assert error.value.param is not None and error.value.param in error.value.message
    return error.value.param


def test_what_both_formats_have_stays() -> None:
    same = {"temperature": 0, "top_p": 0.5, "user": "u", "prompt_cache_key": "k"}
    chats = {"seed": 1, "stop": ["x"], "frequency_penalty": 0.5, "presence_penalty": 0.5}
    assert parameters_of(**same, **chats) == {**same, **chats}
    assert parameters_of(temperature=None, max_output_tokens=None) == {}
    assert note_of(**same, **chats)["changes"] == []


def test_the_most_tokens_are_called_max_tokens() -> None:
    assert parameters_of(max_output_tokens=100) == {"max_tokens": 100}


def test_what_users_of_chat_put_beside_it_counts_where_the_apis_own_is_absent() -> None:
    assert parameters_of(max_tokens=100) == parameters_of(max_completion_tokens=100) == {"max_tokens": 100}
    assert parameters_of(max_output_tokens=1, max_tokens=100) == {"max_tokens": 1}
    assert parameters_of(reasoning_effort="high") == {"reasoning_effort": "high"}
    assert parameters_of(reasoning_effort="high", reasoning={"effort": "low"}) == {"reasoning_effort": "low"}
    chats = {"type": "json_schema", "json_schema": {"name": "out", "schema": {"type": "object"}, "strict": True}}
    assert parameters_of(response_format=chats) == parameters_of(text={"format": chats}) == {"response_format": chats}
    assert parameters_of(response_format=chats, text={"format": {"type": "text"}}) == {}
    assert note_of(max_tokens=1, reasoning_effort="low", response_format=chats)["changes"] == []


def test_a_stream_brings_its_usage() -> None:
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    assert parameters_of(stream=True, stream_options={"include_obfuscation": False}) == asked
    assert parameters_of(stream=False) == parameters_of(stream=None) == {}
    assert note_of(stream=True)["stream"] is True and note_of()["stream"] is False
    assert refused(stream="yes") == "stream"


@pytest.mark.parametrize(
    ("effort", "sent"),
    # hy3 tells no two of them apart: docs/facts/tokenhub.md#thinking
    [(effort, "high") for effort in ("minimal", "low", "medium", "high", "xhigh", "max", "ultra")],
)
def test_an_effort_is_the_nearest_that_the_endpoint_knows(effort: str, sent: str) -> None:
    chat, _ = translated({"model": "hy3", "input": "go", "reasoning": {"effort": effort}})
    assert repaired(chat, "tokenhub")["reasoning_effort"] == sent


def test_no_effort_is_no_thinking() -> None:
    off = {"thinking": {"type": "disabled"}}
    assert parameters_of(reasoning={"effort": "none"}) == off
    chat, _ = translated({"model": "hy3", "input": "go", "reasoning": {"effort": "none"}})
    assert repaired(chat, "tokenhub")["thinking"] == off["thinking"]
    on = {"thinking": {"type": "enabled"}}
    assert parameters_of(reasoning={"effort": "none"}, **on) == on  # which the user put beside it


def test_an_effort_that_is_no_word_is_dropped_and_told() -> None:
    assert parameters_of(reasoning={"effort": {"level": 1}}) == {}
    assert note_of(reasoning={"effort": 1})["changes"] == [
        ["/reasoning/effort", "an effort that is no word is dropped"]
    ]
    assert refused(reasoning="high") == "reasoning"


def test_how_reasoning_is_answered() -> None:
    asked = {"reasoning": {"summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    assert note_of(**asked)["reasoning"] == {"summary": True, "encrypted": True}
    assert note_of(reasoning={"generate_summary": "detailed"})["reasoning"]["summary"] is True
    assert note_of(reasoning={"summary": "none"})["reasoning"]["summary"] is False
    assert note_of(reasoning={"summary": None}, include=["x"])["reasoning"] == {"summary": False, "encrypted": False}


def test_a_schema_is_a_response_format() -> None:
    schema = {"type": "object", "properties": {}}
    given = {"type": "json_schema", "name": "out", "schema": schema, "strict": True, "description": "An out."}
    wanted = {"name": "out", "schema": schema, "description": "An out.", "strict": True}
    assert parameters_of(text={"format": given}) == {"response_format": {"type": "json_schema", "json_schema": wanted}}
    nameless = parameters_of(text={"format": {"type": "json_schema", "schema": schema}})
    assert nameless["response_format"]["json_schema"] == {"name": "answer", "schema": schema}
    assert parameters_of(text={"format": {"type": "json_object"}}) == {"response_format": {"type": "json_object"}}
    assert parameters_of(text={"format": {"type": "text"}}) == {}


def test_a_format_that_chat_lacks_is_told() -> None:
    why = "a format that chat has no word for is dropped"
    assert note_of(text={"format": {"type": "grammar"}})["changes"] == [["/text/format", why]]
    assert note_of(text={"format": {"type": "json_schema", "schema": 1}})["changes"] == [["/text/format", why]]
    assert refused(text={"format": "json"}) == "text.format"
    assert refused(text="json") == "text"


def test_what_chat_lacks_is_told_and_what_is_answered_here_is_not() -> None:
    changes = note_of(text={"verbosity": "low"}, truncation="auto", client_metadata={"a": "b"}, **{"a/b": 1})["changes"]
    assert {pointer for pointer, _ in changes} == {"/text/verbosity", "/truncation", "/client_metadata", "/a~1b"}
    assert note_of(store=True, metadata={"a": "b"}, service_tier=None, text={"verbosity": None})["changes"] == []


def test_what_needs_a_service_is_refused() -> None:
    assert refused(background=True) == "background"
    assert refused(prompt={"id": "pmpt_1"}) == "prompt"


def test_what_is_dropped_is_told_in_the_order_of_the_request() -> None:
    names = [f"{letter}_option" for letter in "qwertyuiop"]
    changes = note_of(text=dict.fromkeys(names, 1))["changes"]
    assert [pointer for pointer, _ in changes if pointer.startswith("/text/")] == [f"/text/{name}" for name in names]
