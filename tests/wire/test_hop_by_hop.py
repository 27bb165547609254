from __future__ import annotations

import pytest

from hunyuan_fix.wire.hop_by_hop import HOP_BY_HOP, end_to_end


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
def test_headers_of_one_connection_stay_there(name: bytes) -> None:
    assert end_to_end([(name.title(), b"x"), (b"Accept", b"y")]) == [(b"Accept", b"y")]


def test_connection_names_more_of_them_and_the_rest_keeps_order_and_spelling() -> None:
    headers = [
        (b"Set-Cookie", b"a"),
        (b"CONNECTION", b" x-One ,close"),
        (b"X-One", b"1"),
        (b"connection", b"X-TWO"),
        (b"x-two", b"2"),
        (b"set-cookie", b"b"),
        (b"Host", b"h"),
    ]
    assert end_to_end(headers, {b"host"}) == [(b"Set-Cookie", b"a"), (b"set-cookie", b"b")]
