"""Tool calls and reasoning that the model's server left in the text."""

from __future__ import annotations

import copy
import json
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_fix.answers import leak_forms
from hunyuan_fix.answers.leaks import MAX_HELD
from hunyuan_fix.answers.streams import ChatStream
from hunyuan_fix.answers.whole import repair_answer
from hunyuan_fix.exchange import AnswerPlan, JsonObject
from hunyuan_fix.profiles import Model, Thinking
from hunyuan_fix.wire import rule_names, sse
from tests.answers.streamed import DONE, HEAD, by_index, by_openai, chunk, content, deltas, run, text

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "days": {"type": "integer"},
                    "where": {"type": "object"},
                    "zip": {"type": ["string", "null"]},
                },
            },
        },
    },
    {"type": "function", "function": {"name": "now"}},
]
CITY = {"city": "杭州 <b>", "days": 3, "where": {"a": [1, "<"]}, "zip": "0571"}


def plan(model: str, *, thinks: bool = False, **body: Any) -> AnswerPlan:
    """What is expected of the answer of `model` to a request with the two tools."""
    made = AnswerPlan(tools=["get_weather", "now"])
    thinking = Thinking(default=True) if thinks else None
    leak_forms.expect(made, {"tools": TOOLS, **body}, Model(model, thinking=thinking))
    return made


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def pairs(key: str, between: str, end: str) -> str:
    return "\n".join(f"{key}{name}{between}{v if isinstance(v, str) else compact(v)}{end}" for name, v in CITY.items())


