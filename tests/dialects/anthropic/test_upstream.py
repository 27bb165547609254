"""Chat requests for endpoints that speak Messages alone."""

from __future__ import annotations

import base64
import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import profiles
from hunyuan_fix.dialects.anthropic import request
from hunyuan_fix.dialects.anthropic.upstream import AnthropicUpstream
from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.profiles import Model, Thinking
from hunyuan_fix.simulator.vision import data_url, png_with_text
from tests.dialects.anthropic.upstreaming import (
    EN,
    demands,
    messages_of,
    refused,
    through,
    upstream,
    whys,
)
from tests.strategies import PLACE, histories, marked, tools, words

PNG = data_url(png_with_text("cat"))
DATA = PNG.partition(",")[2]
WORD = re.compile(r"word\d+x")
THINKER = Model("hy3", thinking=Thinking(default=True))


def user(content: Any = "hi") -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any = None, *calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **({"tool_calls": list(calls)} if calls else {}), **more}


def call(id: str = "call_1", arguments: Any = "{}", name: str = "ls") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def tool(content: Any = "done", id: str = "call_1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def function(name: str = "ls", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}, **more}}


# Messages


def test_a_conversation_with_calls():
    body, _ = upstream(
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                user("list"),
                assistant("I look.", call("a", '{"p":1}'), call("b"), reasoning_content="hm"),
                tool("1", "a"),
                tool("2", "b"),
                user("thanks"),
            ]
        }
    )
    assert body["system"] == [text("Be brief.")]
    assert body["messages"] == [
        {"role": "user", "content": [text("list")]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": ""},
                text("I look."),
                {"type": "tool_use", "id": "a", "name": "ls", "input": {"p": 1}},
                {"type": "tool_use", "id": "b", "name": "ls", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "1"},
                {"type": "tool_result", "tool_use_id": "b", "content": "2"},
                text("thanks"),
            ],
        },
    ]
    assert list(body) == ["model", "max_tokens", "system", "messages"]


def test_system_texts_behind_the_beginning_stay_where_they_are():
    body, _ = upstream({"messages": [user("a"), {"role": "developer", "content": "Now."}, assistant("b"), user("c")]})
    assert "system" not in body
    said = body["messages"][0]["content"]
    assert said[0] == text("a")
    assert "Now." in said[1]["text"]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (["functions.ls:0", "functions.ls:0"], ["functions_ls_0", "functions_ls_0_2"]),
        (["a", "a", "a"], ["a", "a_2", "a_3"]),
        (["a", "a_2", "a"], ["a", "a_2", "a_3"]),
        (["名字", ""], ["_", "call"]),
        ([None, 1], ["call", "1"]),
    ],
)
def test_ids_are_of_accepted_characters_and_each_once(given: list[Any], made: list[str]):
    turns = [message for one in given for message in (assistant(None, call(one)), tool("r", one))]
    body = messages_of(user(), *turns)
    blocks = [block for message in body for block in message["content"]]
    assert [block["id"] for block in blocks if block["type"] == "tool_use"] == made
    assert [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"] == made


def test_a_long_id_is_cut_and_stays_its_own():
    body = messages_of(
        user(), assistant(None, call("x" * 99), call("x" * 100)), tool("1", "x" * 100), tool("2", "x" * 99)
    )
    first, second = (block["id"] for block in body[1]["content"])
    assert first != second
    assert max(len(first), len(second)) <= 64
    assert [block["tool_use_id"] for block in body[2]["content"]] == [second, first]


@pytest.mark.parametrize(
    ("arguments", "given"),
    [("", {}), ("{}", {}), ('{"a":1}', {"a": 1}), ({"a": 1}, {"a": 1}), ('{"a"', {"arguments": '{"a"'}), (None, {})],
)
def test_inputs_are_objects(arguments: Any, given: dict[str, Any]):
    assert messages_of(user(), assistant(None, call(arguments=arguments)), tool())[1]["content"][0]["input"] == given


def test_images_of_results_stay_in_them():
    shown = [text("shot"), {"type": "image_url", "image_url": {"url": PNG}}]
    body = through({"messages": [user(), assistant(None, call()), tool(shown)]})
    source = {"type": "base64", "media_type": "image/png", "data": DATA}
    assert body["messages"][-1]["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1", "content": [text("shot"), {"type": "image", "source": source}]}
    ]


