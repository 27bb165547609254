from __future__ import annotations

import io
from typing import Any

from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import tflow

from addon import record
from addon.exchange import AnswerPlan, Change
from addon.route import Address, Route

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
    """mitmproxy loses a flow that has an object in its metadata (facts/mitmproxy.md section 3)."""
    flow = tflow.tflow()
    begun = record.start(flow.metadata, "POST", "/", ROUTE)
    begun["plan"] = AnswerPlan(tool_names={"a": "b"}, stop=["x"]).to_plain()
    saved = io.BytesIO()
    FlowWriter(saved).add(flow)
    saved.seek(0)
    (read,) = FlowReader(saved).stream()
    assert record.of(read.metadata) == begun
    assert AnswerPlan.from_plain(begun["plan"]).tool_names == {"a": "b"}
