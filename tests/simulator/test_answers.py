"""Answers are what the request and its directives say, in the shapes that were captured from the endpoint."""

import json
from typing import Any

import pytest

from hunyuan_fix.simulator import answers, completions, directives
from hunyuan_fix.simulator.embeddings import embeddings
from hunyuan_fix.simulator.faults import Fault
from hunyuan_fix.simulator.rows import Json, ProfileName
from hunyuan_fix.simulator.streams import completion, script
from hunyuan_fix.simulator.vision import UnreadableImage, data_url, png_with_text

TOOLS = [
    {"type": "function", "function": {"name": "read", "parameters": {}}},
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"enum": ["C"]}},
                "required": ["city", "days", "unit"],
            },
        },
    },
]


def ask(
    text: Any, *, model: str = "hunyuan-turbos-latest", profile: ProfileName = "hunyuan", **fields: Any
) -> answers.Answer:
    return answers.answer({"model": model, "messages": [{"role": "user", "content": text}], **fields}, profile)


def joined(chunks: list[Json], field: str) -> str:
    return "".join(c["choices"][0]["delta"].get(field, "") for c in chunks if c["choices"])


def test_directives_are_parsed() -> None:
    asked = directives.parse(
        'x [[sim:say 你好]] [[sim:tool a {"k": [[1]], "s": "]]"}]] [[sim:tool b]]'
        "[[sim:chunks 7]] [[sim:length]] [[sim:other]]"
    )
    assert asked.say == "你好"
    assert asked.tools == (("a", '{"k": [[1]], "s": "]]"}'), ("b", "{}"))
    assert (asked.chunks, asked.length, asked.sensitive) == (7, True, False)
    assert directives.parse("prose [[sim") == directives.Directives()


def test_directives_in_results_that_are_json() -> None:
    asked = directives.parse(json.dumps({"result": '[[sim:say]][[sim:tool sh {"command": "ls]]"}]]'}))
    assert asked.tools == (("sh", '{"command": "ls]]"}'),)


@pytest.mark.parametrize(("profile", "model"), [("hunyuan", "hunyuan-turbos-latest"), ("tokenhub", "hy3")])
def test_a_limit_cuts_and_what_was_cut_goes_on_where_that_is_asked_for(profile: ProfileName, model: str) -> None:
    asked = {"role": "user", "content": "[[sim:say One two three]] [[sim:limit 5]] [[sim:again 2]]"}
    first = ask(asked["content"], model=model, profile=profile)
    assert (first.text, first.finish_reason) == ("One t", "length")
    said: Json = {"role": "assistant", "content": first.text}
    more = {"role": "user", "content": "Go on."}
    second = answers.answer({"model": model, "messages": [asked, said, more]}, profile)
    assert (second.text, second.finish_reason) == (" two ", "length")
    said["content"] = "One two three"[:-2]
    last = answers.answer({"model": model, "messages": [asked, said, more]}, profile)
    assert (last.text, last.finish_reason) == ("hree", "stop")
    said["content"] = "Something else"
    assert answers.answer({"model": model, "messages": [asked, said, more]}, profile).text == answers.TEXT


def test_a_limit_cuts_what_kimi_completes() -> None:
    asked = {"role": "user", "content": "[[sim:say One two three]] [[sim:limit 5]]"}
    said = {"role": "assistant", "content": "One t", "partial": True}
    answer = answers.answer({"model": "kimi-k2.6", "messages": [asked, said]}, "moonshot")
    assert (answer.text, answer.finish_reason) == ("wo th", "length")


def test_an_agents_reminder_behind_what_the_user_says() -> None:
    said = [{"role": "user", "content": "[[sim:say yes]]"}, {"role": "user", "content": "<reminder>"}]
    assert answers.answer({"model": "kimi-k2.6", "messages": said}, "moonshot").text == "yes"
    answered = [*said, {"role": "assistant", "content": "yes"}, {"role": "user", "content": "and now?"}]
    assert answers.answer({"model": "kimi-k2.6", "messages": answered}, "moonshot").text != "yes"


def test_an_answer_is_deterministic_and_ids_depend_on_the_request() -> None:
    assert ask("hi") == ask("hi")
    assert ask("hi").id != ask("ho").id
    body = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "[[sim:tool a]]"}]}
    first, second = (answers.answer(body, "hunyuan", seed=seed) for seed in (b"1", b"2"))
    assert first.tool_calls[0].id != second.tool_calls[0].id


