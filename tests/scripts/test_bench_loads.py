"""The loads of `scripts/bench` are what their names say, by the rules and the simulator themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice, pairwise
from typing import Any

import pytest

from hunyuan_fix.dialects.anthropic import Anthropic
from hunyuan_fix.dialects.base import Dialect
from hunyuan_fix.dialects.responses import Responses
from hunyuan_fix.rules import apply_chat
from hunyuan_fix.simulator import checks
from scripts.lib.bench_loads import KILOBYTE, MEGABYTE, Load, cpu_loads, loads, messages_loads, responses_loads
from scripts.lib.bench_traffic import burst
from tests.rule_context import context

LOADS = {load.name: load for load in cpu_loads(chunks=120)}
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


@pytest.mark.parametrize("load", [*LOADS.values(), *messages_loads(), *responses_loads()], ids=lambda load: load.name)
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


TRANSLATED: list[tuple[Dialect, int, tuple[Load, Load, Load]]] = [
    (Anthropic(), 85 * KILOBYTE, messages_loads(chunks=120)),
    (Responses(), 60 * KILOBYTE, responses_loads(chunks=120)),
]


@pytest.mark.parametrize(("dialect", "size", "loads"), TRANSLATED, ids=["Messages", "Responses"])
def test_what_is_asked_in_another_format_is_the_conversation_in_chat(
    dialect: Dialect, size: int, loads: tuple[Load, Load, Load]
) -> None:
    in_chat, asked, _ = loads
    note: dict[str, Any] = {}
    translated = dialect.to_chat(json.loads(asked.body), {}, note)
    (after, rules), (chat, chat_rules) = repaired(json.dumps(translated).encode()), repaired(in_chat.body)
    for message in (*after["messages"], *chat["messages"]):
        for call in message.get("tool_calls", ()):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    assert after["messages"] == chat["messages"]
    assert [tool["function"] for tool in after["tools"]] == [tool["function"] for tool in chat["tools"]]
    assert rules and chat_rules
    assert (len(chat["tools"]), len(chat["messages"])) == (25, 36)
    for load in (in_chat, asked):
        assert len(load.body) == pytest.approx(size, rel=0.1)


@pytest.mark.parametrize("load", [one for _, _, loads in TRANSLATED for one in loads], ids=lambda load: load.name)
def test_where_a_load_is_sent_tells_what_it_speaks(load: Load) -> None:
    body = json.loads(load.body)
    assert load.rewritten
    assert ("max_tokens" in body) is (load.path == "/v1/messages") is ("Messages" in load.name)
    assert ("input" in body) is (load.path == "/v1/responses") is ("Responses" in load.name)
    assert body.get("stream", False) is bool(load.chunks)


@pytest.mark.parametrize(("name", "stream"), [("Messages", TRANSLATED[0][2][2]), ("Responses", TRANSLATED[1][2][2])])
def test_a_translated_stream_has_as_many_chunks_as_its_name_says(name: str, stream: Load) -> None:
    assert (stream.name, stream.chunks, stream.paced) == (f"{name}, 120 chunks", 120, False)


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
