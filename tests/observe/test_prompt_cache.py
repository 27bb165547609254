"""Which part of a prompt broke its cache, and whose doing it was."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_fix.exchange import JsonObject
from hunyuan_fix.observe import prompt_cache, prompts
from hunyuan_fix.observe.prompt_cache import Break, PromptCacheLedger, Turn, told
from hunyuan_fix.observe.prompts import Prompt, difference, prompt_of

TOOLS = [{"type": "function", "function": {"name": name}} for name in ("read", "write", "run")]


def history(turns: int) -> list[JsonObject]:
    """A system message, and `turns` of a question, a call, its result and an answer."""
    messages: list[JsonObject] = [{"role": "system", "content": "Be brief."}]
    for turn in range(turns):
        call = {"id": f"c{turn}", "type": "function", "function": {"name": "run", "arguments": "{}"}}
        messages += [
            {"role": "user", "content": f"question {turn}"},
            {"role": "assistant", "content": None, "reasoning_content": f"thought {turn}", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{turn}", "content": f"result {turn}"},
            {"role": "assistant", "content": f"answer {turn}", "reasoning_content": f"second thought {turn}"},
        ]
    return messages


def body(turns: int, **fields: Any) -> JsonObject:
    return {"model": "kimi-k2.6", "tools": copy.deepcopy(TOOLS), "messages": history(turns), **fields}


def prompt(given: JsonObject) -> Prompt:
    found = prompt_of(given)
    assert found is not None
    return found


def without_reasoning(messages: list[JsonObject]) -> list[JsonObject]:
    return [{key: value for key, value in message.items() if key != "reasoning_content"} for message in messages]


# -- what has changed


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 8), st.integers(0, 8), st.integers(0, 3))
def test_a_prompt_that_goes_on_has_not_changed(turns: int, more: int, cut: int) -> None:
    before, now = body(turns), body(turns + more)
    assert difference(prompt(before), prompt(now)) is None
    now["messages"] = now["messages"][: len(now["messages"]) - cut]
    assert difference(prompt(now), prompt(body(turns + more))) is None


def edited(number: int, **fields: Any) -> Any:
    def change(given: JsonObject) -> None:
        given["messages"][number] |= fields

    return change


def call_on(name: str, *args: Any) -> Any:
    return lambda given: getattr(given["messages"], name)(*args)


CHANGES = [
    (edited(0, content="Be brief. It is 9:01."), "/messages/0", "content edited"),
    (edited(7, content="other"), "/messages/7", "content edited"),
    (edited(2, reasoning_content="rewritten"), "/messages/2", "reasoning changed"),
    (lambda given: given["messages"][2].pop("reasoning_content"), "/messages/2", "reasoning dropped"),
    (call_on("insert", 3, {"role": "user", "content": "reminder"}), "/messages/3", "1 message inserted"),
    (lambda given: given["messages"].__delitem__(slice(3, 5)), "/messages/3", "2 messages removed"),
    (
        lambda given: given["messages"].__setitem__(slice(3, 5), given["messages"][4:2:-1]),
        "/messages/3",
        "messages in another order",
    ),
    (
        lambda given: given["messages"].__setitem__(slice(1, 19), [{"role": "user", "content": "summary"}]),
        "/messages/1",
        "history compacted",
    ),
    (
        lambda given: given["tools"].append({"type": "function", "function": {"name": "more"}}),
        "/tools/3",
        "tools added",
    ),
    (lambda given: given["tools"].pop(0), "/tools/0", "tools removed"),
    (lambda given: given["tools"].reverse(), "/tools/0", "tools in another order"),
    (lambda given: given["tools"][1]["function"].update(description="new"), "/tools/1", "tools changed"),
    (lambda given: given.update(model="kimi-k2.5"), "/model", "another model"),
    (lambda given: given.update(thinking={"type": "disabled"}), "/thinking", "parameter changed"),
]


@pytest.mark.parametrize(("change", "pointer", "what"), CHANGES)
def test_the_first_part_that_changed_is_named(change: Any, pointer: str, what: str) -> None:
    before, now = body(5), body(6)
    change(now)
    found = difference(prompt(before), prompt(now))
    assert found is not None
    assert (found.pointer, found.what) == (pointer, what)


def test_reasoning_that_was_put_back_is_told_from_an_edit() -> None:
    before = body(2)
    before["messages"] = without_reasoning(before["messages"])
    found = difference(prompt(before), prompt(body(3)))
    assert found is not None
    assert (found.pointer, found.what) == ("/messages/2", "reasoning put back")


def test_marks_of_a_client_s_cache_are_no_change() -> None:
    """Claude Code's marks move on with each turn, and a text that had one is a string without it."""
    block = {"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [block]}
    marked = {
        "model": "m",
        "system": [block],
        "messages": [{"role": "user", "content": [block]}, {"role": "user", "content": [result]}],
    }
    plain_result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "hello"}]}
    plain = {
        "model": "m",
        "system": [{"type": "text", "text": "hello"}],
        "messages": [{"role": "user", "content": "hello"}, {"role": "user", "content": [plain_result]}],
    }
    assert difference(prompt(marked), prompt(plain)) is None


