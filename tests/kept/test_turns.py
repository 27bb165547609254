"""The digests of a turn: what they leave out, and what they tell apart."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.kept import histories, turns
from hunyuan_fix.kept.turns import Conversation, Keys
from tests.remembering import Json, call, result, said, user

TURN = said("I look.", call("Bash", '{"command": "ls", "depth": 1}', "call_1"), call("Read", '{"path": "a"}', "call_2"))
RESULTS = [result("files", "call_1"), result("text", "call_2")]


def keys(*messages: Json) -> Keys:
    """Those of the last message, the assistant's."""
    turn = histories.of_chat(list(messages)).turns[-1]
    assert turn.keys is not None
    return turn.keys


def calls(*made: Json, **fields: Any) -> Json:
    return said(fields.pop("content", "I look."), *made, **fields)


ONE, TWO = TURN["tool_calls"]
BEFORE = [user("list"), TURN, *RESULTS]
LAST = said("Done.")

PARTS = [{"type": "text", "text": "li"}, {"type": "text", "text": "st", "cache_control": {}}]
SAME: dict[str, list[Json]] = {
    "white space": [user(" list\n"), TURN, *RESULTS, said("Done. \n")],
    "parts": [user(PARTS), TURN, *RESULTS, LAST],
    "neighbours": [user("li"), user("st"), TURN, *RESULTS, LAST],
    "results in another order": [user("list"), TURN, *RESULTS[::-1], LAST],
    "calls in another order": [user("list"), calls(TWO, ONE), *RESULTS, LAST],
    "a turn without its text": [user("list"), calls(ONE, TWO, content=None), *RESULTS, LAST],
    "a turn in two": [user("list"), said("I look."), said(None, ONE), said(None, TWO), *RESULTS, LAST],
    "other ids": [user("list"), calls({**ONE, "id": "x"}, {**TWO, "id": "y"}), *RESULTS, LAST],
    "a call that was cut": [user("list"), calls(ONE, TWO, call("Write", '{"text": "a')), *RESULTS, LAST],
    "its own reasoning": [user("list"), {**TURN, "reasoning_content": "x"}, *RESULTS, LAST],
    "think tags": [user("list"), TURN, *RESULTS, said("<think>of it</think>Done.")],
    "the deprecated call": [*BEFORE[:1], {**TURN, "role": "model"}, *RESULTS, LAST],
    "a developer's words": [{"role": "developer", "content": "Be brief."}, *BEFORE, LAST],
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_the_place_of_a_turn_stays(name: str) -> None:
    messages = SAME[name]
    changed, plain = messages[-1], keys(*BEFORE, LAST)
    if "<think>" in str(changed["content"]):
        # Such a turn lacks nothing: only what comes after it shows its place.
        changed, plain = said("More."), keys(*BEFORE, LAST, user("go on"), said("More."))
        messages = [*messages, user("go on"), changed]
    assert keys(*messages).place == plain.place
    has_system = any(message["role"] == "developer" for message in messages)
    assert (keys(*messages).exact == plain.exact) != has_system


@pytest.mark.parametrize(
    "messages",
    [
        [user("other"), TURN, *RESULTS, LAST],
        [user("list"), calls(ONE), *RESULTS, LAST],
        [user("list"), calls(ONE, {**TWO, "function": {**TWO["function"], "name": "Write"}}), *RESULTS, LAST],
        [user("list"), calls(ONE, {**TWO, "function": {**TWO["function"], "arguments": "{}"}}), *RESULTS, LAST],
        [user("list"), TURN, RESULTS[0], result("other"), LAST],
        [user("list"), TURN, *RESULTS, user("and?"), LAST],
        [user("list"), TURN, *RESULTS, said("Done!")],
        [user([*PARTS, {"type": "image_url", "image_url": {"url": "data:,a"}}]), *BEFORE[1:], LAST],
        [*BEFORE],
    ],
)  # fmt: skip
def test_another_turn_has_another_place(messages: list[Json]) -> None:
    if messages[-1]["role"] != "assistant":
        messages = [*messages[:1], messages[1]]
    assert keys(*messages).place != keys(*BEFORE, LAST).place


def test_the_exact_digest_has_the_text_and_the_ids() -> None:
    plain = keys(user("list"), TURN)
    other_ids = keys(user("list"), calls({**ONE, "id": "x"}, TWO))
    other_text = keys(user("list"), calls(ONE, TWO, content="I see."))
    assert plain.exact != other_ids.exact and plain.exact != other_text.exact
    assert plain.place == other_ids.place == other_text.place
    cleaned = keys(user("list"), calls({**ONE, "id": "call:1"}, {**TWO, "id": "call.2"}))
    assert cleaned.exact == plain.exact and cleaned.calls == plain.calls


def test_an_id_counts_as_far_as_clients_keep_it() -> None:
    long, cut = calls({**ONE, "id": "functions.Bash:0" * 5}), calls({**ONE, "id": ("functions_Bash_0" * 5)[:64]})
    assert keys(long).calls == keys(cut).calls
    other = calls({**ONE, "id": ("functions_Bash_0" * 5)[:63]})
    assert keys(long).calls != keys(other).calls


@pytest.mark.parametrize(
    ("name", "id", "is_common"),
    [
        ("Bash", "functions.Bash:0", True),
        ("Bash", "functions_Bash_12", True),
        ("read2", "functions.read2:7", True),
        ("Bash", "call_1", True),
        ("Bash", "call_12345678", False),
        ("Bash", "call_a1", False),
        ("Bash", "toolu_01AbCdEf", False),
        ("Bash", "chatcmpl-tool-3f0c1b", False),
        ("Bash", "", True),
    ],
)
def test_an_id_that_is_a_count(name: str, id: str, is_common: bool) -> None:
    made = turns.call_of(name, '{"a": 1}', id)
    assert made is not None and made.is_common == is_common
    telling = turns.call_of(name, json.dumps({"command": "x" * 40}), id)
    assert telling is not None and not telling.is_common


def test_a_turn_alone_is_known_by_what_was_said_before_it() -> None:
    assert keys(*BEFORE, LAST).alone == keys(user("a summary"), TURN, *RESULTS, LAST).alone
    assert keys(*BEFORE, LAST).alone != keys(user("a summary"), TURN, RESULTS[0], LAST).alone


def test_images_count_by_their_end() -> None:
    def shown(url: str) -> Keys:
        return keys(user([{"type": "image_url", "image_url": {"url": url, "detail": "auto"}}]), LAST)

    data = "A" * 500
    assert shown(f"data:image/png;base64,{data}").place == shown(f"data:image/webp;base64,{data}").place
    assert shown(f"data:image/png;base64,{data}").place != shown(f"data:image/png;base64,{data}B").place


ARGUMENTS = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.text(max_size=6)),
        lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=2), inner, max_size=2)),
        max_leaves=4,
    ),
    max_size=3,
)


