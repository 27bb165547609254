"""Values come back in streams of every format, wherever a placeholder is split; no event is added or moved."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hunyuan_fix.answers.placeholders import PutBackEvents
from hunyuan_fix.masking.placeholders import FORM, Placeholders
from hunyuan_fix.masking.put_back import PutBack
from hunyuan_fix.wire import sse
from tests.wire.test_secret_shapes import letters

OF = Placeholders().of
VALUES = {OF(b"", kind, value): value for kind, value in (("key", "sk-" + letters(40)), ("phone", "13812345678"))}
KNOWN = list(VALUES)
UNKNOWN = "MASKED-KEY-ABCDEFGHIJKLMNOP"


def event(value: object, name: str = "") -> bytes:
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + json.dumps(value).encode() + b"\n\n"


def chat(delta: dict[str, Any], *, index: int = 0, finish: str | None = None) -> bytes:
    return event({"id": "x", "choices": [{"index": index, "delta": delta, "finish_reason": finish}]})


def arguments(text: str, call: int = 0) -> bytes:
    return chat({"tool_calls": [{"index": call, "function": {"arguments": text}}]})


def block(delta: dict[str, Any], index: int = 0) -> bytes:
    return event({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta")


def item(kind: str, delta: str, number: int = 0, output: int = 0) -> bytes:
    said = {"type": kind, "item_id": f"i{output}", "output_index": output, "content_index": 0, "delta": delta}
    return event({**said, "sequence_number": number}, kind)


DONE = b"data: [DONE]\n\n"
FORMATS: dict[str, tuple[Callable[[str], bytes], bytes]] = {
    "content": (lambda text: chat({"content": text}), chat({}, finish="stop") + DONE),
    "reasoning": (lambda text: chat({"reasoning_content": text}), chat({}, finish="stop") + DONE),
    "arguments": (arguments, chat({}, finish="tool_calls") + DONE),
    "function": (lambda text: chat({"function_call": {"arguments": text}}), chat({}, finish="function_call") + DONE),
    "messages": (
        lambda text: block({"type": "text_delta", "text": text}),
        event({"type": "content_block_stop", "index": 0}) + event({"type": "message_stop"}),
    ),
    "input": (
        lambda text: block({"type": "input_json_delta", "partial_json": text}),
        event({"type": "content_block_stop", "index": 0}) + event({"type": "message_stop"}),
    ),
    "output": (
        lambda text: item("response.output_text.delta", text),
        event({"type": "response.output_text.done", "output_index": 0}),
    ),
    "call": (
        lambda text: item("response.function_call_arguments.delta", text),
        event({"type": "response.function_call_arguments.done", "output_index": 0}),
    ),
    "custom": (
        lambda text: chat({"tool_calls": [{"index": 0, "custom": {"input": text}}]}),
        chat({}, finish="tool_calls") + DONE,
    ),
    "custom_call": (
        lambda text: item("response.custom_tool_call_input.delta", text),
        event({"type": "response.custom_tool_call_input.done", "output_index": 0}),
    ),
    "patch": (
        lambda text: item("response.apply_patch_call_operation_diff.delta", text),
        event({"type": "response.apply_patch_call_operation_diff.done", "output_index": 0}),
    ),
}
CALLS = ("arguments", "function", "input", "call", "custom", "custom_call", "patch")
"""The forms in which a call comes; the others are what the model says or thinks."""


ERROR = b'event: error\ndata: {"error": "refused"}\n\n'


def events_of(put_back: PutBack) -> PutBackEvents:
    return PutBackEvents(put_back, lambda: ERROR)


def passed(pieces: Sequence[bytes], values: dict[str, str] = VALUES, **options: Any) -> bytes:
    """What becomes of a stream; what looks like a placeholder is allowed in it."""
    events = events_of(PutBack(values, **({"literal": {UNKNOWN}} | options)))
    return b"".join(events.feed(piece) for piece in pieces) + events.finish()


def parsed(stream: bytes) -> list[Any]:
    read = list(sse.Parser().feed(stream))
    return [json.loads(one.data) for one in read if one.data and not sse.is_done(one.data)]


def said(value: object) -> str:
    """All pieces of texts in events, joined."""
    if isinstance(value, list):
        return "".join(map(said, value))
    if isinstance(value, dict):
        keys = ("content", "reasoning_content", "arguments", "input", "text", "partial_json", "thinking", "delta")
        return "".join(
            inner if isinstance(inner, str) and key in keys else said(inner)
            for key, inner in value.items()
            if isinstance(inner, (dict, list)) or key in keys
        )
    return ""


def cut(text: str, places: Sequence[int]) -> list[str]:
    at = [0, *sorted({min(place, len(text)) for place in places}), len(text)]
    return [text[one:other] for one, other in pairwise(at)]


# Where two of the form overlap, which of them is one depends on where they are split.
texts = (
    some.lists(
        some.sampled_from(
            [*KNOWN, UNKNOWN, "MASKED-", "M", "MASKED-PHONE-", KNOWN[0][:20], "a", "\n", '"', "é", "\\n"]
        ),
        max_size=6,
    )
    .map("".join)
    .filter(lambda text: len(re.findall(f"(?={FORM.pattern})", text)) == len(FORM.findall(text)))
)


@pytest.mark.parametrize("form", FORMATS)
@given(texts, some.lists(some.integers(0, 200), max_size=30), some.lists(some.integers(0, 9000), max_size=5))
def test_wherever_it_is_split(form: str, text: str, places: list[int], pieces: list[int]) -> None:
    write, end = FORMATS[form]
    came = b"".join(map(write, cut(text, places))) + end
    at = [0, *sorted({min(place, len(came)) for place in pieces}), len(came)]
    sent = passed([came[one:other] for one, other in pairwise(at)], literal=set(FORM.findall(text)))
    assert said(parsed(sent)) == PutBack(VALUES).text(text)
    assert len(parsed(sent)) == len(parsed(came))
    if "MA" not in text:
        assert sent == came


@pytest.mark.parametrize("form", FORMATS)
def test_letter_by_letter(form: str) -> None:
    write, end = FORMATS[form]
    text = f"a {KNOWN[0]}, {KNOWN[1]}{KNOWN[0]} {UNKNOWN} MASKED-KEY-{KNOWN[1]} M"
    came = [*map(write, text), end]
    assert said(parsed(passed(came))) == PutBack(VALUES).text(text)
    assert said(parsed(passed([b"".join(came)]))) == PutBack(VALUES).text(text)


def test_nothing_waits_that_needs_not() -> None:
    events = events_of(PutBack(VALUES))
    for text in ("Hello", "RAM is", "MASKED", "MASKED-XYZ ", KNOWN[0]):
        if text == "MASKED":
            assert events.feed(chat({"content": text})) == b""
            assert said(parsed(events.feed(chat({"content": "!"})))) == "MASKED!"
        else:
            assert events.feed(chat({"content": text})) != b""
    assert events.finish() == b""


def test_a_beginning_at_the_end_of_a_text_stays() -> None:
    for last in (chat({}, finish="stop"), DONE, b"data: {}"):
        came = chat({"content": KNOWN[0][:25]}) + last
        assert passed([came]) == came


def test_another_text_of_the_same_answer_ends_it() -> None:
    """Else the stream would stand still until its end."""
    for one, other in (
        (chat({"reasoning_content": "M"}), chat({"content": "b"})),
        (chat({"content": "M"}), arguments("{")),
        (block({"type": "thinking_delta", "thinking": "M"}), block({"type": "text_delta", "text": "b"}, 1)),
        (item("response.output_text.delta", "M"), event({"type": "response.output_text.done", "output_index": 0})),
    ):
        events = events_of(PutBack(VALUES))
        assert events.feed(one) == b""
        assert events.feed(other) == one + other


def test_choices_and_calls_that_come_in_turns() -> None:
    one, other = KNOWN
    came = [chat({"content": one[:9]}), chat({"content": other[:9]}, index=1)]
    came += [chat({"content": one[9:]}), chat({"content": other[9:]}, index=1), chat({}, finish="stop")]
    came += [arguments(one[:9]), arguments(other[:9], 1), arguments(one[9:]), arguments(other[9:], 1), DONE]
    sent = parsed(passed(came))
    for index, value in enumerate(VALUES.values()):
        texts = [
            choice["delta"].get("content") or ""
            for chunk in sent
            for choice in chunk["choices"]
            if choice["index"] == index
        ]
        assert "".join(texts) == value
        frames = [frame for chunk in sent for frame in chunk["choices"][0]["delta"].get("tool_calls", ())]
        assert "".join(frame["function"]["arguments"] for frame in frames if frame["index"] == index) == value


def test_pings_and_comments_end_nothing_and_keep_their_places() -> None:
    head, tail = KNOWN[0][:12], KNOWN[0][12:]
    ping = event({"type": "ping"}, "ping")
    came = [
        block({"type": "text_delta", "text": head}),
        ping,
        b": wait\n\n",
        block({"type": "text_delta", "text": tail}),
    ]
    sent = passed(came)
    assert said(parsed(sent)) == VALUES[KNOWN[0]]
    assert sent.index(ping) < sent.index(b": wait") < sent.rindex(b"text_delta")


def test_numbers_of_events_stay_in_order() -> None:
    came = [item("response.output_text.delta", letter, number) for number, letter in enumerate(KNOWN[0] + ".")]
    sent = parsed(passed(came))
    assert [one["sequence_number"] for one in sent] == list(range(len(came)))


def test_whole_texts_in_events_come_back_too() -> None:
    done = {
        "type": "response.completed",
        "response": {"output": [{"type": "message", "content": [{"text": KNOWN[0]}]}]},
    }
    begun = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": KNOWN[1]}}
    assert said(parsed(passed([event(done) + event(begun)]))) == "".join(VALUES.values())


def test_what_is_signed_keeps_its_bytes() -> None:
    for came in (
        b"".join(block({"type": "thinking_delta", "thinking": letter}) for letter in KNOWN[0]),
        b"".join(item("response.reasoning_summary_text.delta", letter) for letter in KNOWN[0]),
        event({"type": "response.output_item.done", "item": {"type": "reasoning", "summary": [{"text": KNOWN[0]}]}}),
        event({"type": "content_block_start", "content_block": {"type": "redacted_thinking", "data": KNOWN[0]}}),
    ):
        assert passed([came], keeps_thinking=True) == came
    came = b"".join(block({"type": "thinking_delta", "thinking": letter}) for letter in KNOWN[0])
    assert said(parsed(passed([came]))) == VALUES[KNOWN[0]]


def test_an_error_comes_behind_what_waited() -> None:
    came = chat({"content": "M"}) + event({"error": {"message": f"no {KNOWN[1]}"}})
    sent = passed([came])
    assert sent.startswith(chat({"content": "M"}))
    assert VALUES[KNOWN[1]].encode() in sent


@pytest.mark.parametrize("filler", [b"", b"data: not json\n\n", b": c\n\n", b"\r\n", b"data: [1]\n\n"])
def test_what_can_t_be_read_passes(filler: bytes) -> None:
    came = filler + chat({"content": "M"}) + filler + chat({"content": "x"})
    assert sorted(passed([came]).split(b"\n\n")) == sorted(came.split(b"\n\n"))


def test_not_all_events_wait_for_one_text_for_ever() -> None:
    events = events_of(PutBack(VALUES))
    events.feed(arguments("M"))
    sent = b"".join(events.feed(arguments("x", 1)) for _ in range(2000))
    assert sent.count(b"\n\n") > 1900


# An unknown placeholder in a call


@pytest.mark.parametrize("form", FORMATS)
@given(texts, some.lists(some.integers(0, 200), max_size=30), some.lists(some.integers(0, 9000), max_size=5))
def test_an_unknown_one_reaches_no_tool(form: str, text: str, places: list[int], pieces: list[int]) -> None:
    write, end = FORMATS[form]
    came = b"".join(map(write, cut(text, places))) + end
    at = [0, *sorted({min(place, len(came)) for place in pieces}), len(came)]
    put_back = PutBack(VALUES)
    events = events_of(put_back)
    sent = b"".join(events.feed(came[one:other]) for one, other in pairwise(at)) + events.finish()
    unknown = next((found for found in FORM.finditer(text) if found[0] not in VALUES), None)
    if form in CALLS and unknown is not None:
        assert (put_back.refused, events.is_refused) == (1, True)
        assert sent.endswith(ERROR)
        whole = PutBack(VALUES).text(text[: unknown.start()])
        assert whole.startswith(said(parsed(sent.removesuffix(ERROR))))
        assert events.feed(came) + events.finish() == b""
    else:
        assert (put_back.refused, events.is_refused) == (0, False)
        assert said(parsed(sent)) == PutBack(VALUES).text(text)


@pytest.mark.parametrize("form", CALLS)
def test_its_beginning_is_not_sent(form: str) -> None:
    write, _ = FORMATS[form]
    sent = passed([*map(write, f'{{"a":"{UNKNOWN[:-1]}Q')])
    assert said(parsed(sent.removesuffix(ERROR))) == '{"a":"'
    assert sent.endswith(ERROR)


@pytest.mark.parametrize("form", CALLS)
def test_one_whose_beginning_was_sent_is_not_completed(form: str) -> None:
    """What a client can't read, another block, or too much of another call lets go of a beginning."""
    write, _ = FORMATS[form]
    for between in (
        b"data: [1]\n\n",
        block({"type": "text_delta", "text": "b"}, 1),
        chat({"content": "b"}),
        b"".join(arguments("x", 1) for _ in range(1500)) if form == "arguments" else b"",
        event({"padding": "x" * 2**20}) if form == "input" else b"",
    ):
        for placeholder in (KNOWN[0], UNKNOWN[:-1] + "Q"):
            for size in (1, 9, 26):
                pieces = [write(placeholder[:size]), between, *map(write, placeholder[size:]), DONE]
                sent = passed(pieces)
                got = said(parsed(sent.removesuffix(ERROR))).replace("x", "").replace("b", "")
                assert sent.endswith(ERROR) or got == VALUES[KNOWN[0]].replace("x", "").replace("b", "")
                assert placeholder not in got
        pieces = [write(UNKNOWN[:9]), between, write(UNKNOWN[9:]), DONE]
        assert not passed(pieces).endswith(ERROR)  # it stood in the request
        pieces = [write(UNKNOWN[:9]), between, write("KEY"), write("x" + UNKNOWN[9:]), DONE]
        assert not passed(pieces).endswith(ERROR)


