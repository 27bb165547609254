"""The texts of a request are masked in every format, and what is none is left alone."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hunyuan_fix.dialects.anthropic import thinking
from hunyuan_fix.dialects.responses import sealing
from hunyuan_fix.exchange import Changes
from hunyuan_fix.masking import bodies
from hunyuan_fix.masking.masked import Masking
from hunyuan_fix.masking.placeholders import Placeholders
from hunyuan_fix.masking.put_back import PutBack
from tests.wire.test_secret_shapes import letters

OF = Placeholders().of
KEY = "sk-" + letters(40)
PHONE = "13812345678"


def masked(body: Any, *, keeps_thinking: bool = False, stops: Callable[[], None] = lambda: None) -> tuple[Any, PutBack]:
    values: dict[str, str] = {}
    body = copy.deepcopy(body)
    masking = Masking({"keys", "ids"}, lambda kind, value: OF(b"", kind, value), values)
    changes = bodies.mask(body, masking, stops, keeps_thinking=keeps_thinking)
    assert bool(values) == bool(changes)
    return body, PutBack(values, keeps_thinking=keeps_thinking)


def message(content: Any, role: str = "user", **beside: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content, **beside}]}


def call(arguments: Any) -> dict[str, Any]:
    function = {"name": "write", "arguments": arguments}
    return message(None, "assistant", tool_calls=[{"id": "call_1", "type": "function", "function": function}])


TEXT = f"the key is {KEY}."
TEXTS = [
    *(message(TEXT), message(TEXT, "system"), message(TEXT, "developer"), message(TEXT, "tool", tool_call_id="1")),
    message([{"type": "text", "text": TEXT}]),
    message("x", "assistant", reasoning_content=TEXT),
    message("x", "assistant", reasoning=TEXT),
    call(json.dumps({"path": "a", "text": TEXT})),
    call({"path": "a", "text": TEXT}),
    call({"name": TEXT, "url": TEXT, "id": TEXT, "data": [TEXT]}),
    message("x", "assistant", function_call={"name": "write", "arguments": json.dumps([TEXT])}),
    {"messages": [], "prediction": {"type": "content", "content": TEXT}},
    # Messages
    {"messages": [], "system": TEXT},
    {"messages": [], "system": [{"type": "text", "text": TEXT, "cache_control": {"type": "ephemeral"}}]},
    message([{"type": "tool_result", "tool_use_id": "1", "content": TEXT}]),
    message([{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": TEXT}]}]),
    message([{"type": "tool_use", "id": "1", "name": "x", "input": {"name": TEXT, "type": "text", "id": [TEXT]}}]),
    message([{"type": "tool_use", "id": "1", "name": "x", "input": {KEY: 1}}]),
    message([{"type": "thinking", "thinking": TEXT, "signature": ""}]),
    message([{"type": "thinking", "thinking": TEXT, "signature": thinking.signature(TEXT, omitted=False)}]),
    message([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}, "title": TEXT}]),
    # Responses
    {"input": TEXT},
    {"input": [], "instructions": TEXT},
    {"input": [{"role": "user", "content": [{"type": "input_text", "text": TEXT}]}]},
    {"input": [{"type": "function_call", "call_id": "1", "name": "x", "arguments": json.dumps({"a": TEXT})}]},
    {"input": [{"type": "function_call_output", "call_id": "1", "output": TEXT}]},
    {"input": [{"type": "function_call_output", "call_id": "1", "output": [{"type": "input_text", "text": TEXT}]}]},
    {"input": [{"type": "custom_tool_call", "call_id": "1", "name": "x", "input": TEXT}]},
    {"input": [{"type": "local_shell_call", "call_id": "1", "action": {"type": "exec", "env": {"name": TEXT}}}]},
    {"input": [{"type": "reasoning", "id": "1", "summary": [{"type": "summary_text", "text": TEXT}]}]},
    {
        "input": [
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": TEXT}],
                "encrypted_content": sealing.seal("reasoning", TEXT),
            }
        ]
    },
    {"input": [], "prompt": {"id": "p", "variables": {"who": TEXT}}},
    # Embeddings
    {"input": [TEXT, "b"]},
]


@pytest.mark.parametrize("body", TEXTS)
@pytest.mark.parametrize("keeps_thinking", [False, True])
def test_every_text_is_masked_and_comes_back(body: Any, keeps_thinking: bool) -> None:
    sent, put_back = masked(body, keeps_thinking=keeps_thinking)
    assert KEY not in json.dumps(sent)
    assert masked(body, keeps_thinking=keeps_thinking)[0] == sent
    back = PutBack(put_back.values)  # what is masked doesn't hang on what is signed
    assert back.whole(sent)
    assert sent == body


SIGNED = [
    message([{"type": "thinking", "thinking": TEXT, "signature": "EqQBCgIYAhIM"}]),
    {"input": [{"type": "reasoning", "summary": [{"text": TEXT}], "encrypted_content": "gAAAAABo"}]},
]
LEFT = [
    {"model": KEY, "messages": [], "user": KEY, "metadata": {"user_id": KEY}},
    {"messages": [], "tools": [{"type": "function", "function": {"name": KEY, "description": KEY, "parameters": {}}}]},
    message([{"type": "image_url", "image_url": {"url": f"https://x.example/?sig={KEY}"}}]),
    message([{"type": "input_image", "image_url": f"data:image/png;base64,{KEY}"}]),
    message([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": KEY}}]),
    message("x", "assistant", tool_calls=[{"id": KEY, "function": {"name": KEY, "arguments": "{}"}}]),
    message("x", "tool", tool_call_id=KEY, name=KEY),
    message([{"type": "redacted_thinking", "data": KEY, "more": KEY}]),
    message("x", "assistant", reasoning_details=[{"type": "reasoning.text", "text": KEY, "signature": "s"}]),
    message("x", "assistant", thinking_blocks=[{"type": "thinking", "thinking": KEY, "signature": "s"}]),
    {"input": [{"type": "item_reference", "id": KEY}, {"type": "compaction", "encrypted_content": KEY}]},
    {"input": [[1, 13812345678], [2]]},  # tokens
]


@pytest.mark.parametrize("body", LEFT)
@pytest.mark.parametrize("keeps_thinking", [False, True])
def test_what_is_no_text_is_left_alone(body: Any, keeps_thinking: bool) -> None:
    assert masked(body, keeps_thinking=keeps_thinking)[0] == body


@pytest.mark.parametrize("body", SIGNED)
def test_what_the_endpoint_signs_is_left_alone_both_ways(body: Any) -> None:
    assert masked(body, keeps_thinking=True)[0] == body
    assert masked(body)[0] != body  # another endpoint doesn't check it, and must not see it
    answer, values = copy.deepcopy(body), {"MASKED-KEY-ABCDEFGHIJKLMNOP": KEY}
    text = json.dumps(answer).replace(TEXT, "MASKED-KEY-ABCDEFGHIJKLMNOP")
    assert not PutBack(values, keeps_thinking=True).whole(json.loads(text))
    assert PutBack(values).whole(json.loads(text))


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ('{"to": "13812345678"}', '{"to": "P"}'),
        ('{"to": 13812345678, "n": 1}', '{"to":"P","n":1}'),
        ('{"say": "to: 13812345678, now", "13812345678": []}', '{"say": "to: P, now", "P": []}'),
        (r'{"say": "\u624b\u673a13812345678\n13812345678"}', r'{"say": "\u624b\u673aP\nP"}'),
        ('{"in": "{\\"to\\": 13812345678}"}', '{"in": "{\\"to\\": P}"}'),
        ('{"cut": 13812345678', '{"cut": P'),
    ],
)
def test_arguments_stay_json(arguments: str, sent: str) -> None:
    body, put_back = masked(call(arguments))
    (placeholder,) = put_back.values
    assert body["messages"][0]["tool_calls"][0]["function"]["arguments"] == sent.replace("P", placeholder)


def test_numbers_in_a_call_are_masked_and_elsewhere_stay() -> None:
    body, _ = masked(message([{"type": "tool_use", "id": "1", "input": {"to": 13812345678, "at": 1700000000000}}]))
    (block,) = body["messages"][0]["content"]
    assert block["input"]["to"].startswith("MASKED-PHONE-")
    assert block["input"]["at"] == 1700000000000
    other = message([{"type": "text", "text": "x", "index": 13812345678}])
    assert masked(other)[0] == other


def test_changes_point_to_the_place_and_hold_no_value() -> None:
    masking = Masking({"keys", "ids"}, lambda kind, value: OF(b"", kind, value), {})
    body = {
        **message([{"type": "text", "text": "x"}, {"type": "text", "text": f"{KEY} {PHONE} {KEY}"}]),
        "system": KEY,
    }
    body["messages"][0]["content"].append({"type": "tool_use", "input": {PHONE: {KEY: KEY}}})
    changes = bodies.mask(body, masking, lambda: None)
    assert [(change.pointer, change.why) for change in changes] == [
        ("/system", bodies.WHY["key"]),
        ("/messages/0/content/1/text", bodies.WHY["key"]),
        ("/messages/0/content/1/text", bodies.WHY["phone"]),
        ("/messages/0/content/2/input", bodies.WHY["key"]),  # a value, and two names: one inside the other
        ("/messages/0/content/2/input", bodies.WHY["key"]),
        ("/messages/0/content/2/input", bodies.WHY["phone"]),
    ]
    assert KEY not in json.dumps(body)
    assert PHONE not in json.dumps(body)


def test_two_parts_are_two_texts() -> None:
    """What a client has cut in two is no key for anybody who reads it as it is."""
    body = message([{"type": "text", "text": KEY[:8]}, {"type": "text", "text": KEY[8:]}])
    assert masked(body)[0] == body


def test_it_stops_between_two_messages() -> None:
    seen = []
    masked({"messages": [{"content": "x"}] * 7}, stops=lambda: seen.append(1))
    assert len(seen) >= 7


json_values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text() | some.sampled_from([KEY, PHONE, TEXT]),
    lambda inner: (
        some.lists(inner, max_size=4)
        | some.dictionaries(
            some.text() | some.sampled_from(["type", "text", "input", "arguments", "content", "id", KEY, "signature"]),
            inner | some.sampled_from(["tool_use", "thinking", "reasoning", "text"]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(some.fixed_dictionaries({}, optional={"messages": json_values, "input": json_values, "system": json_values}))
def test_any_body_is_masked_the_same_twice_and_nothing_raises(body: dict[str, Any]) -> None:
    sent, put_back = masked(body)
    masking = Masking({"keys", "ids"}, lambda kind, value: OF(b"", kind, value), put_back.values)
    again = copy.deepcopy(sent)
    assert bodies.mask(again, masking, lambda: None) == Changes()
    assert again == sent


def test_deep_nesting_and_many_parts_take_time_as_they_are_long() -> None:
    for kind in ("tool_use", "text"):
        innermost = [TEXT]
        deep: Any = innermost
        for _ in range(1000):
            deep = [deep]
        body = message([{"type": kind, "input": deep}])
        bodies.mask(body, Masking({"keys"}, lambda kind, value: OF(b"", kind, value), {}), lambda: None)
        assert innermost[0].startswith("the key is MASKED-KEY-")

    def seconds(count: int) -> float:
        body, tries = message([{"type": "text", "text": TEXT}] * count), []
        for _ in range(3):
            own = copy.deepcopy(body)
            own["messages"][0]["content"] = [dict(part) for part in own["messages"][0]["content"]]
            masking = Masking({"keys", "ids"}, lambda kind, value: OF(b"", kind, value), {})
            began = time.process_time()
            bodies.mask(own, masking, lambda: None)
            tries.append(time.process_time() - began)
        return min(tries)

    assert seconds(4000) < 4 * seconds(2000) + 0.02


LOOKS = "MASKED-KEY-ABCDEFGHIJKLMNOP"


@pytest.mark.parametrize("body", TEXTS, ids=lambda body: json.dumps(body)[:60])
def test_what_looks_like_a_placeholder_is_the_client_s_unless_the_model_said_it(body: dict[str, Any]) -> None:
    text = json.dumps(body).replace(KEY, LOOKS)
    given = json.loads(text)
    masking = Masking({"keys", "ids"}, lambda kind, value: OF(b"", kind, value), {})
    bodies.mask(given, masking, lambda: None)
    is_models = ('"assistant"' in text or '"type": "reasoning"' in text) and "arguments" not in text
    assert masking.literal == (set() if is_models else {LOOKS})
