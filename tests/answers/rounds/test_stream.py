from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answers.rounds.stream import SplicedStream
from tests.answers.rounds.rounds import DONE, choice, event, read, stream

TEXT = (
    "Bis morgen, sagte der Müller; 今天我们可以看到结果。🙂 Then \"code\":\n```python\nprint('x')\n```\nThe end of it."
)


def fed(spliced: SplicedStream, data: bytes, sizes: list[int] | None = None) -> bytes:
    out, at = b"", 0
    for size in sizes or []:
        out += spliced.feed(data[at : at + size])
        at += size
    return out + spliced.feed(data[at:]) + spliced.end_round()


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]


def usage(number: int) -> dict[str, Any]:
    return {
        "prompt_tokens": 10 * number,
        "completion_tokens": number,
        "total_tokens": 11 * number,
        "prompt_tokens_details": {"cached_tokens": 2},
    }


@given(
    st.lists(st.integers(1, len(TEXT) - 1), min_size=1, max_size=3, unique=True),
    st.integers(1, 20),
    st.booleans(),
    st.lists(st.integers(0, 90), max_size=12),
    st.integers(8, 30),
)
def test_a_text_cut_anywhere_is_whole(cuts: list[int], size: int, repeats: bool, sizes: list[int], again: int) -> None:
    spliced, out, cuts = SplicedStream(), b"", [0, *sorted(cuts), len(TEXT)]
    for number, (start, end) in enumerate(pairwise(cuts), 1):
        reason = "stop" if end == len(TEXT) else "length"
        begin = max(0, start - again) if repeats and start >= again else start
        told = fed(spliced, stream(pieces(TEXT[begin:end], size), reason, number, usage=usage(number)), sizes)
        assert told or number > 1
        out += told
        assert spliced.is_cut is (reason == "length")
        if reason == "length":
            out += spliced.go_on(is_completion=not repeats)
    out += spliced.finish()
    got = read(out)
    assert got.text == spliced.said.text == TEXT
    assert got.reasons == ["stop"]
    assert got.ids == {("id-1", 1, "m1")}
    assert got.done == 1
    rounds = len(cuts) - 1
    total = rounds * (rounds + 1) // 2
    assert got.usages == [
        {
            "prompt_tokens": 10 * total,
            "completion_tokens": total,
            "total_tokens": 11 * total,
            "prompt_tokens_details": {"cached_tokens": 2 * rounds},
        }
    ]
    assert spliced.said.rounds == rounds
    assert spliced.said.used == got.usages[0]


@given(st.lists(st.integers(0, 90), max_size=12), st.sampled_from(["stop", "length", "tool_calls", "content_filter"]))
def test_without_a_further_round_no_byte_changes(sizes: list[int], reason: str) -> None:
    data = b": ping\n\n" + stream(pieces(TEXT, 9), reason, usage=usage(1))
    spliced = SplicedStream()
    assert fed(spliced, data, sizes) + spliced.finish() == data


def begun(*, fences: bool = False, text: str = "one two", reason: str = "length", **given: Any) -> SplicedStream:
    spliced = SplicedStream(fences=fences)
    fed(spliced, stream([text], reason, **given))
    return spliced


@pytest.mark.parametrize(
    "data",
    [
        stream([""], thought="long"),  # reasoning alone
        stream(["  \n"]),
        stream(["<think>hm"]),
        stream(["<think>hm</think>\n"]),
        stream(["all"], "stop"),
        stream(["all"], "content_filter"),
        stream(["all"], "model_length"),  # there is no room for more
        event(choices=[choice({"content": "a"}), {**choice({"content": "b"}), "index": 1}]) + stream(["a"]),
        event(choices=[{**choice({"content": "b"}), "index": 1}]) + stream(["a"]),
        event(choices=[choice({"tool_calls": [{"index": 0}]})]) + stream(["a"]),
        event(choices=[choice({"content": [{"type": "text", "text": "a"}]})]) + stream(["a"]),
        event(error={"message": "x"}) + stream(["a"]),
        b"data: no JSON\n\n" + stream(["a"]),
        event(choices=[choice({"content": "a"})]),  # broken off
        b"",
    ],
)
def test_what_is_not_continued(data: bytes) -> None:
    spliced = SplicedStream(fences=True)
    assert fed(spliced, data) + spliced.finish() == data
    assert not spliced.is_cut


def test_a_block_without_an_end_counts_as_cut_if_asked_for() -> None:
    assert not begun(text="```py\nx", reason="stop").is_cut
    assert not begun(text="```py\nx\n```", reason="stop", fences=True).is_cut
    spliced = begun(text="```py\nx", reason="stop", fences=True)
    assert spliced.is_cut
    got = read(spliced.go_on(is_completion=True) + fed(spliced, stream(["\n```"], "stop", 2)) + spliced.finish())
    assert (got.text, got.reasons) == ("```py\nx\n```", ["stop"])  # the last piece came with the finish reason


FAILS = {
    "nothing": b"",
    "an error": event(error={"message": "busy"}),
    "thoughts alone": stream([""], "length", 2, thought="hm"),
    "no JSON": b"data: <html>\n\n",
    "done": DONE,
}


@pytest.mark.parametrize("data", FAILS.values(), ids=FAILS.keys())
def test_a_round_that_brings_nothing_leaves_the_end_before_it(data: bytes) -> None:
    spliced = SplicedStream()
    out = fed(spliced, stream(["one ", "two"], usage=usage(1)))
    out += spliced.go_on(is_completion=True) + fed(spliced, data)
    assert not spliced.is_cut
    got = read(out + spliced.finish())
    assert (got.text, got.reasons, got.done, got.thoughts) == ("one two", ["length"], data.count(b"[DONE]") or 1, "")
    assert got.usages in ([usage(1)], [])


