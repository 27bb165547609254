"""A summary at once: what it is made of, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.dialects import DIALECTS
from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.dialects.responses import sealing

COMPACT = DIALECTS["responses-compact"]
SAID = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Sum."}, "finish_reason": "stop"}]}


def asked(note: dict[str, Any], **body: Any) -> dict[str, Any]:
    return COMPACT.to_chat({"model": "hy3", **body}, {}, note)


def test_the_users_messages_stay_and_the_rest_is_sealed() -> None:
    note: dict[str, Any] = {"earlier": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    chat = asked(note, input=[{"type": "message", "role": "user", "content": "c"}, {"role": "system", "content": "d"}])
    assert [message["content"] for message in chat["messages"]][:3] == ["a", "b", "c"]
    assert "stream" not in chat
    made = COMPACT.answer(SAID, note)
    *stays, summary = made["output"]
    assert [item["content"][0]["text"] for item in stays] == ["a", "c"]
    assert sealing.opened("compaction", summary["encrypted_content"]) == "Sum."
    assert {*made} == {"id", "object", "created_at", "output", "usage"}
    assert "user_messages" not in note, "it would stand in a saved flow"


def test_a_stream_is_not_made() -> None:
    assert "stream" not in asked({}, input="x", stream=True, stream_options={"include_usage": True})


@pytest.mark.parametrize("body", [{}, {"input": 7}, {"input": None}])
def test_what_is_no_conversation_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        asked({}, **body)


def test_an_earlier_answer_alone_can_be_summed_up() -> None:
    note: dict[str, Any] = {"earlier": [{"role": "user", "content": "a"}]}
    assert asked(note)["messages"][0]["content"] == "a"


def test_what_is_no_summary_is_a_failure() -> None:
    note: dict[str, Any] = {}
    asked(note, input="x")
    assert COMPACT.answer({"choices": [{"message": {"content": ""}}]}, note)["status"] == "failed"
