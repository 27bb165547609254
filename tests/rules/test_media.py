"""Images outside user messages."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest

from hunyuan_fix.exchange import Changes
from hunyuan_fix.rules.image_parts import image_parts
from hunyuan_fix.rules.media import media
from tests.rule_context import context
from tests.vision_server import PNG

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


# Shapes


PICTURE = PNG + bytes(range(256))
STANDARD = base64.b64encode(PICTURE).decode()
URL = f"data:image/png;base64,{STANDARD}"
PROPER = {"type": "image_url", "image_url": {"url": URL}}
SEES, BLIND = "hunyuan-vision", "hunyuan-turbos-latest"


def shaped(content: Any, model: str) -> tuple[Any, Changes]:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": content}]}
    changes = image_parts(body, context(model=model))
    again = copy.deepcopy(body)
    assert image_parts(again, context(model=model)) == []
    assert again == body
    return body["messages"][0]["content"], changes


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image", "data": STANDARD, "mimeType": "image/png"},
        {"type": "resource", "resource": {"uri": "shot://1", "mimeType": "image/png", "blob": STANDARD}},
        {"type": "image_url", "image_url": {"url": STANDARD}},
        {
            "type": "image_url",
            "image_url": {"url": "data:image/png;base64," + STANDARD.translate(str.maketrans("+/", "-_"))},
        },
        {"type": "image_url", "image_url": {"url": URL.replace("image/png", "application/octet-stream")}},
    ],
)
def test_a_model_that_sees_gets_an_image_part(part: Any) -> None:
    content, changes = shaped([TEXT, part], SEES)
    assert content == [TEXT, PROPER]
    assert [(change.rule, change.pointer) for change in changes] == [("image-parts", "/messages/0/content/1")]
    assert shaped(part, SEES)[0] == [PROPER]


def test_image_in_a_text_follows_it() -> None:
    note = context().texts.image_after
    assert shaped(f"Took it. ![]({URL}) There.", SEES)[0] == [f"Took it. ![]({note}) There.", PROPER]
    content, _ = shaped(json.dumps({"note": "Took it.", "shots": [URL, URL]}), SEES)
    assert json.loads(content[0]) == {"note": "Took it.", "shots": [note, note]}
    assert content[1:] == [PROPER, PROPER]


@pytest.mark.parametrize("model", [SEES, BLIND])
@pytest.mark.parametrize(
    "part",
    [
        PROPER,
        {"type": "image_url", "image_url": {"url": "https://example.com/a-b_c%20.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4AAQ", "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjc="}},
        {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
        TEXT,
    ],
)
def test_good_parts_stay(part: Any, model: str) -> None:
    assert shaped([part], model) == ([part], Changes())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (STANDARD, "{}"),
        (f"Took it. {URL}", "Took it. {}"),
        ([TEXT, {"type": "image", "data": STANDARD}], [TEXT, {"type": "text", "text": "{}"}]),
        ([TEXT, {"type": "image_url", "image_url": {"url": STANDARD}}], [TEXT, {"type": "text", "text": "{}"}]),
    ],
)
def test_a_blind_model_gets_a_note(content: Any, expected: Any) -> None:
    note = context().texts.unsupported_part.format(type="image", detail="")
    assert shaped(content, BLIND)[0] == json.loads(json.dumps(expected).replace("{}", note))


def test_where_results_may_hold_images_they_stay() -> None:
    body: dict[str, Any] = {"messages": [{"role": "tool", "tool_call_id": "a", "content": [TEXT, IMAGE]}]}
    before = copy.deepcopy(body)
    assert not media(body, context("anthropic"))
    assert body == before