KIMI = (
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>"
    f"{compact(CITY)}<|tool_call_end|><|tool_call_begin|>functions.now:1<|tool_call_argument_begin|>{{}}"
    "<|tool_call_end|><|tool_calls_section_end|>"
)
DSML = "".join(
    f'<｜DSML｜parameter name="{name}" string="{"true" if isinstance(v, str) else "false"}">'
    f"{v if isinstance(v, str) else compact(v)}</｜DSML｜parameter>\n"
    for name, v in CITY.items()
)
LEAKS = {
    "kimi": ("moonshotai/Kimi-K2-Instruct", KIMI),
    "kimi, one section mark misspelt": ("kimi-k2.5", KIMI.replace("tool_calls_section", "tool_call_section")),
    "kimi without a section": (
        "kimi-k2.5",
        KIMI[len("<|tool_calls_section_begin|>") : -len("<|tool_calls_section_end|>")],
    ),
    "deepseek-v3": (
        "deepseek-chat",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n"
        f"{compact(CITY)}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{{}}\n```"
        "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    ),
    "deepseek-v3.1": (
        "deepseek-v3.1",
        f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{compact(CITY)}<｜tool▁call▁end｜>"
        "<｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    ),
    "deepseek-v3.2": (
        "deepseek-v3.2",
        f'<｜DSML｜function_calls>\n<｜DSML｜invoke name="get_weather">\n{DSML}</｜DSML｜invoke>\n'
        '<｜DSML｜invoke name="now">\n</｜DSML｜invoke>\n</｜DSML｜function_calls>',
    ),
    "deepseek-v4": (
        "deepseek-v4-pro",
        f'<｜DSML｜tool_calls>\n<｜DSML｜invoke name="get_weather">\n{DSML}</｜DSML｜invoke>\n'
        '<｜DSML｜invoke name="now"></｜DSML｜invoke>\n</｜DSML｜tool_calls>',
    ),
    "hy3": (
        "hy3-preview",
        "<tool_calls>\n<tool_call>get_weather<tool_sep>\n"
        f"{pairs('<arg_key>', '</arg_key>\n<arg_value>', '</arg_value>')}\n</tool_call>\n"
        "<tool_call>now<tool_sep>\n</tool_call>\n</tool_calls>",
    ),
    "hy3, published": (
        "tencent/Hy3",
        "<tool_calls:opensource><tool_call:opensource>get_weather<tool_sep:opensource>"
        f"{pairs('<arg_key:opensource>', '</arg_key:opensource><arg_value:opensource>', '</arg_value:opensource>')}"
        "</tool_call:opensource><tool_call:opensource>now<tool_sep:opensource></tool_call:opensource>"
        "</tool_calls:opensource>",
    ),
    "hunyuan-a13b": (
        "hunyuan-a13b",
        f'<tool_calls>[{{"name": "get_weather", "arguments": {compact(CITY)}}}, {{"name": "now", "arguments": {{}}}}]'
        "</tool_calls>",
    ),
    "minimax-m1": (
        "minimax-m1",
        f'<tool_calls>\n{{"name": "get_weather", "arguments": {compact(CITY)}}}\n{{"name": "now", "arguments": {{}}}}\n'
        "</tool_calls>",
    ),
    "minimax-m2": (
        "MiniMaxAI/MiniMax-M2.5",
        '<minimax:tool_call>\n<invoke name="get_weather">\n'
        f"{pairs('<parameter name="', '">', '</parameter>')}\n</invoke>\n"
        '<invoke name="now">\n</invoke>\n</minimax:tool_call>',
    ),
    "glm": (
        "glm-5.2",
        f"<tool_call>get_weather\n{pairs('<arg_key>', '</arg_key>\n<arg_value>', '</arg_value>')}\n</tool_call>\n"
        "<tool_call>now\n</tool_call>",
    ),
    "qwen": (
        "qwen3-max",
        f'<tool_call>\n{{"name": "get_weather", "arguments": {compact(CITY)}}}\n</tool_call>\n'
        '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>',
    ),
    "qwen-coder": (
        "qwen3-coder-plus",
        f"<tool_call>\n<function=get_weather>\n{pairs('<parameter=', '>\n', '\n</parameter>')}\n"
        "</function>\n</tool_call>\n<tool_call>\n<function=now>\n</function>\n</tool_call>",
    ),
}


def whole(given: str, of: AnswerPlan, finish: str = "stop", **message: Any) -> JsonObject:
    """A whole answer with the text `given`, repaired: its choice."""
    said = {"role": "assistant", "content": given, **message}
    body: JsonObject = {**HEAD, "choices": [{"index": 0, "message": said, "finish_reason": finish}]}
    repair_answer(body, of)
    choice: JsonObject = body["choices"][0]
    return choice


def streamed(pieces: list[str], of: AnswerPlan, finish: str = "stop", field: str = "content") -> JsonObject:
    """The same of a stream that brings `pieces`, put together as a message."""
    events = [*(chunk({field: piece}) for piece in pieces), chunk({}, finish), DONE]
    sent, stream = run(of, events)
    assert stream.failure is None
    calls: list[Any] = [
        {"id": call["id"], "type": "function", "function": {key: call[key] for key in ("name", "arguments")}}
        for _, call in sorted(by_openai(sent).items())
    ]
    assert [call["arguments"] for call in by_index(sent).values()] == [c["function"]["arguments"] for c in calls]
    reasoning = "".join(delta.get("reasoning_content") or "" for delta in deltas(sent))
    return {"text": text(sent), "reasoning": reasoning, "calls": calls, "finish": stream.finish_reason}


def as_streamed(choice: JsonObject) -> JsonObject:
    said = choice["message"]
    return {
        "text": said.get("content") or "",
        "reasoning": said.get("reasoning_content") or "",
        "calls": said.get("tool_calls") or [],
        "finish": choice["finish_reason"],
    }


def named(calls: list[JsonObject]) -> list[tuple[str, Any]]:
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]


# -- calls


@pytest.mark.parametrize(("model", "leak"), LEAKS.values(), ids=LEAKS)
def test_calls_in_the_text_are_calls(model: str, leak: str) -> None:
    choice = whole(f"Let me look.\n{leak}", plan(model))
    assert named(choice["message"]["tool_calls"]) == [("get_weather", CITY), ("now", {})]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"].strip() == "Let me look."
    ids = [call["id"] for call in choice["message"]["tool_calls"]]
    assert len(set(ids)) == 2 and all(ids)
    assert not any("index" in call for call in choice["message"]["tool_calls"])


@pytest.mark.parametrize(("model", "leak"), LEAKS.values(), ids=LEAKS)
def test_one_character_at_a_time_gives_the_same(model: str, leak: str) -> None:
    given = f"a < b <tool {leak} c"
    made = streamed(list(given), plan(model))
    assert made == as_streamed(whole(given, plan(model)))
    assert len(made["calls"]) == 2
    assert made["finish"] == "tool_calls"


PIECES = st.sampled_from(
    [
        *(leak for _, leak in LEAKS.values()),
        *(leak[:-9] for _, leak in LEAKS.values()),
        "<think>",
        "</think>",
        "<",
        "a < b",
        "\n",
        "text",
        KIMI.replace("get_weather", "unknown"),
        "<tool_call>",
        "</tool_call>",
        "<|tool_call_end|>",
        "x" * 600,
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(PIECES, max_size=5),
    st.sampled_from(sorted({model for model, _ in LEAKS.values()})),
    st.booleans(),
    st.lists(st.integers(0, 3000), max_size=8),
    st.sampled_from(["stop", "length"]),
)
def test_any_split_of_any_text_gives_the_same(
    parts: list[str], model: str, thinks: bool, places: list[int], finish: str
) -> None:
    given = "".join(parts)
    cuts = sorted({min(place, len(given)) for place in places} | {0, len(given)})
    pieces = [given[start:end] for start, end in pairwise(cuts)]
    of = plan(model, thinks=thinks)
    assert streamed(pieces, of, finish) == as_streamed(whole(given, of, finish))


@settings(max_examples=100, deadline=None)
@given(st.lists(PIECES, max_size=4), st.lists(st.integers(0, 20000), max_size=8))
def test_any_split_of_the_bytes_gives_the_same(parts: list[str], places: list[int]) -> None:
    of = plan("kimi-k2.6", thinks=True)
    data = b"".join([*(content(part) for part in parts), chunk({}, "stop"), DONE])
    cuts = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    together, _ = run(of, [data])
    cut, _ = run(of, [data[start:end] for start, end in pairwise(cuts)])
    for sent in (together, cut):
        assert text(sent) == text(together)
        assert by_index(sent) == by_index(together)


@pytest.mark.parametrize(("model", "leak"), LEAKS.values(), ids=LEAKS)
def test_a_tool_that_is_not_offered_stays_text(model: str, leak: str) -> None:
    given = leak.replace("get_weather", "rm_rf").replace("now", "ls")
    choice = whole(given, plan(model))
    assert choice["message"] == {"role": "assistant", "content": given}
    assert streamed(list(given), plan(model))["text"] == given


def test_an_offered_call_beside_another_is_a_call_and_the_other_text() -> None:
    choice = whole(KIMI.replace("functions.now", "functions.rm"), plan("kimi-k2.6"))
    assert named(choice["message"]["tool_calls"]) == [("get_weather", CITY)]
    assert choice["message"]["content"] == (
        "<|tool_call_begin|>functions.rm:1<|tool_call_argument_begin|>{}<|tool_call_end|>"
    )


@pytest.mark.parametrize(
    ("model", "body"),
    [("gpt-oss", {}), ("kimi-k2.6", {"tool_choice": "none"}), ("hy3", {})],
)
def test_other_models_and_requests_without_a_choice_of_tools_keep_their_text(model: str, body: JsonObject) -> None:
    of = plan(model, **body)
    assert whole(KIMI, of)["message"]["content"] == KIMI
    data = b"".join([content(KIMI), chunk({}, "stop"), DONE])
    assert run(of, [data])[0] == data


def test_the_model_s_own_id_is_kept() -> None:
    calls = whole(KIMI, plan("kimi-k2.6"))["message"]["tool_calls"]
    assert [call["id"] for call in calls] == ["functions.get_weather:0", "functions.now:1"]


def test_arguments_keep_their_spelling() -> None:
    given = KIMI.replace('"days": 3', '"days":   3.50')
    calls = whole(given, plan("kimi-k2.6"))["message"]["tool_calls"]
    assert '"days":   3.50' in calls[0]["function"]["arguments"]


def test_calls_in_reasoning_are_calls_where_the_marks_are_no_words() -> None:
    of = plan("kimi-k2.6", thinks=True)
    choice = whole("", of, reasoning_content=f"I look. {KIMI}")
    assert named(choice["message"]["tool_calls"]) == [("get_weather", CITY), ("now", {})]
    assert choice["message"]["reasoning_content"] == "I look. "
    made = streamed(list(f"I look. {KIMI}"), of, field="reasoning_content")
    assert (made["reasoning"], len(made["calls"]), made["finish"]) == ("I look. ", 2, "tool_calls")
    glm = LEAKS["glm"][1]
    assert "tool_calls" not in whole("", plan("glm-5.2", thinks=True), reasoning_content=glm)["message"]


def test_calls_beside_the_endpoint_s_own_are_all_there() -> None:
    own = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    sent, _ = run(plan("kimi-k2.6"), [content(KIMI), chunk({"tool_calls": [own]}), chunk({}, "tool_calls"), DONE])
    assert [call["name"] for call in by_openai(sent).values()] == ["get_weather", "now", "now"]
    assert len({call["id"] for call in by_openai(sent).values()}) == 3


def test_names_that_the_request_changed_are_the_client_s_again() -> None:
    of = plan("kimi-k2.6")
    of.tool_names = {"get_weather": "weather.get"}
    assert named(whole(KIMI, of)["message"]["tool_calls"])[0] == ("weather.get", CITY)


def test_a_client_of_functions_gets_its_function_call() -> None:
    of = plan("kimi-k2.6")
    of.function_call = True
    choice = whole(KIMI, of)
    assert choice["message"]["function_call"]["name"] == "get_weather"
    assert choice["finish_reason"] == "function_call"
    sent, stream = run(of, [*map(content, KIMI), chunk({}, "stop"), DONE])
    assert stream.finish_reason == "function_call"
    assert not any("tool_calls" in delta for delta in deltas(sent))


# -- ends


@pytest.mark.parametrize(("model", "leak"), LEAKS.values(), ids=LEAKS)
@pytest.mark.parametrize("cut", [5, 40, -3])
def test_what_is_held_back_is_sent_when_the_answer_breaks_off(model: str, leak: str, cut: int) -> None:
    given = leak[:cut]
    for end in ([chunk({}, "length"), DONE], [b'data: {"error":{"message":"x"}}\n\n'], []):
        sent, _ = run(plan(model), [*map(content, given), *end])
        if not by_index(sent):
            assert text(sent) == given


def test_a_section_whose_end_is_missing_has_calls_if_they_are_whole() -> None:
    given = KIMI.removesuffix("<|tool_calls_section_end|>")
    assert len(whole(given, plan("kimi-k2.6"))["message"]["tool_calls"]) == 2
    assert whole(given, plan("kimi-k2.6"), "length")["message"]["content"] == given
    sent, stream = run(plan("kimi-k2.6"), [*map(content, given), DONE])
    assert stream.finish_reason == "tool_calls"
    assert len(by_index(sent)) == 2


def test_a_mark_that_is_only_mentioned_holds_nothing_back_for_long() -> None:
    stream = ChatStream(plan("glm-5.2"))
    sent = stream.feed(content("Write <tool_call> and then "))
    sent += [piece for number in range(200) for piece in stream.feed(content(f"word {number} "))]
    assert "word 150" in text(b"".join(sent))


def test_a_block_is_held_up_to_a_bound() -> None:
    given = KIMI.replace('"days": 3', f'"days": "{"x" * MAX_HELD}"')
    assert whole(given, plan("kimi-k2.6"))["message"]["content"] == given
    pieces = [given[place : place + 999] for place in range(0, len(given), 999)]
    assert streamed(pieces, plan("kimi-k2.6"))["text"] == given


# -- thinking


@pytest.mark.parametrize("blank", ["", "\n", " \n"])
def test_thinking_at_the_beginning_is_reasoning(blank: str) -> None:
    given = f"{blank}<think>I look </thin it up.</think>\n\nSunny, <think> is a tag."
    made = as_streamed(whole(given, plan("minimax-m2.5", thinks=True)))
    assert made["reasoning"] == "I look </thin it up."
    assert made["text"] == f"{blank}Sunny, <think> is a tag."
    assert streamed(list(given), plan("minimax-m2.5", thinks=True)) == made


@pytest.mark.parametrize(
    ("given", "of", "message"),
    [
        ("The tag <think> opens.</think>", plan("hy3", thinks=True), {}),
        ("<think>a</think>b", plan("hy3"), {}),
        ("<think>a</think>b", plan("hy3", thinks=True, reasoning_split=False), {}),
        ("<think>a</think>b", plan("hy3", thinks=True), {"reasoning_content": "I look."}),
    ],
    ids=["in the middle", "a model that doesn't think", "a client that wants it so", "reasoning came by itself"],
)
def test_other_thinking_tags_stay(given: str, of: AnswerPlan, message: JsonObject) -> None:
    choice = whole(given, of, **message)
    assert choice["message"]["content"] == given
    events = [chunk({"reasoning_content": message["reasoning_content"]})] if message else []
    data = b"".join([*events, content(given), chunk({}, "stop"), DONE])
    sent, stream = run(of, [data])
    assert sent == data
    assert stream.changes == []
    assert text(run(of, [*events, *map(content, given), chunk({}, "stop"), DONE])[0]) == given


def test_thinking_that_does_not_end_is_reasoning() -> None:
    made = streamed(["<think>I look", " it up"], plan("hy3", thinks=True), "length")
    assert (made["text"], made["reasoning"], made["finish"]) == ("", "I look it up", "length")


def test_calls_after_thinking() -> None:
    given = f"<think>I look.</think>{KIMI}"
    made = streamed(list(given), plan("kimi-k2.6", thinks=True))
    assert (made["text"], made["reasoning"]) == ("", "I look.")
    assert named(made["calls"]) == [("get_weather", CITY), ("now", {})]


# -- what needs nothing


@pytest.mark.parametrize("thinks", [True, False])
def test_streams_without_a_mark_are_not_parsed(thinks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    original = ChatStream._read

    def reading(stream: ChatStream, event: sse.Event) -> bytes:
        read.append(event.raw)
        return original(stream, event)

    monkeypatch.setattr(ChatStream, "_read", reading)
    reasoning = [chunk({"reasoning_content": f"I look {number}"}) for number in range(50)]
    said = [content(f"word {number} > 3") for number in range(50)]
    data = [*reasoning, *said]
    sent, _ = run(plan("kimi-k2.6", thinks=thinks), [*data, chunk({}, "stop"), DONE])
    assert sent.startswith(b"".join(data))
    assert not [raw for raw in read if raw in data]


def test_after_a_mark_events_are_recognised_again(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    original = ChatStream._read

    def reading(stream: ChatStream, event: sse.Event) -> bytes:
        read.append(event.raw)
        return original(stream, event)

    monkeypatch.setattr(ChatStream, "_read", reading)
    data = [content("a < b"), *(content(f"word {number}") for number in range(50))]
    sent, _ = run(plan("kimi-k2.6"), [*data, chunk({}, "stop"), DONE])
    assert sent.startswith(b"".join(data))
    assert len(read) < 5


def test_changes_are_named() -> None:
    body: JsonObject = {
        **HEAD,
        "choices": [{"message": {"content": f"<think>a</think>{KIMI}"}, "finish_reason": "stop"}],
    }
    changes = repair_answer(body, plan("kimi-k2.6", thinks=True))
    leaked = [change for change in changes if change.rule == rule_names.LEAKS]
    assert {change.pointer for change in leaked} == {"/choices/0/message/content"}
    assert len(leaked) == 2
    again = copy.deepcopy(body)
    assert repair_answer(again, plan("kimi-k2.6", thinks=True)) == []


@pytest.mark.parametrize(
    "unit",
    ["<", "<tool_call>", "<think>", "<tool_call>get_weather<arg_key>", "<tool_call>ls</tool_call>", "</arg_value>"],
)
def test_work_is_linear(unit: str) -> None:
    def seconds(times: int) -> float:
        given, of = unit * times, plan("glm-5.2", thinks=True)
        begun = time.process_time()
        whole(given, of)
        return time.process_time() - begun

    seconds(10)
    small = min(seconds(2000) for _ in range(3))
    large = min(seconds(32000) for _ in range(2))
    assert large < 16 * max(small, 0.001) * 6


def test_a_sign_that_begins_no_mark_of_the_model_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    original = ChatStream._read

    def reading(stream: ChatStream, event: sse.Event) -> bytes:
        read.append(event.raw)
        return original(stream, event)

    monkeypatch.setattr(ChatStream, "_read", reading)
    data = [content(f"<div {number}> a < b") for number in range(50)]
    sent, _ = run(plan("kimi-k2.6"), [*data, chunk({}, "stop"), DONE])
    assert sent.startswith(b"".join(data))
    assert not [raw for raw in read if raw in data]


@pytest.mark.parametrize("second", ["|", "\\u007c"])
def test_a_mark_that_begins_at_the_end_of_a_piece_or_is_escaped_is_found(second: str) -> None:
    mark = "tool_calls_section_begin|>"
    pieces = [content("a <"), content("|" + mark).replace(b'"|', f'"{second}'.encode()), content(KIMI[28:])]
    sent, _ = run(plan("kimi-k2.6"), [*pieces, chunk({}, "stop"), DONE])
    assert len(by_index(sent)) == 2
    assert text(sent) == "a "
    whole_mark = content("<|" + mark).replace(b'"<|', f'"<{second}'.encode())
    sent, _ = run(plan("kimi-k2.6"), [whole_mark, content(KIMI[28:]), chunk({}, "stop"), DONE])
    assert len(by_index(sent)) == 2
