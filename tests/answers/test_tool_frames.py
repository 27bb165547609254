from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answers import tool_frames, tool_placing
from hunyuan_fix.answers.tool_frames import ToolFrames
from hunyuan_fix.answers.tool_placing import ToolNames, TooMany
from hunyuan_fix.answers.whole import repair_answer
from hunyuan_fix.exchange import AnswerPlan, Change, JsonObject
from hunyuan_fix.wire import rule_names
from tests.answers.streamed import DONE, HEAD, by_index, by_openai, chunk, content, deltas, frame, run, usage, values
from tests.answers.streamed import tool_frames as frames

A, B = '{"path":"a.md"}', '{"path":"b.md"}'
NOTES = AnswerPlan(tools=["read_note", "read_note_list"])


def streamed(parts: list[Any], plan: AnswerPlan = NOTES, reason: str | None = "tool_calls") -> list[list[str]]:
    """Each part is one delta's frame, or frames; name and arguments of each call as two kinds of clients see them."""
    deltas = [frames(*(part if isinstance(part, list) else [part])) for part in parts]
    sent, stream = run(plan, [content(""), *deltas, chunk(finish=reason), usage(), DONE])
    assert not stream.broken
    calls = by_index(sent)
    assert calls == by_openai(sent)
    assert sorted(calls) == list(range(len(calls)))
    ids = [call["id"] for call in calls.values()]
    assert len(set(ids)) == len(ids)
    assert all(isinstance(id, str) and id for id in ids)
    again, second = run(AnswerPlan(tools=plan.tools), [sent])
    assert again == sent
    assert second.changes == []
    return [[call.get("name", ""), call["arguments"]] for _, call in sorted(calls.items())]


def whole(calls: list[Any], plan: AnswerPlan = NOTES, reason: str | None = "tool_calls") -> list[JsonObject]:
    choice: JsonObject = {"index": 0, "message": {"content": None, "tool_calls": calls}, "finish_reason": reason}
    repair_answer({**HEAD, "choices": [choice]}, plan)
    before = json.dumps(choice)
    assert repair_answer({**HEAD, "choices": [choice]}, AnswerPlan(tools=plan.tools)) == []
    assert json.dumps(choice) == before
    found: list[JsonObject] = choice["message"]["tool_calls"]
    return found


TWO = [["read_note", A], ["read_note", B]]
NOTE = "read_note"


