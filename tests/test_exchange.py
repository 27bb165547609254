from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.test import tflow

from hunyuan_fix.exchange import KEY, MAX_CHANGES, AnswerPlan, Change, Changes, Exchange
from tests.kept_flows import saved_and_read


def test_a_rule_is_named_once_in_order():
    exchange = Exchange()
    exchange.note([Change("merge", "", ""), Change("bridge", "", ""), Change("merge", "", "")])
    exchange.note_name("merge")
    exchange.note_name("answer-error")
    assert exchange.rules == ["merge", "bridge", "answer-error"]
    assert exchange.change_count == 3


def test_what_was_noted_can_be_taken_back():
    exchange = Exchange()
    exchange.note([Change("path", "", "")])
    before = exchange.noted()
    exchange.note([Change("merge", "", ""), Change("path", "", "")])
    exchange.forget(before)
    assert (exchange.rules, exchange.changes) == (["path"], Changes([Change("path", "", "")]))
    assert exchange.change_count == 1


def test_what_was_saved_is_read_again():
    exchange = Exchange(profile="tokenhub", dialect="chat", original=b"{}", limits={"a": "b"})
    exchange.note([Change("merge", "/messages/1", "merged")])
    exchange.note_of("reasoning")["texts"] = ["hm"]
    flow = tflow.tflow()
    flow.metadata[KEY] = exchange.to_plain()
    read = Exchange.from_plain(saved_and_read(flow).metadata[KEY])
    assert read is not None
    assert read.to_plain() == exchange.to_plain()
    assert read.changes == exchange.changes


def test_what_is_needed_only_on_the_way_is_not_saved():
    """mitmproxy loses a flow that has an object in its metadata (docs/facts/mitmproxy.md#metadata)."""
    exchange = Exchange(chat={"messages": ["secret"]}, headers={"authorization": "secret"}, plan=AnswerPlan(stop=["x"]))
    assert "secret" not in str(exchange.to_plain())
    assert "plan" not in exchange.to_plain()


def test_an_exchange_of_another_version_is_read_as_far_as_it_is_understood():
    old = {
        "endpoint": "chat",
        "rules": ["merge", 5],
        "changes": [["merge", "/a", "why"], ["merge"], ["a", "b", 3], "abc", None],
        "milliseconds": "long",
        "original": "text",
        "rewritten": 1,
        "plan": {},
        "unheard-of": {},
    }
    understood = Exchange(dialect="chat", rules=["merge"], changes=Changes([Change("merge", "/a", "why")]))
    assert Exchange.from_plain(old) == understood


@pytest.mark.parametrize("kept", [None, "text", 5, [], b""])
def test_what_is_no_exchange_is_none(kept: object):
    assert Exchange.from_plain(kept) is None


any_text = st.text(st.characters(categories=["L", "Cs"]))  # Cs: surrogates


@given(st.lists(st.tuples(any_text, any_text)))
def test_whatever_a_client_sends_the_flow_can_be_saved(changes: list[tuple[str, str]]):
    """Lone surrogates may stand in JSON."""
    exchange = Exchange(notes={"responses": {"model": [text for _, text in changes], "tools": dict(changes)}})
    exchange.note([Change("merge", pointer, why) for pointer, why in changes])
    flow = tflow.tflow()
    flow.metadata[KEY] = exchange.to_plain()
    read = Exchange.from_plain(saved_and_read(flow).metadata[KEY])
    assert read is not None
    assert read.to_plain() == exchange.to_plain()


def test_of_very_many_changes_the_first_are_kept():
    exchange = Exchange()
    exchange.note(Change("merge", f"/messages/{number}", "") for number in range(10_000))
    assert len(exchange.changes) == MAX_CHANGES
    assert exchange.changes[0] == Change("merge", "/messages/0", "")
    assert exchange.change_count == 10_000


def test_changes_are_spelt_out_when_they_are_looked_at():
    changes = Changes()
    changes.note("merge", 3, "joined", "/content")
    changes.note_at("tools", "/tools", "removed")
    changes += [Change("merge", "", "")]
    listed = [Change("merge", "/messages/3/content", "joined"), Change("tools", "/tools", "removed")]
    assert list(changes) == [*listed, Change("merge", "", "")]
    assert changes[:2] == listed
    assert changes[0] == listed[0]
    assert changes != listed
    assert changes.rules() == ["merge", "tools"]


def test_of_very_many_changes_the_first_are_noted():
    changes = Changes()
    for number in range(Changes.MAX_LISTED + 1):
        changes.note("merge", number, "joined")
        changes.note_at("tools", "", "removed")
    assert len(changes) == Changes.MAX_LISTED
    changes += Changes([Change("fields", "", "")])
    assert changes.rules() == ["merge", "tools", "fields"]
