from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import tflow

from hunyuan_fix import record
from hunyuan_fix.exchange import AnswerPlan, Change
from hunyuan_fix.route import Address, Route
from tests.kept_flows import saved_and_read

ADDRESS = Address("https", "h", 443, "/v1/chat/completions")
ROUTE = Route("tokenhub", "chat", "https://h/v1", ADDRESS, True, True, False)


def test_a_record_begins_with_its_route():
    metadata: dict[Any, Any] = {}
    begun = record.start(metadata, "POST", "/v1/chat/completions?x=1", ROUTE)
    assert record.of(metadata) is begun
    assert (begun["profile"], begun["endpoint"], begun["base_url"]) == ("tokenhub", "chat", "https://h/v1")
    assert (begun["path"], begun["successors"]) == ("/v1/chat/completions", True)


def test_what_is_only_watched_has_no_endpoint():
    watched = record.start({}, "GET", "/", None)
    assert watched["endpoint"] == watched["profile"] == ""
    assert record.of({}) is None


def test_a_rule_is_named_once_in_order():
    begun = record.start({}, "POST", "/", ROUTE)
    record.note(begun, [Change("merge", "", ""), Change("bridge", "", ""), Change("merge", "", "")])
    record.note_name(begun, "merge")
    record.note_name(begun, "answer-error")
    assert begun["rules"] == ["merge", "bridge", "answer-error"]


def test_a_flow_with_a_record_can_be_saved():
    """mitmproxy loses a flow that has an object in its metadata (docs/facts/mitmproxy.md#metadata)."""
    flow = tflow.tflow()
    begun = record.start(flow.metadata, "POST", "/", ROUTE)
    begun["plan"] = AnswerPlan(tool_names={"a": "b"}, stop=["x"]).to_plain()
    saved = io.BytesIO()
    FlowWriter(saved).add(flow)
    saved.seek(0)
    (read,) = FlowReader(saved).stream()
    assert record.of(read.metadata) == begun
    assert AnswerPlan.from_plain(begun["plan"]).tool_names == {"a": "b"}


def test_a_record_without_gaps_is_read_as_it_is():
    metadata: dict[Any, Any] = {}
    begun = record.start(metadata, "POST", "/", ROUTE)
    begun["original"] = b"{}"
    record.note(begun, [Change("merge", "/messages/1", "merged")])
    assert record.saved(metadata) == begun


def test_a_record_of_another_version_is_read_as_far_as_it_is_understood():
    old = {
        "endpoint": "chat",
        "rules": ["merge", 5],
        "changes": [["merge", "/a", "why"], ["merge"], ["a", "b", 3], "abc", None],
        "milliseconds": "long",
        "original": "text",
        "rewritten": 1,
        "unheard-of": {},
    }
    read = record.saved({record.KEY: old})
    blank = record.start({}, "", "", None)
    understood = {"endpoint": "chat", "rules": ["merge"], "changes": [["merge", "/a", "why"]]}
    assert read == {**blank, **understood}


@pytest.mark.parametrize("kept", [None, "text", 5, [], b""])
def test_what_is_no_record_is_none(kept: object):
    assert record.saved({record.KEY: kept}) is None
    assert record.saved({}) is None


any_text = st.text(st.characters(categories=["L", "Cs"]))  # Cs: surrogates


@given(any_text, any_text, st.lists(st.tuples(any_text, any_text)))
def test_whatever_a_client_sends_the_flow_can_be_saved(method: str, path: str, changes: list[tuple[str, str]]):
    """Lone surrogates stand for the bytes of a target that are no UTF-8, and may stand in JSON."""
    flow = tflow.tflow()
    base_url = f"https://h/{path}"
    route = Route("tokenhub", "chat", base_url, ADDRESS, True, True, False)
    begun = record.start(flow.metadata, method, f"{path}?x=1", route)
    record.note(begun, [Change("merge", pointer, why) for pointer, why in changes])
    read = saved_and_read(flow)
    assert record.saved(read.metadata) == begun


def test_of_very_many_changes_the_first_are_kept():
    begun = record.start({}, "POST", "/", ROUTE)
    record.note(begun, [Change("merge", f"/messages/{number}", "") for number in range(10_000)])
    assert len(begun["changes"]) == record.MAX_CHANGES
    assert begun["changes"][0] == ["merge", "/messages/0", ""]
