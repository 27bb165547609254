"""`traceparent` and `tracestate`: what is read of them, and what is sent on."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some
from opentelemetry.propagators.textmap import default_getter
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from hunyuan_fix.wire import trace_context
from hunyuan_fix.wire.trace_context import Parent, Trace, begin, parent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"
HEX = "0123456789abcdef"


def hexadecimal(length: int) -> some.SearchStrategy[str]:
    return some.text(HEX, min_size=length, max_size=length)


def follow(_: str, client: bool | None) -> bool:
    return client is not False


def test_a_traceparent_is_read():
    assert parent(GOOD) == Parent(TRACE, SPAN, 1, "")
    assert parent(f"  {GOOD}\t") == Parent(TRACE, SPAN, 1, "")
    unsampled = parent(f"00-{TRACE}-{SPAN}-00")
    assert unsampled is not None
    assert not unsampled.sampled


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "x",
        GOOD[:-1],
        GOOD + "-",
        GOOD + "-00",
        GOOD + "0",
        GOOD.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"00_{TRACE}_{SPAN}_01",
        f"{GOOD}, {GOOD}",
        f"{GOOD}\n",
        GOOD.replace("a", "\u0430"),
        GOOD * 1000,
    ],
)
def test_what_is_no_traceparent_is_none(header: str | None):
    assert parent(header) is None


def test_a_later_version_is_read_as_far_as_it_is_known():
    assert parent(f"01-{TRACE}-{SPAN}-01-more-of-it") == Parent(TRACE, SPAN, 1, "")
    assert parent(f"cc-{TRACE}-{SPAN}-01") == Parent(TRACE, SPAN, 1, "")
    assert parent(f"01-{TRACE}-{SPAN}-01more") is None


@given(some.text(max_size=80) | some.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", fullmatch=True))
def test_opentelemetry_reads_the_same(header: str):
    context = TraceContextTextMapPropagator().extract({"traceparent": header}, getter=default_getter)
    theirs = get_current_span(context).get_span_context()
    ours = parent(header)
    # It takes later versions of any shape, and text around a header.
    if ours is not None:
        assert (theirs.trace_id, theirs.span_id) == (int(ours.trace_id, 16), int(ours.span_id, 16))
        assert ours.sampled == theirs.trace_flags.sampled
    elif theirs.is_valid:
        assert not re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", header)


@pytest.mark.parametrize(
    ("given_state", "read"),
    [
        ("vendor=1", "vendor=1"),
        ("a=1, b=2 ,\tc=3", "a=1,b=2,c=3"),
        ("fw529a3039@dt=FfAB", "fw529a3039@dt=FfAB"),
        ("a=1,,b=2", "a=1,b=2"),
        ("a=x y z", "a=x y z"),
        ("a=1,a=2", ""),
        ("A=1", ""),
        ("a", ""),
        ("a=", ""),
        ("a=b=c", ""),
        ("a=\u00e9", ""),
        ("a=1\r\nx: y", ""),
        (",".join(f"k{number}=1" for number in range(32)), ",".join(f"k{number}=1" for number in range(32))),
        (",".join(f"k{number}=1" for number in range(33)), ""),
        ("a=" + "x" * 20_000, ""),
    ],
)
def test_a_tracestate_is_kept_whole_or_not_at_all(given_state: str, read: str):
    found = parent(GOOD, given_state)
    assert found is not None
    assert found.state == read


@given(some.text(max_size=60), some.text(max_size=200))
def test_nothing_that_a_client_sends_raises_or_breaks_a_header(traceparent: str, tracestate: str):
    for header in (traceparent, GOOD):
        trace = begin(parent(header, tracestate), follow, is_sent_on=True)
        for name, value in trace.headers(trace.span_id).items():
            assert name in ("traceparent", "tracestate")
            assert re.fullmatch(r"[\x20-\x7e]+", value)


@given(hexadecimal(32), hexadecimal(16), hexadecimal(2))
def test_a_trace_goes_on_as_its_client_has_decided(trace_id: str, span_id: str, flags: str):
    client = parent(f"00-{trace_id}-{span_id}-{flags}", "a=1")
    trace = begin(client, follow, is_sent_on=True)
    if client is None:
        assert (trace.parent_id, trace.state, trace.sampled) == ("", "", True)
        return
    assert (trace.trace_id, trace.parent_id, trace.state) == (trace_id, span_id, "a=1")
    assert trace.sampled == bool(int(flags, 16) & 1)
    sent = trace.headers("1234567890abcdef")
    assert sent["traceparent"] == f"00-{trace_id}-1234567890abcdef-{int(flags, 16) & 3:02x}"
    assert parent(sent["traceparent"], sent["tracestate"]) == Parent(
        trace_id, "1234567890abcdef", int(flags, 16) & 3, "a=1"
    )


def test_ids_are_new_and_never_zero(monkeypatch: pytest.MonkeyPatch):
    assert len({trace_context.new_span_id() for _ in range(100)}) == 100
    monkeypatch.setattr("random.getrandbits", lambda _: 0)
    assert parent(f"00-{trace_context.new_trace_id()}-{trace_context.new_span_id()}-01") is not None


def test_headers_stand_in_the_place_of_the_clients():
    trace = Trace(TRACE, SPAN, "", 1, "", is_sent_on=True)
    given_pairs = [(b"TraceParent", b"old"), (b"a", b"1"), (b"tracestate", b"old=1"), (b"traceparent", b"older")]
    assert trace.on(given_pairs, "1234567890abcdef") == [
        (b"a", b"1"),
        (b"traceparent", f"00-{TRACE}-1234567890abcdef-01".encode()),
    ]
    silent = Trace(TRACE, SPAN, "", 1, "a=1", is_sent_on=False)
    assert silent.on(given_pairs, SPAN) is given_pairs
    assert silent.headers(SPAN) == {}
