"""Content parts."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hunyuan_fix.rules.parts import parts
from tests.rule_context import context

TEXT = {"type": "text", "text": "hi"}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def shaped(content: Any, role: str = "user", profile_name: str = "hunyuan") -> Any:
    body: dict[str, Any] = {"messages": [{"role": role, "content": content}]}
    parts(body, context(profile_name, language="en"))
    return body["messages"][0]["content"]


@pytest.mark.parametrize("content", ["hi", None, [TEXT], [TEXT, IMAGE]])
def test_good_content_stays(content: Any) -> None:
    body = {"messages": [{"role": "user", "content": content}]}
    assert parts(body, context()) == []


@pytest.mark.parametrize("role", ["system", "assistant", "tool"])
def test_lists_of_texts_become_strings_outside_user_messages(role: str) -> None:
    assert shaped([TEXT, {"type": "text", "text": ""}, TEXT], role) == "hi\n\nhi"
    assert shaped([], role) is None
    assert shaped([TEXT, IMAGE], role) == [TEXT, IMAGE]


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("hi", "hi"),
        ({"type": "input_text", "text": "hi"}, "hi"),
        ({"type": "refusal", "refusal": "no"}, "no"),
        ({"type": "thinking", "thinking": "hm"}, "hm"),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "A" * 600}},
            '[the file content here was not sent: the endpoint does not take it] {"file":{"filename":"a.pdf"}}',
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "A" * 600}},
            "[the input_audio content here was not sent: the endpoint does not take it]",
        ),
        ({"type": "image_url", "image_url": {"url": "file:///a.png"}}, None),
        ({"type": "image_url"}, None),
        (3, "3"),
        (None, ""),
    ],
)
def test_other_parts_become_text(part: Any, text: str | None) -> None:
    [new] = shaped([part])
    assert new["type"] == "text"
    assert text is None or new["text"] == text


def test_long_text_in_an_unknown_part_is_not_lost() -> None:
    words = "a long story " * 100
    [new] = shaped([{"type": "document", "source": {"data": words}}])
    assert words in new["text"]


def test_images_keep_only_what_the_profile_takes() -> None:
    detailed = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}
    assert shaped([detailed]) == [IMAGE]
    assert shaped([detailed], profile_name="tokenhub") == [detailed]
    assert shaped([{"image_url": "https://example.com/a.png"}]) == [IMAGE]


def test_videos_pass() -> None:
    video = {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4", "fps": 1}}
    assert shaped([TEXT, video]) == [TEXT, video]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (3, "3"),
        (1.5, "1.5"),
        (True, "true"),
        ({"a": 1}, '{"a":1}'),
        ({"text": "hi", "address": "b"}, '{"text":"hi","address":"b"}'),
        ({"type": "weather", "temp": 3}, '{"type":"weather","temp":3}'),
        (
            {"type": "FeatureCollection", "features": [{"type": "F"}]},
            '{"type":"FeatureCollection","features":[{"type":"F"}]}',
        ),
        ({"type": None, "a": []}, '{"type":null,"a":[]}'),
        (TEXT, "hi"),
        ({"text": "hi"}, "hi"),
        ({"type": "input_text", "text": "hi"}, "hi"),
        ({"type": "text", "text": {"value": "hi", "annotations": []}}, "hi"),
        ({"type": "text", "text": 3}, "3"),
        ({"type": "text", "text": None}, ""),
        ([[[TEXT]]], "hi"),
        ([{"a": 1}], '{"a":1}'),
        ([[], ["hi"]], "hi"),
    ],
)
def test_content_of_a_wrong_type(content: Any, text: str) -> None:
    assert shaped(copy.deepcopy(content)) == [{"type": "text", "text": text}]
    assert shaped(content, "tool") == (text or None)


def test_lists_in_a_list_are_opened_in_order() -> None:
    assert shaped([["a", [IMAGE, ["b"]]], "c"]) == [
        {"type": "text", "text": "a"},
        IMAGE,
        {"type": "text", "text": "b"},
        {"type": "text", "text": "c"},
    ]


def test_a_part_alone_with_file_data_is_no_text() -> None:
    assert shaped(IMAGE) == [IMAGE]
    [noted] = shaped({"type": "audio", "data": "A" * 600})
    assert "AAAA" not in noted["text"]


def test_long_text_without_spaces_is_no_file_data() -> None:
    words = "\u4f60\u597d" * 400
    [new] = shaped([{"type": "document", "source": {"data": words}}])
    assert words in new["text"]


@pytest.mark.parametrize("kind", ["file", None])
def test_nesting_as_deep_as_a_body_can_be(kind: str | None) -> None:
    lists: Any = "inside"
    objects: Any = "inside"
    for _ in range(1000):
        lists, objects = [lists], {"a": objects}
    assert shaped(lists) == [{"type": "text", "text": "inside"}]
    [new] = shaped([{"type": kind, "a": objects, "b": lists}])
    assert new["text"].count("inside") == 2
