from __future__ import annotations

import base64
import copy
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon import images
from addon.images import BadImage
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
    assert images.present(chat)
    (image,) = images.find(chat)
    assert (image.source, image.pointer, image.question) == (source, "/messages/0/content/1", "look")


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "data:image/ is how such a URL starts",
        "data:image/png;base64,… is what I see",
        "see data:image/png;base64,AAAA",
        7,
        {"type": "image_url"},
        [text_part("data:text/plain;base64,AAAA"), {"type": "file", "file": {}}, None, 7, {"type": ["x"]}],
        [{"type": "text", "text": None}, {"type": "text", "text": "", "image_url": None}],
    ],
)
def test_no_image(content: Any) -> None:
    assert not images.present(body(content))
    assert images.find(body(content)) == []


@pytest.mark.parametrize("messages", [None, "x", {}, [None, "x", 3, {}]])
def test_messages_that_are_none(messages: Any) -> None:
    assert not images.present({"messages": messages})


@pytest.mark.parametrize("role", ["user", "tool", "assistant", "system", "developer"])
def test_any_role_has_images(role: str) -> None:
    assert images.present({"messages": [{"role": role, "content": [image_part(DATA)]}]})


def test_numbers_run_within_a_message() -> None:
    first, second = png("1"), png("2")
    found = images.find(body([image_part(first), image_part(second)], "text", [image_part(first)]))
    assert [(image.message, image.number, image.total) for image in found] == [(0, 1, 2), (0, 2, 2), (2, 1, 1)]


def test_question_is_the_messages_own_text_cut() -> None:
    long = "问" * 600
    found = images.find(body("other", [text_part(long), image_part(DATA), text_part(" \n"), text_part(long)]))
    assert found[0].question == (long + "\n" + long)[:800]


def test_string_keeps_what_follows_the_data_url() -> None:
    chat = body(f"{DATA}\nwhat is this?")
    (image,) = images.find(chat)
    assert (image.source, image.question, image.pointer) == (DATA, "\nwhat is this?", "/messages/0/content")
    images.replace(chat, image, "[text]")
    assert chat["messages"][0]["content"] == "[text]\nwhat is this?"


def test_replace_leaves_other_parts() -> None:
    before, after = text_part("before"), {"type": "file", "file": {"file_id": "f"}}
    chat = body([before, image_part(DATA), after])
    images.replace(chat, images.find(chat)[0], "[text]")
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
    images.find({"messages": messages})
    chat = body(*contents)
    before = copy.deepcopy(chat)
    found = images.find(chat)
    assert bool(found) == images.present(chat)
    for image in found:
        images.replace(chat, image, "[text]")
    assert not images.present(chat)
    places = {(image.message, image.part) for image in found}
    for index, message in enumerate(before["messages"]):
        content, now = message["content"], chat["messages"][index]["content"]
        if isinstance(content, list):
            assert [p for i, p in enumerate(content) if (index, i) not in places] == [
                p for i, p in enumerate(now) if (index, i) not in places
            ]
        elif (index, None) not in places:
            assert content == now


def data_url(data: bytes, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


WEBP = b"RIFF\x10\0\0\0WEBPVP8 "
BMP = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0"


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (WEBP, "image/webp"),
        (BMP, "image/bmp"),
        (b"GIF89a\1\0", "image/gif"),
        (b"GIF87a\1\0", "image/gif"),
    ],
)
@pytest.mark.parametrize("declared", ["image/png", "image/jpg", "image/jpeg", "application/octet-stream", ""])
def test_mime_type_is_what_the_bytes_say(data: bytes, mime: str, declared: str) -> None:
    assert images.sendable_url(data_url(data, declared), 1000) == data_url(data, mime)


def test_good_data_url_is_sent_as_it_is() -> None:
    assert images.sendable_url(DATA, 1000) is DATA


@pytest.mark.parametrize("wrapped", [DATA.rstrip("="), DATA.replace("AAA", "AA\r\n A"), DATA.upper()[:15] + DATA[15:]])
def test_spelling_is_mended(wrapped: str) -> None:
    assert images.sendable_url(wrapped, 1000) == images.sendable_url(DATA, 1000)


@pytest.mark.parametrize("url", ["https://example.com/a.png?x=1", "HTTP://example.com/"])
def test_http_urls_pass_unseen(url: str) -> None:
    assert images.sendable_url(url, 1) == url
    assert images.is_remote(url)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "file:///etc/passwd",
        "ftp://example.com/a.png",
        "attachment:image.png",
        PAYLOAD,
        "data:image/png;base64",
        "data:image/png;base64,",
        "data:image/svg+xml,%3Csvg%3E",
        "data:image/png;base64,iVBORw0KGgo \u2026",  # as in /work/shared/captures
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg\u2026",
        "data:image/png;base64,\ud800",
        DATA + "=A==",
        DATA[:-5],  # one character left over
        data_url(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        data_url(b"%PDF-1.7 and so on"),
        data_url(b"BM is how this sentence begins"),
        data_url(PNG + bytes(1 << 20))[:-8] + "*" * 8,
    ],
)
def test_unreadable(source: str) -> None:
    with pytest.raises(BadImage) as caught:
        images.sendable_url(source, 1 << 24)
    assert caught.value.reason == "unreadable"


@pytest.mark.parametrize("filling", [0, 1, 2])
def test_size_is_that_of_the_decoded_image(filling: int) -> None:
    data = PNG + bytes(1000 + filling)
    images.sendable_url(data_url(data), len(data))
    with pytest.raises(BadImage) as caught:
        images.sendable_url(data_url(data), len(data) - 1)
    assert caught.value.reason == "too_large"


def test_digest_is_of_the_data_as_sent() -> None:
    assert images.digest(DATA) == hashlib.sha256(PAYLOAD.encode()).digest()
    assert images.digest(DATA.replace("image/png", "image/jpeg")) == images.digest(DATA)
    url = "https://example.com/a,b"
    assert images.digest(url) == hashlib.sha256(url.encode()).digest()
    assert images.digest("\ud800") != images.digest("")


@given(st.binary(max_size=200), st.integers(0, 300))
def test_every_image_is_sent_or_refused(data: bytes, most: int) -> None:
    if len(PNG + data) > most:
        with pytest.raises(BadImage, match="too_large"):
            images.sendable_url(data_url(PNG + data), most)
    else:
        url = images.sendable_url(data_url(PNG + data), most)
        assert base64.b64decode(url.partition(",")[2]) == PNG + data