@pytest.mark.parametrize(
    "parts",
    [
        [frame(0, "c1", NOTE, A), frame(0, "c2", NOTE, B)],
        [frame(0, "c1", NOTE), frame(0, arguments=A), frame(0, "c2", NOTE), frame(1, arguments=B)],
        [frame(0, "c1", NOTE), frame(0, "c1", "", A), frame(0, "c2", NOTE), frame(0, "c2", "", B)],
        [frame(0, "c1", NOTE), frame(0, "c1", NOTE, A), frame(0, "c2", NOTE), frame(0, "c2", NOTE, B)],
        [frame(0, "c1", NOTE), frame(0, "c2", NOTE), frame(0, "c1", arguments=A), frame(0, "c2", arguments=B)],
        [frame(0, "c1", NOTE), frame(1, "c1", arguments=A), frame(2, "c2", NOTE), frame(3, "c2", arguments=B)],
        [frame(0, "c1", NOTE), frame(1, arguments=A), frame(1, "c2", NOTE), frame(2, arguments=B)],
        [frame(7, "c1", NOTE, A), frame(3, "c2", NOTE, B)],
        [frame(-1, "c1", NOTE, A), frame(-1, "c2", NOTE, B)],
        [frame(0.0, "c1", NOTE), frame(1.0, "c2", NOTE), frame(0.0, arguments=A), frame(1.0, arguments=B)],
        [frame("0", "c1", NOTE), frame("1", "c2", NOTE), frame("0", arguments=A), frame("1", arguments=B)],
        [frame("a", "c1", NOTE), frame("b", "c2", NOTE), frame("a", arguments=A), frame("b", arguments=B)],
        [frame(None, "c1", NOTE), frame(arguments=A), frame(None, "c2", NOTE), frame(arguments=B)],
        [frame(None, "c1", NOTE), frame(None, "c2", NOTE), frame(id="c1", arguments=A), frame(id="c2", arguments=B)],
        [{"index": None} | frame(None, "c1", NOTE, A), {"index": None} | frame(None, "c2", NOTE, B)],
        [frame(None, None, NOTE, A), frame(None, None, NOTE, B)],
        [frame(0, None, NOTE, A), frame(0, None, NOTE, B)],
        [frame(0, None, NOTE), frame(0, arguments=A), frame(0, None, NOTE), frame(0, arguments=B)],
        [frame(0, "", NOTE), frame(1, "", NOTE), frame(0, "", arguments=A), frame(1, "", arguments=B)],
        [[frame(None, None, NOTE, A), frame(None, None, NOTE, B)]],
        [[frame(0, None, NOTE), frame(1, None, NOTE)], [frame(0, arguments=A), frame(1, arguments=B)]],
        [[frame(0, "c1", NOTE, A), frame(0, "c2", NOTE, B)]],
        [frame(0, 17, NOTE, A), frame(0, 18, NOTE, B)],
        [frame(0, "c1", NOTE, A), frame(1, "c1", NOTE, B)],
        [frame(0, "c1", NOTE), frame(1, "c1", NOTE), frame(0, arguments=A), frame(1, arguments=B)],
        [frame(0, "c1", NOTE, A), frame(0, "c1", NOTE, A), frame(1, "c2", NOTE, B), frame(1, "c2", NOTE, B)],
        [frame(0, "c1", NOTE), frame(0, arguments=A), frame(1, "c2", NOTE), frame(0, arguments=B)],
        [frame(0, "c1", NOTE), frame(0, "x", arguments=A[:4]), frame(0, "y", arguments=A[4:]), frame(1, "c2", NOTE, B)],
        [frame(0, None, NOTE), frame(0, "c1"), frame(0, arguments=A), frame(1, "c2", "", B), frame(1, None, NOTE)],
        [frame(0, "c1"), frame(0, None, NOTE), frame(0, arguments=A), frame(1, "c2", NOTE, B)],
        [frame(0, "c1", "read"), frame(0, None, "_note", A), frame(1, "c2", "read_", None), frame(1, "c2", "note", B)],
        [frame(0, "c1", "read_no"), frame(1, None, "te", A), frame(1, "c2", NOTE, B)],
        [frame(0, "c1", NOTE, {"path": "a.md"}), frame(1, "c2", NOTE, None), frame(1, arguments=B)],
        [frame(0, "c1", NOTE, {}), frame(0, arguments=A), frame(1, "c2", NOTE, {"path": "b.md"})],
        [frame(0, "c1", NOTE), frame(0, "c2"), frame(0, "c2", NOTE), frame(0, "c1", "", A), frame(0, "c2", "", B)],
        [frame(0, "c1", NOTE, A), frame(1, "c1", NOTE), frame(1, "c2"), frame(1, arguments=B)],
        [frame("9" * 5000, "c1", NOTE, A), frame("8" * 5000, "c2", NOTE, B)],
    ],
)  # fmt: skip
def test_two_calls_are_two_calls_however_their_frames_are_marked(parts: list[Any]) -> None:
    """apache/maka#1976, agno-agi/agno#8880, dirac-run/dirac#215, jin-bo/agentao#117"""
    assert streamed(parts) == TWO
    if any(part is not None for part in parts):
        flat = [call for part in parts for call in (part if isinstance(part, list) else [part])]
        if all(call["function"].get("name") == NOTE and call["function"]["arguments"] for call in flat):
            assert [[call["function"]["name"], call["function"]["arguments"]] for call in whole(flat)] == TWO


@pytest.mark.parametrize(
    "parts",
    [
        [frame(0, "c1", NOTE), frame(1, arguments=A[:5]), frame(1, arguments=A[5:])],
        [frame(0, "c1", NOTE, A), frame(0, "c1", NOTE, A)],
        [frame(0, "c1", NOTE, A), frame(0, arguments=A)],
        [frame(0, "c1", NOTE, A), frame(0, "c1", "", "")],
        [frame(0, "c1", NOTE), frame(0, "c1", NOTE), frame(0, arguments=A)],
        [frame(0, "c1"), frame(1, "c1", NOTE), frame(1, arguments=A)],
    ],
)
def test_one_call_is_one(parts: list[Any]) -> None:
    assert streamed(parts) == [[NOTE, A]]


