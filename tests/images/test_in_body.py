from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.images import data, in_body
from tests.vision_server import PNG, image_part, png, text_part

DATA = png("a")
PAYLOAD = DATA.partition(",")[2]


def body(*contents: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": content} for content in contents]}


@pytest.mark.parametrize(
    ("part", "source"),
    [
        (image_part(DATA), DATA),
        (image_part("https://example.com/a.png"), "https://example.com/a.png"),
        ({"type": "image_url", "image_url": DATA}, DATA),
        ({"image_url": {"url": DATA}}, DATA),
        ({"image_url": DATA}, DATA),
        ({"type": "input_image", "image_url": DATA, "detail": "auto"}, DATA),
        ({"type": "image", "url": "http://example.com/a"}, "http://example.com/a"),
        ({"type": "image", "image": DATA, "mimeType": "image/png"}, DATA),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PAYLOAD}}, DATA),
        ({"type": "image", "source": {"type": "url", "url": "https://example.com/a"}}, "https://example.com/a"),
        ({"type": "image", "data": PAYLOAD, "mimeType": "image/png"}, DATA),
        ({"type": "image", "data": DATA}, DATA),
        ({"type": "input_image", "file_id": "file-1"}, ""),
        ({"type": "image_url", "image_url": {}}, ""),
        (text_part(DATA), DATA),
        (DATA, DATA),
    ],
)
def test_part_is_an_image(part: Any, source: str) -> None:
    chat = body([text_part("look"), part])
    assert in_body.suspected(chat)
    (image,) = in_body.find(chat)
    assert (image.source, image.place.pointer, image.question) == (source, "/messages/0/content/1", "look")


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "data:image/ is how such a URL starts",
        "data:image/png;base64,… is what I see",
        "see data:image/png;base64,AAAA",
        7,
        [text_part("data:text/plain;base64,AAAA"), {"type": "file", "file": {}}, None, 7, {"type": ["x"]}],
        [{"type": "text", "text": None}, {"type": "text", "text": "", "image_url": None}],
    ],
)
def test_no_image(content: Any) -> None:
    assert in_body.find(body(content)) == []


@pytest.mark.parametrize("messages", [None, "x", {}, [None, "x", 3, {}]])
def test_messages_that_are_none(messages: Any) -> None:
    assert not in_body.suspected({"messages": messages})
    assert in_body.find({"messages": messages}) == []


@pytest.mark.parametrize("role", ["user", "tool", "assistant", "system", "developer"])
def test_any_role_has_images(role: str) -> None:
    assert len(in_body.find({"messages": [{"role": role, "content": [image_part(DATA)]}]})) == 1


def test_numbers_run_within_a_message() -> None:
    first, second = png("1"), png("2")
    found = in_body.find(body([image_part(first), image_part(second)], "text", [image_part(first)]))
    assert [(image.place.message, image.number, image.total) for image in found] == [(0, 1, 2), (0, 2, 2), (2, 1, 1)]


def test_question_is_the_messages_own_text_cut() -> None:
    long = "问" * 600
    found = in_body.find(body("other", [text_part(long), image_part(DATA), text_part(" \n"), text_part(long)]))
    assert found[0].question == (long + "\n" + long)[:800]


def test_string_keeps_what_follows_the_data_url() -> None:
    chat = body(f"{DATA}\nwhat is this?")
    found = in_body.find(chat)
    (image,) = found
    assert (image.source, image.question, image.place.pointer) == (DATA, "\nwhat is this?", "/messages/0/content")
    in_body.put(chat, found, ["[text]"])
    assert chat["messages"][0]["content"] == "[text]\nwhat is this?"


def test_replace_leaves_other_parts() -> None:
    before, after = text_part("before"), {"type": "file", "file": {"file_id": "f"}}
    chat = body([before, image_part(DATA), after])
    in_body.put(chat, in_body.find(chat), ["[text]"])
    assert chat["messages"][0]["content"] == [before, text_part("[text]"), after]


_json = st.recursive(
    st.none() | st.integers() | st.sampled_from(["", "words", DATA, f"{DATA} words", "http://x/y"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "text", "image_url", "url", "source", "data", "image"]),
            inner | st.sampled_from(["text", "image_url", "image"]),
            max_size=4,
        )
    ),
)


