from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.upstream.signing import BEARER, SIGNERS, Signer, Unsigned, replaced, signed
from tests.seams.toys import ToySigner

HEADERS = [(b"X-A", b"1"), (b"authorization", b"Bearer id:secret"), (b"x-a", b"2")]


def unsigned(headers: list[tuple[bytes, bytes]], body: bytes = b"{}") -> Unsigned:
    return Unsigned("POST", "https://llm.example/v1/toy", headers, body)


def toy(headers: list[tuple[bytes, bytes]], monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setitem(cast(dict[str, Signer], SIGNERS), "toy", ToySigner())
    return signed("toy", unsigned(headers), 1.0)


@given(st.lists(st.tuples(st.binary(), st.binary())))
def test_a_bearer_key_leaves_as_it_is(headers: list[tuple[bytes, bytes]]):
    assert signed(BEARER, unsigned(headers), 0.0) is headers
    assert signed(BEARER, unsigned([*headers, (b"Authorization", b"Bearer \xff")]), 0.0)[-1][1] == b"Bearer \xff"


@pytest.mark.parametrize("value", [b"Bearer id:secret", b" bearer  id:secret ", b"BEARER id:secret"])
def test_the_credentials_are_what_stands_after_bearer(value: bytes, monkeypatch: pytest.MonkeyPatch):
    headers = toy([(b"Authorization", value)], monkeypatch)
    assert headers == toy(HEADERS[1:2], monkeypatch)
    assert b"secret" not in str(headers).encode()


@pytest.mark.parametrize("headers", [[], [(b"authorization", b"Bearer ")], [(b"authorization", b"Basic aTpz")]])
def test_a_request_without_credentials_keeps_its_headers(
    headers: list[tuple[bytes, bytes]], monkeypatch: pytest.MonkeyPatch
):
    assert toy(headers, monkeypatch) is headers


def test_other_headers_stay_in_order_and_no_other_authorization_leaves():
    twice = [*HEADERS, (b"Authorization", b"Bearer other")]
    assert replaced(twice, {"X-Toy": "\udcff"}) == [HEADERS[0], HEADERS[2], (b"X-Toy", b"\xff")]
    assert replaced(twice, {"Authorization": "T", "X-A": "3"}) == [(b"Authorization", b"T"), (b"X-A", b"3")]


def test_anthropics_api_wants_the_key_in_a_header_of_its_own():
    headers = [(b"Authorization", b"Bearer sk-1"), (b"X-Api-Key", b"old"), (b"a", b"b")]
    assert signed("x-api-key", unsigned(headers), 1.0) == [(b"a", b"b"), (b"x-api-key", b"sk-1")]
    own = [(b"x-api-key", b"sk-2")]
    assert signed("x-api-key", unsigned(own), 1.0) is own