def test_messages_and_responses_requests_are_read_too() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": ""}
    said = {"type": "text", "text": "yes"}
    before = {
        "model": "m",
        "system": "s",
        "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": [thinking, said]}],
    }
    now = copy.deepcopy(before)
    now["messages"][1]["content"] = [said]  # type: ignore[index]
    found = difference(prompt(before), prompt(now))
    assert found is not None
    assert (found.pointer, found.what) == ("/messages/1", "reasoning dropped")
    found = difference(
        prompt({**before, "system": [{"type": "text", "text": "x"}]}),
        prompt({**before, "system": [{"type": "text", "text": "y"}]}),
    )
    assert found is not None
    assert (found.pointer, found.what) == ("/system/0", "system text changed")
    items = [{"type": "message", "role": "user", "content": "a"}, {"type": "function_call_output", "output": "b"}]
    found = difference(
        prompt({"input": items, "instructions": "i"}),
        prompt({"input": [items[0], {**items[1], "output": "c"}], "instructions": "i"}),
    )
    assert found is not None
    assert found.pointer == "/input/1"


@pytest.mark.parametrize("given", [{}, {"messages": []}, {"messages": "x"}, {"messages": None, "input": None}])
def test_what_has_no_messages_is_no_prompt(given: JsonObject) -> None:
    assert prompt_of(given) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["content", "type", "text", "cache_control", "reasoning", "role"]), inner)
    ),
    max_leaves=12,
)


@given(st.lists(JSON, min_size=1, max_size=4), JSON, JSON)
def test_any_body_is_borne(messages: list[Any], tools: Any, system: Any) -> None:
    given = {"messages": messages, "tools": tools, "system": system}
    before = json.dumps(given)
    one = prompt(given)
    assert difference(one, prompt(json.loads(before))) is None
    assert json.dumps(given) == before


# -- the ledger


def turn(
    given: JsonObject, cached: int, *, input: int = 0, came: JsonObject | None = None, named: bool = True, **fields: Any
) -> Turn:
    """A turn whose input has 1,000 tokens a message."""
    sent = prompt(given)
    client = sent if came is None else prompt(came)
    return Turn(b"s", named, sent, client, input or 1000 * len(given["messages"]), cached, **fields)


def add(*turns: Turn) -> Break | None:
    """What the ledger says of the last of some turns."""
    ledger = PromptCacheLedger()
    found = [ledger.add(one).broken for one in turns]
    return found[-1]


def test_the_first_turn_and_turns_that_read_their_cache_are_no_breaks() -> None:
    assert add(turn(body(3), 0)) is None
    assert add(turn(body(3), 0), turn(body(4), 13000)) is None
    assert add(turn(body(3), 0), turn(body(4), 12000)) is None, "endpoints round off"


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(("change", "pointer", "what"), CHANGES)
def test_a_break_is_the_client_s_where_the_client_changed_it(change: Any, pointer: str, what: str, named: bool) -> None:
    if what == "history compacted" and not named:
        return
    now = body(6)
    change(now)
    found = add(turn(body(5), 0, named=named), turn(now, 0, named=named))
    assert found is not None
    assert (found.pointer, found.what, found.by) == (pointer, what, "client")
    assert found.text() == f"broken at {pointer}: {what} (the client)"


