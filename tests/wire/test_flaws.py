from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import profiles
from hunyuan_fix.exchange import JsonObject
from hunyuan_fix.wire import flaws, vendor_errors
from hunyuan_fix.wire.flaws import Flaw
from tests.strategies import json_values

LEGACY = profiles.load("hunyuan")


def flaw(answer: object) -> Flaw:
    found = flaws.of_answer(json.dumps(answer).encode())
    assert isinstance(found, Flaw)
    return found


@pytest.mark.parametrize("answer", [{"choices": [{}]}, {"data": []}, {"error": None, "choices": [{}], "code": 0}])
def test_an_answer_has_choices_or_vectors(answer: JsonObject) -> None:
    assert flaws.of_answer(json.dumps(answer).encode()) == answer


def test_a_byte_order_mark_is_no_flaw() -> None:
    assert flaws.of_answer(b'\xef\xbb\xbf{"choices": [{}]}') == {"choices": [{}]}


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": None}, {"id": "x", "object": "chat.completion"}])
def test_no_choices(answer: JsonObject) -> None:
    assert flaw(answer) == flaws.NO_CHOICES


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"{", b"\xff"])
def test_no_json(body: bytes) -> None:
    assert flaws.of_answer(body) == flaws.NO_JSON


@pytest.mark.parametrize(
    ("answer", "status", "code", "message"),
    [
        ({"error": {"code": "2003", "message": "请求限频"}}, 429, "rate_limit_exceeded", "请求限频"),
        ({"error": {"code": "3008", "message": "余量"}}, 400, "insufficient_quota", "余量"),
        ({"error": {"code": "429001", "message": "rpm"}}, 429, "429001", "rpm"),
        ({"error": "broken"}, 502, "upstream_invalid_answer", "broken"),
        ({"error": True}, 502, "upstream_invalid_answer", "The endpoint answered with an error."),
        ({"code": 11127, "msg": "unapproved"}, 502, "11127", "unapproved"),
        ({"code": 429, "message": "slow down"}, 429, "429", "slow down"),
        (
            {"Response": {"RequestId": "r", "Error": {"Code": "InternalError", "Message": "m"}}},
            502,
            "InternalError",
            "m",
        ),
        ({"ErrorMsg": {"Msg": "服务内部异常", "Code": 4000}}, 502, "4000", "服务内部异常"),
        ({"Note": "n", "choices": [], "ErrorMsg": {"Msg": "m", "Code": 4001}}, 502, "4001", "m"),
        ({"detail": "not here"}, 502, "upstream_invalid_answer", "not here"),
    ],
)
def test_an_error_under_a_status_of_success_has_the_status_that_it_means(
    answer: JsonObject, status: int, code: str, message: str
) -> None:
    refused = vendor_errors.unusable_answer(flaw(answer), LEGACY, "m")
    error = json.loads(refused.body)["error"]
    assert (refused.status, error["code"], error["message"]) == (status, code, message)
    assert refused.headers["content-type"] == "application/json"


def test_what_is_no_answer_is_a_502() -> None:
    refused = vendor_errors.unusable_answer(flaws.NO_CHOICES, LEGACY, "m")
    assert refused.status == 502
    assert json.loads(refused.body)["error"]["code"] == "upstream_invalid_answer"


@given(json_values | st.dictionaries(st.sampled_from(["error", "code", "Response", "Error", "msg"]), json_values))
def test_any_json_is_an_answer_or_becomes_an_error(value: object) -> None:
    found = flaws.of_answer(json.dumps(value).encode())
    if isinstance(found, Flaw):
        refused = vendor_errors.unusable_answer(found, LEGACY, "m")
        assert refused.status >= 400
        assert json.loads(refused.body)["error"]