@pytest.mark.parametrize(
    ("image", "source"),
    [
        ({"url": PNG}, {"type": "base64", "media_type": "image/png", "data": DATA}),
        (PNG, {"type": "base64", "media_type": "image/png", "data": DATA}),
        ({"url": PNG.replace("image/png", "image/jpeg")}, {"type": "base64", "media_type": "image/png", "data": DATA}),
        ({"url": "https://a.example/b.png"}, {"type": "url", "url": "https://a.example/b.png"}),
    ],
)
def test_images(image: Any, source: dict[str, Any]):
    body = messages_of(user([text("see"), {"type": "image_url", "image_url": image}]))
    assert body[0]["content"][1] == {"type": "image", "source": source}


def test_the_detail_of_an_image_is_told():
    _, note = upstream({"messages": [user([{"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}])]})
    assert whys(note, "/messages/0/content/0")


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "video_url", "video_url": {"url": "https://a.example/v.mp4"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,bm90IGFuIGltYWdl"}},
        {"type": "image_url", "image_url": {}},
    ],
)
def test_what_has_no_block_is_refused_here(part: dict[str, Any]):
    with pytest.raises(BadRequest) as refusal:
        upstream({"messages": [user("a"), user([text("b"), part])]})
    assert refusal.value.param == "messages.1.content.1"


def test_so_it_is_behind_the_house_rules():
    with pytest.raises(BadRequest, match="no input_audio"):
        through({"messages": [user([{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}])]})


def test_a_pdf_is_a_document():
    data = base64.b64encode(b"%PDF-1.4").decode()
    part = {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"}}
    source = {"type": "base64", "media_type": "application/pdf", "data": data}
    assert messages_of(user([part]))[0]["content"] == [{"type": "document", "source": source, "title": "a.pdf"}]


def test_embeddings_are_refused_here():
    with pytest.raises(BadRequest, match="no embeddings"):
        AnthropicUpstream().request({"model": "m", "input": "a"}, demands(), {})


def test_neighbours_are_one_turn_with_results_first():
    body = messages_of(user("a"), user("b"), assistant("c"), assistant("d", call()), user("late"), tool("r"))
    assert [message["role"] for message in body] == ["user", "assistant", "user"]
    assert [block["type"] for block in body[2]["content"]] == ["tool_result", "text"]


def test_a_result_that_no_call_of_the_last_turn_waits_for_is_the_users_text():
    body = messages_of(user(), assistant(None, call("a")), user("x"), assistant("so"), tool("late", "a"))
    assert body[-1] == {"role": "user", "content": [text("late")]}


def test_a_conversation_begins_with_the_user():
    assert messages_of(assistant("hello"), user())[0] == {"role": "user", "content": [text(EN.start)]}


def test_white_space_at_the_end_of_what_the_model_is_to_go_on_with_goes():
    assert messages_of(user(), assistant("Sure: \n"))[-1]["content"] == [text("Sure:")]
    assert messages_of(user(), assistant("Sure: \n"), user())[1]["content"] == [text("Sure: \n")]


def test_blank_texts_are_no_blocks():
    assert messages_of(user([text(""), text("a"), text(" \n")]))[0]["content"] == [text("a")]
    body = messages_of(user(), assistant(None, call()), tool(""), user("a"))
    assert body[2]["content"][0] == {"type": "tool_result", "tool_use_id": "call_1"}


# Thinking in the history


def test_where_signatures_are_verified_only_signed_thinking_goes_back():
    claude = demands("anthropic/claude-opus-5")
    signed = {"type": "thinking", "thinking": "hm", "signature": "sig"}
    redacted = {"type": "redacted_thinking", "data": "x"}
    unsigned = {"type": "thinking", "thinking": "hm"}
    kept = assistant("a", reasoning_content="hm", thinking_blocks=[signed, unsigned, redacted, "odd"])
    assert messages_of(user(), kept, user(), given=claude)[1]["content"] == [signed, redacted, text("a")]
    body, note = upstream({"messages": [user(), assistant("a", reasoning_content="hm"), user()]}, claude)
    assert body["messages"][1]["content"] == [text("a")]
    assert any("signature" in why for why in whys(note, "/messages/1"))


def test_elsewhere_all_of_it_does():
    unsigned = {"type": "thinking", "thinking": "hm"}
    kept = assistant("a", reasoning_content="hm", thinking_blocks=[unsigned])
    assert messages_of(user(), kept, user())[1]["content"][0] == {**unsigned, "signature": ""}
    assert messages_of(user(), assistant("a", reasoning=""), user())[1]["content"][0]["thinking"] == ""


def test_thinking_blocks_pass_the_house_rules():
    signed = {"type": "thinking", "thinking": "hm", "signature": "sig"}
    chat = {"messages": [user(), assistant("a", thinking_blocks=[signed]), user()]}
    assert through(chat)["messages"][1]["content"][0] == signed


# Parameters


def sent(given: Any = None, **chat: Any) -> dict[str, Any]:
    return upstream({"messages": [user()], **chat}, given)[0]


@pytest.mark.parametrize(
    ("chat", "most"),
    [
        ({}, 32_000),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 7, "max_tokens": 5}, 7),
        ({"max_tokens": None}, 32_000),
    ],
)
def test_max_tokens_is_always_there(chat: dict[str, Any], most: int):
    assert sent(**chat)["max_tokens"] == most


def test_what_an_error_may_speak_of_is_in_the_chat_request():
    """Only what a request has is mended (`mending`)."""
    chat: dict[str, Any] = {"model": "m", "messages": [user()]}
    AnthropicUpstream().request(chat, demands("m"), {})
    assert chat["max_tokens"] == 32_000


def test_max_tokens_is_at_most_what_the_model_gives():
    known = demands(known=Model("m", output=8000))
    assert sent(known)["max_tokens"] == 8000
    body, note = upstream({"messages": [user()], "max_tokens": 9000}, known)
    assert body["max_tokens"] == 8000
    assert whys(note, "/max_tokens")


@pytest.mark.parametrize(
    ("stop", "sequences"),
    [("END", ["END"]), (["a", " ", "\n", "b"], ["a", "b"]), ([" "], None), (None, None), ("", None)],
)
def test_stop(stop: Any, sequences: list[str] | None):
    assert sent(stop=stop).get("stop_sequences") == sequences


def test_what_has_no_word_is_told():
    body, note = upstream({"messages": [user()], "n": 2, "seed": 1, "logit_bias": {}, "logprobs": None})
    assert body.keys() == {"model", "max_tokens", "messages"}
    assert [pointer for pointer, _ in note["changes"]] == ["/n", "/seed", "/logit_bias"]


def test_the_user_and_the_stream():
    body, note = upstream(
        {"messages": [user()], "user": "u", "stream": True, "stream_options": {"include_usage": True}}
    )
    assert (body["metadata"], body["stream"], note["include_usage"]) == ({"user_id": "u"}, True, True)
    assert upstream({"messages": [user()], "stream": True})[1]["include_usage"] is False


@pytest.mark.parametrize(
    ("chat", "thinking"),
    [
        ({}, None),
        ({"thinking": {"type": "disabled"}}, {"type": "disabled"}),
        ({"enable_thinking": False}, {"type": "disabled"}),
        ({"reasoning_effort": "none"}, {"type": "disabled"}),
        ({"thinking": {"type": "enabled"}}, {"type": "enabled", "budget_tokens": 31_999}),
        ({"enable_thinking": True}, {"type": "enabled", "budget_tokens": 31_999}),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, {"type": "enabled", "budget_tokens": 2000}),
        ({"thinking": {"type": "enabled", "budget_tokens": 5}}, {"type": "enabled", "budget_tokens": 1024}),
        ({"thinking": {"type": "adaptive"}, "max_tokens": 2000}, {"type": "enabled", "budget_tokens": 1999}),
        ({"reasoning_effort": "low"}, {"type": "enabled", "budget_tokens": 6400}),
        ({"reasoning": {"effort": "medium"}}, {"type": "enabled", "budget_tokens": 16_000}),
        ({"reasoning_effort": "minimal", "max_tokens": 2000}, {"type": "enabled", "budget_tokens": 1024}),
        ({"reasoning_effort": "high", "max_tokens": 1024}, None),
    ],
)
def test_thinking_with_a_budget(chat: dict[str, Any], thinking: dict[str, Any] | None):
    assert sent(**chat).get("thinking") == thinking


@pytest.mark.parametrize(
    ("chat", "thinking", "effort"),
    [
        ({"thinking": {"type": "enabled"}}, {"type": "adaptive"}, None),
        ({"reasoning_effort": "xhigh"}, {"type": "adaptive"}, {"effort": "xhigh"}),
        ({"reasoning_effort": "minimal"}, {"type": "adaptive"}, {"effort": "low"}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000}, "reasoning_effort": "low"},
            {"type": "enabled", "budget_tokens": 2000},
            None,
        ),
    ],
)
def test_adaptive_thinking_where_the_endpoint_takes_it(chat: dict[str, Any], thinking: Any, effort: Any):
    body = sent(demands(adaptive_thinking=True, refused=()), **chat)
    assert (body["thinking"], body.get("output_config")) == (thinking, effort)


def test_sampling_is_fixed_while_the_model_thinks():
    given = {"temperature": 0.5, "top_p": 0.9, "top_k": 3}
    assert sent(**given).items() >= given.items()
    assert given.keys().isdisjoint(sent(**given, thinking={"type": "enabled"}))
    assert sent(temperature=1, thinking={"type": "enabled"})["temperature"] == 1
    assert sent(temperature=0.5, thinking={"type": "disabled"})["temperature"] == 0.5


# Tools


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "ls"}}, {"type": "tool", "name": "ls"}),
        ({"type": "function", "function": {"name": "gone"}}, None),
        (None, None),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [function()]}},
            {"type": "tool", "name": "ls"},
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [function(), function("cat")]}},
            {"type": "any"},
        ),
        ({"type": "allowed_tools", "mode": "auto", "tools": [function()]}, {"type": "auto"}),
    ],
)
def test_tool_choice(choice: Any, made: dict[str, Any] | None):
    tools = [function(), function("cat")]
    assert sent(tools=tools, tool_choice=choice).get("tool_choice") == made
    parallel = sent(tools=tools, tool_choice=choice, parallel_tool_calls=False).get("tool_choice")
    if made == {"type": "none"}:
        assert parallel == made
    else:
        assert parallel == {**(made or {"type": "auto"}), "disable_parallel_tool_use": True}