def test_a_break_is_ours_where_only_what_left_has_changed() -> None:
    lost = body(3)
    lost["messages"] = without_reasoning(lost["messages"])
    more = body(4)
    more["messages"] = without_reasoning(more["messages"])
    put_back = copy.deepcopy(more)
    put_back["messages"][2]["reasoning_content"] = "thought 0"
    rules = (("reasoning-memory", "/messages/2"), ("parameters", "/seed"))
    found = add(turn(lost, 0), turn(put_back, 1000, came=more, rules=rules))
    assert found is not None
    assert (found.pointer, found.what, found.by) == ("/messages/2", "reasoning put back", "hunyuan-fix")
    assert found.rules == ("reasoning-memory",)
    assert "(hunyuan-fix, reasoning-memory)" in found.text()


def test_a_rule_that_no_longer_changes_a_message_is_named() -> None:
    with_rule = body(3)
    with_rule["messages"][3]["content"] = "cut"
    before = turn(with_rule, 0, came=body(3), rules=(("length", "/messages/3"), ("model", "/model")))
    found = add(before, turn(body(4), 3000, came=body(4), rules=(("model", "/model"),)))
    assert found is not None
    assert (found.pointer, found.by, found.rules) == ("/messages/3", "hunyuan-fix", ("length",))


def test_an_edit_far_behind_is_not_taken_for_the_cause() -> None:
    came = body(6)
    came["messages"][19]["content"] = "edited"
    sent = copy.deepcopy(came)
    sent["messages"][1]["content"] = "ours"
    found = add(turn(body(5), 0), turn(sent, 0, came=came, rules=(("roles", "/messages/1"),)))
    assert found is not None
    assert (found.pointer, found.by) == ("/messages/1", "hunyuan-fix")


def test_a_prompt_that_the_endpoint_did_not_keep_is_its_doing() -> None:
    ledger = PromptCacheLedger()
    assert ledger.add(turn(body(3), 0)).broken is None
    assert ledger.add(turn(body(4), 0)).broken is None, "perhaps it caches nothing"
    assert ledger.add(turn(body(5), 17000)).broken is None
    found = ledger.add(turn(body(6), 0)).broken
    assert found is not None
    assert (found.by, found.pointer) == ("endpoint", "")


def test_side_tasks_of_a_session_do_not_break_its_cache() -> None:
    title: JsonObject = {"model": "kimi-k2.6", "messages": [{"role": "user", "content": "a title, please"}]}
    ledger = PromptCacheLedger()
    ledger.add(turn(body(4), 0))
    assert ledger.add(turn(title, 0, input=9000)).broken is None
    assert ledger.add(turn(body(5), 17000)).broken is None
    now = body(6)
    now["messages"][5]["content"] = "edited"
    assert ledger.add(turn(now, 5000)).broken is not None


def test_a_caller_without_sessions_may_send_many_prompts_alike() -> None:
    ledger = PromptCacheLedger()
    for number in range(10):
        one: JsonObject = {
            "model": "m",
            "messages": [{"role": "system", "content": "Sort these."}, {"role": "user", "content": f"text {number}"}],
        }
        assert ledger.add(turn(one, 1000, input=90000, named=False)).broken is None


def test_what_is_small_is_no_break() -> None:
    now = body(2)
    now["messages"][0]["content"] = "edited"
    assert add(turn(body(1), 0, input=900), turn(now, 0, input=1500)) is None


