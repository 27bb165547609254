"""What a request says it continues."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.dialects.responses.earlier import needed


def test_a_conversation_is_an_id_or_an_object_with_one() -> None:
    assert needed({"conversation": "conv_1"}).conversation == needed({"conversation": {"id": "conv_1"}}).conversation
    assert not needed({"conversation": None, "previous_response_id": ""})


@pytest.mark.parametrize(
    "body",
    [
        {"conversation": {}},
        {"conversation": {"name": "x"}},
        {"conversation": 1},
        {"previous_response_id": 1},
        {"conversation": "conv_1", "previous_response_id": "resp_1"},
    ],
)
def test_what_is_no_id_and_two_histories_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        needed(body)