@pytest.mark.parametrize("reason", ["length", "stop"])
def test_what_came_of_a_broken_round_stays(reason: str) -> None:
    spliced = SplicedStream(fences=True)
    out = fed(spliced, stream(["```\none ", "two"], reason, usage=usage(1)))
    out += spliced.go_on(is_completion=False)
    broken = event(id="x", choices=[choice({"content": " three"})]) + event(choices=[choice({"content": " two"})])
    out += fed(spliced, broken + event(error={"message": "broken"}))
    got = read(out + spliced.finish())
    assert (got.text, got.reasons, got.done) == ("```\none two three two", ["length"], 1)
    assert got.usages == [usage(1)]


def test_what_a_broken_round_has_told_of_its_usage_is_counted() -> None:
    spliced = SplicedStream()
    out = fed(spliced, stream(["one ", "two"], usage=usage(1)))
    out += spliced.go_on(is_completion=False)
    out += fed(spliced, event(id="x", choices=[choice({"content": " three"})], usage=usage(2)))
    sums = {**usage(3), "prompt_tokens_details": {"cached_tokens": 4}}
    assert read(out + spliced.finish()).usages == [sums, sums]


def test_what_is_held_back_of_a_broken_round_is_given() -> None:
    spliced = SplicedStream()
    out = fed(spliced, stream(["The quick brown fox"]))
    out += spliced.go_on(is_completion=False)
    out += fed(spliced, event(choices=[choice({"content": "quick bro"})]))
    got = read(out + spliced.finish())
    assert got.text == "The quick brown foxquick bro"
    assert got.reasons == ["length"]


def test_thoughts_of_a_further_round_are_left_out() -> None:
    spliced = SplicedStream()
    out = fed(spliced, stream(["one"], thought="first"))
    assert spliced.said.reasoning == "first"
    out += spliced.go_on(is_completion=True)
    more = event(choices=[choice({"content": "<th"})]) + event(choices=[choice({"content": "ink>no</think>\n\n two"})])
    out += fed(spliced, event(choices=[choice({"reasoning": "no", "content": ""})]) + more + stream([""], "stop", 2))
    got = read(out + spliced.finish())
    assert (got.text, got.thoughts) == ("one two", "first")
    assert b"no" not in out
    assert spliced.said.reasoning == "first"


def test_a_call_in_a_further_round_ends_the_answer() -> None:
    spliced = SplicedStream()
    out = fed(spliced, stream(["The quick brown fox"]))
    out += spliced.go_on(is_completion=False)
    call = {"index": 0, "id": "c", "function": {"name": "ls", "arguments": "{}"}}
    said = event(choices=[choice({"content": "brown "})]) + event(choices=[choice({"tool_calls": [call]})])
    out += fed(spliced, said + stream([""], "tool_calls", 2, usage=usage(2)))
    assert not spliced.is_cut
    got = read(out + spliced.finish())
    assert (got.text, got.reasons, got.calls) == ("The quick brown foxbrown ", ["tool_calls"], [call])


def test_usage_in_every_chunk_is_the_sum_so_far() -> None:
    spliced = SplicedStream()
    used = [{"prompt_tokens": 5, "completion_tokens": number} for number in (1, 2)]
    first = event(choices=[choice({"content": "one"})], usage=used[0])
    out = fed(spliced, first + event(choices=[choice({}, "length", usage=used[1])]))
    out += spliced.go_on(is_completion=True)
    out += fed(spliced, first + event(choices=[choice({}, "stop", usage=used[1])]) + DONE)
    sums = [{"prompt_tokens": 10, "completion_tokens": number} for number in (3, 4)]
    assert read(out + spliced.finish()).usages == [used[0], *sums]


def test_comments_pass_at_once() -> None:
    spliced = SplicedStream()
    fed(spliced, stream(["one"]))
    assert spliced.feed(b": keep-alive\n\n") == b": keep-alive\n\n"
    spliced.go_on(is_completion=False)
    assert spliced.feed(b": keep-alive\n\n") == b": keep-alive\n\n"


def test_probabilities_of_a_text_that_is_cut_off_are_left_out() -> None:
    spliced = SplicedStream()
    fed(spliced, stream(["The quick brown fox"]))
    spliced.go_on(is_completion=False)
    out = fed(spliced, event(choices=[choice({"content": "brown fox jumps"}, logprobs={"content": [1]})]))
    assert b'logprobs":null' in out
    assert b'"content":[1]' in fed(spliced, event(choices=[choice({"content": "."}, logprobs={"content": [1]})]))


def test_a_text_that_is_too_long_is_not_continued() -> None:
    assert not begun(text="a" * (4 * 2**20 + 1)).is_cut


def test_twice_the_stream_takes_twice_the_time() -> None:
    def seconds(number: int) -> float:
        data, took = stream([f"word{place} " for place in range(number)], usage=usage(1)), []
        for _ in range(5):
            spliced, began = SplicedStream(), time.process_time()
            for _ in range(2):
                for at in range(0, len(data), 1400):
                    spliced.feed(data[at : at + 1400])
                spliced.end_round()
                spliced.go_on(is_completion=False)
            took.append(time.process_time() - began)
        return min(took)

    assert seconds(4000) < 4 * seconds(2000)
