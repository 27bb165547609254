"""The loads of `scripts/bench` are what their names say, by the rules and the simulator themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice, pairwise
from typing import Any

import pytest

from hunyuan_fix.dialects import DIALECTS, of_call
from hunyuan_fix.dialects.base import Dialect
from hunyuan_fix.rules import apply_chat
from hunyuan_fix.simulator import checks
from scripts.lib.bench_loads import KILOBYTE, MEGABYTE, Load, Translated, cpu_loads, loads, translated_loads
from scripts.lib.bench_traffic import burst
from tests.rule_context import context

LOADS = {load.name: load for load in cpu_loads(chunks=120)}
TRANSLATED = {loads.dialect: loads for loads in translated_loads(chunks=120)}
PARAMETERS = {"parameters", "placeholders", "tools"}


def repaired(body: bytes) -> tuple[dict[str, Any], set[str]]:
    """A body after the rules, and which of them changed it."""
    parsed = json.loads(body)
    changes = apply_chat(parsed, context(model=parsed["model"]))
    assert checks.problems(parsed, "hunyuan") is None
    return parsed, {change.rule for change in changes}


@pytest.mark.parametrize("load", LOADS.values(), ids=list(LOADS))
def test_what_the_rules_do_is_in_the_name(load: Load) -> None:
    for body in (load.body, *load.turns):
        after, rules = repaired(body)
        folded = "folded" in load.name
        assert rules == (set() if "untouched" in load.name else PARAMETERS | {"length"} if folded else PARAMETERS)
        assert load.rewritten is bool(rules)
        assert (len(after["messages"]) < len(json.loads(body)["messages"])) is folded


@pytest.mark.parametrize(
    ("name", "size", "messages", "tools"),
    [
        ("1 KB untouched", KILOBYTE, 4, 1),
        ("1 KB repaired", KILOBYTE, 4, 1),
        ("100 KB repaired", 100 * KILOBYTE, 36, 12),
        ("300 messages folded", 92 * KILOBYTE, 300, 12),
        ("1 MB repaired", MEGABYTE, 36, 12),
        ("1 MB Chinese repaired", MEGABYTE, 36, 12),
    ],
)
def test_sizes(name: str, size: int, messages: int, tools: int) -> None:
    load = LOADS[name]
    assert len(load.body) == pytest.approx(size, rel=0.02)
    body = json.loads(load.body)
    assert (len(body["messages"]), len(body["tools"])) == (messages, tools)
    assert load.body.isascii() is ("Chinese" not in name)


def test_a_growing_history_is_continued_by_one_or_two_turns_each_time() -> None:
    load = LOADS["growing history folded"]
    histories: Sequence[Sequence[object]] = [json.loads(body)["messages"] for body in (load.body, *load.turns)]
    assert (len(histories[0]), len(histories[-1])) == (281, 331)
    steps = [len(later) - len(former) for former, later in pairwise(histories)]
    assert set(steps) == {2, 4}  # a call and its answer are a turn
    assert all(later[: len(former)] == former for former, later in pairwise(histories))
    assert all(80_000 < len(body) < 100_000 for body in (load.body, *load.turns))


@pytest.mark.parametrize(
    "load",
    [*LOADS.values(), *(load for each in TRANSLATED.values() for load in (each.chat, each.whole, each.stream))],
    ids=lambda load: load.name,
)
def test_no_client_ever_sends_a_body_that_was_sent_before(load: Load) -> None:
    several = 2 * (1 + len(load.turns))
    sent = [*islice(load.bodies(), several), *islice(load.bodies(), several)]
    assert len(set(sent)) == len(sent)
    assert {len(body) for body in sent} == {len(body) for body in (load.body, *load.turns)}


def test_within_a_conversation_the_beginning_stays() -> None:
    load = LOADS["growing history folded"]
    first, second = islice(load.bodies(), 2)
    messages = json.loads(first)["messages"]
    assert json.loads(second)["messages"][: len(messages)] == messages


@pytest.mark.parametrize(("name", "size"), [("Messages", 85), ("Responses", 60)])
def test_what_is_asked_in_another_format_is_the_conversation_in_chat(name: str, size: int) -> None:
    loads = TRANSLATED[name]
    translated = _dialect(loads.whole).to_chat(json.loads(loads.whole.body), {}, {})
    (after, rules), (chat, chat_rules) = repaired(json.dumps(translated).encode()), repaired(loads.chat.body)
    for message in (*after["messages"], *chat["messages"]):
        for call in message.get("tool_calls", ()):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    assert after["messages"] == chat["messages"]
    assert [tool["function"] for tool in after["tools"]] == [tool["function"] for tool in chat["tools"]]
    assert rules and chat_rules
    assert (len(chat["tools"]), len(chat["messages"])) == (25, 36)
    for load in (loads.chat, loads.whole):
        assert len(load.body) == pytest.approx(size * KILOBYTE, rel=0.08)


@pytest.mark.parametrize("loads", TRANSLATED.values(), ids=list(TRANSLATED))
def test_where_a_load_is_sent_tells_what_it_speaks(loads: Translated) -> None:
    assert loads.chat.path == "/v1/chat/completions"
    for load in (loads.whole, loads.stream):
        assert load.path != loads.chat.path
        chat = _dialect(load).to_chat(json.loads(load.body), {}, {})
        assert len(chat["messages"]) == (36 if load is loads.whole else 4)
        assert chat.get("stream", False) is bool(load.chunks)


def _dialect(load: Load) -> Dialect:
    """What the load speaks, by where it is sent."""
    return DIALECTS[of_call("POST", load.path.removeprefix("/v1")) or ""]


@pytest.mark.parametrize("loads", TRANSLATED.values(), ids=list(TRANSLATED))
def test_a_translated_stream_has_as_many_chunks_as_its_name_says(loads: Translated) -> None:
    stream = loads.stream
    assert (stream.name, stream.chunks, stream.paced) == (f"{loads.dialect}, 120 chunks", 120, False)


def chunks_of(answer: bytes) -> list[dict[str, Any]]:
    """The events of a framed answer, `[DONE]` aside, which must be last."""
    *events, done, end = answer.split(b"\r\n\r\n", 1)[1].split(b"\n\n\r\n")
    assert done.endswith(b"data: [DONE]")
    assert end == b"0\r\n\r\n"
    return [json.loads(event.partition(b"\r\ndata: ")[2]) for event in events]


@pytest.mark.parametrize("deltas", ["text", "tool_calls"])
def test_a_stream_has_as_many_chunks_as_its_name_says(deltas: str) -> None:
    chunks = chunks_of(burst(deltas, 120))
    assert len(chunks) == 120
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks].count(None) == 119


def test_streamed_tool_calls_are_whole_calls_of_the_offered_tool() -> None:
    arguments: dict[int, str] = {}
    for chunk in chunks_of(burst("tool_calls", 151)):
        for call in chunk["choices"][0]["delta"].get("tool_calls", ()):
            if "id" in call:
                assert call["function"]["name"] == "read_file"
            arguments[call["index"]] = arguments.get(call["index"], "") + call["function"]["arguments"]
    assert len(arguments) == 3
    assert all(set(json.loads(text)) == {"path"} for text in arguments.values())


def test_the_other_loads_are_as_large_as_their_names_say() -> None:
    sizes = {load.name: len(load.body) for load in loads()}
    for name, size in (("1 KB", KILOBYTE), ("100 KB", 100 * KILOBYTE), ("1 MB", MEGABYTE), ("1 MB, Chinese", MEGABYTE)):
        assert sizes[name] == pytest.approx(size, rel=0.02)
    assert sizes["5 MB image, described before"] > 5 * MEGABYTE


def test_every_other_load_has_something_to_repair() -> None:
    assert all(checks.problems(json.loads(load.body), "hunyuan", strict=True) for load in loads())
