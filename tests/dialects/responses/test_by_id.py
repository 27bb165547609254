"""Paths with an id: what is asked for, and what is not."""

from __future__ import annotations

import pytest

from hunyuan_fix.dialects.responses.by_id import Asked, asked


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/responses/resp_Ab1", Asked("GET", "responses", "resp_Ab1")),
        ("DELETE", "/responses/resp_1/", Asked("DELETE", "responses", "resp_1")),
        ("GET", "/v1/v1//Responses/resp_1/Input_Items", Asked("GET", "responses", "resp_1", "input_items")),
        ("POST", "/v1/responses/resp_1/cancel", Asked("POST", "responses", "resp_1", "cancel")),
        ("POST", "/v1/conversations", Asked("POST", "conversations")),
        ("POST", "/v1/conversations/conv_1", Asked("POST", "conversations", "conv_1")),
        ("GET", "/v1/conversations/conv_1/items/msg_1", Asked("GET", "conversations", "conv_1", "items", "msg_1")),
        ("PATCH", "/v1/responses/resp_1", None),
        ("POST", "/v1/responses/resp_1", None),
        ("GET", "/v1/responses/resp_1/cancel", None),
        ("GET", "/v1/conversations", None),
        ("GET", "/v1/responses/resp_1/other", None),
        ("GET", "/v1/responses/resp_1/input_items/more", None),
        ("GET", "/v1/chat/completions", None),
        ("GET", "", None),
    ],
)
def test_what_is_asked_for(method: str, path: str, expected: Asked | None) -> None:
    assert asked(method, path) == expected