def test_white_space_after_whole_arguments_is_no_part_of_another_call_s() -> None:
    parts = [frame(0, "c1", NOTE, A), frame(1, "c2", NOTE, B[:9]), frame(0, arguments=" "), frame(1, arguments=B[9:])]
    assert streamed(parts) == [[NOTE, A + " "], [NOTE, B]]


def test_without_ids_and_known_names_another_name_is_another_call() -> None:
    parts = [frame(0, None, "list"), frame(0, None, "read", B)]
    assert streamed(parts, AnswerPlan()) == [["list", "{}"], ["read", B]]


def test_frames_as_openai_sends_them_keep_their_bytes() -> None:
    parts = [
        frames(frame(0, "a", NOTE)),
        frames(frame(1, "b", NOTE)),
        frames(frame(0, arguments=A[:4])),
        frames(frame(1, arguments=B), frame(0, arguments=A[4:])),
        frames(frame(0)),
        chunk(finish="tool_calls"),
        DONE,
    ]
    sent, stream = run(NOTES, parts)
    assert sent == b"".join(parts)
    assert stream.changes == []


def test_a_name_that_may_go_on_waits_no_longer_than_for_the_next_frame() -> None:
    stream = ToolFrames(ToolNames(NOTES))
    first: JsonObject = {"tool_calls": [frame(0, "a", "read_n")]}
    assert stream.repair(first, "", lambda _: None)
    assert first == {}
    second: JsonObject = {"tool_calls": [frame(0, arguments="{")]}
    stream.repair(second, "", lambda _: None)
    assert second == {"tool_calls": [frame(0, "a", "read_n", "{")]}


def test_what_waits_has_a_bound() -> None:
    stream = ToolFrames(ToolNames(NOTES))
    sent = ""
    for _ in range(tool_frames.MAX_HELD):
        delta: JsonObject = {"tool_calls": [frame(0, "a", arguments="{}{}")]}
        stream.repair(delta, "", lambda _: None)
        sent += "".join(part["function"]["arguments"] for part in delta.get("tool_calls", ()))
        assert len(stream.held) <= 1
    assert len(sent) > tool_frames.MAX_HELD * 2


def test_a_name_that_comes_after_much_of_the_arguments_is_sent() -> None:
    text = "x" * tool_frames.MAX_HELD
    parts = [frame(0, "c1", arguments='{"path":"' + text), frame(0, None, NOTE, '"}')]
    assert streamed(parts) == [[NOTE, '{"path":"' + text + '"}']]


@pytest.mark.parametrize("at_once", [True, False])
def test_names_in_pieces_are_given_back(at_once: bool) -> None:
    """NVIDIA-NeMo/Switchyard#785"""
    plan = AnswerPlan(tool_names={"fs_read": "fs:read", "fs_list": "fs:list"}, tools=["fs_read", "fs_list"])
    parts = [frame(0, "c1", "fs_"), frame(0, None, "re"), frame(0, None, "ad", "" if at_once else A)]
    parts += [frame(0, arguments=A)] if at_once else []
    assert streamed([*parts, frame(1, "c2", "fs_list", B)], plan) == [["fs:read", A], ["fs:list", B]]


def test_a_name_that_no_argument_follows_is_given_back() -> None:
    plan = AnswerPlan(tool_names={"fs_read": "fs:read"}, tools=["fs_read"])
    assert streamed([frame(0, "c1", "fs_"), frame(0, None, "read")], plan) == [["fs:read", "{}"]]


# -- arguments


@pytest.mark.parametrize(
    "parts",
    [
        [frame(0, "c1", NOTE)],
        [frame(0, "c1", NOTE, None)],
        [frame(0, "c1", NOTE, {})],
        [{"index": 0, "id": "c1", "type": "function", "function": {"name": NOTE}}],
        [frame(0, "c1", NOTE), frame(0, arguments=None)],
        [frame(0, None, NOTE)],
    ],
)
@pytest.mark.parametrize("reason", ["tool_calls", "stop", None, ""])
def test_a_call_without_arguments_gets_an_empty_object(parts: list[Any], reason: str | None) -> None:
    """can1357/oh-my-pi#1779, ggml-org/llama.cpp#20198"""
    assert streamed(parts, reason=reason) == [[NOTE, "{}"]]
    assert [call["function"]["arguments"] for call in whole(parts[:1], reason=reason)] == ["{}"]