def test_a_completion_has_the_documented_shape() -> None:
    body = completions.completion(ask("[[sim:say 好]] [[sim:tool weather {}]] [[sim:tool read]]"), "hunyuan")
    message = body["choices"][0]["message"]
    assert len(body["id"]) == 32
    assert body["system_fingerprint"] == ""
    assert message["content"] == "好"
    assert [call["index"] for call in message["tool_calls"]] == [0, 1]
    assert message["tool_calls"][0]["id"].startswith("call_")
    assert body["choices"][0]["finish_reason"] == "tool_calls"
    assert "note" not in body
    assert "note" in completions.completion(ask("hi"), "hunyuan")
    assert "note" not in completions.completion(ask("hi", profile="tokenhub", model="hy3"), "tokenhub")


def test_a_mentioned_tool_is_called_with_sample_arguments() -> None:
    answer = ask("请用 weather 看看", tools=TOOLS)
    assert [call.name for call in answer.tool_calls] == ["weather"]
    assert json.loads(answer.tool_calls[0].arguments) == {"city": "示例", "days": 1, "unit": "C"}
    assert answer.text == answers.CALLING
    assert not ask("你好", tools=TOOLS).tool_calls
    assert not ask("weather", tools=TOOLS, tool_choice="none").tool_calls


def test_tokenhub_obeys_required_and_named_tool_choice() -> None:
    required = ask("你好", model="hy3", profile="tokenhub", tools=TOOLS, tool_choice="required")
    assert [call.name for call in required.tool_calls] == ["read"]
    choice = {"type": "function", "function": {"name": "weather"}}
    named = ask("你好", model="hy3", profile="tokenhub", tools=TOOLS, tool_choice=choice)
    assert [call.name for call in named.tool_calls] == ["weather"]


def test_a_tool_can_be_named_by_its_place() -> None:
    assert [call.name for call in ask("[[sim:tool #2 {}]]", tools=TOOLS).tool_calls] == ["weather"]


def test_a_tool_result_is_quoted() -> None:
    messages = [{"role": "user", "content": "weather"}, {"role": "tool", "content": "晴" * 50}]
    answer = answers.answer({"model": "hunyuan-lite", "messages": messages, "tools": TOOLS}, "hunyuan")
    assert answer.text == "工具返回：" + "晴" * 40
    assert not answer.tool_calls


def test_a_numbered_answer_differs_from_the_one_before() -> None:
    body = {"model": "hunyuan-a13b", "messages": [{"role": "user", "content": "[[sim:say hi]][[sim:numbered]]"}]}
    assert [answers.answer(body, "hunyuan", number=number).text for number in (1, 2)] == ["hi 1", "hi 2"]
    assert ask("[[sim:say hi]]").text == "hi"


def test_echo_system_and_fence() -> None:
    messages = [{"role": "system", "content": "规则"}, {"role": "user", "content": "[[sim:echo-system]]"}]
    assert answers.answer({"model": "hunyuan-lite", "messages": messages}, "hunyuan").text == "规则"
    assert ask('[[sim:fence]] [[sim:say {"a": 1}]]').text == '```json\n{"a": 1}\n```'
    assert json.loads(ask("[[sim:fence]]").text.strip("`").removeprefix("json")) == {"answer": answers.TEXT}


def test_stop_text_is_included_by_the_legacy_endpoint_only() -> None:
    text = "[[sim:say 我是一个AI助手，你好]]"
    assert ask(text, stop=["助手", "你好"]).text == "我是一个AI助手"
    assert ask(text, stop="助手", model="hy3", profile="tokenhub").text == "我是一个AI"


def test_early_endings() -> None:
    assert ask("[[sim:say 一二三四]]", max_tokens=1).text == "一二"
    assert ask("[[sim:say 一二三四]]", max_tokens=1).finish_reason == "length"
    assert ask("[[sim:length]]").finish_reason == "length"
    assert ask("[[sim:sensitive]]").finish_reason == "sensitive"
    assert ask("[[sim:say " + "长" * 9000 + "]]").finish_reason == "length"


@pytest.mark.parametrize(
    ("model", "fields", "thinks"),
    [
        ("hunyuan-t1-latest", {}, True),
        ("hunyuan-2.0-thinking-20251109", {}, True),
        ("hunyuan-a13b", {}, True),
        ("hunyuan-a13b", {"enable_thinking": False}, False),
        ("hunyuan-turbos-latest", {}, False),
    ],
)
def test_thinking_models_reason_first(model: str, fields: Json, thinks: bool) -> None:
    chunks = list(completions.chunks(ask("hi", model=model, **fields), "hunyuan"))
    assert bool(joined(chunks, "reasoning_content")) is thinks
    assert ("reasoning_content" in chunks[0]["choices"][0]["delta"]) is thinks


def test_hy3_thinks_when_told_to() -> None:
    assert not ask("hi", model="hy3", profile="tokenhub").reasoning
    thinking = ask("hi", model="hy3", profile="tokenhub", thinking={"type": "enabled"})
    assert thinking.reasoning
    assert thinking.usage["completion_tokens_details"]["reasoning_tokens"] > 0


