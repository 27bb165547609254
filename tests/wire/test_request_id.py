"""The id of an exchange: taken over from the client where it is sane."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.wire import request_id

MADE = "made-here"
PLAIN = string.ascii_letters + string.digits + "._:/=+@-"


@pytest.mark.parametrize(
    "id", ["a", "7f3c-11", "req_01HX", "Root=1-67891233-abcdef", "a" * 128, "trace/1:2@host.example+3"]
)
def test_a_sane_id_is_the_clients(id: str):
    assert request_id.of_client({"x-request-id": id}, MADE) == id


@pytest.mark.parametrize(
    "id",
    [
        "",
        " ",
        "a" * 129,
        "two words",
        "line\nbreak",
        "\x1b[31m",
        "日志",
        "a\tb",
        "-a",
        '{"a":1}',
        "a;b",
        "a,b",
        "%0d%0a",
    ],
)
def test_any_other_is_not_taken_over(id: str):
    assert request_id.of_client({"x-request-id": id}, MADE) == MADE


@pytest.mark.parametrize(
    "key", ["sk-abc123", "SK-abc", "ak-1", "AKIDz8krbsJ5", "Bearer", "eyJhbGciOiJIUzI1NiJ9.e30.x", f"hf-{'a' * 43}"]
)
def test_a_key_in_the_wrong_header_is_no_id(key: str):
    assert request_id.of_client({"x-request-id": key}, MADE) == MADE


def test_without_one_it_is_made_here():
    assert request_id.of_client({"x-client-request-id": "a"}, MADE) == MADE


@given(st.text(max_size=200))
def test_what_is_taken_over_is_one_short_plain_word(text: str):
    id = request_id.sane(text)
    assert id in (text, "")
    assert len(id) <= 128
    assert set(id) <= set(PLAIN)


def test_the_endpoints_own_is_found_in_any_of_its_headers():
    def of(**fields: str) -> str:
        return request_id.of_endpoint(
            [(name.replace("_", "-").encode(), text.encode()) for name, text in fields.items()]
        )

    assert of(X_TC_RequestId="tc", date="x") == "tc"
    assert of(Request_Id="req_1", X_TC_RequestId="tc") == "req_1"
    assert of(request_id="req_1", X_REQUEST_ID="r1") == "r1"
    assert of(x_request_id="two words", request_id="req_1") == "req_1"
    assert of(x_trace="a") == ""
    assert request_id.of_endpoint([(b"x-request-id", b"\xff")]) == ""
