"""Four times the answer takes about four times the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from hunyuan_fix.dialects.responses import calls
from tests.dialects.anthropic.answering import answer, call, chunk, frame
from tests.dialects.responses.answering import CODEX, NOTE, refused, response, written

type Chunks = list[dict[str, Any]]

OPEN = frame(0, '{"a": "', id="open", name="ls")
BLOCKS = [chunk(content="x"), chunk(reasoning_content="x")]


def _call(index: int) -> Chunks:
    """A call, and one more frame of the first."""
    return [frame(index, "{}", id=f"call_{index}", name="ls"), frame(0, "}")]


STREAMS: dict[str, tuple[dict[str, Any], Callable[[int], Chunks]]] = {
    "text": (NOTE, lambda n: [chunk(content="x")] * 2000 * n),
    "reasoning": (CODEX, lambda n: [chunk(reasoning_content="x")] * 2000 * n),
    "white space": (NOTE, lambda n: [chunk(content=" ", reasoning_content=" ")] * 2000 * n),
    "arguments": (NOTE, lambda n: [OPEN, *[frame(0, "}")] * 2000 * n]),
    "blank arguments": (NOTE, lambda n: [frame(0, "", id="a", name="ls"), *[frame(0, " ")] * 2000 * n]),
    "arguments in a text": (NOTE, lambda n: [frame(0, '"', id="a", name="ls"), *[frame(0, "x")] * 2000 * n]),
    "custom input": (CODEX, lambda n: [frame(0, "{", id="a", name="exec"), *[frame(0, "x")] * 2000 * n]),
    "calls behind one that is open": (NOTE, lambda n: [OPEN, *(one for i in range(300 * n) for one in _call(i + 1))]),
    "frames behind a long call that is open": (
        NOTE,
        lambda n: [OPEN, frame(0, "x" * 50_000 * n), *[frame(1, "x", id="b", name="ls")] * 200 * n],
    ),
    "blocks behind a call that is open": (NOTE, lambda n: [OPEN, *BLOCKS * 500 * n]),
    "calls of one id": (NOTE, lambda n: [frame(i, "{}", id="one", name="ls") for i in range(500 * n)]),
    "a compaction": ({**NOTE, "compact": True}, lambda n: [chunk(content="x")] * 2000 * n),
}


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
    "calls": lambda n: answer(tool_calls=[call(call_id=str(i)) for i in range(500 * n)]),
    "custom calls": lambda n: answer(tool_calls=[call("exec", '{"input": "x"}', str(i)) for i in range(500 * n)]),
    "broken arguments": lambda n: answer(tool_calls=[call(arguments='{"a":' * 10_000 * n)]),
    "arguments in texts": lambda n: answer(tool_calls=[call(arguments='"' + "\\" * 10_000 * n)]),
    "parts": lambda n: answer(content=[{"type": "text", "text": "x"}] * 5_000 * n),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_four_times_the_answer_takes_about_four_times_the_time(name: str) -> None:
    few, many = ANSWERS[name](1), ANSWERS[name](4)
    assert seconds(lambda: response(many, **CODEX)) < 8 * max(seconds(lambda: response(few, **CODEX)), 0.001)


@pytest.mark.parametrize(
    "piece",
    [
        "*** Begin Patch",
        "*** Begin Patch\n*** End Patc\n",
        "```\n",
        "``` ",
        "` ",
        " ",
        "\n",
        "a <<",
        "<<a\na",
        "a",
        '{"input":',
        "{",
    ],
)
@pytest.mark.parametrize("begins", ["", "```\n", "<<a\n", "<<" + "a" * 40 + "\n", "apply_patch <<'EOF'\n"])
def test_four_times_the_input_takes_about_four_times_the_time(piece: str, begins: str) -> None:
    def run(n: int) -> Callable[[], object]:
        text = begins + piece * (20_000 * n // len(piece))
        return lambda: calls.unwrapped("apply_patch", text)

    assert seconds(run(4)) < 8 * max(seconds(run(1)), 0.001)


@pytest.mark.parametrize("piece", ["<title ", "maximum context length is 1", "try again in", "x", '{"error": "'])
def test_four_times_the_error_takes_about_four_times_the_time(piece: str) -> None:
    def run(n: int) -> Callable[[], object]:
        text = piece * 10_000 * n
        return lambda: (refused(429, text.encode()), refused(429, {"message": text}))

    assert seconds(run(4)) < 8 * max(seconds(run(1)), 0.001)
