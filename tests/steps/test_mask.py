"""The step runs again where a refused request is mended: what is put in then is masked, too."""

from __future__ import annotations

import json

import pytest

from hunyuan_fix.exchange import Exchange
from hunyuan_fix.pipeline import NATIVE_STEPS, STEPS, Pipeline
from hunyuan_fix.steps.mask import Mask, MaskMore, needs_chat
from tests.masking.test_bodies import KEY, message
from tests.test_pipeline import RuntimeWithoutGate, settings


async def test_a_body_that_goes_through_again() -> None:
    given = settings(mask="keys")
    pipeline = Pipeline(given, RuntimeWithoutGate(given))
    exchange = Exchange(profile="hunyuan", dialect="chat", spoken="chat", base_url="https://x.example/v1")
    exchange.chat = {"model": "hunyuan-lite", **message("first")}
    assert await pipeline.request(exchange) is None
    exchange.chat["messages"].insert(0, {"role": "user", "content": KEY})
    await pipeline.again(exchange)
    assert KEY not in json.dumps(exchange.chat)
    assert list(exchange.put_back.values.values()) == [KEY]


def test_nothing_that_leaves_is_made_before_it() -> None:
    """Behind what brings texts in from here, before what sends them."""
    chat, native = [[step.__name__ for step in steps] for steps in (STEPS, NATIVE_STEPS)]
    for steps in (chat, native):
        assert steps.index("ReadDocuments") < steps.index(Mask.__name__) < steps.index("DescribeImages")
        assert steps.index("DescribeImages") < steps.index(MaskMore.__name__)
    assert chat.index("ReasoningMemory") < chat.index(Mask.__name__)
    assert native.index(Mask.__name__) < native.index("ReasoningMemory")
    assert native.index("NativeFields") < native.index(MaskMore.__name__)


@pytest.mark.parametrize(
    ("body", "is_translated"),
    [
        ({"input": "a", "store": False}, False),
        ({"input": "a"}, True),
        ({"input": "a", "store": True}, True),
        ({"input": "a", "store": False, "previous_response_id": "r"}, True),
        ({"input": "a", "store": False, "conversation": "c"}, True),
        ({"input": [{"type": "item_reference", "id": "i"}], "store": False}, True),
        ({"input": [{"id": "i"}], "store": False}, True),
        ({"input": [{"role": "user", "content": "a"}], "store": False}, False),
    ],
)
@pytest.mark.parametrize("mask", ["off", "keys"])
def test_a_history_that_lies_elsewhere(body: dict[str, object], is_translated: bool, mask: str) -> None:
    exchange = Exchange(spoken="responses", dialect="responses-native")
    assert needs_chat(exchange, settings(mask=mask), body) == (is_translated and mask != "off")
    exchange.mode = "observe"
    assert not needs_chat(exchange, settings(mask=mask), body)
