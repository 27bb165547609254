"""Changes name their place in the request as the client sent it, and as it left."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import rules
from hunyuan_fix.dialects.anthropic import Anthropic
from hunyuan_fix.exchange import Change, Changes, Exchange
from hunyuan_fix.rules.places import NAME, Track
from hunyuan_fix.views import places
from hunyuan_fix.views.places import Place
from tests import strategies
from tests.rule_context import answer, call, context

PROFILES = ("hunyuan", "tokenhub", "moonshot")


def repaired(body: dict[str, Any], profile: str = "hunyuan", dialect: str = "chat", **options: Any) -> Exchange:
    """The exchange of a chat `body`, which is repaired in place."""
    exchange = Exchange(profile=profile, dialect=dialect, original=json.dumps(body).encode(), rewritten=True)
    track = Track()
    exchange.note(rules.apply_chat(body, context(profile, **options), track=track))
    if moved := track.note(0):
        exchange.notes[NAME] = moved
    return exchange


def found(body: dict[str, Any], profile: str = "hunyuan") -> dict[tuple[str, str], tuple[str | None, str | None]]:
    exchange = repaired(body, profile)
    given = places.original_and_final(exchange, json.dumps(body).encode())
    assert len(given) == len(exchange.changes)
    return {
        (change.rule, change.why): (place.original, place.final)
        for change, place in zip(exchange.changes, given, strict=True)
    }


def value_at(pointer: str, body: Any) -> Any:
    """RFC 6901. Raises `LookupError` where there is none."""
    for token in pointer.split("/")[1:]:
        body = body[int(token)] if isinstance(body, list) else body[token.replace("~1", "/").replace("~0", "~")]
    return body


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: Any, *calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **({"tool_calls": list(calls)} if calls else {})}


def test_the_same_empty_message_is_named_as_it_was_sent_and_as_it_left() -> None:
    """Two rules before it have joined and added messages."""
    body = {
        "messages": [
            {"role": "system", "content": "a"},
            user("b"),
            user("c"),
            assistant(None, call("1")),
            answer("1"),
            user("d"),
            assistant(""),
            user("e"),
        ]
    }
    named = found(body)
    assert named["merge", "joined to the user message before"] == ("/messages/2", "/messages/1")
    assert named["bridge", "an assistant message between tool and user"] == ("/messages/5", "/messages/5")
    assert named["placeholders", "empty assistant content gets a placeholder"] == (
        "/messages/6/content",
        "/messages/6/content",
    )
    assert [message["role"][0] for message in body["messages"]] == list("suatauau")


def test_what_was_added_was_not_sent_and_what_was_removed_did_not_leave() -> None:
    body = {"messages": [user("a"), assistant("b", call("1"), call("2")), answer("1"), user("c")], "user": "me"}
    named = found(body)
    assert named["parameters", "the endpoint does not take this parameter: removed"] == ("/user", None)
    assert named["pairing", "a tool call without an answer gets one"] == ("/messages/1", "/messages/1")
    body = {"messages": [assistant("hi"), user("a")]}
    original = repaired(body)
    (place,) = places.original_and_final(original, json.dumps(body).encode())
    assert place == Place("/messages/0", "/messages/1")


def test_tools_are_named_by_where_they_stand_in_either_list() -> None:
    def tool(name: str, **more: Any) -> dict[str, Any]:
        return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}, **more}}

    body = {
        "messages": [user("a")],
        "tools": [{"type": "web_search"}, tool("a"), tool("b", strict=True)],
        "functions": [{"name": "c", "strict": False, "parameters": {"type": "object"}}],
    }
    exchange = repaired(body)
    given = places.original_and_final(exchange, json.dumps(body).encode())
    named = {
        change.pointer: (place.original, place.final) for change, place in zip(exchange.changes, given, strict=True)
    }
    assert named["/tools/0"] == ("/tools/0", None)
    assert named["/tools/2/function/strict"] == ("/tools/2/function/strict", "/tools/1/function")
    assert named["/tools/3/function/strict"] == ("/functions/0/strict", "/tools/2/function")
    assert named["/functions"] == ("/functions", None)


def test_changes_of_answers_have_no_place_in_the_request() -> None:
    exchange = Exchange(dialect="chat", rewritten=True, original=b'{"choices": [1]}')
    exchange.note([Change("answer-usage", "/usage", "x"), Change("web-search", "/choices/0", "y")])
    assert places.original_and_final(exchange, b"{}") == [Place(None, None)] * 2


def test_a_change_before_the_rules_follows_its_message() -> None:
    """The cascade names the places as they came; the rules join the messages afterwards."""
    body = {"messages": [user("a"), user("b"), assistant("c"), user("d"), user("e")]}
    exchange = Exchange(dialect="chat", original=json.dumps(body).encode(), rewritten=True)
    exchange.note([Change("cascade", "/messages/3/content", "x"), Change("cascade", "/messages/4/content", "y")])
    track = Track()
    exchange.note(rules.apply_chat(body, context(), track=track))
    exchange.notes[NAME] = track.note(2) or {}
    exchange.note([Change("prompt-cache", "/messages/2/content", "after the rules")])
    given = places.original_and_final(exchange, json.dumps(body).encode())
    assert given[:2] == [
        Place("/messages/3/content", "/messages/2/content"),
        Place("/messages/4/content", "/messages/2"),
    ]
    assert given[-1] == Place("/messages/3/content", "/messages/2/content")


def test_a_translated_request_is_named_in_the_clients_format() -> None:
    messages = {
        "model": "m",
        "max_tokens": 9,
        "system": "Be brief.",
        "messages": [
            user([{"type": "text", "text": "one"}]),
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "ls", "input": {"a": 1}}]},
            user([{"type": "tool_result", "tool_use_id": "t1", "content": "two"}, {"type": "text", "text": "three"}]),
        ],
    }
    body = Anthropic().to_chat(copy.deepcopy(messages), {}, {})
    exchange = repaired(body, dialect="anthropic")
    exchange.original = json.dumps(messages).encode()
    exchange.note([Change("anthropic", "/max_tokens", "renamed")])
    sent = json.dumps(body).encode()
    given = {
        change.rule: place
        for change, place in zip(exchange.changes, places.original_and_final(exchange, sent), strict=True)
    }
    assert given["bridge"] == Place("/messages/2", "/messages/5")
    assert given["anthropic"].original == "/max_tokens"


# For any request

unique = st.lists(strategies.messages(), min_size=1, max_size=14)


def each_with_its_own_text(history: list[Any]) -> list[Any]:
    """Every message that is one says something that no other says."""
    for number, message in enumerate(history):
        if isinstance(message, dict) and isinstance(message.get("content"), str):
            message["content"] += f" §{number}§"
    return history


@given(st.one_of(unique, strategies.long_histories), st.sampled_from(PROFILES))
def test_every_message_is_where_its_text_is(history: list[Any], profile: str) -> None:
    history = each_with_its_own_text(copy.deepcopy(history))
    body = {"messages": copy.deepcopy(history)}
    exchange = repaired(body, profile)
    exchange.changes = Changes(Change("before", f"/messages/{number}", "") for number in range(len(history)))
    if NAME in exchange.notes:
        exchange.notes[NAME]["first"] = len(history)
    given = places.original_and_final(exchange, json.dumps(body).encode())
    for number, message in enumerate(history):
        if isinstance(message, dict) and isinstance(message.get("content"), str):
            assert given[number].original == f"/messages/{number}"
            final = given[number].final
            assert final is not None
            assert f"§{number}§" in json.dumps(value_at(final, body), ensure_ascii=False)


@given(strategies.bodies, st.sampled_from(PROFILES))
def test_every_place_is_there(body: dict[str, Any], profile: str) -> None:
    body = copy.deepcopy(body)
    original = copy.deepcopy(body)
    exchange = repaired(body, profile)
    for place in places.original_and_final(exchange, json.dumps(body).encode()):
        if place.original is not None:
            value_at(place.original, original)
        if place.final is not None:
            value_at(place.final, body)
