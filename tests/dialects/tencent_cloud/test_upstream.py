"""Chat requests in the words of Tencent Cloud's own API, judged by the stand-in, which shares no code with them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_fix.dialects import UPSTREAM_DIALECTS
from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.rules import apply_chat
from hunyuan_fix.simulator import tencent_cloud as judge
from hunyuan_fix.wire import json_body
from tests import rule_context, strategies
from tests.rules.test_properties import MARKERS, said, strings

type Json = dict[str, Any]

DIALECT = UPSTREAM_DIALECTS["tencent_cloud"]
MODEL = "hunyuan-turbos-latest"


def native(body: Json, *, repaired: bool = True, model: str | None = None) -> tuple[Json, Json]:
    """The native request for a chat body, and what was noted."""
    chat = {"model": model or MODEL, **copy.deepcopy(body)}
    context = rule_context.context("tencent-cloud", chat["model"])
    if repaired:
        apply_chat(chat, context)
    note: Json = {}
    return DIALECT.request(chat, context, note), note


def message(**given: Any) -> Json:
    made: Json = native({"messages": [given]}, repaired=False)[0]["Messages"][0]
    return made


HELLO = [{"role": "user", "content": "hi"}]


@given(st.one_of(strategies.histories, strategies.long_histories))
def test_any_history_becomes_a_request_that_the_endpoint_takes(history: list[Any]):
    seen = '"image_url"' in json_body.serialise(history).decode()
    body, _ = native({"messages": history}, model="hunyuan-vision" if seen else None)
    judge.as_chat(json.loads(json_body.serialise(body)))


@given(strategies.histories)
def test_nothing_that_is_said_is_lost(history: list[Any]):
    seen = '"image_url"' in json_body.serialise(history).decode()
    before = "".join(map(said, history))
    after = strings(native({"messages": history}, model="hunyuan-vision" if seen else None)[0]["Messages"])
    for marker in MARKERS:
        assert after.count(marker) >= before.count(marker)


@settings(max_examples=30)
@given(strategies.bodies)
def test_any_body_becomes_a_request_that_the_endpoint_takes(body: Json):
    seen = '"image_url"' in json_body.serialise(body["messages"]).decode()
    if seen:  # no model of these sees and takes tools: a step of the pipeline chooses
        body = {key: value for key, value in body.items() if key not in ("tools", "tool_choice")}
    judge.as_chat(json.loads(json_body.serialise(native(body, model="hunyuan-vision" if seen else None)[0])))


SWITCHES = {
    "enable_enhancement": "EnableEnhancement",
    "search_info": "SearchInfo",
    "citation": "Citation",
    "enable_speed_search": "EnableSpeedSearch",
    "enable_multimedia": "EnableMultimedia",
    "force_search_enhancement": "ForceSearchEnhancement",
    "enable_recommended_questions": "EnableRecommendedQuestions",
    "enable_deep_search": "EnableDeepSearch",
    "enable_deep_read": "EnableDeepRead",
    "stream_moderation": "StreamModeration",
}


@pytest.mark.parametrize(("chat", "name"), SWITCHES.items())
@pytest.mark.parametrize("value", [True, False])
def test_hunyuans_own_switches(chat: str, name: str, value: bool):
    body, note = native({"messages": HELLO, chat: value})
    assert body[name] is value
    assert note["changes"] == []
    judge.as_chat(body)


PARAMETERS = [
    ({"temperature": 0}, {"Temperature": 0}),
    ({"temperature": 3}, {"Temperature": 2.0}),
    ({"temperature": None}, {}),
    ({"top_p": 0.5}, {"TopP": 0.5}),
    ({"top_p": 7}, {"TopP": 1.0}),
    ({"seed": 10_001}, {"Seed": 1}),
    ({"seed": 0}, {"Seed": 10_000}),
    ({"seed": -3}, {"Seed": 9997}),
    ({"stop": "x"}, {"Stop": ["x"]}),
    ({"stop": ["x", "\n"]}, {"Stop": ["x", "\n"]}),
    ({"stop": []}, {}),
    ({"topic_choice": "t"}, {"TopicChoice": "t"}),
    ({"enable_thinking": False}, {"EnableThinking": False}),
    ({"stream": True}, {"Stream": True}),
    ({"stream": False}, {}),
    ({"stream": True, "stream_options": {"include_usage": True}}, {"Stream": True}),
]


@pytest.mark.parametrize(("given_", "made"), PARAMETERS)
def test_parameters(given_: Json, made: Json):
    body, note = native({"messages": HELLO, **given_})
    del body["Model"], body["Messages"]
    assert body == made
    assert note["include_usage"] is ("stream_options" in given_)


@pytest.mark.parametrize(
    "chat",
    [
        *({"max_tokens": 5}, {"max_completion_tokens": 5}, {"n": 2}, {"logprobs": True}, {"top_logprobs": 2}),
        *({"presence_penalty": 1}, {"frequency_penalty": 1}, {"logit_bias": {}}, {"user": "u"}, {"metadata": {}}),
        *({"store": True}, {"service_tier": "auto"}, {"prediction": {}}, {"parallel_tool_calls": True}, {"x": 1}),
    ],
)
def test_what_has_no_native_field_is_removed_and_named(chat: Json):
    """By the rules, which see the profile; and by the dialect alone, should one of them be kept for it."""
    whole = {"model": MODEL, "messages": copy.deepcopy(HELLO), **chat}
    changes = apply_chat(whole, rule_context.context("tencent-cloud", MODEL))
    assert [change.pointer for change in changes] == [f"/{name}" for name in chat]
    body, note = native({"messages": HELLO, **chat}, repaired=False)
    assert body.keys() == {"Model", "Messages"}
    assert [pointer for pointer, _ in note["changes"]] == [f"/{name}" for name in chat]


@pytest.mark.parametrize(
    ("asked", "on"),
    [
        ({"reasoning_effort": "none"}, False),
        ({"reasoning_effort": "high"}, True),
        ({"thinking": {"type": "disabled"}}, False),
        ({"thinking": {"type": "enabled", "budget_tokens": 5}}, True),
    ],
)
def test_thinking_is_switched_by_the_only_switch(asked: Json, on: bool):
    body, _ = native({"messages": HELLO, **asked}, model="hunyuan-a13b")
    assert body.get("EnableThinking", True) is on, "it thinks where nothing is said"
    assert "EnableThinking" not in native({"messages": HELLO, **asked}, model="hunyuan-lite")[0]


def test_a_search_that_is_asked_for_in_openais_words():
    place = {"type": "approximate", "approximate": {"city": "深圳", "country": "CN", "timezone": "Asia/Shanghai"}}
    options = {"user_location": place, "search_context_size": "low", "knowledge": [{"text": "x"}], "enable_image": True}
    body, note = native({"messages": HELLO, "web_search_options": options})
    assert body["WebSearchOptions"] == {
        "UserLocation": {
            "Type": "approximate",
            "Approximate": {"City": "深圳", "Country": "CN", "Timezone": "Asia/Shanghai"},
        },
        "Knowledge": [{"Text": "x"}],
        "EnableImage": True,
    }
    assert (body["EnableEnhancement"], body["SearchInfo"]) == (True, True)
    assert [pointer for pointer, _ in note["changes"]] == ["/web_search_options/search_context_size"]
    judge.as_chat(body)
    off = native({"messages": HELLO, "web_search_options": {}, "enable_enhancement": False})[0]
    assert (off["EnableEnhancement"], "WebSearchOptions" in off) == (False, False)


# Messages


def test_texts_are_content_and_anything_else_contents():
    assert message(role="user", content="x") == {"Role": "user", "Content": "x"}
    texts = [{"type": "text", "text": "a"}, "b", {"type": "text", "text": " "}]
    assert message(role="user", content=texts) == {"Role": "user", "Content": "a\n\nb"}
    image = {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}
    alone = message(role="user", content=[image])["Contents"]
    assert [part["Type"] for part in alone] == ["text", "image_url"]
    assert alone[0]["Text"].strip()
    assert alone[1]["ImageUrl"] == {"Url": "https://x/y.png"}
    video = {"type": "video_url", "video_url": {"url": "https://x/y.mp4", "fps": 2}}
    frames = {"type": "video_frames", "video_frames": {"frames": ["https://x/1.png"]}}
    parts = message(role="user", content=[{"type": "text", "text": "a"}, video, frames])["Contents"]
    assert parts[1] == {"Type": "video_url", "VideoUrl": {"Url": "https://x/y.mp4", "Fps": 2}}
    assert parts[2] == {"Type": "video_frames", "VideoFrames": {"Frames": ["https://x/1.png"]}}


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "x"}},
        {"type": "file", "file": {}},
        {"type": "image_url"},
        {"type": "image_url", "image_url": {}},
        {"type": ["x"]},
        5,
        None,
    ],
)
def test_what_has_no_part_is_a_clear_error(part: Any):
    with pytest.raises(BadRequest) as raised:
        message(role="user", content=[{"type": "text", "text": "a"}, part])
    assert raised.value.param == "messages.0.content.1"


def test_calls_and_results():
    call = {"id": 7, "type": "function", "function": {"name": "f", "arguments": {"a": 1}}, "index": 3}
    made = message(role="assistant", content=[{"type": "text", "text": "x"}], refusal="no", tool_calls=[call])
    assert made["Content"] == "x\n\nno"
    assert made["ToolCalls"] == [
        {"Id": "7", "Type": "function", "Function": {"Name": "f", "Arguments": '{"a":1}'}, "Index": 0}
    ]
    assert message(role="tool", tool_call_id=7.0, content="r") == {"Role": "tool", "Content": "r", "ToolCallId": "7"}


def test_a_field_that_no_message_has_is_told_once():
    _, note = native({"messages": [{**HELLO[0], "name": "n"}, {**HELLO[0], "name": "m"}]}, repaired=False)
    assert [pointer for pointer, _ in note["changes"]] == ["/messages/0/name"]
    assert "(2 places)" in note["changes"][0][1]


# Tools


def tool(name: str, **more: Any) -> Json:
    return {"type": "function", "function": {"name": name, **more}}


def test_schemas_are_text():
    given_ = [tool("f", parameters={"type": "object"}, description="d"), tool("g"), tool("h", parameters="{}"), {}]
    body, note = native({"messages": HELLO, "tools": [*given_, tool("f")]}, repaired=False)
    assert [one["Function"] for one in body["Tools"]] == [
        {"Name": "f", "Parameters": '{"type":"object"}', "Description": "d"},
        {"Name": "g", "Parameters": '{"type":"object","properties":{}}'},
        {"Name": "h", "Parameters": "{}"},
    ]
    assert [pointer for pointer, _ in note["changes"]] == ["/tools/3", "/tools/4"]


@pytest.mark.parametrize("choice", ["none", "auto"])
def test_a_choice_that_is_the_same_word(choice: str):
    assert native({"messages": HELLO, "tools": [tool("f")], "tool_choice": choice})[0]["ToolChoice"] == choice


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "g"}},
        {"type": "function", "name": "g"},
        {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [tool("g")]}},
    ],
)
def test_a_tool_that_must_be_called_is_custom(choice: Json):
    body, _ = native({"messages": HELLO, "tools": [tool("f"), tool("g")], "tool_choice": choice})
    assert body["ToolChoice"] == "custom"
    assert body["CustomTool"]["Function"]["Name"] == "g"
    judge.as_chat(body)


def test_a_tool_that_is_not_offered_is_an_error():
    choice = {"type": "function", "function": {"name": "x"}}
    with pytest.raises(BadRequest):
        native({"messages": HELLO, "tools": [tool("f")], "tool_choice": choice}, repaired=False)
    body, note = native({"messages": HELLO, "tool_choice": choice}, repaired=False)
    assert body.keys() == {"Model", "Messages"}
    assert note["changes"][0][0] == "/tool_choice"


# Embeddings


@pytest.mark.parametrize(("given_", "made"), [("x", ["x"]), (["x", "y"], ["x", "y"])])
def test_an_embedding(given_: Any, made: list[str]):
    body, note = native({"input": given_, "model": "hunyuan-embedding"}, repaired=False)
    assert body == {"InputList": made}
    assert note["model"] == "hunyuan-embedding"


@pytest.mark.parametrize("given_", [[1, 2], [[1]], None, 5, {"a": 1}, ["x", 1]])
def test_what_is_no_text_is_an_error(given_: Any):
    with pytest.raises(BadRequest):
        native({"input": given_}, repaired=False)


def test_action_and_version():
    assert DIALECT.headers("chat") == {"X-TC-Action": "ChatCompletions", "X-TC-Version": "2023-09-01"}
    assert DIALECT.headers("embeddings") == {"X-TC-Action": "GetEmbedding", "X-TC-Version": "2023-09-01"}
    assert DIALECT.path("chat") == DIALECT.path("embeddings") == "/"