def test_empty_arguments_stand_in_the_frame_where_the_answer_ends_with_it() -> None:
    last = chunk({"tool_calls": [frame(0, "c1", NOTE)]}, "stop")
    sent, _ = run(NOTES, [last, DONE])
    assert by_index(sent) == by_openai(sent) == {0: {"id": "c1", "type": "function", "name": NOTE, "arguments": "{}"}}
    assert len(values(sent)) == 1


@pytest.mark.parametrize("reason", ["length", "content_filter", "sensitive"])
def test_arguments_that_were_cut_off_are_not_made_up(reason: str) -> None:
    assert streamed([frame(0, "c1", NOTE)], reason=reason) == [[NOTE, ""]]
    assert whole([frame(0, "c1", NOTE)], reason=reason)[0]["function"]["arguments"] == ""


def test_an_object_is_its_own_json() -> None:
    (call,) = whole([frame(None, "c1", NOTE, {"path": "字", "n": [1, None]})])
    assert call["function"]["arguments"] == '{"path":"字","n":[1,null]}'


# -- finish reasons


@pytest.mark.parametrize("reason", ["stop", "function_call", "eos", "tool_call", "", None])
@pytest.mark.parametrize(("plan", "meant"), [(NOTES, "tool_calls"), (AnswerPlan(function_call=True), "function_call")])
def test_complete_calls_are_the_reason(plan: AnswerPlan, meant: str, reason: str | None) -> None:
    """BerriAI/litellm#12862, openclaw/openclaw#98575"""
    sent, stream = run(plan, [frames(frame(0, "c1", NOTE, A)), chunk(finish=reason), DONE])
    assert stream.finish_reason == meant
    assert [choice["finish_reason"] for value in values(sent) for choice in value["choices"]][-1] == meant
    assert sent.endswith(DONE)
    assert b'"error"' not in sent
    choice: JsonObject = {"message": {"tool_calls": [frame(None, "c1", NOTE, A)]}, "finish_reason": reason}
    repair_answer({"choices": [choice]}, plan)
    assert choice["finish_reason"] == meant


@pytest.mark.parametrize("reason", ["length", "content_filter", "max_tokens"])
def test_an_answer_that_was_cut_off_stays_so(reason: str) -> None:
    for arguments in (A, A[:4]):
        _, stream = run(NOTES, [frames(frame(0, "c1", NOTE, arguments)), chunk(finish=reason), DONE])
        assert stream.finish_reason == reason


def test_incomplete_calls_are_no_reason() -> None:
    _, stream = run(NOTES, [frames(frame(0, "c1", NOTE, A)), frames(frame(1, "c2", NOTE, "{")), chunk(finish="stop")])
    assert stream.finish_reason == "stop"


# -- whole answers


def test_a_good_call_stays() -> None:
    given = [{"id": "c1", "type": "function", "function": {"name": NOTE, "arguments": A}}]
    assert whole(json.loads(json.dumps(given))) == given


@pytest.mark.parametrize("indexes", [(0, 0), (1, 0), ("0", "1"), (None, None), (5, 5.5), (0.0, 1.0)])
def test_indexes_of_whole_answers_are_in_order(indexes: tuple[object, object]) -> None:
    calls = whole([{"index": index} | frame(None, id, NOTE, A) for index, id in zip(indexes, ("a", "b"), strict=True)])
    assert [json.dumps(call["index"]) for call in calls] == ["0", "1"]


@pytest.mark.parametrize("ids", [(None, None), ("", ""), ("a", "a"), (3, 3)])
def test_ids_of_whole_answers_are_there_and_differ(ids: tuple[object, object]) -> None:
    def ids_of(answer_id: str) -> list[str]:
        calls = [{"id": ids[0]} | frame(None, None, NOTE, A), {"id": ids[1]} | frame(None, None, NOTE, B)]
        choice: JsonObject = {
            "message": {"tool_calls": [{**call, "id": id} for call, id in zip(calls, ids, strict=True)]}
        }
        repair_answer({"id": answer_id, "choices": [choice]}, NOTES)
        return [call["id"] for call in choice["message"]["tool_calls"]]

    first, second = ids_of("x")
    assert first != second
    assert ids_of("x") == [first, second]
    assert ids_of("y")[1] != second