def test_whole_calls_in_events_are_looked_at_too() -> None:
    unknown = f"cat {UNKNOWN[:-1]}Q"
    for value in (
        {"type": "response.output_item.done", "item": {"type": "function_call", "arguments": unknown}},
        {"type": "response.output_item.done", "item": {"type": "custom_tool_call", "input": unknown}},
        {"type": "response.output_item.done", "item": {"type": "local_shell_call", "action": {"command": [unknown]}}},
        {"type": "response.output_item.done", "item": {"type": "apply_patch_call", "operation": {"diff": unknown}}},
        {"type": "response.function_call_arguments.done", "arguments": unknown},
        {"type": "response.custom_tool_call_input.done", "input": unknown},
        {"type": "response.completed", "response": {"output": [{"type": "function_call", "arguments": unknown}]}},
        {"type": "content_block_start", "content_block": {"type": "tool_use", "input": {"a": [unknown]}}},
        {"type": "content_block_start", "content_block": {"type": "tool_use", "input": {unknown: 1}}},
        {"choices": [{"index": 0, "message": {"tool_calls": [{"function": {"arguments": unknown}}]}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"function": {"arguments": {"a": unknown}}}]}}]},
    ):
        assert passed([DONE, event(value), DONE]) == DONE + ERROR, value
    for value in (
        {"type": "response.completed", "response": {"output": [{"type": "message", "content": [{"text": unknown}]}]}},
        {"type": "response.shell_call_output_content.delta", "delta": {"stdout": unknown}},
        {"choices": [{"index": 0, "message": {"content": unknown, "reasoning_content": unknown}}]},
    ):
        assert passed([event(value)]) == event(value)


def test_one_in_an_event_that_is_too_large_to_be_read_ends_the_stream() -> None:
    large = b"data: " + b"x" * 2**20
    for placeholder in (KNOWN[0], UNKNOWN[:-1] + "Q"):
        for size in (0, 5, 20, 27):
            pieces = [large + placeholder[:size].encode(), placeholder[size:].encode() + b"x" * 30, b"y\n\n", DONE]
            sent = passed(pieces)
            assert sent.endswith(b"\n\n" + ERROR)
            assert placeholder.encode() not in sent
    came = large + UNKNOWN.encode() + b"\n\n" + DONE
    assert passed([came]) == came


def test_time_grows_with_the_stream() -> None:
    def seconds(count: int) -> float:
        tries = []
        for _ in range(3):
            events = events_of(PutBack(VALUES))
            began = time.process_time()
            for _ in range(count):
                events.feed(chat({"content": "MASKED-"}))
                events.feed(chat({"content": KNOWN[0]}))
            events.finish()
            tries.append(time.process_time() - began)
        return min(tries)

    seconds(10)
    assert seconds(4000) < 4 * seconds(2000) + 0.02
