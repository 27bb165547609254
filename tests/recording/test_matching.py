"""Each recorded call answers once, the exact one first; what is missing is told by its nearest call."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.recording import difference
from hunyuan_fix.recording.file import Call
from hunyuan_fix.recording.masked import Masked
from hunyuan_fix.recording.matching import Matching
from hunyuan_fix.recording.parts import Divider
from hunyuan_fix.recording.places import Folders, Places
from tests.growth import grows_linearly
from tests.recording.calls import answer, assistant, conversation, parts_of, user

ELSEWHERE = Folders("/srv/other", "/Users/bob", "/var/tmp", {})


def recorded(*bodies: dict[str, Any], form: str = "chat") -> Matching:
    return Matching([Call(f"c{n}", parts_of(body, form), answer(str(n))) for n, body in enumerate(bodies)])


def body(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "hy3", "messages": list(messages), **fields}


def given_by(matching: Matching, asked: dict[str, Any], folders: Folders = ELSEWHERE) -> str | None:
    call = matching.take(parts_of(asked, folders=folders))
    return None if call is None else call.name


def test_the_nth_of_the_same_gets_the_nth_answer() -> None:
    matching = recorded(body(user("a")), body(user("b")), body(user("a")))
    assert [given_by(matching, body(user(text))) for text in "aaba"] == ["c0", "c2", "c1", None]
    assert matching.left == 0


def test_what_is_exactly_the_same_comes_first() -> None:
    matching = recorded(*(body(user(f"It is {day}. Go.")) for day in ("2026-11-28", "2026-11-29")))
    assert given_by(matching, body(user("It is 2026-11-29. Go."))) == "c1"
    assert given_by(matching, body(user("It is 2026-11-30. Go."))) == "c0"
    assert given_by(matching, body(user("It is 2026-11-28. Go."))) is None, "each answers once"


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "hy4"},
        {"messages": [user("b")]},
        {"messages": [assistant("a")]},
        {"messages": [user("a"), assistant("x")]},
        {"messages": []},
        {"temperature": 0.5},
        {"tools": [{"name": "read"}]},
        {"system": "Be brief."},
    ],
)
def test_what_asks_anything_else_is_another_request(changed: dict[str, Any]) -> None:
    assert given_by(recorded(body(user("a"))), {**body(user("a")), **changed}) is None
    assert given_by(recorded({**body(user("a")), **changed}), body(user("a"))) is None


def test_another_format_is_another_request() -> None:
    assert recorded(body(user("a"))).take(parts_of(body(user("a")), "anthropic-native")) is None


def test_folders_keys_and_days_are_none() -> None:
    said = "in {cwd} on {day} with {key} by {cwd}/a.py"
    here = said.format(cwd="/tmp/rec/work", day="2026-11-29", key="sk-1aaaaaaaaaaaaaaaaaaa")
    there = said.format(cwd="/srv/other", day="2027-01-01", key="sk-2bbbbbbbbbbbbbbbbbbb")
    assert given_by(recorded(body(user(here))), body(user(there))) == "c0"


@given(st.lists(st.sampled_from(["a", "b", "on 2026-11-28", "on 2026-11-29"]), max_size=12), st.randoms())
def test_a_run_in_any_order_gets_each_answer_once(texts: list[str], random: Any) -> None:
    matching = recorded(*(body(user(text)) for text in texts))
    order = list(texts)
    random.shuffle(order)
    given = [given_by(matching, body(user(text))) for text in order]
    assert sorted(map(str, given)) == sorted(f"c{n}" for n in range(len(texts)))


def told(matching: Matching, asked: dict[str, Any], form: str = "chat") -> str:
    parts = parts_of(asked, form)
    assert matching.take(parts) is None
    return str(difference.told(matching, parts))


def test_the_message_that_differs_is_named() -> None:
    tool = {"role": "tool", "tool_call_id": "call 1", "content": "total 8\na.txt has 12 lines\nend"}
    run = [body(*messages) for messages in conversation(3)]
    matching = recorded(body(user("title?")), *run, body(user("go"), assistant("ls"), tool))
    said = told(matching, body(user("go"), assistant("ls"), {**tool, "content": "total 8\na.txt has 13 lines\nend"}))
    assert said == (
        "Compared with call 5 of the recording, message 3 (role tool) differs: recorded was “total 8 a.txt has 12 "
        "lines end”, now it is “total 8 a.txt has 13 lines end”."
    )


def test_the_first_message_that_differs_is_named() -> None:
    run = [body(*messages) for messages in conversation(3)]
    changed = [dict(message) for message in run[2]["messages"]]
    changed[3]["content"] = "something else"
    said = told(recorded(*run), body(*changed))
    assert said.startswith(
        "Compared with call 3 of the recording, message 4 (role user) differs: recorded was “result 0”"
    )


def test_words_before_the_difference_are_few() -> None:
    said = told(recorded(body(user("x " * 5000 + "left"))), body(user("x " * 5000 + "right " * 500)))
    assert len(said) < 300
    assert "left" in said
    assert "right" in said


def test_a_longer_and_a_shorter_history() -> None:
    matching = recorded(body(user("a"), assistant("b")))
    assert "message 3 (role user) is new: the recorded request ends before it: “more”" in told(
        matching, body(user("a"), assistant("b"), user("more"))
    )
    assert "message 2 (role assistant) is missing: this request ends before it: “b”" in told(matching, body(user("a")))


def test_another_role() -> None:
    said = told(recorded(body(user("a"))), body(assistant("a")))
    assert "message 1 has the role assistant in place of user" in said
    assert "message 1 (role ?) differs" in told(recorded(body({"role": "x", "content": "a"})), body({"role": "y"}))


def test_a_role_of_the_clients_own_is_not_quoted() -> None:
    said = told(recorded(body(user("a"))), body({"role": "sk-1secretsecretsecret", "content": "a"}))
    assert "secret" not in said


def test_system_tools_and_fields() -> None:
    matching = recorded(body(user("a"), system="Be brief.", tools=[{"name": "read"}, {"name": "ls"}], top_p=0.5))
    same: dict[str, Any] = {"system": "Be brief.", "tools": [{"name": "read"}, {"name": "ls"}], "top_p": 0.5}
    said = told(matching, body(user("a"), **{**same, "system": "Be long."}))
    assert "the system prompt differs: recorded was “Be brief.”, now it is “Be long.”" in said
    said = told(matching, body(user("a"), **{**same, "tools": [{"name": "read", "x": 1}, {"name": "grep"}]}))
    assert said.endswith("the tools differ (-ls, +grep, ±read).")
    said = told(matching, body(user("a"), **{**same, "tools": [{"name": "ls"}, {"name": "read"}]}))
    assert said.endswith("the tools come in another order.")
    said = told(matching, body(user("a"), **{**same, "top_p": 0.7}))
    assert said.endswith("the field top_p differs: recorded was 0.5, now it is 0.7.")
    said = told(matching, body(user("a"), **same, stop=["x"]))
    assert said.endswith('the field stop differs: recorded was null, now it is ["x"].')


def test_asked_too_often() -> None:
    matching = recorded(body(user("a")))
    given_by(matching, body(user("a")))
    assert told(matching, body(user("a"))) == "It has come more often than it was recorded (1)."


def test_nothing_to_compare_with() -> None:
    assert told(recorded(), body(user("a"))) == "The recording has no call in this format (chat)."
    assert "(anthropic-native)" in told(recorded(body(user("a"))), body(user("a")), "anthropic-native")


def test_a_key_is_in_no_words() -> None:
    said = told(recorded(body(user("KEY=old"))), body(user("KEY=sk-1abcdefghijklmnopqrstuvwxyz")))
    assert "sk-" not in said
    assert "[API key hidden]" in said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["messages", "input", "system", "tools", "model", "x"]), JSON), st.lists(JSON))
def test_any_request_is_matched_or_told(asked: dict[str, Any], messages: list[Any]) -> None:
    matching = recorded(asked, body(*messages))
    assert given_by(matching, asked) == "c0"
    parts = parts_of(asked)
    if matching.take(parts) is None:
        assert len(difference.told(matching, parts)) < 1000


def test_what_is_known_again_has_a_bound() -> None:
    divider = Divider(Masked(Places(ELSEWHERE)), 10_000)
    for number in range(100):
        one, other = (divider.parts("chat", body(user(f"{number} {'x' * 300}"))) for _ in range(2))
        assert one == other
        assert len(divider._known) <= 12


def test_time_is_linear() -> None:
    def many(size: int) -> None:
        matching = recorded(*(body(user("same")) for _ in range(size)))
        while matching.take(parts_of(body(user("same")))):
            pass

    assert grows_linearly(many, 200)
    long = recorded(*(body(*messages) for messages in conversation(30)))
    assert grows_linearly(lambda size: difference.told(long, parts_of(body(user("x" * size)))), 100_000)
