"""Native requests as chat requests: the vendor's own samples, each field, and what is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.dialects.tencent_cloud.client import TencentCloud, TencentEmbedding, TencentTokenCount
from tests.strategies import json_values

USER = {"Role": "user", "Content": "hi"}


def chat(body: dict[str, Any], note: dict[str, Any] | None = None) -> dict[str, Any]:
    return TencentCloud().to_chat(body, {}, {} if note is None else note)


def test_a_request_with_everything() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = {"Type": "function", "Function": {"Name": "w", "Description": "d", "Parameters": json.dumps(schema)}}
    call = {"Id": "call_1", "Type": "function", "Function": {"Name": "w", "Arguments": "{}"}, "Index": 0}
    parts = [
        {"Type": "text", "Text": "what?"},
        {"Type": "image_url", "ImageUrl": {"Url": "data:image/png;base64,AA"}},
        {"Type": "video_url", "VideoUrl": {"Url": "https://a/b", "Fps": 1}},
        {"Type": "video_frames", "VideoFrames": {"Frames": ["https://a/c"]}},
    ]
    body = {
        "Model": "hunyuan-lite",
        "Messages": [
            {"Role": "system", "Content": "be kind"},
            {"Role": "user", "Contents": parts, "FileIDs": ["f"]},
            {"Role": "assistant", "Content": "", "ToolCalls": [call], "ReasoningContent": "hm"},
            {"Role": "tool", "ToolCallId": "call_1", "Content": "sun"},
        ],
        "Stream": True,
        "TopP": 0.5,
        "Temperature": 0,
        "Seed": 7,
        "Stop": ["END", ""],
        "Tools": [tool],
        "ToolChoice": "auto",
        "EnableThinking": False,
        "EnableEnhancement": True,
        "WebSearchOptions": {"UserLocation": {"Type": "approximate"}},
        "Unheard": 1,
        "TopicChoice": None,
    }
    note: dict[str, Any] = {}
    before = copy.deepcopy(body)
    assert chat(body, note) == {
        "model": "hunyuan-lite",
        "messages": [
            {"role": "system", "content": "be kind"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "what?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
                    {"type": "video_url", "video_url": {"url": "https://a/b", "fps": 1}},
                    {"type": "video_frames", "video_frames": {"frames": ["https://a/c"]}},
                ],
            },
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "w", "arguments": "{}"}}],
                "reasoning_content": "hm",
            },
            {"role": "tool", "content": "sun", "tool_call_id": "call_1"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "top_p": 0.5,
        "temperature": 0,
        "seed": 7,
        "stop": ["END"],
        "tools": [{"type": "function", "function": {"name": "w", "description": "d", "parameters": schema}}],
        "tool_choice": "auto",
        "thinking": {"type": "disabled"},
        "enable_enhancement": True,
        "web_search_options": {"user_location": {"type": "approximate"}},
    }
    assert body == before
    assert note["model"] == "hunyuan-lite"
    assert note["input_tokens"] > 0
    assert [pointer for pointer, _ in note["changes"]] == ["/Unheard", "/Messages/1/FileIDs"]


def test_a_tool_that_must_be_called() -> None:
    one = {"Type": "function", "Function": {"Name": "one", "Parameters": "{}"}}
    two = {"Type": "function", "Function": {"Name": "two"}}
    asked = chat({"Model": "m", "Messages": [USER], "Tools": [one], "ToolChoice": "custom", "CustomTool": two})
    assert asked["tool_choice"] == {"type": "function", "function": {"name": "two"}}
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["one", "two"]
    again = chat({"Model": "m", "Messages": [USER], "Tools": [one], "ToolChoice": "custom", "CustomTool": one})
    assert [tool["function"]["name"] for tool in again["tools"]] == ["one"]


def test_a_schema_may_be_spread_over_lines_and_a_call_may_lack_its_id() -> None:
    """Both as in the vendor's own samples."""
    schema = '{\n    "type": "object",\n    "required": ["location"]\n}'
    tool = {"Type": "function", "Function": {"Name": "w", "Parameters": schema}}
    call = {"Type": "function", "Function": {"Name": "w", "Arguments": '{"location":"北京"}'}}
    turns = [USER, {"Role": "assistant", "Content": "I ask.", "ToolCalls": [call]}, {"Role": "tool", "Content": "sun"}]
    asked = chat({"Model": "m", "TopP": 0, "Messages": turns, "Tools": [tool]})
    assert asked["tools"][0]["function"]["parameters"]["required"] == ["location"]
    assert asked["top_p"] == 0
    assert "id" not in asked["messages"][1]["tool_calls"][0]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "Model", "MissingParameter"),
        ({"Model": "m"}, "Messages", "MissingParameter"),
        ({"Model": "m", "Messages": []}, "Messages", "MissingParameter"),
        ({"Model": 1, "Messages": [USER]}, "Model", None),
        ({"Model": "m", "Messages": "hi"}, "Messages", None),
        ({"Model": "m", "Messages": ["hi"]}, "Messages.0", None),
        ({"Model": "m", "Messages": [{"Content": "hi"}]}, "Messages.0.Role", "MissingParameter"),
        ({"Model": "m", "Messages": [{"Role": "owner", "Content": "hi"}]}, "Messages.0.Role", None),
        ({"Model": "m", "Messages": [{"Role": "user", "Content": 1}]}, "Messages.0.Content", None),
        (
            {"Model": "m", "Messages": [{"Role": "user", "Contents": [{"Type": "audio"}]}]},
            "Messages.0.Contents.0.Type",
            None,
        ),
        (
            {"Model": "m", "Messages": [{"Role": "user", "Contents": [{"Type": "image_url", "ImageUrl": {}}]}]},
            "Messages.0.Contents.0.ImageUrl.Url",
            None,
        ),
        ({"Model": "m", "Messages": [USER], "Stream": "yes"}, "Stream", None),
        ({"Model": "m", "Messages": [USER], "Stop": [1]}, "Stop", None),
        ({"Model": "m", "Messages": [USER], "Tools": [{"Function": {"Name": ""}}]}, "Tools.0.Function.Name", None),
        (
            {"Model": "m", "Messages": [USER], "Tools": [{"Function": {"Name": "n", "Parameters": "{"}}]},
            "Tools.0.Function.Parameters",
            None,
        ),
        ({"Model": "m", "Messages": [USER], "ToolChoice": "custom"}, "CustomTool", "MissingParameter"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str, code: str | None) -> None:
    note: dict[str, Any] = {}
    with pytest.raises(BadRequest) as raised:
        chat(body, note)
    assert raised.value.param == param
    assert note.get("refused_as") == code


