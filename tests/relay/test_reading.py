"""The relay judges an upstream's answers in the house language, and passes their bytes on."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.dialects import UPSTREAM_DIALECTS
from hunyuan_fix.exchange import JsonObject
from hunyuan_fix.relay import commitment
from hunyuan_fix.relay.event_stream import EventStream
from hunyuan_fix.relay.reading import Reading
from hunyuan_fix.wire import flaws
from hunyuan_fix.wire.flaws import Flaw
from tests.seams.toys import ToyUpstream

NOTE = {"messages": 1}
LIMIT = 1 << 20
STREAM = b'data: {"more":"hel"}\n\ndata: {"more":"lo"}\n\ndata: {"end":"stop"}\n\n'


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(UPSTREAM_DIALECTS, "toy-upstream", ToyUpstream())


def flaw(body: JsonObject, note: JsonObject | None = None) -> Flaw | None:
    reading = Reading("toy-upstream", NOTE if note is None else note)
    return commitment.flaw(json.dumps(body).encode(), "", LIMIT, reading)


def test_a_whole_answer_is_judged_by_what_it_says() -> None:
    assert flaw({"reply": "hello", "used": 5}) is None
    found = flaw({"oops": "busy"})
    assert found is not None
    assert json.loads(found.error or b"")["error"]["message"] == "busy"
    assert commitment.flaw(b'{"reply": "hello", "used": 5}', "", LIMIT, Reading()) == flaws.NO_CHOICES


def test_what_the_dialect_fails_at_is_judged_as_it_is() -> None:
    assert flaw({"reply": "hello"}) == flaws.NO_CHOICES
    assert flaw({"reply": "hello", "used": 5}, note={"other": 1}) == flaws.NO_CHOICES


@given(st.lists(st.integers(0, len(STREAM)), max_size=4))
def test_a_stream_passes_byte_for_byte_however_it_is_cut(cuts: list[int]) -> None:
    stream = EventStream("", Reading("toy-upstream", NOTE))
    edges = [0, *sorted(cuts), len(STREAM)]
    passed = b"".join(stream.feed(STREAM[start:end]) for start, end in pairwise(edges))
    assert passed + stream.finish() == STREAM
    assert (stream.begun, stream.flaw, stream.settled) == (True, None, True)


def test_a_stream_that_begins_with_an_error_has_a_flaw() -> None:
    stream = EventStream("", Reading("toy-upstream", NOTE))
    stream.feed(b'data: {"oops":"busy"}\n\n')
    assert stream.flaw is not None
    assert json.loads(stream.flaw.error or b"")["error"]["message"] == "busy"


def test_a_stream_is_not_settled_before_its_end() -> None:
    stream = EventStream("", Reading("toy-upstream", NOTE))
    stream.feed(STREAM[:22])
    assert (stream.begun, stream.settled) == (True, False)


def test_the_note_of_the_exchange_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(ToyUpstream):
        def events(self, event: JsonObject, note: JsonObject) -> list[JsonObject]:
            note["seen"].append(event)
            return super().events(event, note)

    monkeypatch.setitem(UPSTREAM_DIALECTS, "toy-upstream", Counting())
    note: JsonObject = {"seen": []}
    stream = EventStream("", Reading("toy-upstream", note))
    stream.feed(STREAM)
    assert note == {"seen": []}