@given(st.lists(_json, max_size=4), _json)
def test_replacing_takes_out_every_image_and_nothing_else(contents: list[Any], messages: Any) -> None:
    in_body.find({"messages": messages})
    chat = body(*contents)
    before = copy.deepcopy(chat)
    found = in_body.find(chat)
    assert in_body.suspected(chat) or not found
    in_body.put(chat, found, ["[text]"] * len(found))
    assert in_body.find(chat) == []
    places = {(image.place.message, image.place.part) for image in found}
    for index, message in enumerate(before["messages"]):
        content, now = message["content"], chat["messages"][index]["content"]
        if isinstance(content, list):
            assert [p for i, p in enumerate(content) if (index, i) not in places] == [
                p for i, p in enumerate(now) if (index, i) not in places
            ]
        elif (index, None) not in places:
            assert content == now


PICTURE = PNG + bytes(range(256))
STANDARD = base64.b64encode(PICTURE).decode()
URL = f"data:image/png;base64,{STANDARD}"
SHAPES: dict[str, Any] = {
    "MCP resource": {"type": "resource", "resource": {"uri": "shot://1", "mimeType": "image/png", "blob": STANDARD}},
    "MCP resource without a MIME type": {"type": "resource", "resource": {"uri": "shot://1", "blob": STANDARD}},
    "media": {"type": "media", "data": STANDARD, "mimeType": "image/png"},
    "image-data": {"type": "image-data", "data": STANDARD, "mediaType": "image/png"},
    "AI SDK file": {"type": "file", "data": STANDARD, "mediaType": "image/png", "filename": "a.png"},
    "AI SDK file by bytes": {"type": "file", "data": STANDARD, "mediaType": "application/octet-stream"},
    "AI SDK image": {"type": "image", "image": STANDARD, "mediaType": "image/png"},
    "AI SDK image in numbers": {"type": "image", "image": list(PICTURE)},
    "file_data": {"type": "file", "file": {"filename": "a.png", "file_data": URL}},
    "bare file_data": {"type": "file", "file": {"filename": "a.png", "file_data": STANDARD}},
    "input_file": {"type": "input_file", "filename": "a.png", "file_data": URL},
    "inlineData": {"inlineData": {"mimeType": "image/png", "data": STANDARD}},
    "Anthropic document": {
        "type": "document",
        "source": {"type": "base64", "media_type": "image/png", "data": STANDARD},
    },
    "nested": {"type": "tool_result", "content": [{"type": "image", "data": STANDARD}]},
    "nested in nested": {"type": "tool_result", "content": [{"type": "tool_result", "content": [image_part(URL)]}]},
    "unknown": {"type": "observation", "screenshot": STANDARD},
    "deep": {"a": {"b": {"c": {"d": [[[[[[[[[[[[[[[[STANDARD]]]]]]]]]]]]]]]]}}}},
    "bare base64 as URL": image_part(STANDARD),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("place", ["part", "content"])
def test_image_in_the_shape_of_any_dialect(shape: Any, place: str) -> None:
    chat = body([text_part("Took it."), shape] if place == "part" else shape)
    (image,) = found = in_body.find(chat)
    assert data.sendable_url(image.source, 1 << 20) == URL
    in_body.put(chat, found, ["A window."])
    said = json.dumps(chat)
    assert "iVBOR" not in said
    assert said.count("A window.") == 1
    assert said.count("Took it.") == (place == "part")
    assert in_body.find(chat) == []


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjc="}},
        {"type": "input_audio", "input_audio": {"data": list(range(256)), "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": "UklGRiQAAABXQVZFZm10IBAAAAABAAEA" * 3, "format": "wav"}},
        {
            "type": "resource",
            "resource": {"uri": "a://b", "mimeType": "text/plain", "text": "iVBORw0KGgo begins a PNG"},
        },
        {"type": "resource", "resource": {"uri": "a://b", "mimeType": "application/zip", "blob": "UEsDBBQ" * 30}},
        {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
    ],
)
def test_other_files_are_no_images(part: Any) -> None:
    assert in_body.find(body([part])) == []


def test_caption_of_an_image_stays() -> None:
    chat = body([{"type": "image", "data": STANDARD, "text": "the door"}])
    found = in_body.find(chat)
    in_body.put(chat, found, ["A door."])
    assert chat["messages"][0]["content"] == [text_part("A door.\nthe door")]
