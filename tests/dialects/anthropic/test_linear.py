"""Hostile answers cost time in proportion to their size, whatever they are made of: n against 4n."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from hunyuan_fix.dialects.anthropic import Anthropic, upstream_answers
from tests.dialects.anthropic.answering import CLAUDE_CODE, NOTE, answer, call, chunk, frame, refused, written
from tests.dialects.anthropic.upstreaming import upstream

type Chunks = list[dict[str, Any]]

OPEN = frame(0, '{"a": "', id="open", name="ls")
BLOCKS = [chunk(content="x"), chunk(reasoning_content="x")]


def _call(index: int) -> Chunks:
    """A call, and one more frame of the first."""
    return [frame(index, "{}", id=f"call_{index}", name="ls"), frame(0, "}")]


STREAMS: dict[str, tuple[dict[str, Any], Callable[[int], Chunks]]] = {
    "text": (NOTE, lambda n: [chunk(content="x")] * 2000 * n),
    "thinking": (NOTE, lambda n: [chunk(reasoning_content="x")] * 2000 * n),
    "omitted thinking": (CLAUDE_CODE, lambda n: [chunk(reasoning_content="x")] * 2000 * n),
    "white space": (NOTE, lambda n: [chunk(content=" ", reasoning_content=" ")] * 2000 * n),
    "arguments": (NOTE, lambda n: [OPEN, *[frame(0, "}")] * 2000 * n]),
    "calls behind one that is open": (NOTE, lambda n: [OPEN, *(one for i in range(300 * n) for one in _call(i + 1))]),
    "frames behind a long call that is open": (
        NOTE,
        lambda n: [OPEN, frame(0, "x" * 50_000 * n), *[frame(1, "x", id="b", name="ls")] * 200 * n],
    ),
    "blocks behind a call that is open": (NOTE, lambda n: [OPEN, *BLOCKS * 500 * n]),
    "calls of one id": (NOTE, lambda n: [frame(i, "{}", id="one", name="ls") for i in range(500 * n)]),
    "stop sequences": (
        {**NOTE, "stop_sequences": ["a" * 900 + "b", "a" * 500 + "c"]},
        lambda n: [chunk(content="a")] * 2000 * n,
    ),
}  # fmt: skip


def seconds(run: Callable[[], object]) -> float:
    taken = []
    for _ in range(3):
        begun = time.thread_time()
        run()
        taken.append(time.thread_time() - begun)
    return min(taken)


@pytest.mark.parametrize("name", STREAMS)
def test_four_times_the_stream_takes_about_four_times_the_time(name: str) -> None:
    note, made = STREAMS[name]
    few, many = made(1), made(4)
    assert seconds(lambda: written(many, **note)) < 8 * max(seconds(lambda: written(few, **note)), 0.001)


ANSWERS: dict[str, Callable[[int], dict[str, Any]]] = {
    "text": lambda n: answer(content="END" * 20_000 * n),
    "nearly a stop sequence": lambda n: answer(content="a" * 20_000 * n),
    "calls": lambda n: answer(tool_calls=[call(call_id=str(i)) for i in range(500 * n)]),
    "broken arguments": lambda n: answer(tool_calls=[call(arguments='{"a":' * 10_000 * n)]),
    "arguments in texts": lambda n: answer(tool_calls=[call(arguments='"' + "\\" * 10_000 * n)]),
    "parts": lambda n: answer(content=[{"type": "text", "text": "x"}] * 5_000 * n),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_four_times_the_answer_takes_about_four_times_the_time(name: str) -> None:
    dialect, few, many = Anthropic(), ANSWERS[name](1), ANSWERS[name](4)
    note = {**CLAUDE_CODE, "stop_sequences": ["a" * 900 + "b", "never"]}
    assert seconds(lambda: dialect.answer(many, note)) < 8 * max(seconds(lambda: dialect.answer(few, note)), 0.001)


@pytest.mark.parametrize(
    "piece", ["<title ", "maximum context length is 1", "1", "x", '{"error": "', "you requested 1 tokens ("]
)
def test_four_times_the_error_takes_about_four_times_the_time(piece: str) -> None:
    def run(n: int) -> Callable[[], object]:
        text = piece * 10_000 * n
        return lambda: (refused(400, text.encode()), refused(400, {"message": text}))

    assert seconds(run(4)) < 8 * max(seconds(run(1)), 0.001)


def _turns(n: int, *messages: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "a"}, *list(messages) * 1000 * n]}


CALLED = {"role": "assistant", "content": None, "tool_calls": [call()]}
ANSWERED = {"role": "tool", "tool_call_id": "call_1", "content": "done"}
REQUESTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "thoughts in a row": lambda n: _turns(n, {"role": "assistant", "content": "b", "reasoning_content": "hm"}),
    "calls of one id": lambda n: _turns(n, CALLED, ANSWERED),
    "results without a call": lambda n: _turns(n, ANSWERED),
    "texts in a row": lambda n: _turns(n, {"role": "user", "content": "b"}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_so_does_a_chat_request_for_an_upstream_that_speaks_messages(name: str) -> None:
    few, many = REQUESTS[name](1), REQUESTS[name](4)
    assert seconds(lambda: upstream(many)) < 8 * max(seconds(lambda: upstream(few)), 0.001)


@pytest.mark.parametrize("kind", ["text", "thinking", "input_json"])
def test_so_does_its_stream(kind: str) -> None:
    field = {"text": "text", "thinking": "thinking", "input_json": "partial_json"}[kind]
    block = {"text": "text", "thinking": "thinking", "input_json": "tool_use"}[kind]
    opened: dict[str, Any] = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": block, "id": "a", "name": "ls"},
    }
    delta: dict[str, Any] = {"type": "content_block_delta", "index": 0, "delta": {"type": f"{kind}_delta", field: "x"}}

    def read(n: int) -> None:
        note: dict[str, Any] = {}
        for event in [opened, *[delta] * 3000 * n, {"type": "message_stop"}]:
            upstream_answers.events(event, note)

    assert seconds(lambda: read(4)) < 8 * max(seconds(lambda: read(1)), 0.001)