def test_a_legacy_stream_repeats_role_id_type_and_an_empty_name() -> None:
    answer = ask('[[sim:say 好]] [[sim:tool read {"path": "README.md"}]]')
    chunks = list(completions.chunks(answer, "hunyuan", include_usage=True))
    with_choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    assert all(choice["delta"]["role"] == "assistant" for choice in with_choices)
    frames = [frame for choice in with_choices for frame in choice["delta"].get("tool_calls", [])]
    assert frames[0]["function"] == {"name": "read", "arguments": ""}
    assert len(frames) > 2
    assert {(frame["id"], frame["type"], frame["function"]["name"]) for frame in frames[1:]} == {
        (frames[0]["id"], "function", "")
    }
    assert "".join(frame["function"]["arguments"] for frame in frames) == '{"path": "README.md"}'
    assert [choice["finish_reason"] for choice in with_choices][-2:] == [None, "tool_calls"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == answer.usage
    assert not any("usage" in chunk for chunk in completions.chunks(answer, "hunyuan"))


def test_a_tokenhub_stream_is_plain() -> None:
    answer = ask("[[sim:tool read {}]]", model="hy3", profile="tokenhub")
    chunks = list(completions.chunks(answer, "tokenhub"))
    assert [("role" in chunk["choices"][0]["delta"]) for chunk in chunks] == [True] + [False] * (len(chunks) - 1)
    frames = [frame for chunk in chunks for frame in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert all("name" not in frame["function"] and "id" not in frame for frame in frames[1:])


@pytest.mark.parametrize("count", [1, 3, 2000])
def test_chunks_directive_gives_that_many_text_deltas(count: int) -> None:
    pieces = ask(f"[[sim:chunks {count}]]").pieces
    assert len(pieces) == count
    assert all(pieces)


def test_a_vision_model_reads_the_image_and_not_the_directives() -> None:
    image = {"type": "image_url", "image_url": {"url": data_url(png_with_text("发票 42 号"))}}
    text = {"type": "text", "text": "[[sim:say 不]] [[sim:tool f]]"}
    answer = ask([text, image], model="hunyuan-vision-1.5-instruct")
    assert answer.text == "图片内容：发票 42 号"
    assert not answer.tool_calls
    both = ask([text, image, image], model="hunyuan-vision-1.5-instruct")
    assert both.text.count("发票 42 号") == 2
    broken = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    with pytest.raises(UnreadableImage):
        ask([text, broken], model="hunyuan-vision-1.5-instruct")


def test_lone_surrogates_do_no_harm() -> None:
    answer = ask("[[sim:say \ud800]]")
    frames = script(completion(completions.chunks(answer, "hunyuan"), "hunyuan")).frames
    assert json.loads(frames[0].removeprefix(b"data: "))["choices"][0]["delta"]["content"] == "\ud800"


def test_embeddings_are_unit_vectors_of_the_text() -> None:
    body = embeddings({"model": "hunyuan-embedding", "input": ["你好", "再见", "你好"]}, "hunyuan")
    first, second, third = (entry["embedding"] for entry in body["data"])
    assert len(first) == 1024
    assert first == third != second
    assert sum(value * value for value in first) == pytest.approx(1, abs=1e-4)
    assert [entry["index"] for entry in body["data"]] == [0, 1, 2]
    cut = embeddings({"model": "hunyuan-embedding", "input": ["长" * 2048, "长" * 2049]}, "hunyuan")["data"]
    assert cut[0]["embedding"] == cut[1]["embedding"]


def frames_of(fault: str) -> list[bytes]:
    chunks = completions.chunks(ask("[[sim:chunks 4]]"), "hunyuan", include_usage=True)
    return script(completion(chunks, "hunyuan"), Fault.parse(fault)).frames


def test_stream_faults() -> None:
    whole = script(
        completion(completions.chunks(ask("[[sim:chunks 4]]"), "hunyuan", include_usage=True), "hunyuan")
    ).frames
    assert len(whole) == 7
    assert frames_of("no_done") == whole[:-1]
    assert frames_of("no_finish") == whole[:4]
    assert frames_of("no_final_blank") == [*whole[:-1], b"data: [DONE]"]
    assert b"".join(frames_of("crlf")) == b"".join(whole).replace(b"\n", b"\r\n")
    assert b"".join(frames_of("comments")).count(b": ping\n\n") == 7
    assert len(frames_of("malformed_sse")) == 8
    assert [b'"error"' in frame for frame in frames_of("error_event_first")] == [True]
    assert [b'"error"' in frame for frame in frames_of("error_event_mid")] == [False] * 3 + [True]
    assert frames_of("cut:3") == whole[:3]


@pytest.mark.parametrize("text", ["nonsense", "status", "slow", "slow:x"])
def test_unknown_faults_are_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"fault|convert"):
        Fault.parse(text)