def test_ids_in_one_list_are_calls_even_without_names() -> None:
    calls = whole([frame(None, "c1", NOTE, ""), frame(None, "c2", None, A)], reason="length")
    assert [call["function"]["arguments"] for call in calls] == ["", A]


def test_a_call_in_pieces_is_joined() -> None:
    calls = whole([frame(0, "c1", NOTE, A[:5]), frame(0, arguments=A[5:]), frame(1, "c2", NOTE, B)])
    assert [[call["function"]["name"], call["function"]["arguments"]] for call in calls] == TWO


# -- bounds and properties


@pytest.mark.parametrize("late", [frame(0, "c1"), frame(0, "c1", arguments=A), frame(0, "c1", NOTE, A)])
def test_an_id_that_comes_late_is_the_call_s(late: JsonObject) -> None:
    sent, _ = run(NOTES, [frames(frame(0, None, NOTE)), content("x"), frames(late), chunk(finish="stop"), DONE])
    assert by_index(sent)[0]["id"] == by_openai(sent)[0]["id"] == "c1"


def test_ids_that_change_with_every_frame_are_not_all_kept_in_mind() -> None:
    stream = ToolFrames(ToolNames(NOTES))
    stream.repair({"tool_calls": [frame(0, "a", NOTE, "{")]}, "", lambda _: None)
    for number in range(tool_placing.MAX_MARKS + 10):
        delta: JsonObject = {"tool_calls": [frame(0, f"id{number}", arguments="1")]}
        stream.repair(delta, "", lambda _: None)
        assert delta["tool_calls"] == [frame(0, arguments="1")]
    assert len(stream._placing._by_id) == tool_placing.MAX_MARKS


def test_indexes_that_change_with_every_frame_are_not_all_kept_in_mind() -> None:
    stream = ToolFrames(ToolNames(NOTES))
    stream.repair({"tool_calls": [frame(0, "a", NOTE, "{")]}, "", lambda _: None)
    for number in range(1, tool_placing.MAX_MARKS + 10):
        delta: JsonObject = {"tool_calls": [frame(number, arguments="1")]}
        stream.repair(delta, "", lambda _: None)
        assert delta["tool_calls"] == [frame(0, arguments="1")]
    assert len(stream._placing._by_index) == tool_placing.MAX_MARKS


def test_too_many_calls_are_not_kept_track_of() -> None:
    with pytest.raises(TooMany):
        ToolFrames(ToolNames(NOTES)).repair(
            {"tool_calls": [frame(None, None, NOTE)] * (tool_placing.MAX_CALLS + 1)}, "", lambda _: None
        )


FRAMES = st.builds(
    frame,
    index=st.sampled_from([None, 0, 1, 2, "0", "1", 1.0, -1, True]),
    id=st.sampled_from([None, "", "a", "b", "c", 5]),
    name=st.sampled_from([None, "", "f", "f_1", "g", "f_", 1]),
    arguments=st.sampled_from(["", "{}", None, "{", "}", '"a":1', {}, {"a": 1}, [1], A, " "]),
    type=st.sampled_from([None, "function"]),
)


def is_one_text(arguments: str) -> bool:
    """Whether no JSON object ends before `arguments` does."""
    try:
        return json.JSONDecoder().raw_decode(arguments)[1] == len(arguments)
    except ValueError:
        return True


@given(
    st.lists(st.lists(FRAMES | st.none(), min_size=1, max_size=3), max_size=6),
    st.sampled_from(["stop", "length", None]),
    st.booleans(),
)
def test_whatever_comes_both_kinds_of_clients_see_the_same_calls(
    parts: list[list[JsonObject | None]], reason: str | None, has_done: bool
) -> None:
    plan = AnswerPlan(tools=["f", "f_1", "g"])
    sent, stream = run(
        plan, [*(chunk({"tool_calls": part}) for part in parts), chunk(finish=reason), DONE if has_done else b""]
    )
    assert not stream.broken
    calls = by_index(clean(sent))
    assert {index: call["arguments"] for index, call in calls.items()} == {
        index: call["arguments"] for index, call in by_openai(clean(sent)).items()
    }
    assert sorted(calls) == list(range(len(calls)))
    assert len({call["id"] for call in calls.values()}) == len(calls)
    heads = {part["index"]: part for part in reversed([*parts_of(clean(sent))])}
    # What lacks its name waits for it, again; and what follows a whole object is taken for another call's, again.
    named = all(head["function"].get("name") in plan.tools for head in heads.values())
    if named and all(is_one_text(call["arguments"]) for call in calls.values()):
        again, second = run(AnswerPlan(tools=plan.tools), [sent])
        assert again == sent
        assert second.changes == []


