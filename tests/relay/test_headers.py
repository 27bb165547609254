from __future__ import annotations

import pytest

from hunyuan_fix.relay import RELAY_HEADER, headers

CAME = [
    (b"Host", b"127.0.0.1:1"),
    (b"Content-Length", b"3"),
    (b"Connection", b"Keep-Alive, X-Hop"),
    (b"X-Hop", b"1"),
    (b"Keep-Alive", b"5"),
    (b"Transfer-Encoding", b"chunked"),
    (b"Proxy-Authorization", b"Basic secret"),
    (b"Expect", b"100-continue"),
    (RELAY_HEADER.title().encode(), b"secret"),
    (b"Accept-Encoding", b"gzip"),
    (b"Authorization", b"Bearer k\xc3\xa9y"),
    (b"Cookie", b"a=1"),
    (b"Cookie", b"b=2"),
]
KEPT = [(b"Authorization", b"Bearer k\xc3\xa9y"), (b"Cookie", b"a=1"), (b"Cookie", b"b=2")]


def test_what_is_about_one_connection_stays_here() -> None:
    assert headers.for_endpoint(CAME, streamed=False) == [(b"Accept-Encoding", b"gzip"), *KEPT]


def test_stream_is_asked_for_without_a_coding() -> None:
    assert headers.for_endpoint(CAME, streamed=True) == [*KEPT, (b"accept-encoding", b"identity")]


def test_answer_keeps_its_coding_unless_it_was_taken_off() -> None:
    came = [(b"content-encoding", b"gzip"), (b"content-length", b"1"), (b"te", b"x"), (b"retry-after", b"1")]
    assert headers.for_client(came) == [(b"content-encoding", b"gzip"), (b"retry-after", b"1")]
    assert headers.for_stream(came) == [(b"retry-after", b"1"), (b"content-type", b"text/event-stream")]


@pytest.mark.parametrize(("name", "value"), [(b"cookie", "a=1, b=2"), (b"x-none", "")])
def test_value(name: bytes, value: str) -> None:
    assert headers.value(CAME, name) == value
