"""The head of a story, its bar, what would have happened without, and the calls of the addon's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import events, prediction
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.page import story_calls, story_changes, story_head, story_messages, story_time, story_without
from hunyuan_fix.page.content import Content
from hunyuan_fix.wire import noted_errors, proxy_errors
from tests.page import story_requests


def timeline(*told: tuple[str, float, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"kind": kind, "at": 1000 + ms / 1000, "ms": ms, "data": data} for kind, ms, data in told]


def parts(bar: story_time.Bar) -> list[tuple[str, float, float]]:
    return [(part["part"], part["begin"], part["end"]) for part in bar["parts"]]


# The bar


def test_the_bar_says_what_was_done_when() -> None:
    bar = story_time.bar(
        timeline(
            (events.CAME, 0, {}),
            (events.TRANSLATED, 10, {}),
            (events.DESCRIBED, 510, {"ms": 480}),
            (events.REPAIRED, 520, {"ms": 10}),
            (events.QUEUED, 521, {}),
            (events.SENT, 9521, {"upstream": "a.example", "waited_ms": 9000}),
            (events.FIRST_BYTE, 9700, {"status": 200}),
            (events.FIRST_TOKEN, 9800, {}),
            (events.DONE, 10000, {}),
        ),
        0,
    )
    assert parts(bar) == [
        ("came", 0, 10),
        ("repaired", 10, 30),
        ("described", 30, 510),
        ("repaired", 510, 520),
        ("queued", 520, 521),
        ("queued", 521, 9521),
        ("waited", 9521, 9700),
        ("thought", 9700, 9800),
        ("answered", 9800, 10000),
    ]
    assert (bar["longest"], round(bar["share"], 2), bar["under_way"]) == ("queued", 0.9, False)


def test_each_try_is_a_part_with_the_reason_of_the_one_before() -> None:
    bar = story_time.bar(
        timeline(
            (events.CAME, 0, {}),
            (events.SENT, 10, {"upstream": "a.example"}),
            (events.QUEUED, 110, {}),
            (events.RETRIED, 210, {"number": 2, "reason": "status 503"}),
            (events.FIRST_BYTE, 300, {}),
            (events.DONE, 310, {}),
        ),
        0,
    )
    assert parts(bar) == [
        ("came", 0, 10),
        ("waited", 10, 110),
        ("queued", 110, 210),
        ("waited", 210, 300),
        ("answered", 300, 310),
    ]
    assert (bar["parts"][3]["number"], bar["parts"][3]["note"]) == (2, "status 503")


def test_the_bar_of_one_that_is_under_way_goes_on() -> None:
    bar = story_time.bar(timeline((events.CAME, 0, {}), (events.SENT, 10, {})), 1002)
    assert (bar["under_way"], round(bar["ms"])) == (True, 2000)
    assert [part for part, *_ in parts(bar)] == ["came", "waited"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(events.KINDS),
            st.floats(0, 1e6),
            st.dictionaries(
                st.sampled_from(["ms", "waited_ms", "number", "reason"]), st.one_of(st.text(), st.floats(0, 1e6))
            ),
        ),
        max_size=30,
    )
)
def test_parts_of_any_bar_follow_each_other(told: list[tuple[str, float, dict[str, Any]]]) -> None:
    ordered = sorted(told, key=lambda one: one[1])
    bar = story_time.bar(timeline(*ordered), 1000 + 2e3)
    reached = 0.0
    for part in bar["parts"]:
        assert reached <= part["begin"] < part["end"]
        reached = part["end"]
    assert 0 <= bar["share"] <= 1


# The head


def content(answer: object = None, **exchange: Any) -> Content:
    made = Exchange(profile="hunyuan", dialect="chat", **exchange)
    return Content(made.to_plain(), b"{}", b"{}", None if answer is None else json.dumps(answer).encode())


@pytest.mark.parametrize("name", proxy_errors.CATALOGUE)
def test_each_error_of_ours_says_what_to_do(name: str) -> None:
    """Of several with one code the words tell which it is."""
    entry = proxy_errors.CATALOGUE[name]
    exchange = Exchange()
    noted_errors.known(exchange, f"{entry.code}: {entry.when}")
    failed = story_head.head({"error": entry.code, "failure": exchange.failure, "status": 400}, [], None, "en")[
        "failure"
    ]
    assert failed is not None
    assert entry.code in failed["code"]
    alike = [
        one for one in proxy_errors.CATALOGUE.values() if one.code == entry.code and one.when[:40] == entry.when[:40]
    ]
    assert failed["advice"] in {one.advice for one in alike}


def test_the_endpoint_s_own_words_are_there() -> None:
    answer = {"error": {"message": "资源包余量已用尽", "code": "insufficient_quota"}}
    summary = {
        "error": "insufficient_quota",
        "failure": "insufficient_quota: the account's quota is used up",
        "status": 400,
    }
    failed = story_head.head(summary, [], content(answer), "zh")["failure"]
    assert failed is not None
    assert (failed["message"], failed["when"]) == ("资源包余量已用尽", "账号额度已用完")


@pytest.mark.parametrize(
    "answer",
    [
        {"Response": {"Error": {"Code": "InvalidParameter", "Message": "wrong"}}},
        {"type": "error", "error": {"type": "x", "message": "wrong", "details": {"error_code": "y"}}},
        {"error": "wrong"},
    ],
)
def test_words_of_errors_in_any_format(answer: dict[str, Any]) -> None:
    failed = story_head.head({"status": 400}, [], content(answer), "en")["failure"]
    assert failed is not None and failed["message"] == "wrong"


def test_what_went_well_has_not_failed() -> None:
    assert (
        story_head.head({"status": 200, "how": "answered", "error": "", "failure": ""}, [], None, "en")["failure"]
        is None
    )


def test_the_host_is_the_last_one_that_was_asked() -> None:
    told = timeline((events.SENT, 1, {"upstream": "a.example"}), (events.FALLBACK, 2, {"upstream": "b.example"}))
    assert story_head.head({"status": 200}, told, None, "en")["facts"]["upstream"] == "b.example"


@pytest.mark.parametrize(
    ("exchange", "format_"),
    [
        ({"profile": "hunyuan", "dialect": "chat"}, "chat"),
        ({"profile": "hunyuan", "dialect": "anthropic", "spoken": "anthropic"}, "chat"),
        ({"profile": "tokenhub", "dialect": "anthropic-native", "spoken": "anthropic"}, "anthropic"),
        ({"profile": "hunyuan", "dialect": "embeddings"}, "embeddings"),
        ({"profile": "tencent-cloud", "dialect": "chat"}, "tencent-cloud-upstream"),
        ({"profile": "no-such", "dialect": "chat"}, ""),
    ],
)
def test_the_format_in_which_it_was_sent(exchange: dict[str, str], format_: str) -> None:
    kept = Content(Exchange(**exchange).to_plain(), None, None, None)  # type: ignore[arg-type]
    assert story_head.sent_format({"profile": exchange["profile"]}, kept) == format_


# Without


def asked(body: object, **exchange: Any) -> story_without.Without:
    made = Exchange(**{"profile": "hunyuan", "dialect": "chat", **exchange})
    return story_without.without(made, json.dumps(body).encode(), "en")


GOOD = {"model": "hunyuan-2.0-instruct-20251111", "messages": [{"role": "user", "content": "hi"}]}


def test_what_the_endpoint_would_have_refused() -> None:
    found = asked(story_requests.repaired())
    assert found["kind"] == "refused" and found["refusal"] is not None
    assert found["refusal"]["status"] == 400 and found["refusal"]["proven"] and found["more"] > 2


@pytest.mark.parametrize(
    ("body", "exchange", "kind"),
    [
        (GOOD, {}, "accepted"),
        (GOOD, {"profile": "deepseek"}, "unknown"),
        (GOOD, {"profile": "no-such"}, "unknown"),
        ([], {}, "unknown"),
        (story_requests.of_claude_code(), {"dialect": "anthropic", "spoken": "anthropic"}, "no_such_api"),
        (GOOD, {"profile": "tokenhub", "dialect": "anthropic-native", "spoken": "anthropic"}, "unknown"),
    ],
)
def test_what_else_there_may_be_to_say(body: object, exchange: dict[str, Any], kind: str) -> None:
    assert asked(body, **exchange)["kind"] == kind


def test_the_first_refusal_is_one_that_was_seen() -> None:
    body = {**GOOD, "temperature": 3, "parallel_tool_calls": True}
    problems = prediction.problems(body, "chat", "hunyuan")
    assert {prediction.is_proven(problem) for problem in problems} == {True, False}
    found = asked(body)["refusal"]
    assert found is not None and found["proven"]


# Own calls


NOTE: Any = {
    "model": "v1",
    "ms": 10,
    "prompts": ["What is it?"],
    "calls": [
        {
            "at": "/messages/0/content/1",
            "how": "called",
            "outcome": "described",
            "ms": 5,
            "tries": 2,
            "status": 200,
            "prompt": 0,
        }
        | {"tokens": {"input": 3, "output": 4}, "answer": '{"choices": [{"message": {"content": "A cat."}}]}'},
        {"at": "/messages/0/content/2", "how": "none", "outcome": "unreadable"},
    ],
}
PAID: Any = {"model": "m", "upstream": "h", "status": 200, "ms": 7.0, "usage": {"input": 1}}


def test_own_calls_are_those_for_images_and_those_that_were_paid() -> None:
    exchange = Exchange()
    exchange.notes["vision"] = NOTE
    paid: list[Any] = [{**PAID, "purpose": purpose} for purpose in ("own", "vision", "search")]
    found = story_calls.calls(exchange, paid)
    assert [(one["purpose"], one["how"], one["prompt"], one["answer"], one["tries"]) for one in found] == [
        ("vision", "called", "What is it?", "A cat.", 2),
        ("vision", "none", "", "", 0),
        ("search", "", "", "", 0),
    ]
    assert [one["purpose"] for one in story_calls.calls(None, paid[1:2])] == ["vision"]


def test_an_image_has_its_own_description() -> None:
    exchange = Exchange(language="en")
    first = {**NOTE["calls"][0], "at": "/messages/0/content/2"}
    exchange.notes["vision"] = {**NOTE, "calls": [first, {"at": "/messages/0/content/1", "outcome": "unreadable"}]}
    said = "[Image 2/2, described by v1]\nA cat.\n[end of image description]"
    sent = json.dumps({"messages": [{"role": "user", "content": said}]}).encode()
    messages = story_messages.messages(story_requests.with_image()["messages"])
    story_calls.describe(exchange, sent, messages)
    assert [piece.description for piece in messages[0].pieces if piece.kind == "image"] == ["unreadable", "A cat."]


# Changes


def test_a_rule_that_named_no_place_is_there_all_the_same() -> None:
    (change,) = story_changes.shown([], ["answer-finish-reason"], None, "en")
    assert change["part"] == "answer" and change["places"] == [] and change["because"]


def test_a_change_of_a_plug_in_has_no_explanation_here() -> None:
    (change,) = story_changes.shown([], ["somebody-s-own"], None, "en")
    assert (change["rule"], change["because"]) == ("somebody-s-own", "")
