"""The probes without an endpoint: which are made, and what an answer says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.cli.doctor import probes
from hunyuan_fix.cli.doctor.probing import MAX_TOKENS, Answer, Call, Row, Subject


def subject(profile: str = "moonshot", model: str = "kimi-k2.6") -> Subject:
    loaded = profiles.load(profile)
    return Subject(loaded, loaded.model(model))


def examined(about: Subject, answer: Callable[[Call], Answer]) -> tuple[list[Call], dict[str, Row]]:
    """The calls that were made, and the rows by what they are about."""
    calls: list[Call] = []

    def ask(call: Call) -> Answer:
        calls.append(call)
        return answer(call)

    rows: list[Row] = []
    for _, found in probes.examine(about, ask):
        rows = [*found]
    return calls, {row.what: row for row in rows}


def test_a_row_that_is_found_out_is_not_asked_for_again() -> None:
    calls, rows = examined(subject(), lambda _: Answer(200, "{}"))
    assert rows["Messages: output_config"].found == rows["Messages: system among them"].found == "accepted"
    assert [call.where for call in calls].count("anthropic") == 1


@pytest.mark.parametrize(
    ("refused", "open_row"),
    [("output_config: not permitted", "Messages: system among them"), ("messages.1.role", "Messages: output_config")],
)
def test_a_row_that_a_refusal_left_open_is_asked_for_alone(refused: str, open_row: str) -> None:
    def answer(call: Call) -> Answer:
        body = call.body or {}
        both = call.where == "anthropic" and len(body["messages"]) == 2 and "output_config" in body
        return Answer(400, refused) if both else Answer(200, "{}")

    calls, rows = examined(subject(), answer)
    assert [call.where for call in calls].count("anthropic") == 2
    assert rows[open_row].found == "accepted"
    assert {rows[name].found for name in rows if name.startswith("Messages")} == {"accepted", "refused"}


@pytest.mark.parametrize("status", [0, 401, 402, 403, 408, 429, 500, 503, 529])
def test_what_says_nothing_of_the_request_is_no_refusal(status: int) -> None:
    words = "tool_choice effort reasoning_content thinking role schema prompt_cache_key output_config custom"
    _, rows = examined(subject("tokenhub", "hy3"), lambda _: Answer(status, words))
    assert {row.verdict for row in rows.values()} == {"unknown"}
    assert probes.merged(row.keys for row in rows.values()) == {}


def test_a_refusal_that_names_something_else_is_no_finding() -> None:
    _, rows = examined(subject("tokenhub", "hy3"), lambda _: Answer(400, "bad request"))
    assert {row.verdict for row in rows.values()} == {"unknown"}


def test_the_efforts_that_a_refusal_names_are_those_that_work() -> None:
    said = "invalid reasoning_effort 'max': only low, high are allowed"
    _, rows = examined(
        subject("moonshot", "kimi-k3"),
        lambda call: Answer(400, said) if "reasoning_effort" in (call.body or {}) else Answer(200, "{}"),
    )
    row = rows["effort max"]
    assert (row.verdict, row.keys) == ("differs", {"models": {"kimi-k3": {"thinking": {"efforts": ["low", "high"]}}}})


@pytest.mark.parametrize("text", ["", "[]", '{"data": [7, {"id": []}]}', '{"choices": [{"message": 7}], "usage": 7}'])
def test_odd_answers_raise_nothing(text: str) -> None:
    _, rows = examined(subject("tokenhub", "hy3"), lambda _: Answer(200, text))
    assert rows


@pytest.mark.parametrize(
    "still",
    [
        '{"choices": [{"message": {"reasoning_content": "I think."}}]}',
        '{"choices": [], "usage": {"completion_tokens_details": {"reasoning_tokens": 3}}}',
    ],
)
def test_a_model_that_thinks_on_cannot_be_told_not_to(still: str) -> None:
    def answer(call: Call) -> Answer:
        return Answer(200, still if (call.body or {}).get("thinking") == {"type": "disabled"} else "{}")

    row = examined(subject(), answer)[1]["thinking off"]
    assert (row.found, row.keys) == ("refused", {"models": {"kimi-k2.6": {"thinking": {"can_be_off": False}}}})


def test_every_probe_is_a_few_tokens() -> None:
    for name in profiles.names():
        profile = profiles.load(name)
        about = Subject(profile, profile.model(profile.text_model))
        calls, _ = examined(about, lambda _: Answer(400, "output_config"))
        assert 0 < len(calls) <= probes.MAX_CALLS
        for call in calls:
            limits = [(call.body or {}).get(key) for key in ("max_tokens", "max_output_tokens")]
            assert call.body is None or MAX_TOKENS in limits


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('data: {"choices": [], "usage": {"prompt_tokens": 1}}', "in a chunk"),
        ('data: {"choices": [{"delta": {}}], "usage": {"prompt_tokens": 1}}', "beside the last choice"),
        ('data: {"choices": [{"delta": {}, "usage": {"prompt_tokens": 1}}]}', "in the last choice"),
        ("data: [DONE]", "nowhere"),
        ('data: {"choices": 7}', "nowhere"),
        ('data: {"choices": [7, {"delta": 7}]}', "nowhere"),
    ],
)
def test_where_a_stream_has_its_counts(line: str, place: str) -> None:
    _, rows = examined(subject(), lambda _: Answer(200, line))
    assert rows["counts of a stream"].found == place