def test_texts_to_embed() -> None:
    for body, texts in (
        ({"Input": "a"}, ["a"]),
        ({"InputList": ["a", "b"]}, ["a", "b"]),
        ({"Input": None, "InputList": ["c"]}, ["c"]),
    ):
        note: dict[str, Any] = {}
        assert TencentEmbedding().to_chat(body, {}, note) == {"model": "hunyuan-embedding", "input": texts}
    refused: list[dict[str, Any]] = [{}, {"Input": 1}, {"InputList": []}, {"InputList": ["a", 1]}]
    for wrong in refused:
        with pytest.raises(BadRequest):
            TencentEmbedding().to_chat(wrong, {}, {})


def test_a_text_is_counted() -> None:
    note: dict[str, Any] = {"request_id": "r"}
    assert TencentTokenCount().to_chat({"Prompt": "你是谁"}, {}, note) == {"messages": []}
    answer = TencentTokenCount().answer({}, note)["Response"]
    assert answer["CharacterCount"] == 3
    assert 1 <= answer["TokenCount"] <= 4
    refused: list[dict[str, Any]] = [{}, {"Prompt": 1}]
    for wrong in refused:
        with pytest.raises(BadRequest):
            TencentTokenCount().to_chat(wrong, {}, {})


_FIELDS = ["Role", "Content", "Contents", "Type", "Function"]
requests = st.dictionaries(
    st.sampled_from(["Model", "Messages", "Tools", "ToolChoice", "CustomTool", "Stop", "Stream", "Other"]),
    st.one_of(json_values, st.lists(st.dictionaries(st.sampled_from(_FIELDS), json_values))),
)


@given(requests)
def test_any_request_is_translated_or_refused(body: dict[str, Any]) -> None:
    for dialect in (TencentCloud(), TencentEmbedding(), TencentTokenCount()):
        try:
            dialect.to_chat(body, {}, {})
        except BadRequest as refused:
            assert refused.message
