"""Images outside user messages."""

from __future__ import annotations

from typing import Any

from addon.rules.media import media
from tests.rule_context import context

TEXT = {"type": "text", "text": "hi"}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def test_an_image_in_a_tool_result_moves_into_a_user_message_after_it() -> None:
    body: dict[str, Any] = {"messages": [{"role": "tool", "tool_call_id": "a", "content": [TEXT, IMAGE]}]}
    [change] = media(body, context())
    note = context().texts.moved_media
    assert body["messages"] == [
        {"role": "tool", "tool_call_id": "a", "content": f"hi\n\n{note}"},
        {"role": "user", "content": [IMAGE]},
    ]
    assert change.rule == "media"


def test_user_images_and_texts_stay() -> None:
    body = {"messages": [{"role": "user", "content": [TEXT, IMAGE]}, {"role": "assistant", "content": "ok"}]}
    assert media(body, context()) == []
