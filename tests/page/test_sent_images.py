"""The images of a request in any format, as they are; and nothing that a browser could run."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from hunyuan_fix.page.sent_images import image_sources, shown_image

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
JPEG = b"\xff\xd8\xff\xe0" + bytes(60)
GIF = b"GIF89a" + bytes(60)
WEBP = b"RIFF\x00\x00\x00\x00WEBP" + bytes(60)


def url(data: bytes, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


BODIES: dict[str, dict[str, Any]] = {
    "chat": {
        "messages": [
            {"role": "system", "content": "x"},
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": url(PNG)}}, {"type": "text", "text": "?"}],
            },
            {"role": "tool", "content": [{"type": "image_url", "image_url": {"url": url(JPEG, "image/png")}}]},
        ]
    },
    "anthropic": {
        "system": "x",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": encoded(PNG)}}
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "a",
                        "content": [
                            {
                                "type": "image",
                                "source": {"type": "base64", "media_type": "image/jpeg", "data": encoded(JPEG)},
                            }
                        ],
                    }
                ],
            },
        ],
    },
    "responses": {
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": url(PNG)}]},
            {
                "type": "function_call_output",
                "call_id": "a",
                "output": [{"type": "input_image", "image_url": url(JPEG)}],
            },
        ]
    },
    "tencent-cloud": {
        "Messages": [
            {"Role": "user", "Contents": [{"Type": "image_url", "ImageUrl": {"Url": url(PNG)}}]},
            {"Role": "user", "Contents": [{"Type": "image_url", "ImageUrl": {"Url": url(JPEG)}}]},
        ]
    },
}


@pytest.mark.parametrize("name", BODIES)
def test_images_of_each_format_in_their_order(name: str) -> None:
    found = [shown_image(source) for source in image_sources(json.dumps(BODIES[name]).encode())]
    assert found == [("image/png", PNG), ("image/jpeg", JPEG)]


@pytest.mark.parametrize(
    ("data", "mime"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (GIF, "image/gif"), (WEBP, "image/webp")]
)
def test_the_first_bytes_say_what_it_is(data: bytes, mime: str) -> None:
    assert shown_image(url(data, "text/html")) == (mime, data)


@pytest.mark.parametrize(
    "source",
    [
        "https://example.com/a.png",
        "data:image/svg+xml;base64," + encoded(b"<svg onload='alert(1)'/>"),
        "data:image/png;base64," + encoded(b"<html><script>alert(1)</script>"),
        "data:image/bmp;base64," + encoded(b"BM\x00\x00\x00\x00\x00\x00\x00\x00" + bytes(40)),
        "data:image/png;base64,@@@@",
        "data:image/png;base64," + encoded(PNG)[:-3] + "!!!",
        "file:///etc/passwd",
        "",
    ],
)
def test_what_is_not_shown(source: str) -> None:
    assert shown_image(source) is None


@pytest.mark.parametrize(
    "came", [b"", b"junk \xff", b"[]", b'{"messages": 3}', b'{"input": {"a": 1}}', b'{"Messages": [null, 3, "x"]}']
)
def test_bodies_without_any(came: bytes) -> None:
    assert image_sources(came) == []