def test_a_choice_without_tools_goes():
    assert "tool_choice" not in sent(tool_choice="required", parallel_tool_calls=False)


def test_tools():
    body, note = upstream(
        {
            "messages": [user()],
            "tools": [function(description="Lists.", strict=True), function(), {"type": "custom"}, function("cat")],
        },
        demands(refused=()),
    )
    schema = {"type": "object", "properties": {}}
    assert body["tools"] == [
        {"name": "ls", "description": "Lists.", "input_schema": schema, "strict": True},
        {"name": "cat", "input_schema": schema},
    ]
    assert [pointer for pointer, _ in note["changes"]] == ["/tools/1", "/tools/2"]
    assert sent(tools=[{"type": "function", "function": {"name": "a"}}])["tools"][0]["input_schema"] == schema


def test_the_form_of_the_answer():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    asked = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    takes = demands(refused=())
    assert sent(takes, response_format=asked)["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    assert sent(takes, response_format={"type": "json_object"})["system"] == [text(EN.json_object)]
    assert "system" not in sent(takes, response_format={"type": "text"})
    instructed = through({"messages": [user()], "response_format": asked})
    assert "output_config" not in instructed
    assert '"properties"' in json.dumps(instructed).replace("\\", "")


# What endpoints and models demand


def test_a_forced_tool_beside_thinking():
    tools, forced = [function()], {"type": "function", "function": {"name": "ls"}}
    takes = demands(known=THINKER, tool_choices=frozenset({"auto", "any", "none"}))
    body = sent(takes, tools=tools, tool_choice=forced)
    assert (body["thinking"], body["tool_choice"]) == ({"type": "disabled"}, {"type": "tool", "name": "ls"})
    body = sent(takes, tools=tools, tool_choice=forced, thinking={"type": "enabled"})
    assert (body["thinking"]["type"], body["tool_choice"]) == ("enabled", {"type": "any"})


def test_breakpoints_are_for_caches_that_need_them():
    chat = {
        "model": "claude-opus-5",
        "messages": [
            {"role": "system", "content": "s"},
            user("a"),
            assistant("b"),
            user("c"),
            assistant("d"),
            user("e"),
        ],
        "tools": [function(), function("cat")],
    }
    mark = {"cache_control": {"type": "ephemeral"}}
    body, _ = upstream(chat, demands("claude-opus-5"))
    assert [tool.get("cache_control") is not None for tool in body["tools"]] == [False, True]
    assert body["system"] == [text("s") | mark]
    assert [message["content"][-1].keys() >= mark.keys() for message in body["messages"]] == [
        *(False, False, True, False, True)
    ]
    assert "cache_control" not in json.dumps(upstream({**chat, "model": "hy3"})[0])


def test_a_turn_with_calls_whose_signed_thought_is_lost_is_not_to_think():
    claude = demands("claude-opus-5")
    asked = {"messages": [user(), assistant(None, call()), tool()], "tools": [function()]}
    body, note = upstream({**asked, "thinking": {"type": "enabled"}}, claude)
    assert body["thinking"] == {"type": "disabled"}
    assert whys(note, "/thinking")
    over = {**asked, "messages": [*asked["messages"], assistant("done"), user("next")]}
    assert upstream({**over, "thinking": {"type": "enabled"}}, claude)[0]["thinking"]["type"] == "enabled"
    signed = [{"type": "thinking", "thinking": "hm", "signature": "sig"}]
    known = {**asked, "messages": [user(), assistant(None, call(), thinking_blocks=signed), tool()]}
    assert upstream({**known, "thinking": {"type": "enabled"}}, claude)[0]["thinking"]["type"] == "enabled"


# What must hold of every request


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    body: dict[str, Any] = {"messages": draw(histories)}
    options: dict[str, st.SearchStrategy[Any]] = {
        "tools": st.lists(tools(), max_size=3),
        "tool_choice": st.sampled_from(["auto", "none", "required", {"type": "function", "function": {"name": "ls"}}]),
        "parallel_tool_calls": st.booleans(),
        "temperature": st.sampled_from([0, 0.5, 1, 2, "x"]),
        "top_p": st.sampled_from([0.5, 1]),
        "stop": st.sampled_from(["END", ["a", " "], [], None]),
        "max_tokens": st.sampled_from([1, 500, 5000, None, "x"]),
        "thinking": st.sampled_from([{"type": "enabled"}, {"type": "disabled"}, {"type": "x"}, {}]),
        "reasoning_effort": st.sampled_from(["low", "high", "none"]),
        "response_format": st.sampled_from([{"type": "json_object"}, {"type": "text"}]),
        "user": words,
        "n": st.just(1),
    }
    for key in sorted(draw(st.sets(st.sampled_from(sorted(options))))):
        body[key] = draw(options[key])
    return body


def _made(body: dict[str, Any]) -> dict[str, Any] | None:
    """The Messages body; `None` where content has no block."""
    try:
        return through(body)
    except BadRequest:
        return None


@given(bodies())
def test_the_strict_endpoint_takes_every_request(body: dict[str, Any]):
    made = _made(body)
    if made is not None:
        seen = [problem for problem in refused(made) if "does not support" not in problem]
        assert seen == []


@given(st.lists(st.sampled_from(["u", "a", "c", "t", "s"]), max_size=12), st.data())
def test_nothing_that_is_said_is_lost_and_it_keeps_its_order(kinds: list[str], data: st.DataObject):
    made = {
        "u": lambda: user(PLACE),
        "a": lambda: assistant(PLACE),
        "c": lambda: assistant(PLACE, call(data.draw(st.sampled_from(["x", "y:0"])), f'{{"p":"{PLACE}"}}')),
        "t": lambda: tool(PLACE, data.draw(st.sampled_from(["x", "y:0"]))),
        "s": lambda: {"role": "system", "content": PLACE},
    }
    body = marked({"messages": [user(PLACE), *(made[kind]() for kind in kinds)]})
    sent = json.dumps(through(body))
    assert sorted(WORD.findall(sent)) == sorted(WORD.findall(json.dumps(body)))


@given(histories, histories)
def test_a_longer_history_begins_with_the_same_turns(first: list[Any], more: list[Any]):
    def plain(listed: list[Any]) -> list[dict[str, Any]]:
        return [one for one in listed if isinstance(one, dict) and isinstance(one.get("content"), str)]

    # A result that comes late goes to its call, wherever that is.
    later = [one for one in plain(more) if one.get("role") in ("user", "system", "developer")]
    head = [user("begin"), *plain(first), assistant("over"), user("next")]
    short, long = _made({"messages": head}), _made({"messages": [*head, assistant("so"), *later]})
    assert short is not None
    assert long is not None
    known = len(short["messages"]) - 1
    assert long["messages"][:known] == short["messages"][:known]


@given(bodies())
def test_the_bodys_messages_read_back_as_chat_say_the_same(body: dict[str, Any]):
    made = _made(body)
    if made is None:
        return
    chat = request.to_chat(copy.deepcopy(made), {}, {})
    again = AnthropicUpstream().request(chat, demands(), {})
    assert _said(again) == _said(made)


def _said(body: dict[str, Any]) -> list[tuple[str, list[Any]]]:
    """The turns: texts of neighbouring blocks in one, since chat has one text a message."""
    turns = []
    for message in body["messages"]:
        said: list[Any] = []
        for block in message["content"]:
            match block["type"]:
                case "text" if said and isinstance(said[-1], str):
                    said[-1] += ("\n\n" if message["role"] == "user" else "") + block["text"]
                case "text":
                    said.append(block["text"])
                case "tool_use":
                    said.append((block["id"], block["name"], block["input"]))
                case "tool_result":
                    given = block.get("content")
                    if isinstance(given, list) and all(one["type"] == "text" for one in given):
                        given = "\n\n".join(one["text"] for one in given)
                    said.append((block["tool_use_id"], json.dumps(given, sort_keys=True)))
                case "thinking" if said and said[-1][0] == "thinking":
                    said[-1] = ("thinking", said[-1][1] + block["thinking"])
                case "thinking":
                    said.append(("thinking", block["thinking"]))
                case kind:
                    said.append((kind, json.dumps(block, sort_keys=True)))
        # Chat has the results of a turn in the order of its calls.
        results = sum(block["type"] == "tool_result" for block in message["content"])
        turns.append((message["role"], [*sorted(said[:results]), *said[results:]]))
    return turns


def test_the_profile_is_for_endpoints_that_speak_nothing_else():
    profile = profiles.load("anthropic")
    assert (profile.dialect, profile.hosts, profile.vision_model) == ("anthropic", (), "")