def parts_of(sent: bytes) -> list[JsonObject]:
    return [part for delta in deltas(sent) for part in delta.get("tool_calls") or ()]


def clean(sent: bytes) -> bytes:
    """Without the entries that are no frames, which clients don't bear."""
    out = b""
    for value in values(sent):
        for choice in value.get("choices", ()):
            calls = choice["delta"].get("tool_calls")
            if calls:
                choice["delta"]["tool_calls"] = [call for call in calls if call is not None]
        out += b"data: " + json.dumps(value).encode() + b"\n\n"
    return out


@given(st.lists(FRAMES | st.none(), max_size=5), st.sampled_from(["stop", "length", None]))
def test_whole_answers_are_repaired_once(calls: list[Any], reason: str | None) -> None:
    found = [call for call in whole(calls, AnswerPlan(tools=["f", "f_1", "g"]), reason) if call is not None]
    assert all(isinstance(call["function"]["arguments"], str) for call in found)
    assert len({call["id"] for call in found}) == len(found)


@pytest.mark.parametrize("delta", [{}, {"tool_calls": None}, {"tool_calls": [1, None]}, {"tool_calls": {}}])
def test_another_shape_stays(delta: JsonObject) -> None:
    before = repr(delta)
    changes: list[Change] = []
    assert not ToolFrames(ToolNames(NOTES)).repair(delta, "", changes.append)
    assert repr(delta) == before
    assert changes == []


def test_each_kind_of_change_has_its_name() -> None:
    changes: list[Change] = []
    plan = AnswerPlan(tool_names={"mcp_read": "mcp:read"})
    delta: JsonObject = {"tool_calls": [frame(0, "a", "mcp_read", A), frame(0, "b", "mcp_read", B)]}
    ToolFrames(ToolNames(plan)).repair(delta, "/m", changes.append)
    assert [(change.rule, change.pointer) for change in changes] == [
        (rule_names.TOOL_NAMES, "/m/tool_calls/0/function/name"),
        (rule_names.TOOL_NAMES, "/m/tool_calls/1/function/name"),
        (rule_names.TOOL_FRAMES, "/m/tool_calls/1"),
    ]


REPEATED = AnswerPlan(tools=["ls", "cat"], call_ids=["functions.ls:0", "functions.cat:1", "call_x"])


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (["functions.ls:0"], ["functions.ls:1"]),
        (["functions.ls:0", "functions.ls:1"], ["functions.ls:1", "functions.ls:2"]),
        (["functions.cat:1", "functions.cat:0"], ["functions.cat:2", "functions.cat:0"]),
        (["call_x"], ["call_x_1"]),
        (["call_y"], ["call_y"]),
    ],
)
def test_no_call_has_the_id_of_an_earlier_one(given: list[str], sent: list[str]) -> None:
    calls = [
        {"index": number, "id": id, "type": "function", "function": {"name": "ls", "arguments": "{}"}}
        for number, id in enumerate(given)
    ]
    notes: list[Change] = []
    whole = ToolFrames(ToolNames(REPEATED)).whole(copy.deepcopy(calls), "", notes.append, cut=False)
    assert [call["id"] for call in whole] == sent
    assert bool(notes) == (given != sent)
    repairing, streamed = ToolFrames(ToolNames(REPEATED)), list[JsonObject]()
    for call in calls:
        delta: JsonObject = {"tool_calls": [copy.deepcopy(call)]}
        repairing.repair(delta, "", notes.append)
        streamed += delta.get("tool_calls", [])
    streamed += repairing.end(None, cut=False, at="", note=notes.append)
    assert [frame["id"] for frame in streamed if "id" in frame] == sent