def test_memory_is_bounded() -> None:
    ledger = PromptCacheLedger()
    for number in range(prompt_cache._MOST_SESSIONS + 50):
        one = turn(body(1), 0)
        ledger.add(Turn(b"%d" % number, True, one.sent, one.came, one.input, 0))
    assert len(ledger._sessions) == prompt_cache._MOST_SESSIONS
    for number in range(50):
        side: JsonObject = {
            "model": "m",
            "messages": [{"role": "user", "content": f"{number}{place}"} for place in range(9)],
        }
        ledger.add(turn(side, 0))
    assert len(ledger._sessions[b"s"].turns) <= prompt_cache._MOST_THREADS
    assert ledger._entries == sum(
        prompt_cache._size(one) for session in ledger._sessions.values() for one in session.turns
    )
    huge = prompt({"messages": [{"role": "user", "content": number} for number in range(prompts.MOST_MESSAGES + 9)]})
    assert len(huge.messages) == prompts.MOST_MESSAGES
    for number in range(400):
        ledger.add(Turn(b"h%d" % number, True, huge, huge, 1, 0))
    assert ledger._entries <= prompt_cache._MOST_ENTRIES


def test_nothing_that_was_said_is_kept() -> None:
    ledger = PromptCacheLedger()
    secret = body(3)
    secret["messages"][1]["content"] = "hunter2"
    now = body(4)
    ledger.add(turn(secret, 0))
    found = ledger.add(turn(now, 0)).broken
    assert found is not None
    assert "hunter2" not in repr(ledger._sessions) + found.text()


@pytest.mark.parametrize(
    ("note", "line"),
    [
        ({}, ""),
        ({"input": "7", "cached": 1}, ""),
        ({"input": 14000, "cached": 12300}, "prompt cache: 12,300 of 14,000 input tokens cached"),
        (
            {"input": 14000, "cached": 0, "broken": "broken at /messages/7: content edited (the client)"},
            "prompt cache: 0 of 14,000 input tokens cached; broken at /messages/7: content edited (the client)",
        ),
    ],
)
def test_a_note_in_words(note: JsonObject, line: str) -> None:
    assert told(note) == line


def test_prompts_with_the_same_examples_are_no_conversation() -> None:
    ledger = PromptCacheLedger()
    for number in range(3):
        one = body(1)
        one["messages"].append({"role": "user", "content": f"text {number}"})
        assert ledger.add(turn(one, 1000, input=90000, named=False)).broken is None


def test_of_rules_at_the_place_those_count_that_changed_it_in_one_turn_alone() -> None:
    before, now = body(3), body(4)
    now["messages"][3]["content"] = "cut"
    always = ("content", "/messages/3")
    first = turn(before, 0, came=body(3), rules=(always,))
    found = add(first, turn(now, 0, came=body(4), rules=(always, ("length", "/messages/3"))))
    assert found is not None
    assert found.rules == ("length",)
    found = add(first, turn(now, 0, came=body(4), rules=(always,)))
    assert found is not None
    assert found.rules == ("content",)


# -- what a turn is to those before it


def test_a_turn_names_the_one_that_it_goes_on_with() -> None:
    ledger = PromptCacheLedger()
    title = {"model": "m", "messages": [{"role": "user", "content": "a title for this"}]}
    assert ledger.add(turn(body(2), 0, id="1")).before == ""
    assert ledger.add(turn(title, 0, id="2")).before == ""
    assert ledger.add(turn(body(3), 0, id="3")).before == "1"
    assert ledger.add(turn(body(4), 0, id="4")).before == "3"


@pytest.mark.parametrize("cached", [0, 9000])
def test_a_history_that_was_compacted_is_told_whether_or_not_the_cache_broke(cached: int) -> None:
    ledger = PromptCacheLedger()
    ledger.add(turn(body(10), 0, id="1"))
    short = body(0) | {"messages": [{"role": "user", "content": "a summary"}, {"role": "assistant", "content": "ok"}]}
    found = ledger.add(turn(short, cached, input=10_000, id="2"))
    assert (found.before, found.is_compacted, found.broken is not None) == ("1", True, not cached)
    longer = short | {"messages": [*short["messages"], {"role": "user", "content": "on"}]}
    found = ledger.add(turn(longer, 10_000, input=10_100, id="3"))
    assert (found.before, found.is_compacted) == ("2", False)


def test_a_few_messages_less_are_no_compaction() -> None:
    ledger = PromptCacheLedger()
    ledger.add(turn(body(10), 0, id="1"))
    fewer = body(10)
    del fewer["messages"][-6:]
    found = ledger.add(turn(fewer, 30_000, id="2"))
    assert (found.before, found.is_compacted) == ("1", False)