@given(ARGUMENTS)
def test_arguments_are_compared_as_values(given: Json) -> None:
    written = [json.dumps(given), json.dumps(given, indent=2), json.dumps(given, ensure_ascii=False, sort_keys=True)]
    found = {turns.call_of("f", text, "x") for text in (*written, given)}
    assert len(found) == 1 and None not in found


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"a": 1.0, "b": [2.0, -3.0]}', '{"b": [2, -3], "a": 1}', True),
        ('{"a": 1.5}', '{"a": 1}', False),
        ('{"a": 1.0}', '{"a": 10}', False),
        ('{"a": "1.0"}', '{"a": "1"}', False),
        ("", "{}", True),
        (" ", "{}", True),
        ('{"a": 1', '{"a": 1}', False),
        ("[]", "{}", False),
    ],
)
def test_numbers_and_nothing(one: str, other: str, same: bool) -> None:
    assert (turns.call_of("f", one, "") == turns.call_of("f", other, "")) == same


def test_deep_arguments_are_no_call() -> None:
    deep: Json = {"a": 2**70}
    for _ in range(100_000):
        deep = {"a": deep}
    assert turns.call_of("f", deep, "") is None


@given(st.lists(st.sampled_from([user("a"), TURN, *RESULTS, LAST, said("x"), {"role": "system", "content": "s"}])))
def test_an_answer_has_the_digests_that_it_has_in_the_history(messages: list[Json]) -> None:
    begun = histories.of_chat(messages)
    for answer in (TURN, LAST):
        made = begun.answered(histories.text_in(answer["content"]), histories.calls_in(answer))
        assert made == histories.of_chat([*messages, answer]).turns[-1].keys


@given(st.lists(st.sampled_from([user("a"), TURN, *RESULTS, LAST, said("x")])), st.integers(0, 6))
def test_a_longer_history_leaves_its_beginning_as_it_was(messages: list[Json], more: int) -> None:
    """Once another has spoken, a turn is complete."""
    whole = [*messages, user("end")]
    longer = [*whole, *([LAST, user("a")] * more)]
    assert histories.of_chat(longer).turns[: len(histories.of_chat(whole).turns)] == histories.of_chat(whole).turns


def test_what_says_nothing_has_no_digests() -> None:
    assert histories.of_chat([user("a"), said(" \n")]).turns[-1].keys is None
    assert Conversation().answered(b"", []) is None
    assert histories.of_chat([user("a"), said(None, call("Write", '{"a'))]).turns[-1].keys is None


@pytest.mark.parametrize("nonsense", [None, 7, [None, 7, {}], [{"role": 7, "content": 7}], [said([7, None, [said()]])]])
def test_nonsense_raises_nothing(nonsense: Any) -> None:
    histories.of_chat(nonsense)
    histories.of_messages(nonsense, nonsense)
    histories.of_items(nonsense, nonsense)
